package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/hand"
	"github.com/connwarden/connwarden/live"
)

// newMember is a host with a journal of its own and a firewall that refuses nothing.
func newMember(t testing.TB) *member {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte("[block]\ndrivers = [\"null\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := System()
	env.root = "/nonexistent" // nobody of this machine is spared
	env.Getenv = func(name string) string {
		return map[string]string{"CONNWARDEN_STATE_DIR": filepath.Join(dir, "state")}[name]
	}
	c := &command{env: env}
	c.flags.config, c.flags.top = file, -1
	p, err := c.plan()
	if err != nil {
		t.Fatal(err)
	}
	p.Block.Limits.PerMinute = 1 << 30 // as in the daemon
	m := &member{id: &fleet.Identity{Host: "me", Group: "g"}, share: fleet.Kinds(), drivers: []string{"null"}, tell: func(any) {}, clock: env.Now}
	if m.keeper, err = c.daemon(t.Context(), p, c.firewalls(p)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.keeper.close)
	return m
}

func (m *member) shares(t *testing.T) string {
	t.Helper()
	own, err := m.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, d := range own {
		words = append(words, d.Kind.String()+" "+d.Target.String())
	}
	return strings.Join(words, ", ")
}

func (m *member) wanted(t *testing.T) []block.Wish {
	t.Helper()
	list, err := m.keeper.w.keeper.Journal.Wishes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(w block.Wish) bool { return !w.Wanted(m.clock()) })
}

func (m *member) wants(t *testing.T) (words []string) {
	t.Helper()
	for _, w := range m.wanted(t) {
		words = append(words, w.Target.String()+" "+w.By.String())
	}
	return words
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// What this host decides is shared, change by change; what came from the fleet and what waits for its confirmation is not.
func TestMemberShares(t *testing.T) {
	m := newMember(t)
	k := m.keeper.w.keeper
	operator := connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}
	act := func(_ *block.Outcome, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := m.shares(t); got != "" {
		t.Errorf("at first it shares %s", got)
	}
	act(k.Block(t.Context(), block.Request{Target: prefix("203.0.113.7/32"), Drivers: m.drivers, For: time.Hour, By: operator}))
	if got := m.shares(t); got != "block 203.0.113.7/32" {
		t.Errorf("after a block it shares %q", got)
	}
	act(k.Block(t.Context(), block.Request{Target: prefix("203.0.113.8/32"), Drivers: m.drivers, For: time.Hour, Within: time.Minute, By: operator}))
	if _, err := m.Apply(t.Context(), []fleet.Order{{Kind: fleet.KindBlock, Target: prefix("203.0.113.9/32"), From: "a", Until: time.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	if got := m.shares(t); got != "block 203.0.113.7/32" {
		t.Errorf("with one to be confirmed and one of the fleet it shares %q", got)
	}
	act(k.Unblock(t.Context(), []netip.Prefix{prefix("203.0.113.7/32")}, nil, operator))
	if got := m.shares(t); got != "pardon 203.0.113.7/32" {
		t.Errorf("after an unblock it shares %q", got)
	}
	act(k.Undo(t.Context(), 0, operator))
	if got := m.shares(t); got != "block 203.0.113.7/32" {
		t.Errorf("after the undo it shares %q", got)
	}
	again := newMember(t)
	again.keeper.w.keeper.Journal = k.Journal
	if got := again.shares(t); got != "block 203.0.113.7/32" {
		t.Errorf("read anew it shares %q", got)
	}
}

// The fleet never lifts, lengthens or replaces what this host decided, and its guard has the last word.
func TestMemberHolds(t *testing.T) {
	m := newMember(t)
	k := m.keeper.w.keeper
	operator := connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}
	if _, err := k.Block(t.Context(), block.Request{Target: prefix("203.0.113.7/32"), Drivers: m.drivers, For: time.Hour, By: operator}); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * time.Hour)
	orders := []fleet.Order{
		{Kind: fleet.KindBlock, Target: prefix("203.0.113.0/24"), From: "a", Until: later},
		{Kind: fleet.KindBlock, Target: prefix("203.0.113.7/32"), From: "a", Until: later},
		{Kind: fleet.KindBlock, Target: prefix("127.0.0.0/24"), From: "a", Until: later},
		{Kind: fleet.KindAllow, Target: prefix("203.0.113.0/28"), From: "a"},
		{Kind: fleet.KindAllow, Target: prefix("198.51.100.0/28"), From: "a"},
	}
	why, err := m.Apply(t.Context(), orders)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", fleet.Ours, "loopback", "an operator of this host blocks 203.0.113.7", ""} {
		if want == "" && why[i] != "" || !strings.Contains(why[i], want) {
			t.Errorf("%v: %q, want %q", orders[i].Target, why[i], want)
		}
	}
	if got := strings.Join(m.wants(t), ", "); got != "203.0.113.0/24 fleet:a, 203.0.113.7/32 operator:root" {
		t.Errorf("it wants %s", got)
	}
	if out, err := k.Block(t.Context(), block.Request{Target: prefix("198.51.100.1/32"), Drivers: m.drivers, For: time.Hour, By: operator}); err != nil || len(out.Refused) != 1 {
		t.Errorf("what the fleet allows is blocked: %+v, %v", out, err)
	}
	held, err := m.Held(t.Context())
	if err != nil || len(held) != 2 {
		t.Errorf("for the fleet it holds %+v, %v", held, err)
	}
	lifts := []fleet.Order{
		{Kind: fleet.KindBlock, Target: prefix("203.0.113.0/24"), Lift: true},
		{Kind: fleet.KindAllow, Target: prefix("198.51.100.0/28"), Lift: true},
	}
	if _, err := m.Apply(context.Background(), lifts); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.wants(t), ", "); got != "203.0.113.7/32 operator:root" {
		t.Errorf("then it wants %s", got)
	}
	if allows, err := k.Journal.Allows(t.Context()); err != nil || len(allows) != 0 {
		t.Errorf("then it allows %v, %v", allows, err)
	}
	m.why = "it only suggests"
	if why, err = m.Apply(t.Context(), orders[:1]); err != nil || why[0] != m.why {
		t.Errorf("where it only suggests: %q, %v", why, err)
	}
}

