package tail

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// journalctl makes a program that stands for it.
func journalctl(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not run the script that stands for journalctl")
	}
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// text reads a text of the journal as everything else is read.
func text(t *testing.T, f *File) string {
	t.Helper()
	if !f.Plain() {
		t.Fatal("a text of the journal cannot be read at any place")
	}
	var b strings.Builder
	if r := Scan(t.Context(), []Job{{File: f, Whole: true}}, ScanOptions{Workers: 1}, func(_ int, b2 *Block) { b.Write(b2.Data) }); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if f.Size() != int64(b.Len()) {
		t.Errorf("size %d of %d bytes", f.Size(), b.Len())
	}
	return b.String()
}

// byWriter sorts as a caller would: what root wrote, and what others did.
func byWriter(e *Entry) int {
	switch {
	case string(e.Transport) == "driver":
		return -1
	case e.UID == 0:
		return 0
	}
	return 1
}

// The file is what journalctl 252 wrote of what systemd-journald 252 took from logger, systemd-cat and a program that
// sends forgeries: two messages, a false account and transport, line ends, terminal escapes and a false line.
func TestJournalSaved(t *testing.T) {
	saved, err := filepath.Abs("testdata/journal.export")
	if err != nil {
		t.Fatal(err)
	}
	args := filepath.Join(t.TempDir(), "args")
	program := journalctl(t, `case "$*" in *--field=*) printf 'sshd\nevil name]: x\nsshd\n'; exit;; esac; echo "$*" > `+args+`; exec cat `+saved)
	j, err := ReadJournal(t.Context(), JournalOptions{
		Program: program, Since: time.Unix(1795335000, 0), Until: time.Unix(1795335037, 35e6), After: "s=1;i=2",
		Want: func(name string) bool { return name != "php-fpm" },
	}, 2, byWriter)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	want := []string{
		"2026-11-22T08:10:36.906152Z vm sshd[15234]: Failed password for root from 198.51.100.1 port 1 ssh2\n" +
			"2026-11-22T08:10:37.031555Z vm evil[15239]: #033[31mFailed password for root from 198.51.100.3 port 1 ssh2#000\xff\xfe\n" +
			"2026-11-22T08:10:37.031629Z vm python3[15239]: no name\n",
		"2026-11-22T08:10:36.909818Z vm sshd[15235]: Failed password for root from 198.51.100.2 port 1 ssh2\n" +
			"2026-11-22T08:10:36.913691Z vm kernel[15236]: TCP: request_sock_TCP: Possible SYN flooding on port 80.\n" +
			"2026-11-22T08:10:36.917155Z vm sshd[15238]: one line#012another\n",
	}
	for i, f := range j.Texts {
		if diff := cmp.Diff(want[i], text(t, f)); diff != "" {
			t.Errorf("text %d (-want +got):\n%s", i, diff)
		}
	}
	got, err := os.ReadFile(args)
	if err != nil {
		t.Fatal(err)
	}
	const line = "--quiet --no-pager --output=export --since=@1795335000 --until=@1795335038 --after-cursor=s=1;i=2 SYSLOG_IDENTIFIER=evil name]: x SYSLOG_IDENTIFIER=sshd\n"
	if string(got) != line {
		t.Errorf("journalctl was given\n%s, want\n%s", got, line)
	}
	if !strings.HasPrefix(j.Cursor, "s=") || !strings.Contains(j.Cursor, ";x=") {
		t.Errorf("cursor %q", j.Cursor)
	}
}

// field writes a field in the form for any bytes.
func field(name, value string) string {
	return name + "\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(value)))) + value + "\n"
}

func TestJournalEntries(t *testing.T) {
	const at = "__REALTIME_TIMESTAMP=1795350000000001\n"
	const stamp = "2026-11-22T12:20:00.000001Z "
	long := strings.Repeat("x", 300<<10)
	for _, c := range []struct{ name, in, lines, problem string }{
		{name: "nothing"},
		{name: "empty lines", in: "\n\n"},
		{"plain", at + "_HOSTNAME=web\nSYSLOG_IDENTIFIER=sshd\n_PID=7\nMESSAGE=a=b\n\n", stamp + "web sshd[7]: a=b\n", ""},
		{"bytes", at + field("MESSAGE", "a\nb\tc\x7f\n\n") + "SYSLOG_IDENTIFIER=x\n\n", stamp + "- x: a#012b#011c#177\n", ""},
		{"a field in a field", at + field("JUNK", "\n\nMESSAGE=no\n\n") + "MESSAGE=yes\n_COMM=c\n\n", stamp + "- c: yes\n", ""},
		{"the first counts", at + "SYSLOG_IDENTIFIER=a\nSYSLOG_IDENTIFIER=b\nMESSAGE=1\nMESSAGE=2\n\n", stamp + "- a: 1\n", ""},
		{"no message", at + "SYSLOG_IDENTIFIER=a\n\n" + at + "MESSAGE=\n\n" + at + "MESSAGE=m\n\n", stamp + "- -: m\n", ""},
		{"no process id", at + "_PID=x\nMESSAGE=m\n\n", stamp + "- -: m\n", ""},
		{"long", at + "MESSAGE=" + long + "\n\n" + at + "MESSAGE=m\n\n", stamp + "- -: " + long[:maxMessage] + "\n" + stamp + "- -: m\n", ""},
		{"long bytes", at + field("MESSAGE", long+"\n") + "\n" + at + "MESSAGE=m\n\n", stamp + "- -: " + long[:maxMessage] + "\n" + stamp + "- -: m\n", ""},
		{"long and unwanted", at + "JUNK=" + long + "\n" + field("JUNK", long) + "MESSAGE=m\n\n", stamp + "- -: m\n", ""},
		{"cut off", at + "MESSAGE=m\n\n" + at + "MESSAGE=n\n", stamp + "- -: m\n", "an entry has no end"},
		{"cut off in a field", at + "MESSAGE=m\n\n" + at + "MESSA", stamp + "- -: m\n", "an entry has no end"},
		{"cut off in bytes", at + "MESSAGE=m\n\nMESSAGE\n\x09\x00\x00\x00\x00\x00\x00\x00abc", stamp + "- -: m\n", "an entry has no end"},
		{"a length of all there is", "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc", "", "an entry has no end"},
		{"bytes beyond their length", "MESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00abc\n\n", "", "longer than it says"},
		{"no field", long, "", "a field's name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "export")
			if err := os.WriteFile(in, []byte(c.in), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := ReadJournal(t.Context(), JournalOptions{Program: journalctl(t, "exec cat "+in)}, 1, func(*Entry) int { return 0 })
			t.Cleanup(j.Close)
			if got := text(t, j.Texts[0]); got != c.lines {
				t.Errorf("got %.300q, want %.300q", got, c.lines)
			}
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("error %v, want %q", err, c.problem)
			}
		})
	}
}

