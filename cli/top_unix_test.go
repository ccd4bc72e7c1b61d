//go:build unix

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// terminal is a real terminal: a window of a tmux server of its own in which the program runs.
type terminal struct {
	*testing.T
	socket, wall string
}

// openTop runs connwarden top over saved logs and connections, with a file as the firewall.
func openTop(t *testing.T, width, height int, env ...string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux: shows the screen in a real terminal")
	}
	dir := t.TempDir()
	x := &terminal{t, filepath.Join(dir, "tmux"), filepath.Join(dir, "wall")}
	access, conns := filepath.Join(dir, "access.log"), filepath.Join(dir, "conns.txt")
	x.write(access, 30, func(i int) string {
		return fmt.Sprintf("13.14.15.16 - - [22/Nov/2026:13:50:%02d +0000] \"POST /xmlrpc.php HTTP/1.1\" 403 461 \"-\" \"curl/8\"\n", i) +
			fmt.Sprintf("198.51.100.%d - - [22/Nov/2026:13:50:%02d +0000] \"GET /shop HTTP/1.1\" 200 5120 \"-\" \"Mozilla/5.0 \\x1b[2J\"\n", i%4+1, i)
	})
	x.write(conns, 40, func(i int) string {
		return fmt.Sprintf("ESTAB 0 0 192.0.2.1:443 13.14.15.16:%d\n", 20000+i)
	})
	// What stands on the terminal after the program tells whether it is as it was.
	const script = `"$@"; echo "ended with $?"; exec cat`
	args := []string{"new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "env", "CONNWARDEN_STATE_DIR=" + filepath.Join(dir, "state"), "WALL=" + x.wall, "LANG=C.UTF-8", "LC_ALL="}
	args = append(args, env...)
	x.tmux(append(args, "sh", "-c", script, "sh", "connwarden", "top", "--no-dns", "--root", dir, "--log", access, "--from", conns)...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *terminal) write(name string, n int, line func(int) string) {
	x.Helper()
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		x.Fatal(err)
	}
}

func (x *terminal) tmux(args ...string) string {
	x.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
	if err != nil {
		x.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// until waits for something to become true.
func (x *terminal) until(what string, ok func() bool) {
	x.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			x.Fatalf("%s: it did not come to that; the screen is\n%s", what, x.tmux("capture-pane", "-p"))
		}
	}
}

// sees waits for a text on the screen, and tells what else is there then.
func (x *terminal) sees(text string) string {
	x.Helper()
	screen := ""
	x.until("see "+text, func() bool { screen = x.tmux("capture-pane", "-p"); return strings.Contains(screen, text) })
	return screen
}

func (x *terminal) keys(keys ...string) {
	x.Helper()
	x.tmux(append([]string{"send-keys"}, keys...)...)
}

// ended waits until the program has ended well, and holds that the terminal is as it was.
func (x *terminal) ended() {
	x.Helper()
	if screen := x.sees("ended with "); !strings.Contains(screen, "ended with 0") || strings.Contains(screen, "Findings") {
		x.Errorf("left behind:\n%s", screen)
	}
	if got := strings.TrimSpace(x.tmux("display", "-p", "alternate #{alternate_on}, mouse #{mouse_any_flag}, cursor #{cursor_flag}")); got != "alternate 0, mouse 0, cursor 1" {
		x.Error(got)
	}
}

func (x *terminal) blocked() bool {
	b, err := os.ReadFile(x.wall)
	return err == nil && strings.Contains(string(b), "13.14.15.16")
}

