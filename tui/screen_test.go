package tui

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./tui -update rewrites it\n%s", path, diff)
	}
}

func saved[T any](t *testing.T, name string) *T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d := new(T)
	if err := json.Unmarshal(b, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// clock is the time of the saved review and goes on when a test says so.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// stand is a desk that answers with saved documents and remembers what it was asked to do.
type stand struct {
	t       *testing.T
	clock   *clock
	review  *report.Review
	blocks  []report.Block
	did     []string
	read    int // how often the access logs were
	refuse  string
	failing error
	fleet   *report.Fleet
}

func (d *stand) Review(context.Context, string) (*report.Review, error) { return d.review, d.failing }

func (d *stand) Pages(context.Context, string) (*report.Pages, error) {
	d.read++
	return saved[report.Review](d.t, "review.json").Pages, d.failing
}

func (d *stand) Conns(context.Context, string, int) (*report.Conns, error) {
	if d.review.Conns == nil {
		return nil, errors.New("permission denied")
	}
	return d.review.Conns, nil
}

func (d *stand) IP(_ context.Context, target, _ string, _ *report.Review) (*report.IPs, error) {
	doc := saved[report.IPs](d.t, "ip.json")
	doc.Addrs[0].Target = target
	return doc, nil
}

func (d *stand) Minutes(context.Context, string, string) (*report.Pages, error) {
	doc := &report.Pages{}
	for i, n := range []uint64{12, 88, 120, 101, 90, 30} {
		doc.Rows = append(doc.Rows, report.PageRow{Key: d.review.Peers[0].First.Add(time.Duration(i) * time.Minute).Truncate(time.Minute).Format(time.RFC3339), Count: n})
	}
	return doc, nil
}

func (d *stand) Blocks(context.Context) (*report.Blocks, error) {
	return &report.Blocks{Time: d.clock.now, Blocks: d.blocks}, nil
}

func (d *stand) Fleet(context.Context) (*report.Fleet, error) {
	if d.fleet == nil {
		return nil, errors.New("the hub does not answer")
	}
	return d.fleet, nil
}

func (d *stand) FleetHost(_ context.Context, host string) (*report.Review, error) {
	d.did = append(d.did, "visit "+host)
	if host == "web4.example.net" {
		return nil, errors.New("web4.example.net does not answer: its daemon does not run, or is not connected")
	}
	r := *saved[report.Review](d.t, "review.json")
	r.Host = host
	for i := range r.Findings {
		r.Findings[i].Next = nil
	}
	return &r, nil
}

func (d *stand) Block(_ context.Context, target, span string, dry bool) (*report.Blocks, error) {
	doc := &report.Blocks{Time: d.clock.now}
	if d.refuse != "" {
		doc.Refused = []report.Refused{{Target: target, Why: d.refuse}}
		return doc, nil
	}
	long, _ := time.ParseDuration(span)
	end := d.clock.now.Add(long)
	row := report.Block{Target: target + "/32", Scope: "all", Drivers: []string{"nft"}, By: "operator", Who: "anna", State: "in_force", Since: &d.clock.now}
	if span != "" {
		row.Until = &end
	}
	doc.Blocks = []report.Block{row}
	if dry {
		doc.Plan = []report.BlockPlan{{Driver: "nft", Lines: []string{"add element inet connwarden-332792e7 ip4-32 { " + target + " timeout " + span + " }"}}}
		return doc, nil
	}
	d.did = append(d.did, "block "+target+" "+span)
	d.blocks = append(d.blocks, row)
	doc.Change, doc.Undo = 7, "connwarden undo 7"
	return doc, nil
}

func (d *stand) Unblock(_ context.Context, target string, dry bool) (*report.Blocks, error) {
	doc := &report.Blocks{Time: d.clock.now, Lifted: d.blocks}
	if dry {
		doc.Plan = []report.BlockPlan{{Driver: "nft", Lines: []string{"delete element"}}}
		return doc, nil
	}
	d.did, d.blocks = append(d.did, "unblock "+target), nil
	return doc, nil
}

func (d *stand) Undo(_ context.Context, change int64, dry bool) (*report.Blocks, error) {
	doc := &report.Blocks{Time: d.clock.now, Lifted: d.blocks}
	if len(d.blocks) == 0 {
		return nil, errors.New("undo: there is no change to take back")
	}
	if dry {
		doc.Plan = []report.BlockPlan{{Driver: "nft", Lines: []string{"delete element"}}}
		return doc, nil
	}
	d.did, d.blocks = append(d.did, "undo "+time.Duration(change).String()), nil
	return doc, nil
}

// hand is a person at a screen.
type hand struct {
	*testing.T
	*screen
	desk  *stand
	clock *clock
}

func begin(t *testing.T, width, height int, opt Options) *hand {
	t.Helper()
	review := saved[report.Review](t, "review.json")
	c := &clock{review.Time}
	h := &hand{T: t, clock: c, desk: &stand{t: t, clock: c, review: review}}
	opt.Desk, opt.Clock, opt.Conns = h.desk, c.read, true
	h.screen = newScreen(t.Context(), opt)
	h.send(tea.WindowSizeMsg{Width: width, Height: height})
	h.run(h.sample(), h.look(), h.listBlocks())
	return h
}

// send gives the screen a message and runs what follows from it.
func (h *hand) send(msg tea.Msg) {
	h.Helper()
	_, cmd := h.Update(msg)
	if _, beat := msg.(beatMsg); beat {
		cmd = nil // its tick waits for half a second: the tests have their own clock
	}
	h.run(cmd)
}

func (h *hand) run(cmds ...tea.Cmd) {
	h.Helper()
	for _, cmd := range cmds {
		if cmd == nil {
			continue
		}
		switch msg := cmd().(type) {
		case tea.BatchMsg:
			h.run(msg...)
		case tea.QuitMsg:
			h.did("quit")
		default:
			h.send(msg)
		}
	}
}

func (h *hand) did(what string) { h.desk.did = append(h.desk.did, what) }

// keys presses one key after the other: names of keys, or text.
func (h *hand) keys(names ...string) {
	h.Helper()
	special := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
		"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "end": {Code: tea.KeyEnd}, "home": {Code: tea.KeyHome}, "pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp},
		"backspace": {Code: tea.KeyBackspace}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl},
	}
	for _, name := range names {
		if msg, ok := special[name]; ok {
			h.send(msg)
			continue
		}
		for _, r := range name {
			h.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

// shown is the screen's text, every line of it within the terminal.
func (h *hand) shown() string {
	h.Helper()
	f := h.frame()
	if len(f.lines) != h.height {
		h.Errorf("%d lines on a screen of %d", len(f.lines), h.height)
	}
	for i, line := range f.lines {
		if n := columns(uncoloured(line)); n > h.width {
			h.Errorf("line %d has %d columns of %d: %q", i+1, n, h.width, line)
		}
	}
	return strings.Join(f.lines, "\n") + "\n"
}

// uncoloured takes the colours out.
func uncoloured(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}

func (h *hand) sees(wanted ...string) {
	h.Helper()
	text := uncoloured(h.shown())
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			h.Errorf("the screen does not show %q:\n%s", w, text)
		}
	}
}