// What was read before a failure is there, and the failure is told.
func TestJournalFailures(t *testing.T) {
	const entry = `printf '__CURSOR=c\n__REALTIME_TIMESTAMP=1795350000000001\nMESSAGE=m\n\n'`
	first := func(*Entry) int { return 0 }
	for script, want := range map[string]string{
		entry + "; echo 'No space left' >&2; exit 1":                                         "read journal: No space left",
		entry + "; exit 3":                                                                   "read journal: exit status 3",
		entry + "; echo 'Journal file x is truncated, ignoring file.' >&2":                   "read journal: Journal file x is truncated, ignoring file.",
		entry + "; i=0; while [ $i -lt 3000 ]; do " + entry + "; i=$((i+1)); done; " + entry: "read journal: more than 0 MiB of text: ask for a shorter time",
	} {
		j, err := ReadJournal(t.Context(), JournalOptions{Program: journalctl(t, script), text: 64 << 10}, 1, first)
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", script, err, want)
		}
		if !strings.HasPrefix(text(t, j.Texts[0]), "2026-11-22T12:20:00.000001Z - -: m\n") || j.Cursor != "c" {
			t.Errorf("%s: the entry before is lost", script)
		}
		j.Close()
	}
	if _, err := ReadJournal(t.Context(), JournalOptions{Program: filepath.Join(t.TempDir(), "none")}, 1, first); err == nil {
		t.Error("a program that is not there did not fail")
	}
	none := func(string) bool { return false }
	j, err := ReadJournal(t.Context(), JournalOptions{Program: journalctl(t, `case "$*" in *--field=*) echo a; exit;; esac; exit 1`), Want: none}, 1, first)
	if err != nil || text(t, j.Texts[0]) != "" {
		t.Errorf("nobody wanted: %v", err)
	}

	// A journalctl that never ends is ended.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = ReadJournal(ctx, JournalOptions{Program: journalctl(t, entry+"; exec sleep 600")}, 1, func(*Entry) int { cancel(); return 0 })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// An account that writes under many names, or a long one, hides nobody: all is read, and sorted out here.
func TestJournalManyNames(t *testing.T) {
	for _, names := range []string{
		"i=0; while [ $i -lt 600 ]; do echo n$i; i=$((i+1)); done",
		"head -c 100000 /dev/zero; echo; echo n1",
		"yes 0123456789012345678901234567890123456789 | head -c 5000000; echo n1",
	} {
		script := `case "$*" in *--field=*) ` + names + `; exit;; *=n*) exit 9;; esac
	printf '__REALTIME_TIMESTAMP=1795350000000001\nSYSLOG_IDENTIFIER=n1\nMESSAGE=m\n\n__REALTIME_TIMESTAMP=1795350000000001\nSYSLOG_IDENTIFIER=o\nMESSAGE=m\n\n'`
		want := func(s string) bool { return strings.HasPrefix(s, "n") }
		j, err := ReadJournal(t.Context(), JournalOptions{Program: journalctl(t, script), Want: want}, 1, func(*Entry) int { return 0 })
		if err != nil {
			t.Fatalf("%s: %v", names, err)
		}
		t.Cleanup(j.Close)
		if got := text(t, j.Texts[0]); got != "2026-11-22T12:20:00.000001Z - n1: m\n" {
			t.Errorf("%s: got %q", names, got)
		}
	}
}

func FuzzJournal(f *testing.F) {
	saved, err := os.ReadFile("testdata/journal.export")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved)
	f.Add([]byte("MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00a\nb\x1bc\n_PID=7\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := exportReader{in: bufio.NewReader(bytes.NewReader(b))}
		for {
			e, err := r.next()
			if err != nil {
				return
			}
			line := e.appendLine(nil)
			if len(line) > 4*maxMessage+512 {
				t.Fatalf("a line of %d bytes", len(line))
			}
			if i := bytes.IndexFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }); i != len(line)-1 {
				t.Fatalf("a control byte at %d of %q", i, line)
			}
		}
	})
}

func BenchmarkJournal(b *testing.B) {
	saved, err := os.ReadFile("testdata/journal.export")
	if err != nil {
		b.Fatal(err)
	}
	saved = bytes.Repeat(saved, 100)
	b.SetBytes(int64(len(saved)))
	b.ReportAllocs()
	for b.Loop() {
		j := Journal{Texts: []*File{{stream: newStream("journal", b.TempDir(), false, nil)}}}
		if err := j.take(bufio.NewReaderSize(bytes.NewReader(saved), 256<<10), &JournalOptions{}, func(*Entry) int { return 0 }); err != nil {
			b.Fatal(err)
		}
		j.Close()
	}
}
