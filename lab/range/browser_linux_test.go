package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/lab"
)

// Markup in every field that a client writes: each would set a mark in the page, or open a dialog, if it were more than text.
const (
	markPath    = "/<img/src=x/onerror=window.hacked=1>/wp-config.php.bak"
	markAgent   = `<script>window.hacked=1;alert(1)</script>`
	markReferer = `http://x/"><svg/onload=window.hacked=1>`
	markUser    = `<img src=x onerror=window.hacked=1>`
)

// TestRealPageUnderAttack has somebody at the page, in Chromium on the machine, while a scanner attacks its web server from the
// world and the real daemon watches: the attacker comes into sight by itself, is blocked by a click and let go by another,
// and what it wrote stays text.
func TestRealPageUnderAttack(t *testing.T) {
	node, chromium := browsers(t)
	g := &ground{t: t, set: settings{seed: 1}, rng: rand.New(rand.NewPCG(1, 7))}
	g.lab = lab.New(t)
	nginx := g.lab.Need("/usr/sbin/nginx", "nginx")
	nft := g.lab.Need("/usr/sbin/nft", "nftables")
	program := g.program()
	g.put("PHPVERSION", "0")
	g.lab.Write("etc/connwarden/config.toml", "[block]\ndrivers = [\"nft\"]\n[actions]\nmode = \"suggest\"\n") // a person is to press
	g.lab.Route(attackers4)
	g.lab.Route(customers4)
	g.lab.Daemon("run/nginx.pid", nginx, nil, "-g", "daemon off;")
	g.watch = g.start(program)
	pid, address := g.page(program)

	attacker, customer := g.attacker(), g.customer()
	s := &scene{ground: g, attacker: attacker, customer: customer, nft: nft}
	s.play(node, pid, map[string]any{"mode": "range", "chromium": chromium, "url": address, "attacker": attacker.String(), "customer": customer.String(), "path": markPath, "agent": markAgent, "referer": markReferer, "user": markUser})
}

// browsers are the programs that drive the page; the test is skipped where they are missing.
func browsers(t *testing.T) (node, chromium string) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node: apt install nodejs")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			chromium = p
			break
		}
	}
	if chromium == "" {
		t.Skip("needs a browser: apt install chromium")
	}
	if _, err := os.Stat(driver + "/node_modules/playwright-core"); err != nil {
		t.Skip("needs what drives the browser: cd web/testdata/browser && npm ci")
	}
	return node, chromium
}

// driver is the folder of the script that drives the browser.
const driver = "../../web/testdata/browser"

// page serves the page on the machine's loopback and returns the program's number and the address to open.
func (g *ground) page(program string) (pid int, address string) {
	cmd := exec.Command(program, "web", "--no-dns", "--listen", "127.0.0.1:0")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin"}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	g.check(err)
	g.check(g.lab.Spawn(cmd))
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	g.t.Cleanup(func() {
		g.check(cmd.Process.Signal(os.Interrupt))
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			g.t.Errorf("connwarden web, asked to stop: %v\n%s", err, errs.String())
		}
	})
	if err != nil {
		g.t.Fatalf("connwarden web did not start: %v", err)
	}
	return cmd.Process.Pid, strings.TrimSpace(line)
}

// scene is what happens around the page.
type scene struct {
	*ground
	attacker, customer netip.Addr
	nft                string
}

// sceneLasts bounds the whole of it; some ten seconds are usual.
const sceneLasts = 3 * time.Minute

// play has the script look at the page from the machine's network, and does in the world what it asks for.
func (s *scene) play(node string, pid int, job map[string]any) {
	text, err := json.Marshal(job)
	s.check(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), sceneLasts)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid), "--", node, "page.mjs", string(text))
	cmd.Dir = driver
	cmd.WaitDelay = 10 * time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	s.check(err)
	in, err := cmd.StdinPipe()
	s.check(err)
	s.check(cmd.Start())
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		switch what, wanted := strings.CutPrefix(line, "please "); {
		case wanted:
			answer := "done"
			if err := s.do(what); err != nil {
				answer = strings.ReplaceAll(what+": "+err.Error(), "\n", " | ")
			}
			if _, err := fmt.Fprintln(in, answer); err != nil {
				s.t.Error(err)
			}
		case strings.HasPrefix(line, "ok "):
			seen++
			s.t.Log(line)
		default:
			s.t.Error(line)
		}
	}
	if err := errors.Join(cmd.Wait(), ctx.Err()); err != nil {
		s.t.Errorf("%v: %s", err, errs.String())
	}
	if seen == 0 {
		s.t.Error("the browser found nothing")
	}
}

// do does one thing that the script asks for.
func (s *scene) do(what string) error {
	switch what {
	case "visit":
		return s.answered(s.customer, "GET / HTTP/1.1\r\nUser-Agent: "+firefox+"\r\n")
	case "attack":
		account := base64.StdEncoding.EncodeToString([]byte(markUser + ":x"))
		for i := range 40 {
			path := markPath
			if i%2 == 1 {
				path = fmt.Sprintf("/.env.%d", i)
			}
			if err := s.answered(s.attacker, "GET "+path+" HTTP/1.1\r\nUser-Agent: "+markAgent+"\r\nReferer: "+markReferer+"\r\nAuthorization: Basic "+account+"\r\n"); err != nil {
				return err
			}
		}
		return nil
	case "is free":
		if held := s.held(); held != "" {
			return fmt.Errorf("the firewall has it: %s", held)
		}
		return errors.Join(s.answered(s.attacker, "GET / HTTP/1.1\r\n"), s.answered(s.customer, "GET / HTTP/1.1\r\n"))
	case "is blocked":
		if s.held() == "" {
			return errors.New("the firewall does not have it")
		}
		if err := s.answered(s.attacker, "GET / HTTP/1.1\r\n"); err == nil {
			return errors.New("it is answered")
		}
		return s.answered(s.customer, "GET / HTTP/1.1\r\n")
	default:
		return errors.New("nobody knows how")
	}
}

// held is the element of our table's sets that denies the attacker.
func (s *scene) held() string {
	r := s.lab.Run(nil, s.nft, "list", "ruleset")
	for line := range strings.Lines(r.Stdout) {
		if strings.Contains(line, s.attacker.String()) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// answered sends a request to the site and reads the answer. Who is blocked is told from who is served slowly by its
// connection, which does not come about.
func (s *scene) answered(from netip.Addr, head string) error {
	conn, err := s.lab.Dial(from, netip.AddrPortFrom(server4, 8080))
	if err != nil {
		return err
	}
	defer conn.Close()
	patience := answerPatience
	if s.held() != "" && from == s.attacker {
		patience = attackerPatience
	}
	if err := lab.Connected(conn, patience); err != nil {
		return fmt.Errorf("%s connects: %w", from, err)
	}
	if err := conn.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, head+"Host: api.example.com\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) {
		return fmt.Errorf("%s is answered %q: %w", from, answer, err)
	}
	return nil
}
