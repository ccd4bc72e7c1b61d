package gather

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// plant writes a tree for a host.
func plant(t *testing.T, files map[string]string) *host.Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, present, present); err != nil {
			t.Fatal(err)
		}
	}
	return host.New(root)
}

// present is when these tests are.
var present = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// journalctl makes a program that says what journalctl would of these entries: "time identifier uid exe message".
func journalctl(t *testing.T, end string, entries ...string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not run the script that stands for journalctl")
	}
	var export, names strings.Builder
	for _, entry := range entries {
		f := strings.SplitN(entry, " ", 5)
		at, err := time.Parse(time.RFC3339, f[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&names, f[1])
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n_HOSTNAME=web\n_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=%s\n_PID=7\n_UID=%s\n_EXE=%s\nMESSAGE=%s\n\n", at.UnixMicro(), f[1], f[2], f[3], f[4])
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"export": export.String(), "names": names.String(),
		"journalctl": "#!/bin/sh\ncase \"$*\" in *--field=*) exec cat " + dir + "/names;; esac\ncat " + dir + "/export\n" + end + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "journalctl")
}

// events reads all sources and tells of each event its source, trust and client, and how many faults there are.
type events struct{ list []string }

func (e *events) Conn(*connwarden.Conn)       {}
func (e *events) Request(*connwarden.Request) {}
func (e *events) Fault(f *connwarden.Fault) {
	e.list = append(e.list, fmt.Sprintf("%s, %s: %s: %s", f.From.Name, f.From.Trust, f.Service, f.Message))
}
func (e *events) Event(v *connwarden.Event) {
	e.list = append(e.list, fmt.Sprintf("%s, %s: %s %s %s", v.From.Name, v.From.Trust, v.Service, v.Kind, v.Client))
}

func readAll(t *testing.T, s *Sources) string {
	t.Helper()
	var got events
	for _, one := range s.List {
		parser := s.Parser(one, 0)
		r := tail.Scan(t.Context(), []tail.Job{{File: one.File, From: one.From, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
			parser.Parse(connwarden.Source{Name: one.Log.Shown, Offset: b.Offset, Line: b.Line}, b.Data, &got)
		})
		if r[0].Err != nil {
			t.Error(r[0].Err)
		}
		parser.Flush(&got)
	}
	return strings.Join(got.list, "\n")
}

func TestJournalOrFiles(t *testing.T) {
	now := present
	const (
		failed = "Failed password for root from 198.51.100.1 port 4711 ssh2"
		forged = "Failed password for root from 203.0.113.9 port 4711 ssh2"
		oom    = "Out of memory: Killed process 4711 (mariadbd) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:106 pgtables:1kB oom_score_adj:0"
	)
	auth := map[string]string{"var/log/auth.log": "Nov 22 12:00:00 web sshd[7]: " + failed + "\nNov 22 13:59:00 web sshd[7]: " + failed + "\n"}
	entries := []string{
		"2026-11-22T13:59:00Z sshd 0 /usr/sbin/sshd " + failed,
		"2026-11-22T13:59:30Z sshd 1000 /usr/bin/logger " + forged,
		"2026-11-22T13:59:40Z kernel 1000 /usr/bin/logger " + oom,
		"2026-11-22T13:59:50Z cron 0 /usr/sbin/cron " + failed,
	}
	const (
		fromJournal = "journal, root: sshd auth_failed 198.51.100.1\njournal (local accounts), local: sshd auth_failed 203.0.113.9\n" +
			"journal (local accounts), local: kernel: " + oom
		fromFile = "/var/log/auth.log, local: sshd auth_failed 198.51.100.1"
	)
	hour := func(now time.Time) time.Time { return now.Add(-time.Hour) }
	for _, c := range []struct {
		name    string
		files   map[string]string
		first   time.Time // of the journal
		absent  error
		end     string // of journalctl
		entries []string
		since   func(time.Time) time.Time
		want    string
		problem string
	}{
		{name: "both, and the journal reaches back", files: auth, first: now.Add(-2 * time.Hour), entries: entries, since: hour, want: fromJournal},
		{name: "both, and the journal begins in the window", files: auth, first: now.Add(-time.Minute), entries: entries, since: hour, want: fromFile + "\n" + fromJournal},
		{name: "both, and the journal begins in the window's last second", files: auth, first: now.Add(-59 * time.Second), entries: entries[1:], since: hour,
			want: fromFile + "\n" + fromFile + "\n" + strings.SplitN(fromJournal, "\n", 2)[1]},
		{name: "both, all of time, the journal is older", files: auth, first: now.Add(-3 * time.Hour), entries: entries, want: fromJournal},
		{name: "both, all of time, the file is older", files: auth, first: now.Add(-time.Minute).Add(time.Millisecond), entries: entries, want: fromFile + "\n" + fromJournal},
		{name: "an older piece of the file", files: map[string]string{"var/log/auth.log": auth["var/log/auth.log"], "var/log/auth.log.1": "Nov 22 11:00:00 web sshd[7]: " + failed + "\n"},
			first: now.Add(-time.Minute), entries: entries, since: func(now time.Time) time.Time { return now.Add(-4 * time.Hour) },
			want: fromFile + "\n" + strings.Replace(fromFile, "auth.log", "auth.log.1", 1) + "\n" + fromJournal},
		{name: "an empty journal", files: auth, since: hour, want: fromFile + "\n" + fromFile},
		{name: "an empty file", files: map[string]string{"var/log/auth.log": ""}, first: now.Add(-time.Minute), entries: entries, want: fromJournal},
		{name: "the journal alone", first: now.Add(-time.Minute), entries: entries, since: hour, want: fromJournal},
		{name: "the file alone", files: auth, absent: connwarden.ErrNotFound, since: hour, want: fromFile + "\n" + fromFile},
		{name: "neither", absent: connwarden.ErrDenied, since: hour, problem: "neither the journal nor a file of syslog could be read: permission denied"},
		{name: "a journal that breaks at once", files: auth, first: now.Add(-2 * time.Hour), end: "echo broken >&2; exit 1", since: hour, want: fromFile + "\n" + fromFile, problem: "broken"},
		{name: "a journal that breaks later", files: auth, first: now.Add(-2 * time.Hour), entries: entries, end: "echo broken >&2; exit 1", since: hour, want: fromJournal, problem: "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := journalctl(t, c.end, c.entries...)
			if c.end != "" && c.entries == nil {
				program = journalctl(t, c.end, "2026-11-22T13:00:00Z sshd 0 x ") // a name to choose by, and nothing said
			}
			opt := Options{Host: plant(t, c.files), Zone: time.UTC, Stdin: strings.NewReader(""), Window: Window{Clock: func() time.Time { return now }, Since: c.since}}
			opt.journal = func() (host.Journal, error) {
				return host.Journal{Program: program, Files: 1, First: c.first}, c.absent
			}
			var p Problems
			s, err := Open(t.Context(), &opt, func(logs.Kind) bool { return true }, &p)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := readAll(t, s); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if c.problem == "" && len(p) > 0 || c.problem != "" && (len(p) != 1 || !strings.Contains(p[0].Why, c.problem)) {
				t.Errorf("problems %+v, want %q", p, c.problem)
			}
			if p.Missed() {
				t.Error("what nobody named was missed")
			}
		})
	}
}

