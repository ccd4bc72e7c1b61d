package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startPage runs connwarden web until the test ends and returns the address that it prints.
func startPage(t *testing.T, args ...string) string {
	t.Helper()
	env := testSystem()
	in, out := io.Pipe()
	env.Stdout, env.Stderr = out, io.Discard
	c := &command{env: env}
	root := c.root()
	root.SetArgs(append([]string{"web", "--no-dns"}, args...))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		out.CloseWithError(fmt.Errorf("ended: %w", err))
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		in.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// accessLog writes a log in which an address guesses passwords, and returns its name.
func accessLog(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	at := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for i := range 200 {
		fmt.Fprintf(&b, "198.51.100.7 - - [%s] \"POST /wp-login.php HTTP/1.1\" 200 7301 \"-\" \"x\"\n", at.Add(time.Duration(i)*time.Second).Format("02/Jan/2006:15:04:05 -0700"))
	}
	name := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func answerOf(t *testing.T, c *http.Client, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// TestPageActsAsTheCommandsDo blocks through the page and wants the firewall, the journal and the guard to have had their
// say.
func TestPageActsAsTheCommandsDo(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONNWARDEN_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("WALL", filepath.Join(dir, "wall"))
	t.Setenv("LOGNAME", "anna")
	t.Setenv("SSH_CONNECTION", "198.51.100.77 50000 192.0.2.10 22")
	address := startPage(t, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", accessLog(t))
	origin, token, ok := strings.Cut(address, "/?token=")
	if !ok || !strings.HasPrefix(origin, "http://127.0.0.1:") || len(token) < 40 {
		t.Fatalf("it prints %q", address)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		return answerOf(t, c, "GET", origin+path, "", "Authorization", "Bearer "+token)
	}
	post := func(name, body string) (int, string) {
		return answerOf(t, c, "POST", origin+"/api/"+name, body, "Authorization", "Bearer "+token, "Origin", origin, "X-Connwarden", "test", "Content-Type", "application/json")
	}
	for path, want := range map[string]string{
		"/api/review": `"addr":"198.51.100.7","verdict":"malicious"`, "/api/peers?q=wp-login": `"matched":1`, "/api/ip/198.51.100.7": `"POST /wp-login.php`, "/api/pages?by=ip": `"key":"198.51.100.7"`,
		"/api/errors": `"schema":"connwarden.errors/1"`, "/api/conns?by=state": `"by":"state"`, "/api/rules": `"name":"wordpress-login`, "/api/timeline/198.51.100.7": `"step":60`, "/api/ip/203.0.113.1": `"target":"203.0.113.1"`,
		"/api/blocks": `"blocks":[]`, "/api/allowed": `"allowed":[]`, "/metrics": `connwarden_peers{verdict="malicious"} 1`, "/api/update?since=15m": `"timeline":{`,
	} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), want) {
			t.Errorf("%s: %d without %s: %.400s", path, code, want, body)
		}
	}
	for _, s := range []struct {
		act, body string
		code      int
		want      string
	}{
		{"block", `{"target":"198.51.100.7","for":"1h","why":"noise","dry_run":true}`, 200, `"plan":[{"driver":"wall","lines":["add 198.51.100.7`},
		{"block", `{"target":"198.51.100.7","for":"1h","why":"noise"}`, 200, `"proof":["198.51.100.7 is listed"]`},
		{"block", `{"target":"198.51.100.77","for":"1h"}`, 200, `it is where you are logged in from`},
		{"block", `{"target":"66.249.66.1"}`, 200, `it is Googlebot`},
		{"block", `{"target":"198.51.100.8","for":"soon"}`, 400, `--for`},
		{"undo", `{"change":1,"dry_run":true}`, 200, `"lifted":[{"target":"198.51.100.7/32"`},
		{"unblock", `{"target":"198.51.100.7"}`, 200, `"lifted":[{"target":"198.51.100.7/32"`},
		{"undo", `{"change":0}`, 200, `"blocks":[{"target":"198.51.100.7/32"`},
		{"allow", `{"target":"198.51.100.7","why":"mine"}`, 200, `"allowed":[{"target":"198.51.100.7/32"`},
		{"block", `{"target":"198.51.100.7"}`, 200, `"refused":[{"target":"198.51.100.7/32"`},
		{"disallow", `{"target":"198.51.100.7"}`, 200, `"disallowed":[{"target":"198.51.100.7/32"`},
		{"undo", `{"change":-1}`, 400, `a number above 0`},
	} {
		code, body := post(s.act, s.body)
		if code != s.code || !strings.Contains(body, s.want) {
			t.Errorf("%s %s: %d without %s: %.600s", s.act, s.body, code, s.want, body)
		}
	}
	if code, _ := answerOf(t, c, "GET", origin+"/api/review", ""); code != http.StatusUnauthorized {
		t.Errorf("without token: %d", code)
	}
}

func TestPageOnASocket(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONNWARDEN_STATE_DIR", filepath.Join(dir, "state"))
	name := filepath.Join(dir, "page.sock")
	if l, err := net.Listen("unix", name); err != nil {
		t.Skip("no Unix sockets here:", err)
	} else { // one that was left behind
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	if address := startPage(t, "--listen", "unix:"+name, accessLog(t)); address != "unix:"+name {
		t.Fatalf("it prints %q", address)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", name)
	}}}
	if code, body := answerOf(t, c, "GET", "http://localhost/api/review", ""); code != http.StatusOK || !strings.Contains(body, "198.51.100.7") {
		t.Errorf("%d %.200s", code, body)
	}
	if code, _ := answerOf(t, c, "GET", "http://evil.example/api/review", ""); code != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %d", code)
	}
}

func TestPageElsewhere(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONNWARDEN_STATE_DIR", filepath.Join(dir, "state"))
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var start webStart
	if err := json.Unmarshal([]byte(startPage(t, "--json", "--listen", "0.0.0.0:0", "--name", "localhost", "--password-file", secret, accessLog(t))), &start); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(start.Address, "https://localhost:") || strings.Contains(start.Address, "token") || len(start.Fingerprint) != 64 {
		t.Fatalf("%+v", start)
	}
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // nobody could have signed it
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	origin := strings.TrimSuffix(start.Address, "/")
	if code, _ := answerOf(t, c, "GET", origin+"/api/review", ""); code != http.StatusUnauthorized {
		t.Errorf("without the password: %d", code)
	}
	if code, _ := answerOf(t, c, "POST", origin+"/login", "password=correct+horse+battery", "Origin", origin, "Content-Type", "application/x-www-form-urlencoded"); code != http.StatusSeeOther {
		t.Errorf("with the password: %d", code)
	}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if code, _ := answerOf(t, plain, "GET", strings.Replace(origin, "https", "http", 1), ""); code != http.StatusBadRequest {
		t.Errorf("without TLS: %d", code)
	}
}
