package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Lab is one machine and the world around it. Use [New].
type Lab struct {
	// Root is the folder that the machine's servers take for /; what they write is found below it.
	Root string

	t       testing.TB
	machine *thread // its network and its mounts
	world   *thread // where requests come from

	mu      sync.Mutex
	servers []*server
	far     []*Far
	ours    map[netip.Addr]bool // targets that were found to be of these namespaces
	fallen  chan struct{}       // closed when a server ends that should not
	fall    sync.Once
}

// folders of the machine that are not the host's.
var folders = []string{
	"dev", "etc", "opt", "proc", "root", "run/php", "tmp", "usr", "var/lib/nginx", "var/lib/php/sessions",
	"var/log/apache2", "var/log/nginx", "var/log/php", "var/www",
}

// copied are the files of the host without which a program of Debian does not start, or tells the wrong time.
var copied = []string{"passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"}

// New makes a machine without servers. Everything ends with the test.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces, mounts and the servers' own accounts")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the program ip (Debian's package iproute2)")
	}
	l := &Lab{Root: t.TempDir(), t: t, fallen: make(chan struct{})}
	for _, dir := range folders {
		l.check(os.MkdirAll(filepath.Join(l.Root, dir), 0o755))
	}
	for link, to := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"} {
		l.check(os.Symlink(to, filepath.Join(l.Root, link)))
	}
	for _, name := range copied {
		text, err := os.ReadFile(filepath.Join("/etc", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		l.check(err)
		l.Write("etc/"+name, string(text))
	}
	for _, dir := range []string{"tmp", "var/log/php", "var/lib/php/sessions"} {
		l.check(os.Chmod(filepath.Join(l.Root, dir), 0o1777))
	}

	var err error
	l.machine, err = newThread(unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWPID, l.mount)
	l.check(err)
	t.Cleanup(l.machine.end)
	l.boot()
	l.world, err = newThread(unix.CLONE_NEWNET, nil)
	l.check(err)
	t.Cleanup(l.world.end)
	l.wire()
	t.Cleanup(l.stop)
	return l
}

// mount gives the machine the host's programs, read-only. It runs on the machine's thread, whose mounts nobody else
// sees: were they not private first, removing the folder would remove the host's programs.
func (l *Lab) mount() error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	usr := filepath.Join(l.Root, "usr")
	if _, err := os.Stat(filepath.Join(unpacked, "usr")); err == nil {
		if err := unix.Mount("overlay", usr, "overlay", unix.MS_RDONLY, "lowerdir="+filepath.Join(unpacked, "usr")+":/usr"); err != nil {
			return fmt.Errorf("mount %s over /usr: %w", unpacked, err)
		}
		return l.devices()
	}
	if err := unix.Mount("/usr", usr, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount /usr: %w", err)
	}
	if err := unix.Mount("", usr, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount /usr read-only: %w", err)
	}
	return l.devices()
}

// unpacked is where ./test unpacks Debian's packages of daemons that cannot be installed beside each other, or whose
// installation would change the host. The machine sees them in its /usr; the host does not.
const unpacked = "/var/cache/connwarden-lab/root"

// devices gives the machine a /dev of its own with the host's plain devices: its /dev/log is not the host's.
func (l *Lab) devices() error {
	dev := filepath.Join(l.Root, "dev")
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		to := filepath.Join(dev, name)
		if err := os.WriteFile(to, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", name, err)
		}
	}
	for link, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, link)); err != nil {
			return err
		}
	}
	shm := filepath.Join(dev, "shm")
	return errors.Join(os.Mkdir(shm, 0o755), os.Chmod(shm, 0o1777))
}

// boot starts the machine's first process. When that is killed the kernel kills all others, and it is killed when the
// machine's thread ends, whatever becomes of the test: nothing can be left behind. Then /proc can be mounted, by a
// process that lives among those that it shows.
func (l *Lab) boot() {
	l.t.Helper()
	// Package os tries once, with a child that ends at once, whether the kernel knows process descriptors. That child must
	// not be the first process here.
	_, err := os.FindProcess(os.Getpid())
	l.check(err)
	first := exec.Command("/usr/bin/sleep", "infinity")
	first.Dir, first.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: l.Root, Pdeathsig: syscall.SIGKILL}
	l.check(l.machine.do(first.Start))
	l.t.Cleanup(func() {
		l.check(first.Process.Kill())
		_ = first.Wait() // says that it was killed
	})
	if r := l.Run(nil, "/usr/bin/mount", "-t", "proc", "proc", "/proc"); r.Code != 0 {
		l.t.Fatalf("mount /proc: %s", r.Stderr)
	}
}

// The machine's own addresses, from the ranges kept for documentation (RFC 5737, RFC 3849).
const (
	Addr4 = "192.0.2.1"
	Addr6 = "2001:db8::1"
)

// worlds are the prefixes that requests may come from.
var worlds = []string{"198.51.100.0/24", "203.0.113.0/24", "2001:db8:1::/48"}

