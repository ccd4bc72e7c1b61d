package blocktest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// bomb ends a process at one of its steps: after that nothing reaches journal or firewall any more.
type bomb struct{ left int }

func (b *bomb) step() error {
	if b.left--; b.left <= 0 {
		return errDead
	}
	return nil
}

// around dies before an act or right after it, before its result is known.
func (b *bomb) around(act func() error) error {
	if err := b.step(); err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	return b.step()
}

type mortalJournal struct {
	block.Journal
	*bomb
}

func (m mortalJournal) Record(ctx context.Context, c *block.Change) error {
	return m.around(func() error { return m.Journal.Record(ctx, c) })
}

func (m mortalJournal) Settle(ctx context.Context, s block.Settlement) error {
	return m.around(func() error { return m.Journal.Settle(ctx, s) })
}

func only(_ *block.Outcome, err error) error { return err }

func asked(target string) block.Request {
	return block.Request{Target: netip.MustParsePrefix(target), Drivers: []string{"fw"}, By: operator}
}

// death runs the acts and kills the process at each of its steps in turn; the next one syncs, and then firewall and
// journal must agree, on the state before the act that was cut short or on the one after it.
func death(t *testing.T, open func(testing.TB, string) block.Journal) {
	clean := []string{""}
	live(t, open, 1<<30, func(fw string) { clean = append(clean, fw) })
	if len(clean) != len(acts)+1 {
		t.Fatalf("%d acts of %d were done", len(clean)-1, len(acts))
	}
	for steps := 1; ; steps++ {
		if steps > 1000 {
			t.Fatal("the acts never end")
		}
		done := 0
		after, died := live(t, open, steps, func(string) { done++ })
		if !died {
			t.Logf("killed at each of %d steps", steps-1)
			return
		}
		if after != clean[done] && after != clean[min(done+1, len(acts))] {
			t.Fatalf("killed at step %d, in act %d\nin force after sync: %s\n        before act: %s\n         after act: %s",
				steps, done, after, clean[done], clean[min(done+1, len(acts))])
		}
	}
}

// live is one life of a process of so many steps and the sync of the next one. It returns what is in force then.
func live(t *testing.T, open func(testing.TB, string) block.Journal, steps int, each func(fw string)) (after string, died bool) {
	t.Helper()
	dir := t.TempDir()
	b := &bomb{steps}
	fw := &block.Memory{Label: "fw", Claims: block.Everything(), Now: func() time.Time { return epoch }}
	keeper := func(j block.Journal) *block.Keeper {
		return &block.Keeper{
			Journal: j, Rules: block.NewRules(nil, block.Limits{}), Clock: func() time.Time { return epoch },
			Lifts: func() string { return "" },
			Open:  func(context.Context, string) (block.Driver, error) { return fw, nil },
		}
	}
	fw.Fail = func(op string, _ block.Entry) error { return b.step() }
	j := open(t, dir)
	k := keeper(mortalJournal{j, b})
	for _, act := range acts {
		err := act(t.Context(), k)
		if b.left <= 0 {
			died = true
			break
		}
		must(t, err)
		each(held(t, fw))
	}
	must(t, j.Close())

	fw.Fail = nil
	j = open(t, dir)
	defer j.Close()
	k = keeper(j)
	_, _, err := k.Sync(t.Context(), "fw")
	must(t, err)
	out, list, err := k.Sync(t.Context(), "fw")
	must(t, err)
	if s := list[0]; s.Err != nil || s.Added+s.Removed+s.Adopted+len(out.Problems) > 0 {
		t.Fatalf("killed at step %d: after one sync another still finds work: %+v, %v", steps, s, out.Problems)
	}
	blocks, _, err := k.Blocks(t.Context())
	must(t, err)
	for _, h := range blocks {
		if !h.InForce || h.State != block.StateInForce {
			t.Fatalf("killed at step %d: %s is wanted, listed %v, and in the journal %s", steps, h.Target, h.InForce, h.State)
		}
	}
	return held(t, fw), died
}

func held(t testing.TB, fw *block.Memory) string {
	t.Helper()
	fail := fw.Fail
	fw.Fail = nil
	defer func() { fw.Fail = fail }()
	list, err := fw.List(t.Context())
	must(t, err)
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = e.Target.String()
		if !e.Until.IsZero() {
			words[i] += " until " + e.Until.Format(time.TimeOnly)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
