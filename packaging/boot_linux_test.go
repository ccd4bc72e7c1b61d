package packaging

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// strike writes into a log what guesses passwords does: n refused requests of an address, now.
func (m *machine) strike(log, addr string, n int) {
	m.Helper()
	line := fmt.Sprintf("%s - - [%s] \"POST /xmlrpc.php HTTP/1.1\" 403 120 \"-\" \"python-requests/2.31\"\n", addr, time.Now().UTC().Format("02/Jan/2006:15:04:05 +0000"))
	m.add(log, strings.Repeat(line, n))
}

// said waits until the daemon has said something of which all parts are in one line.
func (m *machine) said(parts ...string) {
	m.Helper()
	m.until("the daemon says "+strings.Join(parts, " "), func() (bool, string) {
		text := m.run("journalctl", "--no-pager", "-o", "cat", "-u", "connwarden.service")
		for line := range strings.Lines(text) {
			all := true
			for _, part := range parts {
				all = all && strings.Contains(line, part)
			}
			if all {
				return true, ""
			}
		}
		return false, text
	})
}

// status is a line of /proc/PID/status of a process, by the number that the machine has for it.
func (m *machine) status(pid, key string) string {
	m.Helper()
	for line := range strings.Lines(m.read("/proc/" + pid + "/status")) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Addresses for documentation (RFC 5737), of which each test blocks its own.
const (
	fromRoot    = "198.51.100.1"
	fromUser    = "198.51.100.2"
	fromJournal = "198.51.100.3"
	afterCrash  = "198.51.100.4"
	afterReload = "198.51.100.5"
	ofShop      = "198.51.100.6"
	ofShopAgain = "198.51.100.7"
	byNginx     = "198.51.100.8"
	ofReader    = "198.51.100.9"
	ofReloaded  = "198.51.100.10"
	byHook      = "198.51.100.11"
)

// shopLog is the log of a site whose rules its owner keeps at home.
const shopLog = "/var/log/nginx/shop.example.com.access.log"

// TestRealUnits runs the units under a real systemd: the daemon in its sandbox reads what others own, and the journal;
// blocks; is restarted when it hangs and when it dies; after a power cut the blocks are back before there is a network;
// the timer lifts what is over where no kernel does.
func TestRealUnits(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild", "nft", "nginx")
	m := newMachine(t)
	m.write("/var/log/nginx/access.log", "")
	m.write(shopLog, "")
	m.run("chmod", "640", "/var/log/nginx/access.log", shopLog)
	m.run("useradd", "--create-home", "shop")
	m.write("/home/shop/logs/access.log", "")
	m.write("/home/shop/public_html/.htaccess", "# the shop's own\n")
	m.run("chown", "-R", "shop:shop", "/home/shop")
	m.run("chmod", "700", "/home/shop", "/home/shop/logs")
	m.run("chmod", "600", "/home/shop/logs/access.log")
	// A program that says as root, under the name of the daemon, what sshd of OpenSSH 9.2 says to the journal.
	m.write("/etc/systemd/system/ssh.service", `[Service]
Type=oneshot
SyslogIdentifier=sshd
ExecStart=/bin/sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "Failed password for invalid user admin from `+fromJournal+` port 4022$i ssh2"; done'
`)
	m.run("dpkg", "-i", m.deliver("connwarden_*.deb")[0])
	m.watches("suggest")
	m.write("/etc/connwarden/config.toml", "[logs]\nfiles = [\"/var/log/nginx\", \"/home/shop/logs\"]\n[actions]\nmode = \"enforce\"\n[daemon]\nsocket_group = \"adm\"\n"+
		"[[site]]\nnames = [\"shop.example.com\"]\nfolder = \"/home/shop/public_html\"\ndrivers = [\"htaccess\"]\nmode = \"enforce\"\n")
	m.write("/etc/systemd/system/connwarden.service.d/test.conf", "[Service]\nWatchdogSec=5s\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service") // waits until the daemon says that it is ready
	pid := m.watches("enforce")

	m.sub("sandbox", func() { m.sandbox(pid) })
	m.sub("reads and blocks", m.reads)
	m.sub("hangs and dies", m.dies)
	m.sub("reload", m.reload)
	m.sub("sites", m.sites)
	m.sub("programs", m.programs)
	m.sub("programs of the mail system and of the user", m.told)
	m.sub("reader", m.reader)
	m.sub("power cut", m.cut)
	m.sub("timer", m.timer)
}

// sandbox holds the daemon's process against what its unit says of it.
func (m *machine) sandbox(pid string) {
	var caps uint64
	for _, bit := range []int{0, 2, 12, 13, 19} { // CAP_CHOWN, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_PTRACE
		caps |= 1 << bit
	}
	for key, want := range map[string]string{"CapBnd": fmt.Sprintf("%016x", caps), "CapEff": fmt.Sprintf("%016x", caps), "NoNewPrivs": "1", "Seccomp": "2"} {
		if have := m.status(pid, key); have != want {
			m.Errorf("%s of the daemon is %s, want %s", key, have, want)
		}
	}
	for name, may := range map[string]bool{"/usr/bin/x": false, "/etc/connwarden/x": false, "/home/shop/x": false, "/var/www/x": false, "/run/x": false, "/var/lib/connwarden/x": true, "/run/connwarden/x": true, "/run/xtables.lock": true} {
		r := m.try("nsenter", "--target", pid, "--mount", "--", "touch", name)
		if (r.code == 0) != may {
			m.Errorf("the daemon's files: touch %s: exit code %d, may %v; %s", name, r.code, may, r.err)
		}
	}
	if r := m.try("stat", "-c", "%G %a", "/run/connwarden/connwarden.sock"); r.out != "adm 660\n" {
		m.Errorf("the daemon's socket: %s, want adm 660; %s\n%s", r.out, r.err, m.run("journalctl", "--no-pager", "-o", "cat", "-u", "connwarden.service"))
	}
	if r := m.try("systemd-analyze", "--man=no", "verify", "connwarden.service", "connwarden-sync.service", "connwarden-sync.timer"); r.code != 0 || strings.Contains(r.err, "connwarden") {
		m.Errorf("systemd-analyze verify: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	m.scored("connwarden.service", "connwarden-sync.service")
}

// scored holds what systemd thinks of units against what SECURITY.md says.
func (m *machine) scored(units ...string) {
	m.Helper()
	told, err := os.ReadFile("../SECURITY.md")
	m.check(err)
	for _, unit := range units {
		// "→ Overall exposure level for connwarden.service: 2.9 OK"
		_, score, _ := strings.Cut(m.run("systemd-analyze", "--no-pager", "security", unit), "exposure level for "+unit+": ")
		score, _, _ = strings.Cut(score, " ")
		_, want, _ := strings.Cut(string(told), "| `"+unit+"` | ")
		want, _, _ = strings.Cut(want, " ")
		if strings.HasPrefix(m.run("systemctl", "--version"), "systemd 252 ") && score != want { // others count otherwise
			m.Errorf("systemd-analyze security %s: %s, and SECURITY.md says %s", unit, score, want)
		}
	}
}

// reads lets the daemon see what only root can write, what an account can, and the journal.
func (m *machine) reads() {
	m.strike("/var/log/nginx/access.log", fromRoot, 40)
	m.strike("/home/shop/logs/access.log", fromUser, 40)
	m.run("systemctl", "start", "ssh.service")
	m.said(`"type":"block"`, fromRoot, `"in_force"`)
	m.said(`"type":"verdict"`, fromUser, `"malicious"`)
	m.said(`"type":"block"`, fromJournal, `"in_force"`)
	for addr, want := range map[string]bool{fromRoot: true, fromJournal: true, fromUser: false} { // an account's word blocks nobody
		if m.held(addr) != want {
			m.Errorf("%s is blocked: %v, want %v", addr, !want, want)
		}
	}
	m.run("connwarden", "review", "--no-dns")
}

// dies stops the daemon's process for the watchdog to see, then kills it.
func (m *machine) dies() {
	for n, signal := range []string{"STOP", "KILL"} {
		m.run("kill", "-"+signal, m.property("connwarden.service", "MainPID"))
		m.until(fmt.Sprintf("systemd has restarted the daemon after SIG%s", signal), func() (bool, string) {
			seen := m.run("systemctl", "show", "-p", "NRestarts,ActiveState,SubState,Result", "connwarden.service")
			return strings.Contains(seen, fmt.Sprintf("NRestarts=%d\n", n+1)) && strings.Contains(seen, "ActiveState=active"), seen
		})
		if !m.held(fromRoot) {
			m.Errorf("after SIG%s who was blocked is not", signal)
		}
	}
	m.said(`"type":"start"`, `"resumed":true`)
	m.strike("/var/log/nginx/access.log", afterCrash, 40)
	m.said(`"type":"block"`, afterCrash, `"in_force"`)
}

// reload gives the daemon, which goes on meanwhile, other settings: first some that are wrong, then to suggest only.
func (m *machine) reload() {
	const file = "/etc/connwarden/config.toml"
	pid, before := m.property("connwarden.service", "MainPID"), m.read(file)
	m.write(file, before+"[nonsense]\n")
	m.run("systemctl", "reload", "connwarden.service")
	m.said(`"type":"reload"`, `"done":false`, "nonsense")
	m.write(file, strings.Replace(before, `"enforce"`, `"suggest"`, 1))
	m.run("systemctl", "reload", "connwarden.service")
	m.said(`"type":"reload"`, `"done":true`)
	m.strike("/var/log/nginx/access.log", afterReload, 40)
	m.said(`"type":"verdict"`, afterReload, `"malicious"`)
	m.write(file, before)
	m.run("systemctl", "reload", "connwarden.service")
	m.strike("/var/log/nginx/access.log", afterReload, 40)
	m.said(`"type":"block"`, afterReload, `"in_force"`)
	m.is("active", "connwarden.service", "active")
	if now := m.property("connwarden.service", "MainPID"); now != pid {
		m.Errorf("the daemon is process %s, was %s before the reloads", now, pid)
	}
}

// sites lets the daemon block for a site alone: as it is shipped it may not, and says so; with the example beside it, it may.
func (m *machine) sites() {
	const rules = "/home/shop/public_html/.htaccess"
	m.strike(shopLog, ofShop, 40)
	m.said(`"type":"problem"`, "htaccess", "read-only file system")
	m.run("cp", "/usr/share/doc/connwarden/examples/10-sites.conf", "/etc/systemd/system/connwarden.service.d/")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service")
	m.strike(shopLog, ofShopAgain, 40)
	m.until("the site refuses who harms it", func() (bool, string) {
		text := m.read(rules)
		return strings.Contains(text, ofShopAgain) && strings.HasSuffix(text, "# the shop's own\n"), text + m.run("journalctl", "--no-pager", "-o", "cat", "-u", "connwarden.service", "-n", "20")
	})
	if out := m.run("stat", "-c", "%U %G %a", rules); out != "shop shop 644\n" {
		m.Errorf(".htaccess is now %s, want shop shop 644", out)
	}
	if m.held(ofShopAgain) {
		m.Errorf("who harms one site is blocked for all")
	}
}

// programs lets the daemon block by a program of others, which writes its files and is told to read them.
func (m *machine) programs() {
	const file, dropIn = "/etc/connwarden/config.toml", "/etc/systemd/system/connwarden.service.d/20-programs.conf"
	m.run("systemctl", "start", "nginx.service")
	before := m.read(file)
	m.write(file, before+"[block]\ndrivers = [\"nginx\"]\n")
	m.run("cp", "/usr/share/doc/connwarden/examples/20-programs.conf", dropIn)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service")
	m.strike("/var/log/nginx/access.log", byNginx, 40)
	m.said(`"type":"block"`, byNginx, `"nginx"`, `"in_force"`)
	m.run("connwarden", "unblock", byNginx)
	m.run("systemctl", "stop", "nginx.service")
	m.run("rm", dropIn)
	m.write(file, before)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service")
}

// told lets the daemon tell of a block by a program of the user's, and by a sendmail that needs its file's rights, as those
// of mail systems do. The first works, within walls; the second cannot, and it is said what can.
func (m *machine) told() {
	const file = "/etc/connwarden/config.toml"
	before := m.read(file)
	m.run("install", "-D", "-m", "2755", "-g", "mail", "/usr/bin/id", "/usr/local/bin/drop")
	m.write("/usr/local/bin/sendmail", "#!/bin/sh\n[ \"$(/usr/local/bin/drop -g -n)\" = mail ] && exit 0\necho 'cannot write into the queue' >&2\nexit 75\n")
	m.write("/usr/local/bin/on-block", "#!/bin/sh\nexec cat >/var/lib/connwarden/hook-$1.json\n")
	m.run("chmod", "755", "/usr/local/bin/sendmail", "/usr/local/bin/on-block")
	if r := m.try("/usr/local/bin/sendmail"); r.code != 0 {
		m.Fatalf("outside of walls the sendmail of this test fails: %s", r.err)
	}
	m.write(file, before+"[[notify]]\ntype = \"command\"\ncommand = [\"/usr/local/bin/on-block\", \"web3\"]\ngroup = \"1s\"\n"+
		"[[notify]]\ntype = \"sendmail\"\npath = \"/usr/local/bin/sendmail\"\nfrom = \"root@localhost\"\nto = [\"root@localhost\"]\ngroup = \"1s\"\n")
	m.run("systemctl", "restart", "connwarden.service")
	m.strike("/var/log/nginx/access.log", byHook, 40)
	m.until("the user's program was told", func() (bool, string) {
		r := m.try("cat", "/var/lib/connwarden/hook-web3.json")
		return strings.Contains(r.out, byHook), r.out + r.err
	})
	m.said("sendmail", "cannot write into the queue", "localhost:25")
	m.write(file, before)
	m.run("systemctl", "restart", "connwarden.service")
}

// reader lets an account of its own read, which may not touch the firewall.
func (m *machine) reader() {
	const file, dropIn = "/etc/connwarden/config.toml", "/etc/systemd/system/connwarden.service.d/30-reader.conf"
	before := m.read(file)
	m.run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "connwarden")
	m.write(file, strings.Replace(before, "[daemon]\n", "[daemon]\nreader = \"connwarden\"\n", 1))
	m.run("cp", "/usr/share/doc/connwarden/examples/30-reader.conf", dropIn)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service") // waits until the reader says that it is ready
	pid := m.property("connwarden.service", "MainPID")
	reader := strings.TrimSpace(m.run("pgrep", "-P", pid))
	caps := fmt.Sprintf("%016x", 1<<2) // CAP_DAC_READ_SEARCH
	for key, want := range map[string]string{"CapEff": caps, "CapPrm": caps, "NoNewPrivs": "1", "Seccomp": "2"} {
		if have := m.status(reader, key); have != want {
			m.Errorf("%s of the reader is %s, want %s", key, have, want)
		}
	}
	if have, want := strings.Fields(m.status(reader, "Uid"))[0], strings.TrimSpace(m.run("id", "-u", "connwarden")); have != want {
		m.Errorf("the reader runs as %s, want %s", have, want)
	}
	if r := m.try("stat", "-c", "%U %G %a", "/run/connwarden/connwarden.sock"); r.out != "root adm 660\n" {
		m.Errorf("the daemon's socket: %s, want root adm 660; %s", r.out, r.err)
	}
	m.strike("/var/log/nginx/access.log", ofReader, 40)
	m.said(`"type":"block"`, ofReader, `"in_force"`)
	m.run("systemctl", "reload", "connwarden.service")
	m.strike("/var/log/nginx/access.log", ofReloaded, 40)
	m.said(`"type":"block"`, ofReloaded, `"in_force"`)
	for _, addr := range []string{ofReader, ofReloaded} {
		if !m.held(addr) {
			m.Errorf("%s is not blocked", addr)
		}
	}
	m.run("connwarden", "review", "--no-dns")
	m.run("kill", "-KILL", reader)
	m.until("the daemon is there again, with another reader", func() (bool, string) {
		now := m.property("connwarden.service", "MainPID")
		return now != pid && now != "0" && m.property("connwarden.service", "ActiveState") == "active", now
	})
	m.write(file, before)
	m.run("rm", dropIn)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden.service")
}

// cut turns the machine off and on again.
func (m *machine) cut() {
	m.run("connwarden", "block", one, "--why", "until it is lifted")
	m.run("connwarden", "block", "2001:db8::/32", "--for", "1h", "--force")
	m.run("connwarden", "block", "203.0.113.8", "--confirm-within", "1s")
	m.off()
	m.boot()
	m.is("active", "connwarden-sync.service", "inactive") // it did its work
	if result := m.property("connwarden-sync.service", "Result"); result != "success" {
		m.Errorf("the boot unit: %s\n%s", result, m.run("journalctl", "--no-pager", "-b", "-u", "connwarden-sync.service"))
	}
	done := m.property("connwarden-sync.service", "ExecMainExitTimestampMonotonic")
	network := m.property("network-pre.target", "ActiveEnterTimestampMonotonic")
	if a, b := number(done), number(network); a == 0 || a > b {
		m.Errorf("the boot unit was done at %d µs, and the network might begin at %d", a, b)
	}
	// It came up within the second that was left, perhaps; then the kernel ends the block.
	for began := time.Now(); m.held("203.0.113.8") && time.Since(began) < 20*time.Second; {
	}
	for addr, want := range map[string]bool{one: true, "2001:db8::": true, fromRoot: true, afterCrash: true, "203.0.113.8": false} {
		if m.held(addr) != want {
			m.Errorf("after the power cut %s is blocked: %v, want %v", addr, !want, want)
		}
	}
	m.watches("enforce")
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// timer lets blocks end in a firewall that ends none by itself: one that is over, and one that nobody confirms because
// everything that made it is killed.
func (m *machine) timer() {
	const rules = "/home/shop/public_html/.htaccess"
	m.run("connwarden", "unblock", ofShop, ofShopAgain)
	before := m.read(rules)
	m.run("systemctl", "stop", "connwarden.service") // which would lift them too
	if next := m.property("connwarden-sync.timer", "NextElapseUSecRealtime"); next == "" {
		m.Errorf("the timer does not know when it fires next")
	}
	m.write("/etc/systemd/system/connwarden-sync.timer.d/test.conf", "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "connwarden-sync.timer")
	m.run("connwarden", "block", "203.0.113.9", "--site", "/home/shop/public_html", "--for", "2s")
	cmd := m.command("setsid", "sh", "-c", "echo $$ >/tmp/session; connwarden block 203.0.113.10 --site /home/shop/public_html --confirm-within 2s; sleep 600")
	m.check(cmd.Start())
	m.until("the block to be confirmed is in force", func() (bool, string) { return strings.Contains(m.read(rules), "203.0.113.10"), m.read(rules) })
	m.run("kill", "-KILL", "--", "-"+strings.TrimSpace(m.read("/tmp/session")))
	_ = cmd.Wait() // says that it was killed
	m.until("both blocks are lifted", func() (bool, string) {
		text := m.read(rules)
		return text == before, text
	})
	m.orphan()
	st, err := os.Stat(m.file(rules))
	m.check(err)
	if st.Mode().Perm() != 0o644 {
		m.Errorf("the mode of .htaccess is %v", st.Mode())
	}
}

// orphan blocks where no systemd is seen, and kills what blocked: the kernel lifts by itself what it can, and what it
// cannot is not begun.
func (m *machine) orphan() {
	alone := func(words string) result {
		return m.try("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run/systemd && exec "+words)
	}
	if r := alone("connwarden block 203.0.113.11 --site /home/shop/public_html --confirm-within 60s"); r.code != 1 || !strings.Contains(r.out+r.err, "systemd does not run here") {
		m.Errorf("a block that nothing would lift: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if r := alone("sh -c 'connwarden block 203.0.113.12 --confirm-within 2s && nft list ruleset; kill -KILL $$'"); !strings.Contains(r.out, "203.0.113.12 ") {
		m.Errorf("a block to be confirmed is not in force\n%s%s", r.out, r.err)
	}
	m.until("the kernel has lifted what nobody confirmed", func() (bool, string) { return !m.held("203.0.113.12 "), "" })
}
