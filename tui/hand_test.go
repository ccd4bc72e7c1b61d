package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/report"
)

// TestBlockAndUndo blocks from the list of peers: nothing is done before the yes, and u takes it back.
func TestBlockAndUndo(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	h.keys("2", "b")
	h.sees("Block 13.14.15.16?", "[1h]", "would block  13.14.15.16", "until 15:03:07 (1h)", "add element inet", "connwarden undo takes it back", "y yes, block")
	h.keys("enter", "right", "right")
	h.sees("[7d]")
	h.keys("left", "left", "n", "b")
	if len(h.desk.did) > 0 {
		t.Fatalf("done before the yes: %v", h.desk.did)
	}
	h.keys("y", "y")
	h.sees("Done.", "blocked  13.14.15.16", "connwarden undo 7 takes it back", "u undo it")
	h.keys("esc")
	h.sees("BLOCKED 1h", "blocked 13.14.15.16  → connwarden undo 7 takes it back (u)")
	h.keys("6")
	h.sees("13.14.15.16", "anna", "nft")
	h.keys("u")
	h.sees("Undo change 7?", "would be unblocked")
	h.keys("y", "esc")
	h.sees("Nobody is blocked", "unblocked 13.14.15.16")
	if diff := cmp.Diff([]string{"block 13.14.15.16 1h", "undo 7ns"}, h.desk.did); diff != "" {
		t.Error(diff)
	}
}

// TestBlockIPv6: an IPv6 address is blocked with the /64 that is judged with it, from the list and from its own sheet.
func TestBlockIPv6(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	h.keys("2", "down", "b")
	h.sees("Block 2001:db8:bad::/64?")
	h.keys("n", "enter", "b")
	h.sees("Block 2001:db8:bad::/64?")
	h.keys("y", "y")
	if diff := cmp.Diff([]string{"block 2001:db8:bad::/64 1h"}, h.desk.did); diff != "" {
		t.Error(diff)
	}
}

// TestRefused offers no yes for what must not be done, and says why.
func TestRefused(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	h.desk.refuse = "you are logged in from it"
	h.keys("2", "b")
	h.sees("refused: 13.14.15.16: you are logged in from it", "Nothing would be done.")
	h.keys("y", "esc", "u")
	h.sees("Undo the last change?", "there is no change to take back", "Nothing would be done.")
	h.keys("y")
	if len(h.desk.did) > 0 {
		t.Errorf("done: %v", h.desk.did)
	}
}

// TestLateAnswer does not show the plan of one span under another.
func TestLateAnswer(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	_, first := h.Update(tea.KeyPressMsg{Code: 'b', Text: "b"})
	h.keys("right")
	h.send(first())
	h.sees("[1d]")
	h.missesAll("timeout 1h }")
	h.keys("y")
	if diff := cmp.Diff([]string{"block 13.14.15.16 1d"}, h.desk.did); diff != "" {
		t.Error(diff)
	}
}

func TestUnblock(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	h.keys("2", "b", "y", "esc", "6", "x")
	h.sees("Unblock 13.14.15.16?", "delete element")
	h.keys("y", "esc")
	h.sees("Nobody is blocked. Looked into the journal of blocks and the firewall.")
}

// TestFilter narrows as one types, in every tab.
func TestFilter(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.keys("2", "/", "GOOGLE")
	h.sees("66.249.66.1", "/GOOGLE", "1 row")
	h.keys("bot")
	h.sees("1 row")
	h.keys(" 15169")
	h.sees("0 rows", "Nothing here holds \"GOOGLEbot 15169\". Esc shows all.")
	h.keys("backspace", "backspace", "backspace", "backspace", "backspace")
	h.sees("1 row")
	h.missesAll("13.14.15.16")
	h.keys("enter", "3")
	h.sees("Nothing here holds")
	h.keys("esc")
	h.sees("13.14.15.16")
	h.keys("2", "/", "zq", "backspace", "backspace", "66", "esc")
	h.sees("13.14.15.16", "66.249.66.1")
	h.keys("/")
	h.send(tea.PasteMsg{Content: "\x1b[31m" + strings.Repeat("x", 1000)})
	if h.sees("/"); len(h.filter) > 200 || strings.Contains(h.filter, "\x1b") {
		t.Errorf("pasted: %q", h.filter)
	}
	h.keys("abc")
	h.sees("/abc")
}

// rows are the addresses shown, from the top.
func (h *hand) rows() string {
	h.Helper()
	var out []string
	for line := range strings.Lines(uncoloured(h.shown())) {
		for _, word := range strings.Fields(line) {
			if strings.Count(word, ".") == 3 || strings.Count(word, ":") > 3 {
				out = append(out, word)
				break
			}
		}
	}
	return strings.Join(out, " ")
}

