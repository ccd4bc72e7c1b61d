package packaging

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const (
	hubUnit  = "connwarden-hub.service"
	hubState = "/var/lib/connwarden-hub/"
)

// serves waits until the hub serves, and returns its process.
func (m *machine) serves() (pid string) {
	m.Helper()
	m.until("the hub serves", func() (bool, string) {
		r := m.try("connwarden-hub", "hosts")
		return r.code == 0, r.err + m.try("journalctl", "--no-pager", "-u", hubUnit, "-n", "30").out
	})
	m.is("active", hubUnit, "active")
	return m.property(hubUnit, "MainPID")
}

// open starts the hub of a package that was just installed, which must have started nothing, and has a host join.
func (m *machine) open(version, prefix string) (pid string) {
	m.Helper()
	if out := m.run("connwarden-hub", "version"); !strings.HasPrefix(out, "connwarden-hub "+version+" ") {
		m.Errorf("version says %q, want %s", out, version)
	}
	m.is("enabled", hubUnit, "disabled")
	m.is("active", hubUnit, "inactive")
	for _, name := range []string{
		"share/man/man1/connwarden-hub.1.gz", "share/bash-completion/completions/connwarden-hub", "share/fish/vendor_completions.d/connwarden-hub.fish",
		"share/doc/connwarden-hub/fleet.md", "share/doc/connwarden-hub/NOTICE", "share/doc/connwarden-hub/LICENSES.modules.gz",
	} {
		if !m.exists(prefix + name) {
			m.Errorf("%s is missing", prefix+name)
		}
	}
	m.write("/etc/connwarden-hub/options", "OPTIONS=--name hub.example.net --listen 127.0.0.1:4222\n")
	m.run("systemctl", "enable", "--now", hubUnit)
	pid = m.serves()
	if out := m.run("journalctl", "--no-pager", "-o", "cat", "-u", hubUnit); !strings.Contains(out, "serves hosts at 127.0.0.1:4222 as hub.example.net") {
		m.Errorf("the hub does not know its name:\n%s", out)
	}
	if out := m.run("connwarden-hub", "token"); !strings.HasPrefix(out, "cwjoin_") {
		m.Errorf("a token is %q", out)
	}
	return pid
}

// anew is what an upgrade does: the hub is another process with the same secrets and settings.
func (m *machine) anew(pid, keys string) {
	m.Helper()
	if m.serves() == pid {
		m.Errorf("the upgrade did not restart the hub")
	}
	if out := m.run("connwarden-hub", "version"); !strings.HasPrefix(out, "connwarden-hub "+newer+" ") {
		m.Errorf("after the upgrade version says %q", out)
	}
	if m.read(hubState+"keys.json") != keys || !strings.Contains(m.read("/etc/connwarden-hub/options"), "hub.example.net") {
		m.Errorf("the upgrade lost the hub's secrets or settings")
	}
}

// kept is what a removal leaves.
func (m *machine) kept(keys string) {
	m.Helper()
	if m.exists("/usr/bin/connwarden-hub") || m.exists("/usr/local/bin/connwarden-hub") || m.read(hubState+"keys.json") != keys {
		m.Errorf("a removal takes the program, and keeps the secrets")
	}
	if m.try("systemctl", "is-active", hubUnit).out == "active\n" {
		m.Errorf("the hub runs on")
	}
}

