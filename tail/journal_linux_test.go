package tail

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// journald runs systemd-journald in a mount namespace of its own, where /run and /var/log are empty, feeds it, and leaves
// its files in the folder. It neither audits nor reads the kernel's messages, so that the machine does not notice.
const journald = `set -e
mount --make-rprivate /
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
printf '[Journal]\nAudit=no\nReadKMsg=no\nStorage=volatile\n' >/run/systemd/journald.conf.d/test.conf
"$JOURNALD" & pid=$!
trap 'kill $pid; wait $pid || true' EXIT
i=0
while [ ! -S /run/systemd/journal/dev-log ] && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
as() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
log=/run/systemd/journal/dev-log
logger -u $log -t sshd 'from root'
as logger -u $log -t sshd 'from an account'
as logger -u $log -t kernel 'Possible SYN flooding on port 80'
printf 'SYSLOG_IDENTIFIER=sshd\nMESSAGE=one\nMESSAGE=two\n_UID=0\n_TRANSPORT=kernel\n_EXE=/usr/sbin/sshd\n\n' | as logger --journald
printf 'Failed\033[31m\nsecond\n' | systemd-cat -t cron
journalctl --sync
cp -r /run/log/journal "$OUT"
`

// A real journald says who wrote, whatever the writer says; a real journalctl tells us.
func TestRealJournal(t *testing.T) {
	server := "/lib/systemd/systemd-journald"
	if _, err := os.Stat(server); err != nil {
		t.Skip("no systemd-journald:", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	for _, name := range []string{"journalctl", "logger", "setpriv", "systemd-cat", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("not installed:", name)
		}
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", journald)
	cmd.Env = append(os.Environ(), "JOURNALD="+server, "OUT="+out)
	if said, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(said), "unshare failed") {
			t.Skip("no mount namespace here:", string(said))
		}
		t.Fatalf("%v: %s", err, said)
	}
	files := filepath.Join(out, "journal")
	program := journalctl(t, "exec journalctl --directory="+files+` "$@"`)

	var got []string
	read := func(opt JournalOptions) *Journal {
		t.Helper()
		got = nil
		opt.Program = program
		j, err := ReadJournal(t.Context(), opt, 1, func(e *Entry) int {
			got = append(got, fmt.Sprintf("%s uid %d by %s: %s", e.Identifier, e.UID, e.Transport, e.Message))
			return 0
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(j.Close)
		return j
	}
	want := []string{
		"sshd uid 0 by syslog: from root",
		"sshd uid 1000 by syslog: from an account",
		"kernel uid 1000 by syslog: Possible SYN flooding on port 80",
		"sshd uid 1000 by journal: one\ntwo",
		"cron uid 0 by stdout: Failed\x1b[31m",
		"cron uid 0 by stdout: second",
	}
	j := read(JournalOptions{Want: func(s string) bool { return s != "systemd-journald" }})
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(text(t, j.Texts[0]), "\n"); n != len(want) {
		t.Errorf("%d lines of %d entries", n, len(want))
	}

	// From the cursor on there is nothing, and nothing before or after the test.
	if read(JournalOptions{After: j.Cursor}); len(got) > 0 {
		t.Errorf("behind the cursor: %q", got)
	}
	if read(JournalOptions{Since: time.Now().Add(time.Hour)}); len(got) > 0 {
		t.Errorf("in the future: %q", got)
	}
	if read(JournalOptions{Until: time.Now().Add(-time.Hour)}); len(got) > 0 {
		t.Errorf("in the past: %q", got)
	}
	if read(JournalOptions{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}); len(got) < len(want) {
		t.Errorf("around now: %q", got)
	}
}
