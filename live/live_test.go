package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/rules"
)

func shipped(t testing.TB) *rules.Set {
	t.Helper()
	var all []rules.Rule
	for name, text := range rules.Shipped() {
		list, errs := rules.Parse(name, text)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		all = append(all, list...)
	}
	set, err := rules.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func options(t testing.TB, files ...string) Options {
	t.Helper()
	return Options{
		Options: gather.Options{Window: gather.Window{Clock: time.Now}, Host: host.New(t.TempDir()), Zone: time.UTC, Stdin: strings.NewReader(""), Files: files},
		Rules:   shipped(t), pace: 5 * time.Millisecond,
	}
}

// keeper is a keeper over a firewall that is a map.
func keeper() (*block.Keeper, *block.Memory) {
	wall := &block.Memory{Label: "wall", Claims: block.Everything()}
	return &block.Keeper{
		Journal: &block.MemoryJournal{}, Rules: block.NewRules(nil, block.Limits{}), Clock: time.Now, Lifts: func() string { return "" },
		Open: func(context.Context, string) (block.Driver, error) { return wall, nil },
	}, wall
}

// running is a pipeline under test.
type running struct {
	t        *testing.T
	messages chan any
	stop     context.CancelFunc
	done     chan error
}

func start(t *testing.T, opt Options) *running {
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, messages: make(chan any, 1000), stop: stop, done: make(chan error, 1)}
	opt.Tell = func(m any) { r.messages <- m }
	go func() { r.done <- Run(ctx, opt) }()
	t.Cleanup(func() {
		stop()
		<-r.done
	})
	return r
}

// await returns the next message of a type.
func await[M any](r *running) M {
	r.t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case m := <-r.messages:
			if want, ok := m.(M); ok {
				return want
			}
			if p, ok := m.(*Problem); ok {
				r.t.Logf("problem: %s: %s", p.What, p.Why)
			}
		case <-deadline:
			var none M
			r.t.Fatalf("no %T came", none)
		}
	}
}

// end stops the pipeline and returns all that it still says.
func (r *running) end() (end *End, rest []any) {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	r.done <- nil
	close(r.messages)
	for m := range r.messages {
		if e, ok := m.(*End); ok {
			return e, rest
		}
		rest = append(rest, m)
	}
	r.t.Fatal("it did not say that it ended")
	return nil, nil
}

