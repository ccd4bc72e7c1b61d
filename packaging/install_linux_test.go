package packaging

import (
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Versions that are built. The first is one before a release, the second is newer.
const (
	older = "0.0.1-rc1"
	newer = "0.0.1"
)

// packages is the folder that they are in; TestMain removes it.
var packages string

// built builds the packages of both versions, once.
var built = sync.OnceValue(func() (err error) {
	if packages, err = os.MkdirTemp("", "packages"); err != nil {
		return err
	}
	for _, version := range []string{older, newer} {
		cmd := exec.Command("./build", version, filepath.Join(packages, version), runtime.GOARCH)
		cmd.Env = append(os.Environ(), "LEVEL=0", "SOURCE_DATE_EPOCH=1000000000")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", version, err, out)
		}
	}
	return nil
})

// needs skips a test, aloud, where programs are missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the program %s", program)
		}
	}
}

// deliver puts the packages whose names fit onto the machine, into /packages, and returns them, the older first.
func (m *machine) deliver(pattern string) (list []string) {
	m.Helper()
	m.check(built())
	names, err := filepath.Glob(filepath.Join(packages, "*", pattern))
	m.check(err)
	if len(names) != 2 {
		m.Fatalf("%s: %d packages, want 2", pattern, len(names))
	}
	m.check(os.MkdirAll(m.file("/packages"), 0o755))
	for _, name := range names {
		from, err := os.Open(name)
		m.check(err)
		to, err := os.Create(m.file("/packages/" + filepath.Base(name)))
		m.check(err)
		_, err = io.Copy(to, from)
		m.check(err)
		from.Close()
		m.check(to.Close())
		list = append(list, "/packages/"+filepath.Base(name))
	}
	// "1-rc1", and "1~rc1", stand before what ends at 1 or not, as the format has it.
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(strings.Count(b, "rc1"), strings.Count(a, "rc1")) })
	return list
}

// left fails for each file that is there and was not before.
func (m *machine) left(before map[string]bool) {
	m.Helper()
	for _, name := range slices.Sorted(maps.Keys(m.written())) {
		if !before[name] {
			m.Errorf("%s is left", name)
		}
	}
}

// held tells whether the firewall of the machine refuses an address.
func (m *machine) held(addr string) bool {
	m.Helper()
	return strings.Contains(m.run("nft", "list", "ruleset"), addr)
}

// is fails unless a unit is active, or enabled, as wanted.
func (m *machine) is(what, unit, want string) {
	m.Helper()
	if have := strings.TrimSpace(m.try("systemctl", "is-"+what, unit).out); have != want {
		m.Errorf("%s is %s, want %s\n%s", unit, have, want, m.try("journalctl", "--no-pager", "-u", unit, "-n", "30").out)
	}
}

// watches waits until the daemon is there, and returns its process.
func (m *machine) watches(mode string) (pid string) {
	m.Helper()
	m.is("active", "connwarden.service", "active")
	pid = m.property("connwarden.service", "MainPID")
	m.until("the daemon says that it follows", func() (bool, string) {
		said := m.run("journalctl", "--no-pager", "-o", "cat", "-u", "connwarden.service", "_PID="+pid)
		return strings.Contains(said, `"mode":"`+mode+`"`), said
	})
	return pid
}

// one is an address that the tests block, of those for documentation (RFC 5737).
const one = "203.0.113.7"

// use is what every kind of package must have brought: the program, its manual, its units.
func (m *machine) use(version, prefix string) {
	m.Helper()
	if out := m.run("connwarden", "--version"); !strings.HasPrefix(out, "connwarden "+version+" ") {
		m.Errorf("--version says %q, want %s", out, version)
	}
	if out := m.run("connwarden", "doctor"); !strings.Contains(out, "root") || !strings.Contains(out, "nft") {
		m.Errorf("doctor says\n%s", out)
	}
	m.run("connwarden", "review", "--no-dns")
	for _, name := range []string{
		"bin/connwarden", "share/man/man1/connwarden.1.gz", "share/bash-completion/completions/connwarden", "share/fish/vendor_completions.d/connwarden.fish",
		"share/doc/connwarden/NOTICE", "share/doc/connwarden/LICENSES.modules.gz",
	} {
		if !m.exists(prefix + name) {
			m.Errorf("%s is missing", prefix+name)
		}
	}
	for _, unit := range []string{"connwarden.service", "connwarden-sync.service", "connwarden-sync.timer"} {
		m.is("enabled", unit, "enabled")
	}
	m.is("active", "connwarden-sync.timer", "active")
	m.watches("suggest")
	if m.exists("/var/lib/connwarden/connwarden.db") && strings.Contains(m.run("connwarden", "blocks", "--json"), `"target"`) {
		m.Errorf("something is blocked already")
	}
}