// Who asks for requests alone does not wait for the journal, nor who names logs; below a root it is not looked for.
func TestNoJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.log")
	if err := os.WriteFile(file, []byte("Nov 22 13:59:00 web sshd[7]: Connection closed by 198.51.100.1 port 1 [preauth]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		want  func(logs.Kind) bool
	}{
		"requests": {nil, func(k logs.Kind) bool { return k == logs.Access }},
		"named":    {[]string{file}, func(logs.Kind) bool { return true }},
	} {
		opt := Options{Host: plant(t, nil), Files: c.files, Zone: time.UTC, Window: Window{Clock: time.Now}}
		opt.journal = func() (host.Journal, error) {
			t.Error(name + ": the journal was looked for")
			return host.Journal{}, io.EOF
		}
		var p Problems
		s, err := Open(t.Context(), &opt, c.want, &p)
		if err != nil || len(p) > 0 {
			t.Fatal(err, p)
		}
		s.Close()
	}
	opt := Options{Host: plant(t, map[string]string{"etc/hostname": "x"}), Zone: time.UTC, Window: Window{Clock: time.Now}}
	var p Problems
	s, err := Open(t.Context(), &opt, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(p) > 0 {
		t.Errorf("problems %+v", p)
	}
}

// Of logs that were found, the machine knows the form: syslog's files are read as such whatever their first lines carry, a
// daemon's by its lines, and what nobody knows is said.
func TestFoundForms(t *testing.T) {
	const web = `198.51.100.1 - - [22/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" 200 100 "-" "-"` + "\n"
	h := plant(t, map[string]string{
		"var/log/auth.log":                        strings.Repeat("Nov 22 12:00:00 web nginx: "+web, 20),
		"var/log/exim4/mainlog":                   "2026-11-22 14:03:07 login authenticator failed for (x) [198.51.100.1]: 535 Incorrect authentication data (set_id=bob)\n",
		"var/log/vsftpd.log":                      "",
		"usr/local/cpanel/logs/session_log":       "no form that anyone knows\nat all\n",
		"etc/apache2/apache2.conf":                "ErrorLog /var/log/apache2/error.log\nErrorLogFormat \"[%t] [%l] %M\"\n",
		"var/log/apache2/error.log":               "[Sun Nov 22 14:03:07.123456 2026] [core:error] [pid 1] AH00037: x\n",
		"var/log/apache2/other_vhosts_access.log": web,
	})
	opt := Options{Host: h, Zone: time.UTC, Window: Window{Clock: time.Now}}
	var p Problems
	s, err := Open(t.Context(), &opt, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := map[string]string{}
	for _, one := range s.List {
		got[one.Log.Shown] = one.Format.Name
		if one.Format.Kind != kindOf(one.Log.Kind) {
			t.Errorf("%s is read as %s, another kind", one.Log.Shown, one.Format.Name)
		}
	}
	for name, format := range map[string]string{"/var/log/auth.log": "syslog", "/var/log/exim4/mainlog": "exim", "/var/log/vsftpd.log": "vsftpd", "/usr/local/cpanel/logs/session_log": ""} {
		if got[name] != format {
			t.Errorf("%s is read as %q, want %q", name, got[name], format)
		}
	}
	if len(p) != 1 || p[0].What != "/usr/local/cpanel/logs/session_log" {
		t.Errorf("problems %+v", p)
	}
}
