package packaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asFirst is the variable that makes this program the first process of a machine.
const asFirst = "CONNWARDEN_FIRST_PROCESS"

func TestMain(m *testing.M) {
	if root := os.Getenv(asFirst); root != "" {
		fmt.Fprintln(os.Stderr, first(root)) // does not return when all is well
		os.Exit(1)
	}
	code := m.Run()
	if packages != "" {
		os.RemoveAll(packages)
	}
	os.Exit(code)
}

// machine is a machine whose disk is this one's, written to in memory, and all else its own: processes, network, mounts,
// control groups. Its first process is systemd. It ends with the test.
type machine struct {
	*testing.T
	thread *thread // in whose mounts the machine's disk is
	dir    string
	pid    int // of its first process, here
	stop   func()
	boots  int
}

// empty are folders of the machine's root that are not this one's: those in which others left what does not belong
// to a fresh one.
var empty = []string{
	"etc/connwarden", "etc/systemd/system", "etc/systemd/system-preset", "home", "root", "srv", "tmp", "usr/local", "var/lib/connwarden", "var/lib/rpm", "var/log",
	"var/log/journal", "var/tmp", "var/www",
}

// masked are units that would do something to the kernel that all share, or that take long and are not needed.
var masked = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "exim4.service", "fstrim.timer", "kmod-static-nodes.service", "logrotate.timer",
	"man-db.timer", "systemd-modules-load.service", "systemd-remount-fs.service", "systemd-sysctl.service", "sys-kernel-config.mount", "sys-kernel-debug.mount",
	"sys-kernel-tracing.mount", "systemd-timesyncd.service", "systemd-udevd.service",
}

// newMachine lays out a machine's disk and boots it.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and mounts")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skip("needs systemd, whether it runs here or not (Debian's package systemd)")
	}
	m := &machine{T: t, dir: t.TempDir()}
	var err error
	m.thread, err = newThread(unix.CLONE_NEWNS|unix.CLONE_FS, func() error { return m.disk() })
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
		t.Skipf("needs overlays and mounts of its own: %v", err)
	}
	m.check(err)
	t.Cleanup(m.thread.end)
	t.Cleanup(m.off)
	m.boot()
	return m
}

// sub runs a part of a test.
func (m *machine) sub(name string, f func()) {
	outer := m.T
	outer.Run(name, func(t *testing.T) {
		m.T = t
		defer func() { m.T = outer }()
		f()
	})
}

func (m *machine) check(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// disk mounts the machine's disk, in the thread's mounts alone.
func (m *machine) disk() error {
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", m.dir, "tmpfs", 0, "size=1g,mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(m.dir, dir), 0o755); err != nil {
			return err
		}
	}
	upper, root := filepath.Join(m.dir, "upper"), filepath.Join(m.dir, "root")
	for _, dir := range empty {
		dir = filepath.Join(upper, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Setxattr(dir, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	if err := unix.Mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s,workdir=%s/work", upper, m.dir)); err != nil {
		return fmt.Errorf("mount overlay: %w", err)
	}
	for _, unit := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc/connwarden", "var/lib/connwarden"} {
		if err := os.Remove(filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := os.Chmod(filepath.Join(root, dir), 0o1777); err != nil {
			return err
		}
	}
	_ = os.Remove(filepath.Join(root, "usr/sbin/policy-rc.d"))       // what keeps services from starting here
	_ = os.Remove(filepath.Join(root, "var/lib/man-db/auto-update")) // an index of all manuals, after each dpkg
	if err := os.Symlink("/lib/systemd/system/multi-user.target", filepath.Join(root, "etc/systemd/system/default.target")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte("0123456789abcdef0123456789abcdef\n"), 0o444)
}

// boot starts the machine and waits until it is up.
func (m *machine) boot() {
	m.Helper()
	m.boots++
	group, leave, err := newGroup(fmt.Sprintf("connwarden-test-%d-%d", os.Getpid(), m.boots))
	if err != nil {
		m.Skipf("needs control groups, version 2: %v", err)
	}
	said := filepath.Join(m.dir+".said", strconv.Itoa(m.boots))
	m.check(os.MkdirAll(filepath.Dir(said), 0o755))
	out, err := os.Create(said)
	m.check(err)
	defer out.Close()
	self, err := os.Executable()
	m.check(err)
	cmd := exec.Command(self)
	cmd.Env = []string{asFirst + "=" + filepath.Join(m.dir, "root")}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP,
		Setsid:      true,
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
		Pdeathsig:   syscall.SIGKILL, // whatever becomes of the test, nothing is left: the kernel kills the others then
	}
	m.check(m.thread.do(cmd.Start))
	m.pid = cmd.Process.Pid
	m.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		group.Close()
		if err := leave(); err != nil {
			m.Errorf("control group: %v", err)
		}
	}
	// The bus of systemd is there a moment after its first process.
	m.until("the machine is up", func() (bool, string) {
		r := m.try("systemctl", "is-system-running", "--wait")
		text, _ := os.ReadFile(said)
		return strings.HasPrefix(r.out, "running") || strings.HasPrefix(r.out, "degraded"), r.out + r.err + string(text)
	})
}

