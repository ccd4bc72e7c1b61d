package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden/internal/netnstest"
	"github.com/connwarden/connwarden/report"
)

// TestKernelReader: with an account for reading, the process that reads the logs is that account's and cannot touch the
// firewall; the one that can blocks for it. When the reader dies, so does the daemon.
func TestKernelReader(t *testing.T) {
	c := newCable(t)
	dir := t.TempDir()
	config, log := filepath.Join(dir, "config.toml"), filepath.Join(dir, "access.log")
	socket := filepath.Join(dir, "run", "connwarden.sock")
	text := "[daemon]\nreader = \"nobody\"\nsocket = \"" + socket + "\"\n"
	for name, text := range map[string]string{config: text, log: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil { // for root alone
			t.Fatal(err)
		}
	}
	cmd := exec.Command("connwarden", "watch", "--json", "--config", config, "--enforce", "--with", "nft", "--no-dns", log)
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+c.state)
	cmd.Stderr = os.Stderr
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
	await := func(part string) {
		t.Helper()
		for deadline := time.After(time.Minute); ; {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatalf("the daemon ended before it said %s: %v", part, cmd.Wait())
				}
				if strings.Contains(line, part) {
					return
				}
			case <-deadline:
				_ = cmd.Process.Signal(syscall.SIGTERM)
				t.Fatalf("it never said %s", part)
			}
		}
	}
	await(`"type":"start"`)
	reader := readerOf(t, cmd.Process.Pid)
	file, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line := fmt.Sprintf("192.0.2.77 - - [%s] \"POST /xmlrpc.php HTTP/1.1\" 403 120 \"-\" \"python-requests/2.31\"\n", time.Now().UTC().Format("02/Jan/2006:15:04:05 +0000"))
	if _, err := file.WriteString(strings.Repeat(line, 40)); err != nil {
		t.Fatal(err)
	}
	await(`"type":"block"`)
	wired := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	answer, err := wired.Get("http://connwarden/review")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var doc report.Review
	if err := json.NewDecoder(answer.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(doc.Peers, func(p report.Peer) bool { return p.Addr == "192.0.2.77" }); i < 0 || doc.Peers[i].Blocked == nil {
		t.Errorf("the reader does not know who is blocked: %+v", doc.Peers)
	}
	var rules []byte
	netnstest.In(t, c.server, func() (err error) {
		rules, err = exec.Command("nft", "list", "ruleset").CombinedOutput()
		return err
	})
	if !strings.Contains(string(rules), "192.0.2.77") {
		t.Errorf("not in the firewall:\n%s", rules)
	}
	for name, own := range map[string]bool{c.state: false, filepath.Join(c.state, "connwarden.db"): false, filepath.Join(c.state, readerDir): true} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; (uid != 0) != own {
			t.Errorf("%s belongs to account %d", name, uid)
		}
	}
	if err := syscall.Kill(reader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range lines {
	}
	if err := cmd.Wait(); err == nil {
		t.Error("without its reader the daemon ended as if all were well")
	}
}

// readerOf finds the process that a hand started, and holds it against what a reader may.
func readerOf(t *testing.T, hand int) int {
	t.Helper()
	reader := 0
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", hand)) // of whichever thread started it
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tasks {
		if children, err := os.ReadFile(name); err == nil && len(children) > 0 {
			if reader, err = strconv.Atoi(strings.Fields(string(children))[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", reader))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch key {
		case "Uid":
			if strings.Contains("\t"+value+"\t", "\t0\t") {
				t.Errorf("the reader is root: %s", line)
			}
		case "CapEff", "CapPrm", "CapAmb":
			if caps, err := strconv.ParseUint(value, 16, 64); err != nil || caps&^(1<<2) != 0 { // CAP_DAC_READ_SEARCH
				t.Errorf("the reader may more than read: %s", line)
			}
		}
	}
	return reader
}
