package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/connwarden/connwarden/lab"
)

// logins starts sshd, which speaks to syslog, and makes the administrator's key and the attackers' wrong password.
func (g *ground) logins() {
	sshd := g.lab.Need("/usr/sbin/sshd", "openssh-server")
	g.lab.Need("/usr/bin/ssh", "openssh-client")
	g.mkdir("run/sshd", 0o755)
	g.mkdir("root/.ssh", 0o700)
	for _, key := range []string{"/etc/host_key", "/root/.ssh/id"} {
		if r := g.lab.Run(nil, "/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); r.Code != 0 {
			g.t.Fatalf("ssh-keygen: %s", r.Stderr)
		}
	}
	g.lab.Write("etc/shadow", g.lab.Read("etc/shadow")+"root:*:20000:0:99999:7:::\n") // no password fits, and the account is not locked
	g.lab.Write("root/.ssh/authorized_keys", g.lab.Read("root/.ssh/id.pub"))
	g.lab.Write("etc/sshd_config", "Port 22\nHostKey /etc/host_key\nPermitRootLogin yes\nPasswordAuthentication yes\nUsePAM no\nKbdInteractiveAuthentication no\nUseDNS no\nMaxStartups 100:30:200\nPerSourcePenalties no\n")
	if v := g.lab.Run(nil, sshd, "-t", "-f", "/etc/sshd_config"); v.Code != 0 { // before 9.8 there are no penalties
		g.lab.Write("etc/sshd_config", strings.ReplaceAll(g.lab.Read("etc/sshd_config"), "PerSourcePenalties no\n", ""))
	}
	g.lab.Write("opt/wrong", "#!/bin/sh\necho wrong\n")
	g.check(os.Chmod(filepath.Join(g.lab.Root, "opt/wrong"), 0o755))

	cmd := exec.Command(sshd, "-D", "-f", "/etc/sshd_config")
	g.check(g.lab.Spawn(cmd))
	g.t.Cleanup(func() {
		g.check(cmd.Process.Kill())
		_ = cmd.Wait() // says that it was killed
	})
	g.lab.AwaitText("var/log/syslog", "listening on :: port 22")
}

// sshPatience is how long one login may take; half a second is usual.
const sshPatience = 20 * time.Second

// ssh logs in with the real client: with the administrator's key, or with a wrong password. It tells whether that worked, and
// whether the server answered at all.
func (g *ground) ssh(from, user string, key bool) (in, answered bool) {
	args := []string{
		"-F", "none", "-b", from, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=INFO", "-o", "ConnectTimeout=2",
		"-o", "NumberOfPasswordPrompts=1",
	}
	if key {
		args = append(args, "-i", filepath.Join(g.lab.Root, "root/.ssh/id"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes")
	} else {
		args = append(args, "-o", "PreferredAuthentications=password")
	}
	to := lab.Addr4
	if strings.Contains(from, ":") {
		to = lab.Addr6
	}
	// Who is blocked in the middle of a login waits for ever.
	ctx, cancel := context.WithTimeout(g.t.Context(), sshPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/ssh", append(args, user+"@"+to, "/usr/bin/true")...)
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"SSH_ASKPASS=" + filepath.Join(g.lab.Root, "opt/wrong"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=none", "HOME=/nonexistent", "PATH=/usr/bin"}
	var said bytes.Buffer
	cmd.Stderr = &said
	if g.lab.Ours(netip.MustParseAddr(to)) != nil || g.lab.Abroad(cmd) != nil {
		return false, false
	}
	in = cmd.Wait() == nil
	if g.set.said {
		fmt.Fprintf(os.Stderr, "  ssh %s: %q\n", from, said.String())
	}
	return in, in || strings.Contains(said.String(), "Permission denied")
}

// mail starts Exim, which takes mail for one domain, refuses who is on a block list of the world's name server, and lets
// those relay who log in.
func (g *ground) mail() {
	g.lab.Account("Debian-exim", "/var/spool/exim4")
	exim := g.lab.Need("/usr/sbin/exim4", "exim4-daemon-light")
	g.mkdir("var/log/exim4", 0o777)
	g.mkdir("var/spool/exim4", 0o777)
	g.mkdir("run/exim4", 0o777)
	g.lab.Daemon("run/exim4/exim.pid", exim, nil, "-bdf", "-oP", "/run/exim4/exim.pid")
}