func (h *hand) missesAll(unwanted ...string) {
	h.Helper()
	text := uncoloured(h.shown())
	for _, w := range unwanted {
		if strings.Contains(text, w) {
			h.Errorf("the screen shows %q:\n%s", w, text)
		}
	}
}

var sizes = []struct {
	name          string
	width, height int
}{{"80x24", 80, 24}, {"120x40", 120, 40}, {"200x60", 200, 60}, {"40x20", 40, 20}}

var trailing = regexp.MustCompile(`(?m) +$`)

// TestFrames holds every tab, a dossier, a question and the help at four sizes against golden files.
func TestFrames(t *testing.T) {
	views := []struct {
		name string
		keys []string
	}{
		{"findings", []string{"1"}}, {"peers", []string{"2"}}, {"connections", []string{"3"}}, {"pages", []string{"4"}}, {"errors", []string{"5"}}, {"blocks", []string{"6"}},
		{"dossier", []string{"2", "enter"}}, {"question", []string{"2", "b"}}, {"done", []string{"2", "b", "y"}}, {"help", []string{"?"}}, {"fault", []string{"5", "enter"}}, {"filter", []string{"2", "/", "goo"}},
	}
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			var all strings.Builder
			for _, v := range views {
				h := begin(t, size.width, size.height, Options{})
				h.keys(v.keys...)
				all.WriteString("== " + v.name + "\n" + trailing.ReplaceAllString(uncoloured(h.shown()), ""))
			}
			golden(t, size.name+".txt", all.String())
		})
	}
}

// TestColours holds the marks themselves: with colours on a dark terminal, and without beyond ASCII.
func TestColours(t *testing.T) {
	h := begin(t, 100, 20, Options{Color: true})
	h.pen.shade = "48;5;237"
	h.keys("2")
	golden(t, "colour.txt", strings.ReplaceAll(h.shown(), "\x1b", "^"))
	h = begin(t, 100, 20, Options{ASCII: true})
	h.keys("2")
	text := h.shown()
	golden(t, "ascii.txt", strings.ReplaceAll(text, "\x1b", "^"))
	h.desk.review.Peers = h.desk.review.Peers[:1] // the others' networks hold what is not ours
	h.keys("r", "1")
	for _, view := range []string{"1", "2", "3", "5", "6", "?"} {
		h.keys(view)
		if i := strings.IndexFunc(h.shown(), func(r rune) bool { return r >= 0x80 }); i >= 0 {
			t.Errorf("tab %s: more than ASCII: %q", view, h.shown()[i:i+8])
		}
	}
}

// TestHostile holds that no byte of others reaches the terminal as it came.
func TestHostile(t *testing.T) {
	for _, size := range sizes {
		h := begin(t, size.width, size.height, Options{Color: true})
		for _, keys := range [][]string{{"1"}, {"2"}, {"2", "down", "enter"}, {"4", "down", "down", "enter"}, {"5"}, {"2", "end", "enter"}} {
			h.keys(append(keys[:1:1], keys[1:]...)...)
			text := uncoloured(h.shown())
			if strings.ContainsAny(text, "\x1b\x07\u202e") {
				t.Errorf("keys %v: %q", keys, text)
			}
			h.keys("esc")
		}
	}
}
