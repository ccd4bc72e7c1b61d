package tail

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// The entries come as they are written, and the program is ended when nobody wants them any more.
func TestFollowJournal(t *testing.T) {
	entry := func(cursor, identifier, message string) string {
		return field("__CURSOR", cursor) + field("__REALTIME_TIMESTAMP", "1790000000000000") + field("_HOSTNAME", "web") + field("SYSLOG_IDENTIFIER", identifier) +
			field("_UID", "0") + field("MESSAGE", message) + "\n"
	}
	program := journalctl(t, `case "$*" in
*"--follow --after-cursor=a --no-tail"*) cat "$ENTRIES"; exec sleep 1000;;
*) echo "called with $*" >&2; exit 1;;
esac`)
	entries := t.TempDir() + "/entries"
	text := entry("b", "sshd", "one") + entry("c", "cron", "not wanted") + entry("d", "sshd", "two")
	if err := os.WriteFile(entries, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENTRIES", entries)
	ctx, stop := context.WithCancel(t.Context())
	var got strings.Builder
	err := FollowJournal(ctx, JournalOptions{Program: program, After: "a", Want: func(name string) bool { return name == "sshd" }}, func(*Entry) int { return 1 },
		func(text int, lines []byte, cursor string) {
			if text != 1 {
				t.Errorf("text %d", text)
			}
			got.Write(lines)
			if cursor == "d" {
				stop()
			}
		})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := got.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, " web sshd: one\n") || !strings.HasSuffix(s, " web sshd: two\n") {
		t.Errorf("got %q", s)
	}
	if err := FollowJournal(t.Context(), JournalOptions{Program: program}, func(*Entry) int { return 0 }, nil); err == nil || !strings.Contains(err.Error(), "--lines=0") {
		t.Errorf("a program that fails: %v", err)
	}
}