func TestSort(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.keys("2")
	own := "13.14.15.16 2001:db8:bad::1 66.249.66.1 2001:db8:7:8::1234"
	if got := h.rows(); got != own {
		t.Errorf("worst first: %s", got)
	}
	h.keys("sss")
	h.sees("sorted by OPEN, most first")
	if got := h.rows(); got != "13.14.15.16 66.249.66.1 2001:db8:7:8::1234 2001:db8:bad::1" {
		t.Errorf("by open: %s", got)
	}
	h.keys("sS")
	h.sees("sorted by REQUESTS, reversed")
	if got := h.rows(); !strings.HasSuffix(got, "2001:db8:7:8::1234 13.14.15.16") {
		t.Errorf("by requests, reversed: %s", got)
	}
	h.keys("ssss")
	if got := h.rows(); got != own {
		t.Errorf("after all columns: %s", got)
	}
}

// TestStays keeps the selected row when the table changes, and never asks about another.
func TestStays(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.keys("2", "down", "down")
	worse := h.desk.review.Peers[0]
	worse.Addr = "192.0.2.66"
	h.desk.review.Peers = append([]report.Peer{worse}, h.desk.review.Peers...)
	h.keys("r")
	h.sees("▌ crawler")
	h.keys("b")
	h.sees("Block 66.249.66.1?")
	h.keys("n")
	h.desk.review.Peers = h.desk.review.Peers[:2]
	h.keys("r", "b")
	h.missesAll("66.249.66.1?")
}

func TestMouse(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	at := func(text string) tea.MouseClickMsg {
		t.Helper()
		for y, line := range strings.Split(uncoloured(h.shown()), "\n") {
			if before, _, ok := strings.Cut(line, text); ok {
				return tea.MouseClickMsg{X: columns(before) + 1, Y: y, Button: tea.MouseLeft}
			}
		}
		t.Fatalf("%q is not on the screen:\n%s", text, uncoloured(h.shown()))
		return tea.MouseClickMsg{}
	}
	h.send(at("2 Peers"))
	h.send(at("66.249.66.1"))
	h.sees("▌ crawler")
	h.send(at("REQUESTS"))
	h.sees("sorted by REQUESTS, most first")
	h.send(at("REQUESTS"))
	h.sees("reversed")
	h.send(at("66.249.66.1"))
	h.sees("connections open now", "esc back")
	h.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	h.send(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	h.send(at("4 Pages"))
	h.sees("/xmlrpc.php", "PATH")
	h.send(tea.MouseClickMsg{X: 500, Y: 500, Button: tea.MouseLeft})
}

// TestScroll reaches what stands beneath the findings, on a small screen, by the wheel and by keys.
func TestScroll(t *testing.T) {
	h := begin(t, 60, 14, Options{})
	h.missesAll("permission denied: needs root")
	for range 40 {
		h.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	}
	h.sees("permission denied: needs root")
	h.keys("home")
	h.sees("2 things need you", "▌ 1")
	h.keys(strings.Repeat("j", 40))
	h.sees("permission denied: needs root")
	h.keys("k")
	h.sees("▌ 2")
}

// TestFreeze shows nothing new, and counts how long.
func TestFreeze(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.keys(" ")
	h.clock.now = h.clock.now.Add(90 * time.Second)
	h.desk.review.Conns.Total = 99_999
	h.send(beatMsg(h.clock.now))
	h.sees("FROZEN 1m 30s", "space go on")
	h.keys(" ")
	h.sees("logs read 1m 30s ago")
	h.run(h.sample())
	h.sees("99,999 connections")
}

// TestFailures says what could not be looked at, and shows the rest.
func TestFailures(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.desk.failing = errors.New("read \x1b[2J: broken")
	h.keys("r")
	h.sees("review failed", "2 things need you")
	h = begin(t, 120, 24, Options{})
	h.review, h.live, h.history = nil, nil, history{}
	h.desk.failing, h.desk.review.Conns = errors.New("no rules"), nil
	h.run(h.look(), h.sample())
	h.sees("no rules", "connections: permission denied")
	h.keys("3")
	h.sees("permission denied")
}

// TestEmpty says what was looked at where there is nothing.
func TestEmpty(t *testing.T) {
	h := begin(t, 80, 24, Options{})
	d := h.desk.review
	d.Findings, d.Peers, d.Groups, d.Pressure, d.Problems, d.Pages.Rows, d.Errors.Rows = nil, nil, nil, nil, nil, nil, nil
	h.keys("r")
	h.sees("Nothing needs you. Looked at 311 connections, 1,698 requests in 1 log")
	h.keys("2")
	h.sees("No peer. Looked at 311 connections")
	h.keys("4")
	h.sees("No request in 1 log since 22 Nov 13:03.")
	h.keys("5")
	h.sees("No error in 1 error log since 22 Nov 13:03.")
	d.Pages, d.Errors, d.Conns, d.Events = nil, nil, nil, nil
	h.keys("r", "4")
	h.sees("No access log was read.")
}

// TestSmall draws at every size there is, whatever is open, within the terminal.
func TestSmall(t *testing.T) {
	for _, keys := range [][]string{{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}, {"2", "enter"}, {"2", "b"}, {"?"}, {"2", "/", "long filter text"}} {
		h := begin(t, 80, 24, Options{})
		h.keys(keys...)
		for width := 1; width < 130; width += 3 {
			for _, height := range []int{1, 2, 5, 7, 9, 24} {
				h.send(tea.WindowSizeMsg{Width: width, Height: height})
				h.shown()
			}
		}
		if t.Failed() {
			t.Fatalf("keys %v", keys)
		}
	}
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"2", "enter", "q"}, {"/", "x", "ctrl+c"}, {"2", "b", "ctrl+c"}} {
		h := begin(t, 80, 24, Options{})
		h.keys(keys...)
		if len(h.desk.did) != 1 || h.desk.did[0] != "quit" {
			t.Errorf("keys %v: %v", keys, h.desk.did)
		}
	}
}