// wire connects machine and world.
func (l *Lab) wire() {
	l.t.Helper()
	ip := func(th *thread, words string) {
		l.t.Helper()
		var out []byte
		err := th.do(func() (err error) {
			out, err = exec.Command("ip", strings.Fields(words)...).CombinedOutput()
			return err
		})
		if err != nil {
			l.t.Fatalf("ip %s: %v\n%s", words, err, out)
		}
	}
	// Addresses are ours alone: without this a link-local one is on probation for a second or two, and until then
	// no neighbour is asked for on behalf of an address that is only routed here.
	for _, th := range []*thread{l.machine, l.world} {
		l.check(th.do(func() error {
			return errors.Join(setting("ipv6/conf/default/accept_dad", "0"), setting("ipv6/ip_nonlocal_bind", "1"))
		}))
	}
	ip(l.world, "link set lo up")
	ip(l.machine, "link set lo up")
	ip(l.machine, "link add eth0 type veth peer name eth0 netns "+l.world.netns())
	ip(l.machine, "addr add "+Addr4+"/24 dev eth0")
	ip(l.machine, "addr add "+Addr6+"/64 dev eth0 nodad")
	ip(l.world, "addr add 192.0.2.254/24 dev eth0")
	ip(l.world, "addr add 2001:db8::254/64 dev eth0 nodad")
	ip(l.machine, "link set eth0 up")
	ip(l.world, "link set eth0 up")
	ip(l.machine, "route add default via 192.0.2.254")
	ip(l.machine, "-6 route add default via 2001:db8::254")
	for _, prefix := range worlds {
		ip(l.world, "route add local "+prefix+" dev lo")
	}
}

// setting changes a setting of the network namespace of the calling thread.
func setting(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
}

// Write writes a file of the machine, named from its root, and the folders above it.
func (l *Lab) Write(name, text string) {
	l.t.Helper()
	file := filepath.Join(l.Root, name)
	l.check(os.MkdirAll(filepath.Dir(file), 0o755))
	l.check(os.WriteFile(file, []byte(text), 0o644))
}

// Read returns the text of a file of the machine; nothing when it is not there.
func (l *Lab) Read(name string) string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.Root, name))
	if !errors.Is(err, os.ErrNotExist) {
		l.check(err)
	}
	return string(text)
}

// Result is what a program left.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a program of the machine, in its folder and its network, to its end.
func (l *Lab) Run(env []string, name string, args ...string) Result {
	l.t.Helper()
	return l.run(&syscall.SysProcAttr{Chroot: l.Root}, env, name, args)
}

// RunOutside runs a program of the host in the machine's network, but with the host's files, its /proc among them.
func (l *Lab) RunOutside(env []string, name string, args ...string) Result {
	l.t.Helper()
	return l.run(nil, env, name, args)
}

// RunWorld runs a program of the host in the world's network.
func (l *Lab) RunWorld(env []string, name string, args ...string) Result {
	l.t.Helper()
	return l.runOn(l.world, nil, env, name, args)
}

func (l *Lab) run(attr *syscall.SysProcAttr, env []string, name string, args []string) Result {
	l.t.Helper()
	return l.runOn(l.machine, attr, env, name, args)
}

func (l *Lab) runOn(th *thread, attr *syscall.SysProcAttr, env []string, name string, args []string) Result {
	l.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(l.t.Context(), name, args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = attr, "/", append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	l.check(th.do(cmd.Start))
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		l.t.Fatalf("%s: %v", name, err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// server is a running daemon with all its children.
type server struct {
	name  string
	cmd   *exec.Cmd
	gone  chan error    // what the first process ended with
	alive *os.File      // the reading end of a pipe that every process of the server holds open
	said  *bytes.Buffer // standard output and error; read it when gone has spoken
}

// start starts a daemon in the foreground and waits until its pid file is there: the three web servers write it when
// their sockets are open.
func (l *Lab) start(pidFile, name string, env []string, args ...string) {
	l.t.Helper()
	l.check(os.RemoveAll(filepath.Join(l.Root, pidFile)))
	l.launch(name, env, args...)
	l.Await(pidFile, name+" did not start", func(text string) bool { return text != "" })
}

// launch starts a daemon in the foreground.
func (l *Lab) launch(name string, env []string, args ...string) {
	l.t.Helper()
	alive, held, err := os.Pipe()
	l.check(err)
	s := &server{name: name, gone: make(chan error, 1), alive: alive, said: &bytes.Buffer{}}
	s.cmd = exec.Command(name, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = "/", s.said, s.said
	s.cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin", "LANG=C"}, env...)
	s.cmd.ExtraFiles = []*os.File{held}
	// A group of its own: Apache ends its whole group, which would be the test's.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: l.Root, Setpgid: true}
	l.check(l.machine.do(s.cmd.Start))
	l.check(held.Close())
	go func() {
		s.gone <- s.cmd.Wait()
		l.fall.Do(func() { close(l.fallen) })
	}()
	l.mu.Lock()
	l.servers = append(l.servers, s)
	l.mu.Unlock()
}

// ended tells what the servers said that are not running any more, and what any of them logged.
func (l *Lab) ended() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(l.Root, "var/log/*/*error.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&b, "%s:\n%s\n", name, text[max(0, len(text)-4000):])
	}
	for _, s := range l.servers {
		select {
		case err := <-s.gone:
			s.gone <- err
			fmt.Fprintf(&b, "%s has ended: %v\n%s\n", s.name, err, s.said)
		default:
		}
	}
	return b.String()
}

// stop ends the servers, last started first, and fails the test when one had ended before or a process is left.
func (l *Lab) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.servers) - 1; i >= 0; i-- {
		s := l.servers[i]
		select {
		case err := <-s.gone:
			l.t.Errorf("%s had ended before the test did: %v\n%s", s.name, err, s.said)
		default:
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				l.t.Errorf("end %s: %v", s.name, err)
			}
		}
		if err := s.alive.SetReadDeadline(time.Now().Add(patience)); err != nil {
			l.t.Error(err)
		}
		if _, err := s.alive.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			l.t.Errorf("%s left processes behind, which the end of the machine kills: %v", s.name, err)
		}
		s.alive.Close()
	}
	l.servers = nil
}

func (l *Lab) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}
