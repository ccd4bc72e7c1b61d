package cli

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestKernelBriefConnections opens and closes connections faster than anyone looks, and asks for nothing: the daemon hears of
// each from the kernel.
func TestKernelBriefConnections(t *testing.T) {
	c := newCable(t)
	var server net.Listener
	netnstest.In(t, c.server, func() (err error) {
		server, err = net.Listen("tcp4", "192.0.2.1:8080")
		return err
	})
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	dir := t.TempDir()
	config, log := filepath.Join(dir, "config.toml"), filepath.Join(dir, "access.log")
	for name, text := range map[string]string{config: "[logs]\nfiles = [\"" + log + "\"]\n", log: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("connwarden", "watch", "--json", "--config", config, "--root", dir, "--no-dns")
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+c.state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	netnstest.In(t, c.server, cmd.Start)
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have failed already, which Wait tells
		for range lines {
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := c.dial("tcp4", "192.0.2.1:8080", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("the daemon ended")
			}
			if strings.Contains(line, `"type":"verdict"`) && strings.Contains(line, `"addr":"192.0.2.2"`) && strings.Contains(line, `"rule":"brief-connections"`) {
				return
			}
			t.Log(line)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("no verdict within a minute")
		}
	}
}
