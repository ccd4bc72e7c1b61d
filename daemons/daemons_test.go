package daemons

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/connwarden/connwarden"
	"github.com/google/go-cmp/cmp"
)

// sampled are those that must have samples.
var sampled = []string{
	"sshd", "dropbear", "pam", "local",
	"exim", "postfix", "dovecot", "courier", "cyrus", "uw-imap", "sendmail",
	"vsftpd", "proftpd", "pure-ftpd",
	"cpanel", "plesk", "webmin", "usermin", "roundcube", "phpmyadmin",
	"named", "mysql", "postgresql", "mongodb", "redis",
	"openvpn", "asterisk", "xinetd", "telnetd", "login",
	"dante", "vpopmail", "tcpserver", "oracle-ims", "assp", "gitlab", "nextcloud",
	"keycloak", "jellyfin", "homeassistant", "authelia", "authentik", "elasticsearch", "mattermost", "vaultwarden", "ejabberd", "xrdp", "monit", "murmur", "freeswitch", "routeros", "pfsense", "opnsense", "ocserv",
	"sftpgo", "stalwart", "hestia", "adguardhome", "odoo", "redmine", "ispconfig", "emby",
	"zimbra", "samba", "amavis", "zabbix", "mosquitto", "radicale", "kamailio", "rsync", "3proxy", "joomla",
}

// forged is the address that the samples' forgeries name: no reading may have it for its client.
const forged = "203.0.113.9"

// A file of samples holds cases of two lines, with comments ("#") between them. The first is the wanted reading: "= KIND CLIENT [USER]" or
// "= none"; "-" is no client or no user, and a user in quotes is a Go string. The second is a message, "> PROGRAM: TEXT", or a line of a
// daemon's own log, ">> FORMAT LINE"; a line in quotes is a Go string.
type sample struct {
	where, want   string
	format        string
	program, text string
}

func samples(t testing.TB, service string) []sample {
	t.Helper()
	name := filepath.Join("testdata", service+".txt")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("every service has samples: %v", err)
	}
	var all []sample
	want := ""
	for n, line := range strings.Split(string(text), "\n") {
		where := fmt.Sprintf("%s:%d", name, n+1)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "= "):
			if want != "" {
				t.Fatalf("%s: a wanted reading without a line before", where)
			}
			want = line[2:]
		case strings.HasPrefix(line, ">> "):
			format, text, _ := strings.Cut(line[3:], " ")
			all = append(all, sample{where, want, format, "", unquote(t, where, text)})
			want = ""
		case strings.HasPrefix(line, "> "):
			program, text, ok := strings.Cut(unquote(t, where, line[2:]), ": ")
			if !ok || want == "" {
				t.Fatalf("%s: a line without its program or its wanted reading: %q", where, line)
			}
			all = append(all, sample{where, want, "", program, text})
			want = ""
		default:
			t.Fatalf("%s: neither comment, wanted reading nor line: %q", where, line)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s holds no sample", name)
	}
	return all
}

func unquote(t testing.TB, where, s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	out, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	return out
}

// message is the sample's message, split by its format if it has one.
func (s *sample) message(t testing.TB) (Message, bool) {
	if s.format == "" {
		return Message{[]byte(s.program), []byte(s.text)}, true
	}
	for _, f := range Formats {
		if f.Name == s.format {
			stamp, program, text, ok := f.Split([]byte(s.text))
			if ok && len(stamp) == 0 {
				t.Errorf("%s: no time was found", s.where)
			}
			return Message{program, text}, ok
		}
	}
	t.Fatalf("%s: there is no format %q", s.where, s.format)
	return Message{}, false
}

// noted writes a reading down as the samples do.
func noted(m *Message) string {
	var e connwarden.Event
	if !Read(m, &e) {
		return "none"
	}
	client := "-"
	if e.Client.IsValid() {
		client = e.Client.String()
	}
	out := e.Kind.String() + " " + client
	if user := string(e.User); user != "" {
		if strings.ContainsAny(user, "\"\\ ") || user == "-" || strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r > '~' }) {
			user = strconv.Quote(user)
		}
		out += " " + user
	}
	return out
}