// TestPace samples more seldom where there is much, and reads logs the more seldom the longer that takes.
func TestPace(t *testing.T) {
	var p Pace
	now := time.Unix(1e9, 0)
	if !p.SampleDue(now) || !p.ReviewDue(now) {
		t.Error("nothing is due at the beginning")
	}
	p.Sampled(now, now, 10_000)
	if p.SampleDue(now.Add(Beat/4)) || !p.SampleDue(now.Add(Beat)) {
		t.Error("few connections are sampled at each beat")
	}
	p.Sampled(now, now, 10_001)
	if p.SampleDue(now.Add(Beat)) || !p.SampleDue(now.Add(2*Beat)) {
		t.Error("many are sampled at every second beat")
	}
	p.Sampled(now, now.Add(100*time.Millisecond), 10_000)
	if p.SampleDue(now.Add(4*time.Second)) || !p.SampleDue(now.Add(6*time.Second)) {
		t.Error("a sample of a tenth of a second is taken again after 5 seconds")
	}
	p.Reviewed(now, now.Add(time.Millisecond))
	if p.ReviewDue(now.Add(3*time.Second)) || !p.ReviewDue(now.Add(5*time.Second)) {
		t.Error("a short review is made again after 4 seconds")
	}
	p.Reviewed(now, now.Add(time.Second))
	if p.ReviewDue(now.Add(80*time.Second)) || !p.ReviewDue(now.Add(81*time.Second)) {
		t.Error("a review of a second is made again after 80")
	}
}

// FuzzFold holds that folding loses nothing and keeps to the width.
func FuzzFold(f *testing.F) {
	f.Add("connwarden pages --where ip=192.0.2.7", 10, true)
	f.Add("中文中文", 3, false)
	f.Fuzz(func(t *testing.T, text string, width int, painted bool) {
		text = report.Clean(text)
		if width = width&127 + 2; width < 2 || text == "" {
			return
		}
		line := text
		if painted {
			line = "\x1b[36m" + text + "\x1b[0m"
		}
		var all strings.Builder
		for _, part := range fold(line, width) {
			if n := columns(uncoloured(part)); n > width {
				t.Errorf("%d columns of %d: %q", n, width, part)
			}
			all.WriteString(uncoloured(part))
		}
		if all.String() != text {
			t.Errorf("%q became %q", text, all.String())
		}
	})
}

// BenchmarkFrame is one picture of 200 connections on a large screen.
func BenchmarkFrame(b *testing.B) {
	d := &report.Conns{Total: 20_000, States: map[string]uint64{"established": 20_000}}
	for i := range SampleRows {
		d.Rows = append(d.Rows, report.ConnRow{Key: "192.0.2." + time.Duration(i).String(), Count: uint64(SampleRows - i), Ports: map[string]uint64{"443": 1}, States: map[string]uint64{"established": 1}})
	}
	s := newScreen(b.Context(), Options{Clock: time.Now, Color: true, Conns: true})
	s.width, s.height, s.tab, s.live = 200, 60, tabConns, d
	for range historyLength {
		s.history.add(d)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.frame()
	}
}

// TestFollowsADaemon holds that with a daemon the logs are read for the pages alone, while they are looked at, and that a
// change asks for a review at once.
func TestFollowsADaemon(t *testing.T) {
	h := begin(t, 120, 40, Options{})
	h.desk.review.Followed, h.desk.review.Logs = true, 7
	h.desk.review.Pages.Rows, h.desk.review.Pages.Files = nil, nil
	h.desk.review.Errors.Rows, h.desk.review.Errors.Files = nil, nil
	h.keys("r")
	h.sees("follows the daemon")
	h.keys("5")
	h.sees("No error in the 7 logs that the daemon follows")
	if h.desk.read > 0 {
		t.Error("the logs were read before anybody looked at the pages")
	}
	h.keys("4")
	h.sees("/xmlrpc.php")
	if h.desk.read != 1 {
		t.Errorf("the logs were read %d times", h.desk.read)
	}
	h.pace.Reviewed(h.clock.now, h.clock.now)
	if h.pace.ReviewDue(h.clock.now.Add(changeRest)) {
		t.Error("a review is due without a change")
	}
	h.send(changeMsg{})
	if !h.pace.ReviewDue(h.clock.now.Add(changeRest)) {
		t.Error("a change makes no review due")
	}
}