// What it does for the fleet a member reads no second time, but for what that took from its own; and the reason of a block that
// comes back stands in its journal.
func TestMemberFollows(t *testing.T) {
	m := newMember(t)
	k := m.keeper.w.keeper
	rule := connwarden.Origin{Kind: connwarden.ByRule, Name: "r"}
	if _, err := k.Block(t.Context(), block.Request{Target: prefix("203.0.113.7/32"), Drivers: m.drivers, For: time.Hour, By: rule}); err != nil {
		t.Fatal(err)
	}
	apply := func(o fleet.Order) {
		t.Helper()
		if o.Until.IsZero() {
			o.Until = time.Now().Add(time.Hour)
		}
		if why, err := m.Apply(t.Context(), []fleet.Order{o}); err != nil || why[0] != "" {
			t.Fatal(why, err)
		}
	}
	other := prefix("203.0.113.9/32")
	apply(fleet.Order{Kind: fleet.KindBlock, Target: other, From: "a", Why: "guesses passwords"})
	if got := m.shares(t); got != "block 203.0.113.7/32" {
		t.Errorf("with one of the fleet it shares %q", got)
	}
	if latest, err := k.Journal.Changes(t.Context(), 1); err != nil || m.last != latest[0].Number {
		t.Errorf("it followed to %d, and the last change is %+v, %v", m.last, latest, err)
	}
	apply(fleet.Order{Kind: fleet.KindBlock, Target: other, From: "a", Lift: true})
	apply(fleet.Order{Kind: fleet.KindBlock, Target: other, From: "a", Again: true})
	if list := m.wanted(t); len(list) != 2 || list[1].Why != "guesses passwords" {
		t.Errorf("again it holds %+v", list)
	}
	apply(fleet.Order{Kind: fleet.KindAllow, Target: prefix("203.0.113.0/29"), From: "a"})
	if got := m.shares(t); got != "" {
		t.Errorf("after the fleet allowed whom it blocked it shares %q", got)
	}
}