// TestRealDeb installs, upgrades, removes, brings back and purges the package of Debian.
func TestRealDeb(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild", "nft")
	m := newMachine(t)
	debs := m.deliver("connwarden_*.deb")
	before := m.written()
	// As in the making of an image: no systemd is seen, nothing is started, and all is enabled.
	m.run("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run/systemd && dpkg -i "+debs[0])
	m.is("enabled", "connwarden.service", "enabled")
	m.is("active", "connwarden.service", "inactive")
	m.run("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run/systemd && dpkg --purge connwarden")
	m.left(before)

	m.run("dpkg", "-i", debs[0])
	m.use(older, "/usr/")
	m.run("connwarden", "block", one)
	m.add("/etc/connwarden/config.toml", "\n# the administrator's\n")

	pid := m.watches("suggest")
	m.run("dpkg", "-i", debs[1])
	if out := m.run("connwarden", "--version"); !strings.HasPrefix(out, "connwarden "+newer+" ") {
		t.Errorf("after the upgrade --version says %q", out)
	}
	if m.watches("suggest") == pid {
		t.Errorf("the upgrade did not restart the daemon")
	}
	if !m.held(one) {
		t.Errorf("the upgrade let go who was blocked")
	}
	if !strings.Contains(m.read("/etc/connwarden/config.toml"), "the administrator's") {
		t.Errorf("the upgrade lost the configuration")
	}

	m.run("systemctl", "disable", "--now", "connwarden.service")
	m.run("dpkg", "-i", debs[1])
	m.is("active", "connwarden.service", "inactive")
	m.is("enabled", "connwarden.service", "disabled")
	m.is("active", "connwarden-sync.timer", "active")

	m.run("dpkg", "--remove", "connwarden")
	if m.held(one) {
		t.Errorf("after the removal nobody is there who would ever lift the block, and it is in force")
	}
	if m.exists("/usr/bin/connwarden") || !m.exists("/var/lib/connwarden/connwarden.db") || !m.exists("/etc/connwarden/config.toml") {
		t.Errorf("a removal takes the program, and keeps the journal and the configuration")
	}
	m.run("dpkg", "-i", debs[1])
	if !m.held(one) {
		t.Errorf("what was not over is not in force again after the package came back")
	}
	m.is("enabled", "connwarden.service", "disabled")

	m.run("dpkg", "--purge", "connwarden")
	m.left(before)
	if m.held(one) {
		t.Errorf("after the purge the block is in force")
	}
}

// TestRealRPM does the same with the package of Red Hat's family, on a machine whose presets enable nothing, as theirs do.
// Dependencies are not looked at: Debian's shell is not in rpm's database.
func TestRealRPM(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild", "rpm", "nft")
	m := newMachine(t)
	rpms := m.deliver("connwarden-[0-9]*.rpm")
	m.write("/etc/systemd/system-preset/99-default.preset", "disable *\n")
	m.run("rpm", "--initdb")
	before := m.written()
	m.run("rpm", "-i", "--nodeps", rpms[0])
	m.is("enabled", "connwarden.service", "disabled")
	m.run("systemctl", "enable", "--now", "connwarden.service")
	m.use(older, "/usr/")
	m.run("connwarden", "block", one)
	m.add("/etc/connwarden/config.toml", "\n# the administrator's\n")
	if out := m.try("rpm", "-V", "--nodeps", "connwarden").out; strings.TrimSpace(out) != "S.5....T.  c /etc/connwarden/config.toml" {
		t.Errorf("rpm -V says\n%s", out)
	}

	pid := m.watches("suggest")
	m.run("rpm", "-U", "--nodeps", rpms[1])
	if out := m.run("connwarden", "--version"); !strings.HasPrefix(out, "connwarden "+newer+" ") {
		t.Errorf("after the upgrade --version says %q", out)
	}
	if m.watches("suggest") == pid {
		t.Errorf("the upgrade did not restart the daemon")
	}
	if !m.held(one) || !strings.Contains(m.read("/etc/connwarden/config.toml"), "the administrator's") {
		t.Errorf("the upgrade let go who was blocked, or lost the configuration")
	}

	m.run("rpm", "-e", "connwarden")
	if m.held(one) {
		t.Errorf("after the removal the block is in force")
	}
	if m.exists("/usr/bin/connwarden") || !m.exists("/var/lib/connwarden/connwarden.db") || !m.exists("/etc/connwarden/config.toml.rpmsave") {
		t.Errorf("a removal takes the program, and keeps the journal and a changed configuration")
	}
	m.run("rm", "-r", "/var/lib/connwarden", "/etc/connwarden") // as the manual says: rpm has no purge
	m.left(before)
}