func appendTo(t testing.TB, name, text string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = file.WriteString(text)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// attack is n lines of someone who guesses passwords.
func attack(addr string, n int) string {
	return strings.Repeat(fmt.Sprintf("%s - - [%s] \"POST /administrator/index.php HTTP/1.1\" 303 512 \"-\" \"Mozilla/5.0\"\n", addr, time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700")), n)
}

func TestBlocks(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, wall := keeper()
	opt.Keeper, opt.Drivers = k, []string{"wall"}
	r := start(t, opt)
	if s := await[*Start](r); s.Mode != "enforce" || s.Logs != 1 {
		t.Errorf("start %+v", s)
	}
	appendTo(t, log, attack("198.51.100.7", 11)+attack("::ffff:198.51.100.9", 3))
	appendTo(t, log, attack("198.51.100.7", 1))
	v, b := await[*Verdict](r), await[*Block](r)
	if v.Addr != "198.51.100.7" || v.Verdict != connwarden.VerdictMalicious || !v.Proved || len(v.Evidence) == 0 || !strings.HasPrefix(v.Evidence[0].Samples[0].Text, "198.51.100.7 - - [") {
		t.Errorf("verdict %+v", v)
	}
	if b.Target != "198.51.100.7/32" || b.State != "in_force" || b.Undo != "connwarden unblock 198.51.100.7" {
		t.Errorf("block %+v", b)
	}
	held, err := wall.List(t.Context())
	if err != nil || len(held) != 1 || block.Show(held[0].Target) != "198.51.100.7" {
		t.Errorf("the firewall holds %v, %v", held, err)
	}
	appendTo(t, log, attack("198.51.100.7", 20)) // it is told once
	end, rest := r.end()
	if end.Blocks != 1 || len(rest) > 0 {
		t.Errorf("end %+v after %v", end, rest)
	}
}

// Without a keeper nothing is blocked, and the verdict says how.
func TestSuggests(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, attack("198.51.100.9", 30)) // before it began: muted, and remembered
	opt := options(t, log)
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, attack("198.51.100.7", 12))
	v := await[*Verdict](r)
	if v.Addr != "198.51.100.7" || len(v.Next) != 1 || v.Next[0] != "connwarden block 198.51.100.7 --for 1h" {
		t.Errorf("verdict %+v", v)
	}
}

// What a local account can have written is told and not acted upon, unless the operator says so.
func TestLocalLogs(t *testing.T) {
	line := func() string {
		return strings.Repeat(time.Now().UTC().Format("Jan _2 15:04:05")+" web sshd[4711]: Failed password for invalid user admin from 198.51.100.7 port 4242 ssh2\n", 40)
	}
	for name, believe := range map[string]bool{"not believed": false, "believed": true} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "auth.log")
			appendTo(t, log, time.Now().UTC().Format("Jan _2 15:04:05")+" web sshd[4711]: Connection closed by 198.51.100.1 port 4242 [preauth]\n")
			opt := options(t, log)
			k, wall := keeper()
			opt.Keeper, opt.Drivers, opt.Local = k, []string{"wall"}, believe
			r := start(t, opt)
			await[*Start](r)
			appendTo(t, log, line())
			if v := await[*Verdict](r); v.Verdict != connwarden.VerdictMalicious || v.Proved != believe {
				t.Errorf("verdict %+v", v)
			}
			if believe {
				await[*Block](r)
			}
			r.end()
			if held, _ := wall.List(t.Context()); len(held) != 0 != believe {
				t.Errorf("the firewall holds %v", held)
			}
		})
	}
}

// What is there is read once, and what comes later by the next run.
func TestOnce(t *testing.T) {
	dir := t.TempDir()
	log, history := filepath.Join(dir, "access.log"), File(filepath.Join(dir, "state", "watch.json"))
	run := func() (end *End, verdicts int) {
		opt := options(t, log)
		opt.Once, opt.History = true, history
		opt.Tell = func(m any) {
			switch m := m.(type) {
			case *Verdict:
				verdicts++
			case *End:
				end = m
			}
		}
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		return end, verdicts
	}
	appendTo(t, log, attack("198.51.100.7", 20))
	if end, verdicts := run(); end.Lines != 20 || verdicts != 1 {
		t.Errorf("first: %d lines, %d verdicts", end.Lines, verdicts)
	}
	if end, verdicts := run(); end.Lines != 20 || verdicts != 0 {
		t.Errorf("again: %d lines, %d verdicts", end.Lines, verdicts)
	}
	appendTo(t, log, attack("198.51.100.8", 5)+"198.51.100.8 half a line")
	if end, _ := run(); end.Lines != 25 {
		t.Errorf("later: %d lines", end.Lines)
	}
}

// Who goes on in the middle of a log knows what the last directive before has named the columns.
func TestGoesOnByNames(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "u_ex.log")
	opt := options(t, log)
	opt.Once, opt.History = true, File(filepath.Join(dir, "watch.json"))
	read := func() (end *End) {
		opt.Tell = func(m any) {
			if e, ok := m.(*End); ok {
				end = e
			}
		}
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		return end
	}
	appendTo(t, log, "#Fields: date time c-ip cs-uri-stem sc-status\n2026-11-22 14:03:07 192.0.2.7 /a 200\n")
	appendTo(t, log, "#Fields: cs-uri-stem date time sc-status c-ip\n/a 2026-11-22 14:03:07 200 192.0.2.7\n")
	read()
	appendTo(t, log, "/b 2026-11-22 14:03:08 404 192.0.2.7\n")
	if end := read(); end.Unparsed != 0 || end.Lines != 5 {
		t.Errorf("%d lines, %d not understood", end.Lines, end.Unparsed)
	}
}