func TestSamples(t *testing.T) {
	for _, service := range sampled {
		t.Run(service, func(t *testing.T) {
			forgeries := false
			for _, s := range samples(t, service) {
				m, ok := s.message(t)
				if !ok {
					t.Errorf("%s: the line does not split", s.where)
					continue
				}
				if got := noted(&m); got != s.want {
					t.Errorf("%s: %s\n got %s\nwant %s", s.where, s.text, got, s.want)
				}
				if strings.Contains(s.text, forged) {
					forgeries = true
					var e connwarden.Event
					if Read(&m, &e); e.Client.IsValid() && e.Client.String() == forged {
						t.Errorf("%s: somebody else is accused: %s", s.where, s.text)
					}
				}
			}
			if !forgeries {
				t.Error("no sample tries to accuse somebody else")
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		service := strings.TrimSuffix(filepath.Base(name), ".txt")
		if !strings.Contains(" "+strings.Join(sampled, " ")+" ", " "+service+" ") {
			t.Errorf("%s is of no known service", name)
		}
	}
}

// TestService proves that the service of every event is the one whose samples hold it, but for what PAM and the wrapper say for others.
func TestService(t *testing.T) {
	for _, service := range sampled {
		for _, s := range samples(t, service) {
			m, _ := s.message(t)
			var e connwarden.Event
			if Read(&m, &e) && e.Service != service && service != "pam" {
				t.Errorf("%s: service %q", s.where, e.Service)
			}
		}
	}
}

// TestFits proves that a line of a format is taken for no other: the first that fits is its own.
func TestFits(t *testing.T) {
	for _, service := range sampled {
		for _, s := range samples(t, service) {
			if s.format == "" {
				continue
			}
			for _, f := range Formats {
				if f.Fits([]byte(s.text)) {
					if f.Name != s.format {
						t.Errorf("%s: taken for %s: %s", s.where, f.Name, s.text)
					}
					break
				}
			}
		}
	}
	for _, line := range []string{
		"", " ", "[", "{", "2026-11-22", "2026-11-22 14:03:07 hello world", "[22/Nov/2026:14:03:07 +0000] x",
		`198.51.100.1 - - [22/Nov/2026:14:03:07 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`,
		"[Sun Nov 22 14:03:07.123456 2026] [core:error] [pid 1] [client 198.51.100.1:1] AH00126: Invalid URI",
		"2026/11/22 14:03:07 [error] 1#1: *1 open() failed, client: 198.51.100.1, server: x",
		"[22-Nov-2026 14:03:07 UTC] PHP Warning:  x in /y on line 1",
		"[22-Nov-2026 14:03:07] WARNING: [pool www] server reached pm.max_children setting (5)",
		"Nov 22 14:03:07 host sshd[1]: Failed password for root from 198.51.100.1 port 1 ssh2",
		"2026-11-22T14:03:07.123456+00:00 host sshd[1]: Failed password for root from 198.51.100.1 port 1 ssh2",
	} {
		for _, f := range Formats {
			if f.Fits([]byte(line)) {
				t.Errorf("%s fits %q", f.Name, line)
			}
		}
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"198.51.100.1": "198.51.100.1", "::ffff:198.51.100.1": "198.51.100.1", "[2001:db8::1]": "2001:db8::1", "fe80::1%eth0": "fe80::1",
		"2001:DB8:0:0:0:0:0:1": "2001:db8::1", "::": "::", "::ffff:c633:6401": "198.51.100.1",
		"": "", "1.2.3": "", "1.2.3.256": "", "1.2.3.4.5": "", "1.2.3.4 ": "", "2001:db8": "", "1::2::3": "", "UNKNOWN": "", "host.example.com": "", "0x1.2.3.4": "",
		"1:2:3:4:5:6:7:8:9": "", ":1": "", "1.2.3.4%x": "",
	} {
		got := ""
		if a, ok := address(in); ok {
			got = a.String()
		}
		if got != want {
			t.Errorf("address(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"198.51.100.1:22": "198.51.100.1", "[2001:db8::1]:22": "2001:db8::1", "2001:db8::1:22": "2001:db8::1", "198.51.100.1": "", "198.51.100.1:": "", "198.51.100.1:123456": "",
	} {
		got := ""
		if a, ok := addressWithPort(in); ok {
			got = a.String()
		}
		if got != want {
			t.Errorf("addressWithPort(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestUntouched proves that Read leaves alone what is not its own, and leaves nothing behind when it reads nothing.
func TestUntouched(t *testing.T) {
	full := connwarden.Event{Time: time.Unix(1, 0), From: connwarden.Source{Name: "x"}, Raw: []byte("raw")}
	e := full
	m := Message{[]byte("sshd"), []byte("Failed password for root from 198.51.100.1 port 1 ssh2")}
	if !Read(&m, &e) || e.Time != full.Time || e.From != full.From || string(e.Raw) != "raw" {
		t.Errorf("Read changed what is not its own: %+v", e)
	}
	m.Text = []byte("Server listening on 0.0.0.0 port 22.")
	if Read(&m, &e) {
		t.Errorf("%q says nothing about a peer", m.Text)
	}
	e.Client = noAddr
	if diff := cmp.Diff(full.Kind, e.Kind); diff != "" || e.User != nil || e.Detail != nil || e.Service != "" {
		t.Errorf("left behind: %+v", e)
	}
}

// TestRepeated proves that a message which syslog has folded accuses as the message itself does.
func TestRepeated(t *testing.T) {
	m := Message{[]byte("sshd"), []byte("message repeated 3 times: [ Failed password for root from 198.51.100.1 port 22 ssh2]")}
	if got := noted(&m); got != "auth_failed 198.51.100.1 root" {
		t.Error(got)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, service := range sampled {
		for _, s := range samples(t, service) {
			m, _ := s.message(t)
			line := []byte(s.text)
			var e connwarden.Event
			if n := testing.AllocsPerRun(10, func() { Read(&m, &e) }); n != 0 {
				t.Errorf("%s: %v allocations", s.where, n)
			}
			if s.format == "" {
				continue
			}
			if n := testing.AllocsPerRun(10, func() {
				for i := range Formats {
					Formats[i].Fits(line)
					Formats[i].Split(line)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations by the formats", s.where, n)
			}
		}
	}
}

// within tells whether part borrows from whole.
func within(part, whole []byte) bool {
	if len(part) == 0 {
		return true
	}
	p, w := uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return p >= w && p+uintptr(len(part)) <= w+uintptr(len(whole))
}

// FuzzRead proves that no message makes Read panic, that what it returns is borrowed from the message, and that a client stands in it: the
// bytes of the address, in some form, are in the text.
func FuzzRead(f *testing.F) {
	for _, service := range sampled {
		for _, s := range samples(f, service) {
			m, _ := s.message(f)
			f.Add(string(m.Program), string(m.Text))
		}
	}
	f.Fuzz(func(t *testing.T, program, text string) {
		m := Message{[]byte(program), []byte(text)}
		var e connwarden.Event
		if !Read(&m, &e) {
			if e.Client.IsValid() || e.Kind != 0 || e.User != nil || e.Detail != nil || e.Service != "" {
				t.Fatalf("nothing was read, but %+v is left", e)
			}
			return
		}
		if e.Service == "" {
			t.Fatal("an event without a service")
		}
		if !within(e.User, m.Text) || !within(e.Detail, m.Text) {
			t.Fatalf("%q, %q are not borrowed", e.User, e.Detail)
		}
		if e.Client.IsValid() && !holds(text, e) {
			t.Fatalf("%s does not stand in %q", e.Client, text)
		}
	})
}

// holds tells whether some run of an address's bytes in text is the client.
func holds(text string, e connwarden.Event) bool {
	for from := range text {
		for to := from + 2; to <= len(text) && to-from <= maxAddr; to++ {
			if a, ok := address(text[from:to]); ok && a == e.Client {
				return true
			}
		}
	}
	return false
}

// FuzzFormats proves that no line makes a format panic and that what it returns is borrowed.
func FuzzFormats(f *testing.F) {
	for _, service := range sampled {
		for _, s := range samples(f, service) {
			if s.format != "" {
				f.Add(s.text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := []byte(text)
		for i := range Formats {
			fits := Formats[i].Fits(line)
			stamp, program, rest, ok := Formats[i].Split(line)
			if fits && !ok {
				t.Fatalf("%s fits but does not split", Formats[i].Name)
			}
			if !within(stamp, line) || !within(rest, line) || ok && len(program) == 0 {
				t.Fatalf("%s: %q %q %q", Formats[i].Name, stamp, program, rest)
			}
			if ok {
				var e connwarden.Event
				Read(&Message{program, rest}, &e)
			}
		}
	})
}

// BenchmarkRead reads an authentication log as a server under attack writes it; bytes are those of the messages with the prefix that syslog
// would add.
func BenchmarkRead(b *testing.B) {
	for _, service := range []string{"auth", "sshd", "postfix", "exim", "dovecot"} {
		b.Run(service, func(b *testing.B) {
			var all []Message
			size := int64(0)
			names := []string{service}
			if service == "auth" {
				names = []string{"sshd", "pam", "local", "sshd", "sshd"}
			}
			for _, name := range names {
				for _, s := range samples(b, name) {
					if m, ok := s.message(b); ok && len(m.Text) < 200 {
						all = append(all, m)
						size += int64(len("Nov 22 14:03:07 web1 ") + len(m.Program) + len("[12345]: \n") + len(m.Text))
					}
				}
			}
			b.SetBytes(size)
			b.ReportAllocs()
			var e connwarden.Event
			for b.Loop() {
				for i := range all {
					Read(&all[i], &e)
				}
			}
		})
	}
}
