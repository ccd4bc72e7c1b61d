package gather

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/daemons"
	"github.com/connwarden/connwarden/host"
)

// Whoever can accuse a peer in a file of syslog is heard in the journal, too; who never does is not read.
func TestHeard(t *testing.T) {
	files, err := filepath.Glob("../daemons/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	var j host.Journal
	known := 0
	event := "" // what the line in hand must be
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if want, ok := strings.CutPrefix(line, "= "); ok {
				event = strings.TrimSpace(want)
				continue
			}
			said, ok := strings.CutPrefix(line, "> ")
			tag, _, _ := strings.Cut(said, ": ")
			if !ok || event == "none" || strings.ContainsAny(tag, " \t") || !daemons.Knows([]byte(tag)) {
				continue
			}
			known++
			if !heard(&j, tag) {
				t.Errorf("%s: %s is not heard: %s", name, tag, line)
			}
		}
	}
	for _, name := range []string{"kernel", "php-fpm", "apache2", "ool www", "wordpress(example.com)", "postfix/submission/smtpd"} {
		if !heard(&j, name) {
			t.Errorf("%s is not heard", name)
		}
	}
	for _, name := range []string{"", "CRON", "cron", "systemd", "sudo", "su", "audit", "node", "evil\nsshd"} {
		if heard(&j, name) {
			t.Errorf("%q is heard", name)
		}
	}
	if known < 400 {
		t.Errorf("only %d samples seen", known)
	}
}
