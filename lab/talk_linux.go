package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Talk is a conversation in lines with a daemon of the machine.
type Talk struct {
	l    *Lab
	conn net.Conn
	in   *bufio.Reader
	said strings.Builder // all of it, for who fails
}

// Talk connects from an address of the world to a port of the machine and waits for a line that begins with greeting; with an empty one it
// waits for nothing.
func (l *Lab) Talk(from string, port uint16, greeting string) *Talk {
	l.t.Helper()
	t := &Talk{l: l, conn: l.Connect(from, port)}
	t.in = bufio.NewReader(t.conn)
	if greeting != "" {
		t.Hear(greeting)
	}
	return t
}

// Say sends a line and waits for one that begins with answer.
func (t *Talk) Say(line, answer string) string {
	t.l.t.Helper()
	t.Send(line + "\r\n")
	return t.Hear(answer)
}

// Send sends text as it is. A daemon that has had enough may hang up meanwhile: who waits for an answer is told then.
func (t *Talk) Send(text string) {
	t.l.t.Helper()
	t.said.WriteString("> " + text)
	if _, err := io.WriteString(t.conn, text); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.l.check(err)
	}
}

// Hear waits for a line that begins so, and returns it.
func (t *Talk) Hear(begin string) string {
	t.l.t.Helper()
	for {
		line, err := t.in.ReadString('\n')
		t.said.WriteString("< " + line)
		if strings.HasPrefix(line, begin) {
			return strings.TrimRight(line, "\r\n")
		}
		if err != nil {
			t.l.t.Fatalf("waiting for %q: %v; all of it:\n%s\n%s", begin, err, t.said.String(), t.l.ended())
		}
	}
}

// Close hangs up.
func (t *Talk) Close() {
	t.l.t.Helper()
	t.l.check(t.conn.Close())
}

// End waits until the daemon has hung up.
func (t *Talk) End() {
	t.l.t.Helper()
	rest, err := io.ReadAll(t.in)
	t.said.Write(rest)
	if err != nil && !strings.Contains(err.Error(), "reset by peer") {
		t.l.t.Fatalf("waiting for the end: %v; all of it:\n%s\n%s", err, t.said.String(), t.l.ended())
	}
	t.Close()
}

// Datagrams is [Lab.Connect] for UDP.
func (l *Lab) Datagrams(from string, port uint16) net.Conn {
	l.t.Helper()
	conn, err := l.dial("udp", from, port, patience)
	l.check(err)
	return conn
}

// AwaitPort waits until a daemon listens on a port of the machine. The kernel's table is read, so that nobody connects.
func (l *Lab) AwaitPort(port uint16) {
	l.t.Helper()
	want := fmt.Sprintf(":%04X ", port)
	deadline := time.Now().Add(patience)
	for {
		found := false
		l.check(l.machine.do(func() error {
			for _, name := range []string{"tcp", "tcp6"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + name)
				if err != nil {
					return err
				}
				for row := range strings.Lines(string(text)) {
					// "sl local_address rem_address st …", where 0A is LISTEN.
					f := strings.Fields(row)
					found = found || len(f) > 3 && strings.HasSuffix(f[1]+" ", want) && f[3] == "0A"
				}
			}
			return nil
		}))
		if found {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("nobody listens on port %d\n%s", port, l.ended())
		}
		runtime.Gosched()
	}
}