// TestRealTop is a person before the live screen in a real terminal, at three sizes: keys, filter, a look into an address,
// a block and its undo, the mouse, another size, and the end.
func TestRealTop(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			x := openTop(t, size[0], size[1])
			x.sees("13.14.15.16  MALICIOUS")
			x.sees("40 connections")
			x.keys("2")
			x.sees("VERDICT")
			x.keys("/")
			x.keys("-l", "198.51")
			x.until("filtered", func() bool {
				screen := x.sees("/198.51")
				return strings.Contains(screen, "198.51.100.1") && !strings.Contains(screen, "13.14.15.16")
			})
			x.keys("Escape")
			x.sees("13.14.15.16")
			x.keys("Enter")
			x.sees("wordpress-xmlrpc-bruteforce")
			x.sees("requests in its busiest minute")
			x.until("its lines", func() bool { // on a small screen they stand further down
				x.keys("Down")
				return strings.Contains(x.tmux("capture-pane", "-p"), "POST /xmlrpc.php HTTP/1.1")
			})

			x.keys("b")
			x.sees("would block  13.14.15.16")
			x.sees("connwarden undo takes it back")
			if x.blocked() {
				t.Fatal("blocked before the yes")
			}
			x.keys("y")
			x.sees("connwarden undo 1 takes it back")
			if !x.blocked() {
				t.Fatal("not in the wall")
			}
			x.keys("Escape") // alone: followed at once by another key it would be that one with Alt
			x.sees("b block")
			x.keys("6")
			x.sees("FIREWALL")
			x.keys("u")
			x.sees("would be unblocked")
			x.keys("y")
			x.until("undone", func() bool { return !x.blocked() })
			x.sees("Done.")
			x.keys("Escape")
			x.sees("Nobody is blocked")

			x.keys("-l", "\x1b[<0;4;3M\x1b[<0;4;3m") // a click on the first tab
			x.sees("1 thing needs you")
			x.tmux("resize-window", "-x", "46", "-y", "16")
			x.until("another size", func() bool { return !strings.Contains(x.tmux("capture-pane", "-p"), "2 Peers") })
			x.sees("1 Findings")
			x.keys("q")
			x.ended()
		})
	}
}

// TestRealTopPlain is the screen where nothing beyond ASCII can be shown, and without colours.
func TestRealTopPlain(t *testing.T) {
	x := openTop(t, 100, 30, "LANG=C", "NO_COLOR=1")
	x.sees("13.14.15.16  MALICIOUS")
	x.keys("2")
	x.sees("> malicious")
	screen := x.tmux("capture-pane", "-p", "-e")
	if i := strings.IndexFunc(screen, func(r rune) bool { return r >= 0x80 }); i >= 0 {
		t.Errorf("more than ASCII: %q", screen[i:])
	}
	if code := regexp.MustCompile("\x1b\\[([0-9;]*;)?[34][0-8]").FindString(screen); code != "" { // 39 and 49 are no colour
		t.Errorf("colour %q: %q", code, screen)
	}
	x.keys("q")
	x.ended()
}

// TestRealTopSignals leaves the terminal as it was when the program is ended from outside.
func TestRealTopSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			x := openTop(t, 80, 24)
			x.sees("13.14.15.16  MALICIOUS")
			shell := strings.TrimSpace(x.tmux("display", "-p", "#{pane_pid}"))
			child, err := exec.Command("pgrep", "-P", shell).Output()
			if err != nil {
				t.Skipf("needs pgrep: %v", err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(child)))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			x.ended()
		})
	}
}

// TestRealTopFollows has the screen follow a real daemon: what that finds is on it without any log being read again, and it
// goes on alone when the daemon ends.
func TestRealTopFollows(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux: shows the screen in a real terminal")
	}
	dir, err := os.MkdirTemp("", "top") //nolint:usetesting // the name of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	x := &terminal{t, filepath.Join(dir, "tmux"), filepath.Join(dir, "wall")}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	log := filepath.Join(dir, "access.log")
	x.write(log, 0, nil)
	const script = `"$@"; echo "ended with $?"; exec cat`
	run := func(args ...string) []string {
		return append([]string{"env", "CONNWARDEN_STATE_DIR=" + dir, "WALL=" + x.wall, "LANG=C.UTF-8", "LC_ALL=", "sh", "-c", script, "sh", "connwarden"}, args...)
	}
	x.tmux(append([]string{"new-session", "-d", "-s", "daemon", "-x", "160", "-y", "40"}, run("watch", "--no-dns", log)...)...)
	// A daemon survives its terminal.
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "send-keys", "-t", "daemon:0", "C-c").Run() })
	x.sees("follows 1 logs")
	x.tmux(append([]string{"new-window", "-t", "daemon"}, run("top", "--no-dns")...)...)
	x.sees("follows the daemon")
	x.sees("1 log that the daemon follows")
	now := time.Now().Format("02/Jan/2006:15:04:05 -0700")
	x.write(log, 60, func(int) string {
		return "13.14.15.16 - - [" + now + "] \"POST /wp-login.php HTTP/1.1\" 200 461 \"-\" \"curl/8\"\n"
	})
	x.sees("13.14.15.16  MALICIOUS")
	x.keys("2")
	x.sees("WordPress")
	x.tmux("send-keys", "-t", "daemon:0", "C-c")
	x.until("alone", func() bool { return !strings.Contains(x.tmux("capture-pane", "-p"), "follows the daemon") })
	x.keys("q")
	x.ended()
}