// TestRealHub installs, upgrades, removes and purges all packages of the hub, on one machine after another's removal.
func TestRealHub(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild", "rpm")
	m := newMachine(t)
	debs, rpms, tars := m.deliver("connwarden-hub_*.deb"), m.deliver("connwarden-hub-*.rpm"), m.deliver("connwarden-hub-*.tar.gz")
	m.run("rpm", "--initdb")
	before, keys := m.written(), ""
	m.sub("deb", func() {
		m.run("dpkg", "-i", debs[0])
		pid := m.open(older, "/usr/")
		m.sub("sandbox", func() { m.hubSandbox(pid) })
		m.sub("manual", m.hubManual)
		keys = m.read(hubState + "keys.json")
		m.run("dpkg", "-i", debs[1])
		m.anew(pid, keys)
		m.run("dpkg", "--remove", "connwarden-hub")
		m.kept(keys)
		m.run("dpkg", "--purge", "connwarden-hub")
		m.hubLeft(before)
	})
	m.sub("rpm", func() {
		m.write(hubState+"keys.json", keys) // as the other nodes of a cluster get it: root copies it
		m.run("rpm", "-i", "--nodeps", rpms[0])
		pid := m.open(older, "/usr/")
		if m.read(hubState+"keys.json") != keys {
			m.Errorf("the hub did not take the secrets that it was given")
		}
		m.run("rpm", "-U", "--nodeps", rpms[1])
		m.anew(pid, keys)
		m.run("rpm", "-e", "connwarden-hub")
		m.kept(keys)
		m.run("rm", "-r", "/var/lib/private/connwarden-hub", hubState[:len(hubState)-1], "/etc/connwarden-hub") // rpm has no purge
		m.hubLeft(before)
	})
	m.sub("tar", func() {
		for i := range tars {
			m.run("tar", "-C", "/packages", "--no-same-owner", "-xzf", tars[i])
			tars[i] = strings.TrimSuffix(tars[i], ".tar.gz")
		}
		m.run(tars[0] + "/install")
		pid := m.open(older, "/usr/local/")
		keys := m.read(hubState + "keys.json")
		m.run(tars[1] + "/install")
		m.anew(pid, keys)
		m.run(tars[1]+"/install", "--uninstall")
		m.kept(keys)
		m.run(tars[1]+"/install", "--uninstall", "--purge")
		for _, dir := range []string{"/usr/local/bin", "/usr/local/share"} { // the system's own, and this machine's disk had none
			before[dir] = true
		}
		m.hubLeft(before)
	})
}

func (m *machine) hubLeft(before map[string]bool) {
	m.Helper()
	m.left(before)
	if m.exists("/var/lib/private/connwarden-hub") {
		m.Errorf("the secrets are left")
	}
}

// hubSandbox holds the hub's process against what its unit says of it.
func (m *machine) hubSandbox(pid string) {
	for key, want := range map[string]string{"CapBnd": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"} {
		if have := m.status(pid, key); have != want {
			m.Errorf("%s of the hub is %s, want %s", key, have, want)
		}
	}
	if uid, _, _ := strings.Cut(m.status(pid, "Uid"), "\t"); uid == "0" || uid == "" {
		m.Errorf("the hub's account is %q", uid)
	}
	for name, may := range map[string]bool{"/usr/bin/x": false, "/etc/connwarden-hub/x": false, "/var/lib/x": false, "/run/x": false, hubState + "x": true, "/tmp/x": true} {
		r := m.try("nsenter", "--target", pid, "--mount", "--", "touch", name)
		if (r.code == 0) != may {
			m.Errorf("the hub's files: touch %s: exit code %d, may %v; %s", name, r.code, may, r.err)
		}
	}
	if have := strings.TrimSpace(m.run("stat", "-L", "-c", "%a", strings.TrimSuffix(hubState, "/"))); have != "700" {
		m.Errorf("the hub's folder is open as %s, want 700", have)
	}
	if r := m.try("systemd-analyze", "--man=no", "verify", hubUnit); r.code != 0 || strings.Contains(r.err, "connwarden") {
		m.Errorf("systemd-analyze verify: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	m.scored(hubUnit)
}

// hubManual holds the manual and the completions, which are written by hand, against what the program says of itself.
func (m *machine) hubManual() {
	help := m.run("connwarden-hub", "help")
	var words []string
	for _, found := range regexp.MustCompile(`(?m)^  connwarden-hub ([a-z]+)|--[a-z]+`).FindAllStringSubmatch(help, -1) {
		word := found[1]
		if word == "" {
			word = strings.TrimPrefix(found[0], "--")
		}
		words = append(words, word)
	}
	if len(words) < 15 {
		m.Fatalf("its help names %q", words)
	}
	for _, name := range []string{"hub/connwarden-hub.1", "hub/connwarden-hub.bash", "hub/connwarden-hub.fish", "hub/_connwarden-hub"} {
		b, err := os.ReadFile(name)
		m.check(err)
		for _, word := range words {
			if !regexp.MustCompile(`\b` + word + `\b`).Match(b) {
				m.Errorf("%s does not know %s", name, word)
			}
		}
	}
	if out := m.run("man", "--warnings", "-P", "cat", "connwarden-hub"); !strings.Contains(out, "who joined") {
		m.Errorf("the manual is\n%s", out)
	}
	if out := m.run("bash", "-c", `. /usr/share/bash-completion/completions/connwarden-hub; COMP_WORDS=(connwarden-hub token --o); COMP_CWORD=2; _connwarden_hub; echo "${COMPREPLY[@]}"`); out != "--operator\n" {
		m.Errorf("token --o becomes %q", out)
	}
}
