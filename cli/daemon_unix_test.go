//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/tell"
)

// locked is a buffer that several may write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits until what was written fits, and returns the first group of it.
func (l *locked) await(t *testing.T, form string) string {
	t.Helper()
	re := regexp.MustCompile(form)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if m := re.FindStringSubmatch(l.String()); m != nil {
			return m[len(m)-1]
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("nothing fits %q in:\n%s", form, l)
	return ""
}

// The example of the manual is loaded whole, with all its channels.
func TestManualExample(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "watch.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "```toml\n")
	text, _, ok2 := strings.Cut(text, "```\n")
	if !ok || !ok2 {
		t.Fatal("docs/watch.md has no example")
	}
	dir := t.TempDir()
	for _, name := range []string{"mail.password", "slack.url", "telegram.token", "ntfy.token", "tickets.token", "tickets.secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("https://example.com/hook\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "config.toml")
	text = strings.ReplaceAll(text, "/etc/connwarden/", filepath.ToSlash(dir)+"/")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &command{env: testSystem()}
	c.flags.config, c.flags.top = file, -1
	p, err := c.plan()
	if err != nil {
		t.Fatal(err)
	}
	channels, err := p.channels()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for i := range channels {
		kinds[fmt.Sprintf("%T", channels[i].Sender)] = true
	}
	if len(channels) != 6 || len(kinds) != 3 || len(p.Policy.Sites) != 2 || len(p.Policy.Windows) != 2 || p.Metrics == nil || !p.Metrics.Local {
		t.Errorf("%d channels of %v, policy %+v", len(channels), kinds, p.Policy)
	}
	if got := live.Mutes(); strings.Join(p.Policy.Mutes, " ") != strings.Join(got, " ") {
		t.Errorf("the example says that %v are the default, which are %v", p.Policy.Mutes, got)
	}
	if s := fmt.Sprintf("%+v %v", channels, p.values); strings.Contains(s, "example.com/hook\n") || strings.Contains(s, "text:https://example.com/hook") {
		t.Errorf("a secret is shown: %s", s)
	}
}

// A setting's line is found, in sections and in lists of them.
func TestLineOf(t *testing.T) {
	name := filepath.Join(t.TempDir(), "c.toml")
	text := "tz = \"UTC\"\n\n[actions]\n# a comment\nmode = \"x\"\n[[notify]]\ntype = \"slack\"\n[[notify]]\ntype = \"ntfy\"\non = [\n \"a\",\n]\nurl = '''\n[actions]\n'''\n[block.sites]\n\"/a\" = \"b\"\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"tz": 1, "actions.mode": 5, "notify[0].type": 7, "notify[1].type": 9, "notify[1].url": 13, "notify[1].chat": 8, "actions.other": 3, "block.sites": 16, "nothing": 0} {
		if got := lineOf(name, key); got != want {
			t.Errorf("%s: line %d, want %d", key, got, want)
		}
	}
}

// A daemon is followed through its life: figures, a notification, a configuration that is refused, one that is taken, quiet.
func TestDaemon(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONNWARDEN_STATE_DIR", filepath.Join(dir, "state"))
	var hooks locked
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(&hooks, r.Body)
	}))
	defer hook.Close()
	file, log := filepath.Join(dir, "c.toml"), filepath.Join(dir, "access.log")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := func(mode string) string {
		return "[actions]\nmode = \"" + mode + "\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"info\"\n[daemon]\nsocket = \"none\"\n[[notify]]\ntype = \"webhook\"\ngroup = \"1s\"\non = [\"block\", \"problem\", \"state\"]\nurl = \"" + hook.URL + "/SECRET-PART\"\n"
	}
	write(file, config("suggest"))
	write(log, "")
	var out, errs locked
	env := testSystem()
	env.Stdout, env.Stderr = &out, &errs
	c := &command{env: env}
	root := c.root()
	root.SetArgs([]string{"watch", "--no-dns", "--with", "null", "--config", file, log})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	out.await(t, ` start +follows 1 logs; mode suggest`)
	figures := errs.await(t, `at=(http://127\.0\.0\.1:\d+/metrics)`)

	hang := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	write(file, config("shoot"))
	hang()
	out.await(t, ` reload +refused, the configuration before stays in force: \S*c\.toml:2: actions\.mode: "shoot"; suggest or enforce`)
	errs.await(t, `level=ERROR msg="configuration refused.*c\.toml:2`)
	hooks.await(t, `the new configuration is refused`)
	write(file, config("enforce"))
	hang()
	out.await(t, ` reload +the configuration was read again`)
	out.await(t, ` mode +mode enforce`)
	at := time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700")
	write(log, strings.Repeat("203.0.113.200 - - ["+at+"] \"POST /administrator/index.php HTTP/1.1\" 303 512 \"-\" \"x\"\n", 16))
	out.await(t, ` block +203\.0\.113\.200/32 until .*; to undo: connwarden unblock 203\.0\.113\.200`)
	hooks.await(t, `"undo":"connwarden unblock 203\.0\.113\.200"`)
	if status, text := answerOf(t, hook.Client(), http.MethodGet, figures, ""); status != 200 || !strings.Contains(text, `connwarden_blocks_total{driver="null"} 1`) || !strings.Contains(text, `connwarden_config_reloads_total{result="refused"} 1`) || !strings.Contains(text, `connwarden_notifications_total{channel="webhook",result="sent"} `) {
		t.Errorf("%d\n%s", status, text)
	}
	if status, _ := answerOf(t, hook.Client(), http.MethodGet, strings.TrimSuffix(figures, "metrics"), ""); status != 404 {
		t.Errorf("beside the figures there is something: %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	hooks.await(t, `ended; 1 verdicts, 1 blocks`)
	var first struct{ Schema string }
	if err := json.NewDecoder(strings.NewReader(hooks.String())).Decode(&first); err != nil || first.Schema != tell.Schema {
		t.Errorf("%v: %s", err, hooks.String())
	}
	for _, text := range []string{out.String(), errs.String()} {
		if strings.Contains(text, "SECRET") {
			t.Errorf("a secret is told:\n%s", text)
		}
	}
}
