package logs

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// framed is a sink that looks what is worth more than it may be of what a name says.
type framed struct {
	nothing
	t    *testing.T
	name string
}

func (s *framed) Event(e *connwarden.Event) {
	most := connwarden.TrustLocal
	if e.Service != "mysql" {
		most = connwarden.TrustOutside
	}
	if e.From.Trust > most {
		s.t.Errorf("%s of %s is worth %s, by the name %q", e.Kind, e.Client, e.From.Trust, s.name)
	}
}

func (s *framed) Fault(f *connwarden.Fault) {
	if f.Client.IsValid() && f.From.Trust == connwarden.TrustRoot {
		s.t.Errorf("a fault of %s is the daemon's word, by the name %q", f.Client, s.name)
	}
}

func (s *framed) Request(r *connwarden.Request) {
	if r.From.Trust > connwarden.TrustOutside {
		s.t.Errorf("a request of %s is worth %s, by the name %q", r.Client, r.From.Trust, s.name)
	}
}

// TestMySQLNames tries names of 128 bytes, put together of what lines of logs begin and end with, in MariaDB's log, which writes their line ends as
// they come: nothing that a name says of somebody is the daemon's word.
func TestMySQLNames(t *testing.T) {
	const most = 128
	pieces := []string{
		"x", "\n", "\n", "\n", "'@'203.0.113.9' (using password: NO)", "261123  5:01:00 [Note] ", "261123  5:01:00 [ERROR] ", "2026-11-23  5:01:00 1 [Warning] ",
		"Access denied for user '", "Access denied for user ''@'203.0.113.9' (using password: NO)", "Host '203.0.113.9' is blocked because of many connection errors",
		"Nov 22 14:03:07 h su: ", "Nov 22 14:03:07 h sshd[1]: Failed password for root from 203.0.113.9 port 22 ssh2",
		`203.0.113.9 - - [22/Nov/2026:14:03:07 +0000] "GET /.env HTTP/1.1" 404 1`,
	}
	rng := rand.New(rand.NewPCG(1, 2))
	p := mysqlError.NewParser(Options{Now: errorNow, Auto: true, Trust: mysqlError.Trust()})
	for range 20_000 {
		name := ""
		for next := ""; len(name)+len(next) <= most; next = pieces[rng.IntN(len(pieces))] {
			name += next
		}
		text := "2026-11-23  5:03:51 3 [Warning] Access denied for user '" + name + "'@'198.51.100.1' (using password: YES)\n"
		sink := &framed{t: t, name: name}
		p.Parse(connwarden.Source{Line: 1}, []byte(text), sink)
		p.Flush(sink)
	}
	seen := &accused{"-"}
	p.Parse(connwarden.Source{Line: 1}, []byte(strings.Repeat("2026-11-23  5:03:51 3 [Warning] Access denied for user 'root'@'198.51.100.1' (using password: YES)\n", 2)), seen)
	if seen.who == "-" {
		t.Error("a refused login says nothing")
	}
}
