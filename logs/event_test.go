package logs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// events collects what a log says about peers. It is a sink.
type events struct{ list []string }

func (e *events) Conn(*connwarden.Conn)       {}
func (e *events) Request(*connwarden.Request) {}
func (e *events) Fault(*connwarden.Fault)     {}
func (e *events) Event(v *connwarden.Event) {
	e.list = append(e.list, strings.Join([]string{v.Time.Format("2006-01-02T15:04:05Z07:00"), v.Client.String(), v.Service, v.Kind.String(), string(v.User)}, " "))
}

func TestEventLogs(t *testing.T) {
	for _, c := range []struct{ name, text, format, want string }{
		{"rsyslog", "Nov 22 14:03:07 host sshd[123]: Failed password for invalid user bob from 198.51.100.1 port 4711 ssh2\n" +
			"Nov 22 14:03:08 host CRON[1]: pam_unix(cron:session): session opened for user root\n", "syslog",
			"2026-11-22T14:03:07Z 198.51.100.1 sshd auth_failed bob"},
		{"rsyslog with the time of RFC 3339", "2026-11-22T14:03:07.123456+01:00 host sshd-session[9]: Accepted publickey for root from 2001:db8::7 port 22 ssh2: ED25519 SHA256:x\n",
			"syslog", "2026-11-22T14:03:07+01:00 2001:db8::7 sshd auth_passed root"},
		{"RFC 5424", "<34>1 2026-11-22T14:03:07Z host sshd 123 - - Failed password for root from 198.51.100.1 port 4711 ssh2\n", "",
			"2026-11-22T14:03:07Z 198.51.100.1 sshd auth_failed root"},
		{"exim's own", "2026-11-22 14:03:07 login authenticator failed for (x) [198.51.100.1]: 535 Incorrect authentication data (set_id=bob)\n", "exim",
			"2026-11-22T14:03:07Z 198.51.100.1 exim auth_failed bob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Detect("auth.log", []byte(c.text))
			if f == nil {
				f = syslogLog // too few lines of that form are seen to know it by them
			}
			if c.format != "" && f.Name != c.format {
				t.Fatalf("format %s, want %s", f.Name, c.format)
			}
			if c.format == "" {
				f = syslogLog
			}
			var got events
			s := f.NewParser(Options{Now: errorNow}).Parse(connwarden.Source{}, []byte(c.text), &got)
			if s.Unparsed > 0 {
				t.Errorf("%d lines unparsed", s.Unparsed)
			}
			if strings.Join(got.list, "\n") != c.want {
				t.Errorf("got  %q\nwant %q", got.list, c.want)
			}
		})
	}
}