// TestRealTar does the same with the script that is in the archive.
func TestRealTar(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild", "nft")
	m := newMachine(t)
	tars := m.deliver("connwarden-[0-9]*.tar.gz")
	for i := range tars {
		m.run("tar", "-C", "/packages", "--no-same-owner", "-xzf", tars[i])
		tars[i] = strings.TrimSuffix(tars[i], ".tar.gz")
	}
	before := m.written()
	m.run("env", "DESTDIR=/packages/root", tars[0]+"/install")
	m.run("env", "DESTDIR=/packages/root", tars[0]+"/install", "--uninstall", "--purge")
	if out := m.run("find", "/packages/root", "-type", "f"); out != "" {
		t.Errorf("below DESTDIR are left\n%s", out)
	}
	m.run(tars[0] + "/install")
	m.use(older, "/usr/local/")
	m.run("connwarden", "block", one)
	m.add("/etc/connwarden/config.toml", "\n# the administrator's\n")
	pid := m.watches("suggest")
	m.run(tars[1] + "/install")
	if out := m.run("connwarden", "--version"); !strings.HasPrefix(out, "connwarden "+newer+" ") {
		t.Errorf("after the upgrade --version says %q", out)
	}
	if m.watches("suggest") == pid || !m.held(one) || !strings.Contains(m.read("/etc/connwarden/config.toml"), "the administrator's") {
		t.Errorf("the upgrade did not restart the daemon, let go who was blocked, or lost the configuration")
	}

	if r := m.try(tars[1]+"/install", "--purge"); r.code != 2 {
		t.Errorf("--purge alone: exit code %d, want 2; %s", r.code, r.err)
	}
	m.run(tars[1]+"/install", "--uninstall")
	if m.held(one) || m.exists("/usr/local/bin/connwarden") || !m.exists("/etc/connwarden/config.toml") || !m.exists("/var/lib/connwarden/connwarden.db") {
		t.Errorf("the uninstallation takes program and blocks, and keeps configuration and journal")
	}
	m.run(tars[1]+"/install", "--uninstall", "--purge")
	for _, dir := range []string{"/usr/local/bin", "/usr/local/share"} { // the system's own, and this machine's disk had none
		before[dir] = true
	}
	m.left(before)
}

// TestRealReproducible builds the older version again, under another account's settings, and for a processor that is not
// this one.
func TestRealReproducible(t *testing.T) {
	needs(t, "dpkg-deb", "rpmbuild")
	if os.Geteuid() != 0 {
		t.Skip("needs root, as the tests beside it that build the same")
	}
	if err := built(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `umask 077 && exec ./build "$@"`, "sh", older, dir, "amd64", "arm64")
	cmd.Env = append(os.Environ(), "LEVEL=0", "SOURCE_DATE_EPOCH=1000000000", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "TMPDIR="+t.TempDir(), "GOAMD64=v3")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	sums := func(dir string) map[string]string {
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		list := map[string]string{}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			list[words[1]] = words[0]
		}
		return list
	}
	first, again := sums(filepath.Join(packages, older)), sums(dir)
	if len(again) != 12 {
		t.Errorf("%d packages, want a .deb, a .rpm and a .tar.gz of two programs for two processors: %v", len(again), again)
	}
	same := 0
	for name, sum := range first {
		if other, ok := again[name]; ok {
			same++
			if sum != other {
				t.Errorf("%s: %s, and built again %s", name, sum, other)
			}
		}
	}
	if same != 6 {
		t.Errorf("%d packages were built twice, want 6: %v and %v", same, first, again)
	}
	out, err := exec.Command("dpkg-deb", "-f", filepath.Join(dir, "connwarden_0.0.1~rc1_arm64.deb"), "Architecture").Output()
	if err != nil || string(out) != "arm64\n" {
		t.Errorf("the package for arm64 says %q, %v", out, err)
	}
	tree := t.TempDir()
	if out, err := exec.Command("tar", "-C", tree, "--strip-components=1", "-xzf", filepath.Join(dir, "connwarden-"+older+"-linux-arm64.tar.gz")).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	f, err := elf.Open(filepath.Join(tree, "usr/bin/connwarden"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libs, err := f.ImportedLibraries(); f.Machine != elf.EM_AARCH64 || len(libs) > 0 || err != nil {
		t.Errorf("the program for arm64: %v, needs %v, %v", f.Machine, libs, err)
	}
}
