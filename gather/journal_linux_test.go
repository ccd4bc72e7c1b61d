package gather

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
)

// realSSHD runs systemd-journald and sshd in namespaces of their own, where /dev/log leads to that journal, lets clients
// fail and a local account forge, and leaves the journal's files in the folder.
const realSSHD = `set -e
mount --make-rprivate /
ip link set lo up
mkdir "$OUT/dev"
cp -a /dev/null /dev/zero /dev/urandom /dev/random "$OUT/dev/"
mount -t tmpfs none /dev
cp -a "$OUT"/dev/* /dev/
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/sshd
ln -s /run/systemd/journal/dev-log /dev/log
printf '[Journal]\nAudit=no\nReadKMsg=no\nStorage=volatile\n' >/run/systemd/journald.conf.d/test.conf
/lib/systemd/systemd-journald & journald=$!
trap 'kill $journald $sshd; wait' EXIT
await() {
	i=0
	until "$@" 2>/dev/null || [ $i -gt 100 ]; do sleep 0.1; i=$((i + 1)); done
}
await test -S /run/systemd/journal/dev-log
ssh-keygen -q -t ed25519 -N '' -f /run/key
/usr/sbin/sshd -f /dev/null -o HostKey=/run/key -o ListenAddress=127.0.0.1 -p 2299 -o PidFile=/run/sshd.pid -D & sshd=$!
await test -s /run/sshd.pid
for name in one two; do
	ssh -p 2299 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes $name@127.0.0.1 true || true
done
setpriv --reuid=1000 --regid=1000 --clear-groups logger -t sshd 'Failed password for root from 203.0.113.9 port 1 ssh2'
journalctl --sync
cp -r /run/log/journal "$OUT"
`

// A real sshd's word is root's, and what a local account says in its name is not.
func TestRealJournal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	for _, name := range []string{"/lib/systemd/systemd-journald", "/usr/sbin/sshd", "journalctl", "ssh", "ssh-keygen", "logger", "setpriv", "unshare", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("not installed:", name)
		}
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--net", "sh", "-c", realSSHD)
	cmd.Env = append(os.Environ(), "OUT="+out)
	if said, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(said), "unshare failed") {
			t.Skip("no namespaces here:", string(said))
		}
		t.Fatalf("%v: %s", err, said)
	}
	program := filepath.Join(out, "journalctl")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec journalctl --directory="+out+"/journal \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := host.New("").Journal() // for the accounts of persons alone: this machine may have none
	found.Program, found.Files, found.First = program, 1, time.Now().Add(-time.Hour)
	opt := Options{Host: plant(t, nil), Zone: time.UTC, Window: Window{Clock: time.Now}}
	opt.journal = func() (host.Journal, error) { return found, nil }
	var p Problems
	s, openErr := Open(t.Context(), &opt, func(logs.Kind) bool { return true }, &p)
	if openErr != nil || len(p) > 0 {
		t.Fatal(openErr, p, err)
	}
	defer s.Close()
	got := readAll(t, s)
	for _, want := range []string{"journal, root: sshd auth_failed 127.0.0.1", "journal (local accounts), local: sshd auth_failed 203.0.113.9"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "root: sshd auth_failed 203.0.113.9") || strings.Contains(got, "local: sshd auth_failed 127.0.0.1") {
		t.Errorf("trust is wrong:\n%s", got)
	}
}
