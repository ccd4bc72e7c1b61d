package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// A pipe where a configuration or a log is expected is neither waited for nor read.
func TestPipesAreNotRead(t *testing.T) {
	h := plant(t, map[string]string{"etc/nginx/": "", "etc/apache2/apache2.conf": "ErrorLog /l\n"})
	for _, name := range []string{"etc/nginx/nginx.conf", "l"} {
		if err := unix.Mkfifo(filepath.Join(h.Root, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, problems := h.Logs(context.Background())
	same(t, "logs", 0, len(files))
	needProblem(t, problems, "/etc/nginx/nginx.conf", "not a regular file")
	needProblem(t, problems, "/l", "not a regular file: not read (apache configuration /etc/apache2/apache2.conf:1)")
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("giving files to other accounts and acting as one needs root")
	}
}

// asAccount runs f with the file rights of an ordinary account. The thread that has them is not used again.
func asAccount(t *testing.T, uid int, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setfsgid(uid); err != nil {
			done <- err
			return
		}
		if err := unix.Setfsuid(uid); err != nil {
			done <- err
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestOwnersOnDisk(t *testing.T) {
	needRoot(t)
	h := plant(t, map[string]string{
		"etc/nginx/nginx.conf": "http { access_log /l/root; access_log /l/daemon; access_log /l/person; access_log /l/group; access_log /home/p/x; access_log /home/p/link; }",
		"l/root":               "", "l/daemon": "", "l/person": "", "l/group": "", "home/p/x": "", "home/p/link": "-> /l/root",
	})
	for name, id := range map[string][2]int{"l/daemon": {33, 33}, "l/person": {12345, 12345}, "l/group": {0, 12345}, "home/p": {12345, 12345}} {
		if err := os.Lchown(filepath.Join(h.Root, name), id[0], id[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(h.Root, "l/group"), 0o660); err != nil {
		t.Fatal(err)
	}
	files, problems := h.Logs(context.Background())
	got := map[string]connwarden.Trust{}
	for _, f := range files {
		got[f.Shown] = f.Trust
	}
	same(t, "trust", map[string]connwarden.Trust{
		"/l/root": connwarden.TrustRoot, "/l/daemon": connwarden.TrustRoot, "/l/person": connwarden.TrustLocal,
		"/l/group": connwarden.TrustLocal, "/home/p/x": connwarden.TrustLocal,
	}, got)
	same(t, "problems", 1, len(problems))
	needProblem(t, problems, "/home/p/link", "not followed")
}

// What an ordinary account may not see is said; what it may see is listed.
func TestWithoutPrivilege(t *testing.T) {
	needRoot(t)
	h := plant(t, map[string]string{
		"etc/nginx/nginx.conf":     "include secret.conf; include sites/*; http { access_log /var/log/nginx/a.log; access_log /var/log/closed/b.log; }",
		"etc/nginx/secret.conf":    "error_log /var/log/nginx/e.log;",
		"etc/nginx/sites/x":        "",
		"var/log/nginx/a.log":      "",
		"var/log/closed/b.log":     "",
		"var/log/apache2/access":   "",
		"etc/apache2/apache2.conf": "ErrorLog /var/log/nginx/a2.log\n",
	})
	if err := os.Chmod(filepath.Dir(h.Root), 0o755); err != nil { // the test's folder is the caller's alone
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{
		"": 0o755, "etc/nginx/secret.conf": 0o600, "etc/nginx/sites": 0o700, "var/log/nginx/a.log": 0o640, "var/log/closed": 0o700,
		"var/log/apache2": 0o750, "etc/apache2": 0o711, "etc/apache2/apache2.conf": 0o600,
	} {
		if err := os.Chmod(filepath.Join(h.Root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	var files []LogFile
	var problems []connwarden.Problem
	var probes []Probe
	asAccount(t, 12345, func() {
		files, problems = h.Logs(context.Background())
		probes = h.Probes(context.Background())
	})
	same(t, "logs", []string{"/var/log/nginx/a.log"}, shown(files))
	for _, name := range []string{
		"/etc/nginx/secret.conf", "/etc/nginx/sites", "/var/log/closed/b.log", "/var/log/apache2", "/etc/apache2/apache2.conf",
	} {
		needProblem(t, problems, name, "permission denied")
	}
	i := slices.IndexFunc(probes, func(p Probe) bool { return p.Area == "logs" && p.Name == "access" })
	if p := probes[i]; p.Answer != Unknown || !strings.Contains(p.Why, "1 found, none can be read: /var/log/nginx/a.log: permission denied") {
		t.Errorf("%+v", p)
	}
	i = slices.IndexFunc(probes, func(p Probe) bool { return p.Area == "logs" && p.Name == "slow" })
	if p := probes[i]; p.Answer != Unknown || !strings.Contains(p.Why, "none found, but /") {
		t.Errorf("%+v", p)
	}
	// With the privilege the same tree is seen whole, so the test above saw the lack of it and nothing else.
	files, problems = h.Logs(context.Background())
	same(t, "logs as root", []string{"/var/log/apache2/access", "/var/log/closed/b.log", "/var/log/nginx/a.log"}, shown(files))
	if len(problems) != 2 { // the two error logs that are not there
		t.Errorf("problems as root: %+v", problems)
	}
}

// start runs a server until the test ends.
func start(t *testing.T, patterns []string, args ...string) {
	t.Helper()
	var program string
	for _, pattern := range patterns {
		if names, _ := filepath.Glob(pattern); len(names) > 0 {
			program = names[len(names)-1]
		}
	}
	if program == "" {
		t.Skipf("no program %v: install Debian's package", patterns)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// until asks again and again, and yields the processor in between.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// A real nginx with a configuration of its own is found by its command line, and its workers are counted.
func TestRealNginx(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "n.conf")
	text := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/e.log; worker_processes 2; events {}
http { log_format timed '$remote_addr "$request" $status $request_time'; access_log %[1]s/a.log timed;
  client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
  server { server_name real.example.com; listen unix:%[1]s/s; access_log %[1]s/real.log; } }`, dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, []string{"/usr/sbin/nginx"}, "-c", conf)
	until(t, "two workers", func() bool { return workersUnder(conf) == 2 })
	files, _ := New("").Logs(context.Background())
	got := map[string]LogFile{}
	for _, f := range files {
		if strings.HasPrefix(f.Shown, dir) {
			got[filepath.Base(f.Shown)] = f
		}
	}
	if f := got["real.log"]; f.Site != "real.example.com" || f.Format != combinedLog || f.From != "nginx configuration "+conf+":4" || f.Path != f.Shown {
		t.Errorf("%+v", f)
	}
	if f := got["a.log"]; f.Format != `$remote_addr "$request" $status $request_time` {
		t.Errorf("%+v", f)
	}
	if f := got["e.log"]; f.Kind != Error || f.Trust != connwarden.TrustOutside {
		t.Errorf("%+v", f)
	}
	servers, _ := New("").Servers()
	if !slices.ContainsFunc(servers, func(s Server) bool { return s.Running && len(s.ConfigFiles) > 0 && s.ConfigFiles[0] == conf }) {
		t.Errorf("servers %+v", servers)
	}
}

// workersUnder counts the workers of the nginx that was started with conf, among those that [Host.Pressure] counts.
func workersUnder(conf string) int {
	s := New("").scan(context.Background())
	s.readProcesses()
	masters := s.masters("nginx")
	i := slices.IndexFunc(masters, func(p process) bool { return p.flag('c') == conf })
	if i < 0 {
		return 0
	}
	only := []process{masters[i]}
	for _, p := range s.procs {
		if p.parent == masters[i].pid {
			only = append(only, p)
		}
	}
	s.procs = only
	n := 0
	for _, w := range s.workers(nil) {
		n += w.Count
	}
	return n
}

func workersOf(t *testing.T, service, pool string) Workers {
	t.Helper()
	p, _ := New("").Pressure()
	for _, w := range p.Workers {
		if w.Service == service && w.Pool == pool {
			return w
		}
	}
	return Workers{}
}

// A real PHP-FPM: its pool as configured, its children as they run, with their memory.
func TestRealPHPFPM(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "php-fpm.conf")
	text := fmt.Sprintf(`[global]
error_log = %[1]s/fpm.log
include = %[1]s/pool.d/*.conf
`, dir)
	pool := fmt.Sprintf(`[connwarden-test]
user = nobody
group = nogroup
listen = %[1]s/$pool.sock
pm = static
pm.max_children = 3
access.log = %[1]s/$pool.access
`, dir)
	if err := os.MkdirAll(filepath.Join(dir, "pool.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{conf: text, filepath.Join(dir, "pool.d/p.conf"): pool} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start(t, []string{"/usr/sbin/php-fpm*"}, "-F", "-y", conf)
	until(t, "three children", func() bool { return workersOf(t, "php-fpm", "connwarden-test").Count == 3 })
	h := New("")
	pools, _ := h.Pools()
	i := slices.IndexFunc(pools, func(p Pool) bool { return p.Name == "connwarden-test" })
	if i < 0 {
		t.Fatalf("pools %+v", pools)
	}
	p := pools[i]
	if p.MaxChildren != 3 || p.PM != "static" || p.Main != conf || p.MaxFile != filepath.Join(dir, "pool.d/p.conf") || p.MaxLine != 6 {
		t.Errorf("%+v", p)
	}
	w, ok := h.ChildrenOf(p)
	each, known := w.Each()
	if !ok || w.Count != 3 || w.Measured != 3 || !known || each < 1<<20 || each > 1<<30 {
		t.Errorf("%+v, %v; each %d", w, ok, each)
	}
	if os.Geteuid() == 0 && (w.Shared != 3 || w.PSS > w.RSS) {
		t.Errorf("as root: %+v", w)
	}
	files, _ := h.Logs(context.Background())
	for _, name := range []string{"fpm.log", "connwarden-test.access"} {
		if !slices.ContainsFunc(files, func(f LogFile) bool { return f.Shown == filepath.Join(dir, name) && f.Service == "php-fpm" }) {
			t.Errorf("%s is not among %v", name, shown(files))
		}
	}
}

// Netlink's answers are read from a message's bounds; a question that nothing answers ends.
func TestNetlinkAsk(t *testing.T) {
	if _, _, _, err := netlinkAsk(9999, 0, 0, nil); err == nil {
		t.Error("a protocol that is none: no error")
	}
	kind, code, _, err := netlinkAsk(unix.NETLINK_SOCK_DIAG, 9999, unix.NLM_F_REQUEST, nil)
	if err != nil || kind != unix.NLMSG_ERROR || code != unix.EINVAL {
		t.Errorf("a kind that is none: %d, %v, %v", kind, code, err)
	}
}

// The sum of the CPUs' rows agrees with what the kernel lists as online.
func TestCPUsOfThisMachine(t *testing.T) {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		t.Skipf("no /proc/cpuinfo: %v", err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "processor") {
			n++
		}
	}
	if n == 0 {
		t.Skip("this architecture's /proc/cpuinfo does not list processors")
	}
	if p, _ := New("").Pressure(); p.CPUs != n {
		t.Errorf("%d CPUs, /proc/cpuinfo lists %d", p.CPUs, n)
	}
}