// A review that a stolen host sends reaches no terminal unclean.
func TestForeign(t *testing.T) {
	doc, err := foreign([]byte(`{"schema":"connwarden.review/1","host":"x\u001b[2J","findings":[{"title":"\u0007","next":["curl x | sh"]}],"peers":[{"addr":"\u001b]0;x\u0007","next":["connwarden leave"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Findings[0].Next != nil || doc.Peers[0].Next != nil {
		t.Errorf("it has us type %q %q", doc.Findings[0].Next, doc.Peers[0].Next)
	}
	for _, text := range []string{doc.Host, doc.Findings[0].Title, doc.Peers[0].Addr} {
		if strings.ContainsAny(text, "\x1b\x07") {
			t.Errorf("%q is not clean", text)
		}
	}
	if _, err := foreign([]byte(`{"host":7}`)); err == nil {
		t.Error("a number is a host's name")
	}
	for _, text := range []string{`{"peers":[` + strings.Repeat("{},", maxObjects) + `{}]}`, "[" + strings.Repeat("0,", maxTokens) + "0]", `{"a":1`} {
		if _, err := foreign([]byte(text)); err == nil {
			t.Errorf("%d bytes that begin with %s are a review", len(text), text[:6])
		}
	}
}

// TestReaderStandsAside is a daemon in two processes on a host that is in a fleet, and on one that is in none.
func TestReaderStandsAside(t *testing.T) {
	for want, in := range map[int]bool{0: false, 1: true} {
		dir := t.TempDir()
		if in {
			if err := os.MkdirAll(filepath.Join(dir, "fleet"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "fleet", "fleet.json"), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		problems := 0
		opt := live.Options{Tell: func(m any) {
			if p, ok := m.(*live.Problem); ok && p.What == "fleet" {
				problems++
			}
		}}
		c := &command{hand: &hand.Client{}}
		c.takePart(t.Context(), &Plan{StateDir: dir}, watchFlags{}, &opt)
		opt.Tell(&live.Start{})
		opt.Tell(&live.Verdict{})
		if problems != want {
			t.Errorf("in a fleet %v: %d problems, want %d", in, problems, want)
		}
	}
}

// BenchmarkJoin is a host that takes over what a large fleet has in force, as the agent has it: in batches, in the order of addresses
// within what was read meanwhile, which is half as much as stands there; each block with a reason of its own.
func BenchmarkJoin(b *testing.B) {
	const all, batch = 100_000, 4096
	for b.Loop() {
		b.StopTimer()
		m := newMember(b)
		m.keep(b.Context(), joinPages)
		orders := make([]fleet.Order, all)
		for i := range orders {
			at := i * 2654435761 % (1 << 22) // each once, in no order
			addr := netip.AddrFrom4([4]byte{100, byte(64 + at>>16), byte(at >> 8), byte(at)})
			why := fmt.Sprintf("%d failed logins of root in 5 minutes, from one address", at)
			orders[i] = fleet.Order{Kind: fleet.KindBlock, Target: netip.PrefixFrom(addr, 32), From: fmt.Sprint("host", i%100), Score: 90, Why: why, Until: m.clock().Add(time.Hour)}
		}
		b.StartTimer()
		for done := 0; done < all; {
			read := orders[done:min(all, done+max(batch, done/2))]
			slices.SortFunc(read, func(a, b fleet.Order) int { return a.Target.Compare(b.Target) })
			for part := range slices.Chunk(read, batch) {
				why, err := m.Apply(b.Context(), part)
				if err != nil || strings.Join(why, "") != "" {
					b.Fatal(err, why[0])
				}
			}
			done += len(read)
		}
		if _, err := m.Own(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
