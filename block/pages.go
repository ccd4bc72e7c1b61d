package block

import (
	"context"
	"iter"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
)

// pageRows is how many wishes are read at once: 1.5 MB.
var pageRows = 4096 // a variable for tests

// Pages reads all wishes of a driver in the order of their targets, some at a time, without Why and Evidence. What is yielded is
// good until the next. After an error nothing follows.
func Pages(ctx context.Context, j Journal, driver string) iter.Seq2[[]Wish, error] {
	return func(yield func([]Wish, error) bool) {
		var after EntryKey
		for {
			page, err := j.Page(ctx, driver, after, pageRows)
			if !yield(page, err) || err != nil || len(page) < pageRows {
				return
			}
			last := &page[len(page)-1]
			after = EntryKey{last.Target, last.Scope}
		}
	}
}

// EachWish hands over the wishes of all drivers, of every state, without Why and Evidence.
func EachWish(ctx context.Context, j Journal, each func(*Wish) error) error {
	names, err := j.Drivers(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		for page, err := range Pages(ctx, j, name) {
			if err != nil {
				return err
			}
			for i := range page {
				if err := each(&page[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Each hands over what is wanted now, without Why and Evidence, by the journal alone: no firewall is asked.
func (k *Keeper) Each(ctx context.Context, each func(*Wish)) error {
	now := k.now()
	return EachWish(ctx, k.Journal, func(w *Wish) error {
		if w.Wanted(now) {
			each(w)
		}
		return nil
	})
}

// Last returns the last that the journal knows of blocks: what stands there, whether wanted or not, or else what was.
func (k *Keeper) Last(ctx context.Context, keys ...connwarden.BlockKey) (list []Wish, err error) {
	wanted := make(map[connwarden.BlockKey]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	if len(wanted) == 0 { // of no target the journal would return all
		return nil, nil
	}
	found, err := k.Journal.Wishes(ctx, targets(wanted)...)
	for _, w := range found {
		if wanted[w.BlockKey] {
			list = append(list, w)
			delete(wanted, w.BlockKey)
		}
	}
	if err != nil || len(wanted) == 0 {
		return list, err
	}
	const most = 100 // more than there are drivers and scopes of a target
	past, err := k.Journal.Pasts(ctx, targets(wanted), most)
	for _, of := range past {
		for _, p := range of { // the latest comes first
			if wanted[p.BlockKey] {
				list = append(list, Wish{Block: p.Block, State: StateLifted})
				delete(wanted, p.BlockKey)
			}
		}
	}
	return list, err
}

func targets(keys map[connwarden.BlockKey]bool) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(keys))
	for key := range keys {
		list = append(list, key.Target)
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return slices.Compact(list)
}

// portion is what is wanted of a driver and what it has, of addresses that neither shares with the rest.
type portion struct {
	wishes []Wish
	have   []Entry
}

// portions divides what a driver has, in the order of targets, by the pages of the journal; whole makes it one. What is yielded is
// good until the next.
func (k *Keeper) portions(ctx context.Context, driver string, have []Entry, whole bool) iter.Seq2[portion, error] {
	return func(yield func(portion, error) bool) {
		var list []Wish
		for page, err := range Pages(ctx, k.Journal, driver) {
			if err != nil {
				yield(portion{}, err)
				return
			}
			list = append(list, page...)
			if whole || len(page) < pageRows {
				continue // there is nothing more to come
			}
			n, m := gap(list, have)
			if n == 0 {
				continue
			}
			if !yield(portion{list[:n], have[:m]}, nil) {
				return
			}
			list, have = append(list[:0], list[n:]...), have[m:]
		}
		yield(portion{list, have}, nil)
	}
}

// gap returns how many wishes, the last ones aside, and how many entries lie before all others and share no address with them; both
// are in the order of targets, and other wishes may follow.
func gap(list []Wish, have []Entry) (n, m int) {
	var end netip.Addr // of all that begins before
	h := 0
	for i := range list {
		start := list[i].Target.Addr()
		for ; h < len(have) && have[h].Target.Addr().Less(start); h++ {
			end = further(end, have[h].Target)
		}
		if i > 0 && end.Less(start) {
			n, m = i, h
		}
		end = further(end, list[i].Target)
	}
	return n, m
}

func further(end netip.Addr, p netip.Prefix) netip.Addr {
	last := p.Addr()
	if !p.IsSingleIP() {
		last = Last(p)
	}
	if end.Less(last) {
		return last
	}
	return end
}
