package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/store"
)

// nameless are the firewalls in which what is ours carries no name made of the state folder: two instances would find each other's
// there, and so only what the journal or an operator names is looked for.
var nameless = []string{"htaccess", "nginx", "plesk", "cphulk", "cpanel", "windows", "null"}

// marked are the firewalls that may hold what is ours though neither the journal nor anybody names them. Asking loads nothing into the
// kernel: without the module of sets there are none.
func (f *firewalls) marked() (names []string) {
	_, modules := os.Stat("/sys/module/kernel")
	_, sets := os.Stat("/sys/module/ip_set")
	for _, d := range f.list {
		if slices.Contains(nameless, d.name) || d.name == "ipset" && modules == nil && errors.Is(sets, os.ErrNotExist) {
			continue
		}
		names = append(names, d.name)
	}
	return names
}

// inNeed is what does without a journal that can be written, with what can still be read of it.
func (w *warden) inNeed(ctx context.Context) *block.Emergency {
	e := w.emergency
	if e.Journal != nil {
		return e
	}
	if w.store == nil {
		w.store, _ = store.Read(ctx, w.plan.StateDir) // what is the matter with it is told already
	}
	if w.store != nil {
		e.Journal = w.store
	}
	e.Others = slices.Concat(w.plan.Block.Drivers, w.walls.marked())
	slices.Sort(e.Others)
	e.Others = slices.Compact(e.Others)
	return e
}

// unblock lifts for an operator, by the journal, or without it.
func (w *warden) unblock(ctx context.Context, targets []netip.Prefix, names []string, by connwarden.Origin) (*block.Outcome, error) {
	if w.emergency == nil {
		w.keeper.Others = w.walls.marked()
		out, err := w.keeper.Unblock(ctx, targets, names, by)
		if w.keeper.Plan || !w.lost(err) {
			return out, err
		}
	}
	return w.inNeed(ctx).Unblock(ctx, targets, names, by)
}

// flush takes all of ours out of the firewalls, by the journal, or without it. A dry run tells what it would take.
func (w *warden) flush(ctx context.Context, dry bool, out *block.Outcome, names []string) (list []block.Synced, err error) {
	if w.emergency == nil {
		list, err = w.keeper.Flush(ctx, names...)
		if err != nil && (dry || !w.lost(err)) {
			return list, err
		}
	}
	if w.emergency != nil {
		e := w.inNeed(ctx)
		out.Problems = append(out.Problems, connwarden.Problem{What: "journal", Why: e.Why.Error()})
		list = e.Flush(ctx, dry, names...)
	}
	if !dry {
		return list, nil
	}
	for _, s := range list {
		if s.Err != nil {
			out.Problems = append(out.Problems, connwarden.Problem{What: s.Driver, Why: s.Err.Error()})
		}
		out.Plans = append(out.Plans, block.Plan{Driver: s.Driver, Lines: []string{fmt.Sprintf("take away all that is ours, %d listed", s.Removed)}})
	}
	return nil, nil
}