// off turns the machine off as a power cut does.
func (m *machine) off() {
	if m.stop != nil {
		m.stop()
		m.stop = nil
	}
}

// newGroup makes a control group below ours, in which a systemd is alone.
func newGroup(name string) (group *os.File, leave func() error, err error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, nil, err
	}
	own := ""
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "0::"); ok {
			own = strings.TrimSpace(after)
		}
	}
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(top, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir := filepath.Join(top, own, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, nil, err
		}
		group, err := os.Open(dir)
		return group, func() error { return removeGroup(dir) }, err
	}
	return nil, nil, errors.New("none is mounted")
}

// removeGroup removes a control group and those below it. The processes are gone, but the kernel may not have said so yet.
func removeGroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, name)
		}
		return err
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		err = errors.Join(err, retry(func() error { return unix.Rmdir(dirs[i]) }))
	}
	return err
}

// retry tries again while something is busy, for ten seconds.
func retry(f func() error) error {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// first makes this process the first of a machine: mounts what systemd expects, and becomes systemd. What of the kernel
// all machines share is read-only.
func first(root string) error {
	in := func(dir string) string { return filepath.Join(root, dir) }
	type mount struct {
		what, kind, where, opt string
		flags                  uintptr
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV
	for _, m := range []mount{
		{"proc", "proc", "proc", "", quiet | unix.MS_NOEXEC},
		{in("proc/sys"), "", "proc/sys", "", unix.MS_BIND},
		{in("proc/sys/net"), "", "proc/sys/net", "", unix.MS_BIND},
		{"", "", "proc/sys", "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY},
		{"sysfs", "sysfs", "sys", "", quiet | unix.MS_NOEXEC | unix.MS_RDONLY},
		{"cgroup2", "cgroup2", "sys/fs/cgroup", "", quiet | unix.MS_NOEXEC},
		{"tmpfs", "tmpfs", "run", "mode=755", quiet},
		{"tmpfs", "tmpfs", "dev", "mode=755", unix.MS_NOSUID},
	} {
		if err := unix.Mount(m.what, in(m.where), m.kind, m.flags, m.opt); err != nil {
			return fmt.Errorf("mount %s: %w", m.where, err)
		}
	}
	for _, dev := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile(in("dev/"+dev), nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+dev, in("dev/"+dev), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", dev, err)
		}
	}
	for _, dir := range []string{"dev/pts", "dev/shm"} {
		if err := os.Mkdir(in(dir), 0o1777); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", in("dev/pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	for link, to := range map[string]string{"dev/ptmx": "pts/ptmx", "dev/fd": "/proc/self/fd", "dev/stdin": "/proc/self/fd/0", "dev/stdout": "/proc/self/fd/1", "dev/stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, in(link)); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return err
	}
	// The old root is stacked below the new one, and taken from there.
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	env := []string{"container=connwarden-test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	return unix.Exec("/lib/systemd/systemd", []string{"systemd", "--system", "--log-target=journal", "--show-status=0"}, env)
}

// result is what a program left.
type result struct {
	out, err string
	code     int
}

// command is a program of the machine, to be started.
func (m *machine) command(name string, args ...string) *exec.Cmd {
	words := append([]string{"--target", strconv.Itoa(m.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", name}, args...)
	cmd := exec.Command("nsenter", words...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "NO_COLOR=1"}
	return cmd
}

// try runs a program of the machine to its end.
func (m *machine) try(name string, args ...string) (r result) {
	m.Helper()
	cmd := m.command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.Fatalf("%s: %v", name, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// run is try, of a program that must not fail; it returns what it prints.
func (m *machine) run(name string, args ...string) string {
	m.Helper()
	r := m.try(name, args...)
	if r.code != 0 {
		m.Fatalf("%s %s: exit code %d\n%s%s", name, strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// patience is how long a condition may take to come true; a machine that tests much at once is slow.
const patience = 30 * time.Second

// until waits for a condition, which also tells what it saw.
func (m *machine) until(what string, cond func() (ok bool, seen string)) {
	m.Helper()
	ctx, stop := context.WithTimeout(m.Context(), patience)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := cond()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			m.Fatalf("not so in %s: %s\n%s", patience, what, seen)
		case <-tick.C:
		}
	}
}

// file is the name, here, of a file of the machine.
func (m *machine) file(name string) string {
	return filepath.Join("/proc", strconv.Itoa(m.pid), "root", name)
}

func (m *machine) write(name, text string) {
	m.Helper()
	m.check(os.MkdirAll(filepath.Dir(m.file(name)), 0o755))
	m.check(os.WriteFile(m.file(name), []byte(text), 0o644))
}

func (m *machine) add(name, text string) {
	m.Helper()
	f, err := os.OpenFile(m.file(name), os.O_APPEND|os.O_WRONLY, 0)
	m.check(err)
	_, err = f.WriteString(text)
	m.check(errors.Join(err, f.Close()))
}

func (m *machine) read(name string) string {
	m.Helper()
	text, err := os.ReadFile(m.file(name))
	if !errors.Is(err, fs.ErrNotExist) {
		m.check(err)
	}
	return string(text)
}

func (m *machine) exists(name string) bool {
	_, err := os.Lstat(m.file(name))
	return err == nil
}

// property is a property of a unit.
func (m *machine) property(unit, name string) string {
	m.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--value", "-p", name, unit))
}

// written lists the files and folders of the machine's disk that are not this one's, but for places where everything leaves
// traces of its own.
func (m *machine) written() map[string]bool {
	m.Helper()
	list := map[string]bool{}
	m.check(m.thread.do(func() error {
		top := filepath.Join(m.dir, "upper")
		return filepath.WalkDir(top, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name = strings.TrimPrefix(name, top)
			for _, dir := range []string{"/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/systemd", "/var/lib/rpm", "/var/lib/private", "/tmp", "/var/tmp", "/packages", "/etc/ld.so.cache"} {
				if name == dir && e.IsDir() {
					return fs.SkipDir
				}
			}
			_, here := os.Lstat(name)
			if e.Type()&fs.ModeCharDevice == 0 && (here != nil || !e.IsDir()) { // else a file is gone, or a folder was opened
				list[name] = true
			}
			return nil
		})
	}))
	return list
}

// thread is an operating-system thread with mounts of its own. What is started from it has those.
type thread struct {
	run chan func()
}

func newThread(flags int, setup func() error) (*thread, error) {
	th := &thread{run: make(chan func())}
	started := make(chan error)
	go th.live(flags, setup, started)
	return th, <-started
}

func (th *thread) live(flags int, setup func() error, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread dies with the goroutine, no other may get it
	if unix.Gettid() == unix.Getpid() {
		// The first thread cannot die, and the process's own namespaces are its. Held here, it is not given out again.
		done := make(chan error)
		go th.live(flags, setup, done)
		err := <-done
		runtime.UnlockOSThread()
		started <- err
		return
	}
	err := unix.Unshare(flags)
	if err == nil {
		err = setup()
	}
	started <- err
	for f := range th.run {
		f()
	}
}

// do runs f on the thread and waits for it.
func (th *thread) do(f func() error) error {
	done := make(chan error, 1)
	th.run <- func() {
		err := errors.New("the test ended inside")
		defer func() { done <- err }()
		err = f()
	}
	return <-done
}

func (th *thread) end() { close(th.run) }