// After a stop the window before it counts, muted.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	opt.History = File(filepath.Join(dir, "watch.json"))
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, attack("198.51.100.7", 11))
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		if s, err := opt.History.Load(t.Context()); err == nil && s.Lines == 11 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the state was not saved")
		}
	}
	if end, rest := r.end(); end.Verdicts != 0 || len(rest) > 0 {
		t.Errorf("%+v after %v", end, rest)
	}
	eased := make(chan struct{}, 100)
	opt.Ease = func() { eased <- struct{}{} }
	r = start(t, opt)
	if s := await[*Start](r); !s.Resumed {
		t.Error("it does not say that it goes on")
	}
	for range 2 { // following has begun, and what was read before is known
		select {
		case <-eased:
		case <-time.After(time.Minute):
			t.Fatal("what was read before is not known")
		}
	}
	appendTo(t, log, attack("198.51.100.7", 1)) // the twelfth in five minutes accuses
	if v := await[*Verdict](r); v.Addr != "198.51.100.7" {
		t.Errorf("verdict %+v", v)
	}
	if end, _ := r.end(); end.Lines != 12 {
		t.Errorf("%d lines counted, 12 written", end.Lines)
	}
}

// TestKilled kills the process twenty times while it follows a log that is rotated, and wants every line counted once.
func TestKilled(t *testing.T) {
	if name := os.Getenv("CONNWARDEN_TEST_FOLLOW"); name != "" {
		follower(t, name)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames no file that is open")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	appendTo(t, log, "")
	history := File(filepath.Join(dir, "watch.json"))
	written, n := 0, 0
	say := func(lines int) {
		var b bytes.Buffer
		for range lines {
			n++
			fmt.Fprintf(&b, "198.51.100.%d - - [%s] \"GET /%d HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\"\n", n%250, time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), n)
		}
		appendTo(t, log, b.String())
		written += lines
	}
	say(1)
	written = 0 // what was there before the first start is muted
	rotations := 0
	for kill := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "CONNWARDEN_TEST_FOLLOW="+log, "TMPDIR="+dir) // what it leaves behind goes with ours
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "follows") {
		}
		for round := range 5 {
			say(997)
			if round == kill%5 { // rotated before it was all read, after, and not looked at
				if err := os.Rename(log, log+".new"); err != nil {
					t.Fatal(err)
				}
				for i := 40; i > 0; i-- {
					_ = os.Rename(log+"."+strconv.Itoa(i), log+"."+strconv.Itoa(i+1))
				}
				if err := os.Rename(log+".new", log+".1"); err != nil {
					t.Fatal(err)
				}
				rotations++
				say(1)
			}
			if round == 2 && kill%2 == 0 { // something was saved
				saved, _ := history.Load(t.Context())
				for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
					if s, err := history.Load(t.Context()); err == nil && s.Lines > saved.Lines {
						break
					}
				}
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	opt := options(t, log)
	opt.Once, opt.History = true, history
	var end *End
	opt.Tell = func(m any) {
		if e, ok := m.(*End); ok {
			end = e
		}
	}
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if end.Lines != uint64(written) {
		t.Errorf("%d lines were counted, %d written, over 20 deaths and %d rotations", end.Lines, written, rotations)
	}
}

// follower is the process that is killed.
func follower(t *testing.T, name string) {
	opt := options(t, name)
	opt.History = File(filepath.Join(filepath.Dir(name), "watch.json"))
	var once sync.Once
	opt.Tell = func(any) { once.Do(func() { fmt.Println("\nfollows") }) }
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
}

// The messages are objects whose keys do not hide one another.
func TestMessages(t *testing.T) {
	for _, m := range []any{&Start{}, &Verdict{}, &Block{}, &Problem{}, &End{}} {
		b, err := json.Marshal(m)
		if err != nil || !bytes.HasPrefix(b, []byte(`{"type":`)) || bytes.Count(b, []byte(`"time"`)) != 1 {
			t.Errorf("%T: %s %v", m, b, err)
		}
	}
	b, _ := json.Marshal(&Problem{})
	if !bytes.Contains(b, []byte(`"what"`)) || !bytes.Contains(b, []byte(`"why"`)) {
		t.Errorf("%s", b)
	}
}