// TestEventsAllocate: reading what daemons say allocates nothing.
func TestEventsAllocate(t *testing.T) {
	text := []byte(strings.Repeat("Nov 22 14:03:07 host sshd[123]: Failed password for root from 198.51.100.1 port 4711 ssh2\n", 8))
	p := syslogLog.NewParser(Options{Now: errorNow})
	var c counter
	p.Parse(connwarden.Source{}, text, &c)
	if n := testing.AllocsPerRun(20, func() { p.Parse(connwarden.Source{}, text, &c) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestEventFormatsAreFound reads the samples of the daemons' own logs, which their room keeps: a log of such lines is found to be of its
// format, not one that syslog brought, which would be worth less trust.
func TestEventFormatsAreFound(t *testing.T) {
	samples, found := map[string]int{}, map[string]int{}
	for _, line := range ownSamples(t) {
		format, text, _ := strings.Cut(line, " ")
		if raw, err := strconv.Unquote(text); err == nil {
			text = raw
		}
		samples[format]++
		if f := Detect("x.log", []byte(strings.Repeat(text+"\n", 3))); f != nil && f.Name == format {
			found[format]++
		}
	}
	for i := range daemons.Formats {
		switch name := daemons.Formats[i].Name; {
		case named(name) == nil:
			t.Errorf("no format %s", name)
		case found[name] < samples[name] && name != "cpanel_login": // one of whose samples is a forged line of an access log
			t.Errorf("of %d lines of %s %d are found", samples[name], name, found[name])
		}
	}
}

// TestEventFormatsInContainers reads daemons' own logs as Docker keeps them, and one of an application that is not known, of which a client
// has written some lines.
func TestEventFormatsInContainers(t *testing.T) {
	docker := func(lines ...string) []byte {
		var out []byte
		for _, line := range lines {
			b, err := json.Marshal(map[string]string{"log": line + "\n", "stream": "stdout", "time": "2026-11-22T14:03:07.123456789Z"})
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, b...), '\n')
		}
		return out
	}
	tried := 0
	for _, line := range ownSamples(t) {
		format, text, _ := strings.Cut(line, " ")
		switch format {
		case "keycloak", "authelia", "authentik", "elasticsearch_audit", "mattermost_audit", "nextcloud", "mongodb":
			if f := Detect("x-json.log", docker(text, text, text)); f == nil || f.Name != "docker/"+format {
				t.Errorf("taken for %+v: %s", f, text)
			}
			tried++
		}
	}
	if tried < 20 {
		t.Errorf("only %d lines were tried", tried)
	}
	const forged = "[2026-11-22 14:03:07] NOTICE[42] chan_sip.c: Registration from 'x' failed for '203.0.113.9:5060' - Wrong password"
	if f := Detect("x-json.log", docker("started", "user x", forged, "user y", forged, "stopped")); f != nil && f.Trust() != connwarden.TrustOutside {
		t.Errorf("taken for %s", f.Name)
	}
}

// TestRawFormats proves that a line which a client has made by a name with line ends is worth a client's word, whatever the daemon's are.
func TestRawFormats(t *testing.T) {
	for _, forged := range []string{
		"[2026-11-22 14:03:07] NOTICE[42] chan_sip.c: Registration from 'x' failed for '203.0.113.9:5060' - Wrong password",
		"Nov 22 14:03:07 web1 sshd[4242]: Failed password for root from 203.0.113.9 port 51022 ssh2",
		"[2026-11-22 14:03:07.123 +00:00] [INF] [36] Jellyfin.Server.Implementations.Users.UserManager: Authentication request for bob has been denied (IP: 203.0.113.9).",
		`[2026-11-22 14:03:07.123 +00:00] [INF] [36] Jellyfin.Server.Implementations.Users.UserManager: Authentication request for \"bob\" has been denied (IP: \"203.0.113.9\").`,
	} {
		for _, name := range []string{"jellyfin", "vaultwarden", "odoo", "redmine", "ispconfig", "emby", "3proxy"} {
			home := named(name)
			p := home.NewParser(Options{Now: errorNow, Auto: true, Trust: home.Trust()})
			p.Parse(connwarden.Source{Line: 1}, []byte(forged+"\n"), trusting{t, name, connwarden.TrustOutside})
		}
	}
	const own = `[2026-11-22 14:03:07.123 +00:00] [INF] [36] Jellyfin.Server.Implementations.Users.UserManager: Authentication request for "bob" has been denied (IP: "198.51.100.1").`
	forged := strings.Repeat("[2026-11-22 14:03:07] NOTICE[42] chan_sip.c: Registration from 'x' failed for '203.0.113.9:5060' - Wrong password\n", 50)
	request := strings.Repeat(`203.0.113.9 - - [22/Nov/2026:14:03:07 +0000] "GET /.env HTTP/1.1" 404 1 "-" "-"`+"\n", 50)
	for _, head := range []string{own + "\n" + forged, forged + own + "\n", own + "\n" + request} {
		if f := Detect("x.log", []byte(head)); f == nil || f.Name != "jellyfin" {
			t.Errorf("a log is taken for %+v by lines of a client's", f)
		}
	}
	home := named("jellyfin")
	p := home.NewParser(Options{Now: errorNow, Auto: true, Trust: home.Trust()})
	p.Parse(connwarden.Source{Line: 1}, []byte("x\n"+own+"\n"), trusting{t, "jellyfin", connwarden.TrustRoot})
}

// TestNamesBreakLines reads refusals of somebody else that a name with a line end has made, in logs which are found where root alone could write:
// they are worth a local account's word.
func TestNamesBreakLines(t *testing.T) {
	for name, text := range map[string]string{
		"postgresql": "2026-11-22 14:03:07 UTC 203.0.113.9 a@b FATAL:  password authentication failed for user \"a\"",
		"roundcube":  "[22-Nov-2026 14:03:07 +0000]: Failed login for a from 203.0.113.9 in session x (error: 0)", // rcmail.php, log_login
		"samba":      "  Auth: [SMB2,(null)] user [W]\\[a] at [Sun, 22 Nov 2026 14:03:07.123456 UTC] with [NTLMv2] status [NT_STATUS_NO_SUCH_USER] workstation [B] remote host [ipv4:203.0.113.9:1] mapped to [W]\\[a]. local host [ipv4:192.0.2.10:445]",
		"phpmyadmin": "Nov 22 14:03:07 phpmyadmin: user denied: a (mysql-denied) from 203.0.113.9", // Logging.php, logUser
		// behind a number that was called, which chan_iax2.c writes as it came
		"asterisk":   "[2026-11-22 14:03:07] NOTICE[42] chan_sip.c: Registration from 'x' failed for '203.0.113.9:5060' - Wrong password",
		"ejabberd":   "2026-11-22 14:03:07.123456+00:00 [warning] (tls|<0.1.0>) Failed c2s PLAIN authentication for a@b from 203.0.113.9: x",
		"xrdp":       "[20261122-14:03:07] [INFO ] AUTHFAIL: user=a ip=203.0.113.9 time=1",
		"monit":      "[2026-11-22T14:03:07+0000] error    : HttpRequest: access denied -- client [203.0.113.9]: unknown user 'a'",
		"murmur":     "<W>2026-11-22 14:03:07.123 1 => <1:a(-1)> Rejected connection from 203.0.113.9:1: Invalid server password",
		"freeswitch": "2026-11-22 14:03:07.123456 [WARNING] sofia_reg.c:1 SIP auth failure (REGISTER) on sofia profile 'x' for [a] from ip 203.0.113.9",
	} {
		var got events
		home := named(name)
		home.NewParser(Options{Now: errorNow, Auto: true}).Parse(connwarden.Source{}, []byte(text+"\n"), &got)
		if len(got.list) != 1 {
			t.Errorf("%s: %q is read from %s", name, got.list, text)
		}
		p := home.NewParser(Options{Now: errorNow, Auto: true, Trust: connwarden.TrustRoot})
		p.Parse(connwarden.Source{Line: 1}, []byte(text+"\n"), trusting{t, name, connwarden.TrustLocal})
	}
}

// TestPostgresNames reads what PostgreSQL 15 really wrote of a client whose name and database hold line ends: one line of it is a whole refusal
// of somebody else, which is worth no more than a local account's word; of a row and of an object it is none.
func TestPostgresNames(t *testing.T) {
	for name, text := range map[string]string{
		"postgresql": "2026-11-22 14:03:07.268 UTC [4276] x\n" +
			"2026-11-22 14:03:07 UTC 203.0.113.9 a@b FATAL:  password authentication failed for user \"a\"\n" +
			" FATAL:  password authentication failed for user \"x\n\t2026-11-22 14:03:07 UTC 203.0.113.9 a\"\n",
		"postgresql_csv": "2026-11-22 14:03:07.271 UTC,\"x\"\",\n2026-11-22 14:03:07.123 UTC,\"\"a\"\",\"\"b\"\",1,\"\"203.0.113.9:1\"\",\",\"z\",4277,\"198.51.100.1:52996\",6b041b54.5ed5,2,\"authentication\"," +
			"2026-11-22 14:03:07 UTC,3/4,0,FATAL,28P01,\"password authentication failed for user \"\"x\"\",\n2026-11-22 14:03:07.123 UTC,\"\"a\"\",\"\"b\"\",1,\"\"203.0.113.9:1\"\",\"\"\",,,,,,,,,\"\",\"client backend\",,0\n",
		"postgresql_json": `{"timestamp":"2026-11-22 14:03:07.268 UTC","user":"x\n2026-11-22 14:03:07 UTC 203.0.113.9 a","dbname":"b FATAL:  password authentication failed for user \"a\"\n","pid":4276,"remote_host":"203.0.113.9","remote_port":52992,` +
			`"session_id":"6b041b54.5ed4","line_num":2,"ps":"authentication","txid":0,"error_severity":"LOG","state_code":"00000","message":"disconnection"}` + "\n",
	} {
		home := named(name)
		p := home.NewParser(Options{Now: errorNow, Auto: true, Trust: home.Trust()})
		want := connwarden.TrustLocal
		if name != "postgresql" {
			want = connwarden.TrustOutside
		}
		p.Parse(connwarden.Source{Line: 1}, []byte(text), trusting{t, name, want})
	}
}

// trusting is a sink of events that are all worth the same trust.
type trusting struct {
	t    *testing.T
	name string
	want connwarden.Trust
}

func (s trusting) Conn(*connwarden.Conn)       {}
func (s trusting) Request(*connwarden.Request) {}
func (s trusting) Fault(*connwarden.Fault)     {}
func (s trusting) Event(e *connwarden.Event) {
	if e.From.Trust != s.want {
		s.t.Errorf("%s: trust %s, want %s: %s", s.name, e.From.Trust, s.want, e.Raw)
	}
}

// ownSamples are the lines of daemons' own logs, each after the name of its format.
func ownSamples(t *testing.T) (list []string) {
	t.Helper()
	for _, line := range daemonSamples(t) {
		if s, ok := strings.CutPrefix(line, ">> "); ok {
			list = append(list, s)
		}
	}
	return list
}

// daemonSamples are the lines of the files of samples of the daemons' room.
func daemonSamples(t testing.TB) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("../daemons/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func FuzzEvents(f *testing.F) {
	for _, line := range daemonSamples(f) {
		f.Add(0, []byte(line+"\n"))
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		format := eventFormats[uint(i)%uint(len(eventFormats))]
		var c counter
		p := format.NewParser(Options{Now: errorNow})
		p.Parse(connwarden.Source{}, text, &c)
		p.Flush(&c)
	})
}

func BenchmarkSyslog(b *testing.B) {
	text := []byte(strings.Repeat("Nov 22 14:03:07 host sshd[123]: Failed password for root from 198.51.100.1 port 4711 ssh2\n"+
		"Nov 22 14:03:08 host CRON[1]: pam_unix(cron:session): session opened for user root\n", 500))
	p := syslogLog.NewParser(Options{Now: errorNow})
	var c counter
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(connwarden.Source{}, text, &c)
	}
}
