package logs_test

import (
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/nets"
)

// TestBrief reads few parts of most peers' requests, and all of those that are asked for or that passed a proxy.
func TestBrief(t *testing.T) {
	const text = `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "http://r.example/" "one"
192.0.2.2 - - [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "http://r.example/" "two"
10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "http://r.example/" "three" "198.51.100.7"
192.0.2.2 - frank [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "http://r.example/" "four"
`
	proxies := nets.New(netip.MustParsePrefix("10.0.0.0/8"))
	format, err := logs.Lookup("apache_combined")
	if err != nil {
		t.Fatal(err)
	}
	p := format.NewParser(logs.Options{Proxies: proxies, Auto: true})
	p.Brief(connwarden.FieldTime|connwarden.FieldPath, func(peer netip.Addr, _ int64) bool { return peer == netip.MustParseAddr("192.0.2.1") })
	var got agents
	if s := p.Parse(connwarden.Source{}, []byte(text), &got); s.Parsed != 4 {
		t.Errorf("%d lines were parsed, want 4", s.Parsed)
	}
	// The third came through a proxy; the fourth does not begin as nearly all lines do, and is read whole.
	want := []string{"192.0.2.1 /a one", "192.0.2.2 /a ", "198.51.100.7 /a three", "192.0.2.2 /a four"}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("line %d: %q, want %q", i+1, got, w)
			break
		}
	}
}

type agents []string

func (a *agents) Conn(*connwarden.Conn)   {}
func (a *agents) Event(*connwarden.Event) {}
func (a *agents) Fault(*connwarden.Fault) {}
func (a *agents) Request(r *connwarden.Request) {
	*a = append(*a, r.Client.String()+" "+string(r.Path)+" "+string(r.Agent))
}
