package block

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/connwarden/connwarden/nets"
)

// within tells whether every address of inner is in outer.
func within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// halves returns the two prefixes that p consists of; p is no single address.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(b)
	return low, netip.PrefixFrom(a, p.Bits()+1)
}

// Subtract returns the fewest prefixes that hold the addresses of p that are in none of except, in order of address:
// at most as many as the bits by which an exception is longer than p, for each exception.
func Subtract(p netip.Prefix, except []netip.Prefix) []netip.Prefix {
	var in []netip.Prefix
	for _, e := range except {
		switch {
		case within(p, e):
			return nil
		case within(e, p):
			in = append(in, e)
		}
	}
	if len(in) == 0 {
		return []netip.Prefix{p}
	}
	low, high := halves(p)
	return append(Subtract(low, in), Subtract(high, in)...)
}

// cover is a sorted list of prefixes that do not overlap: a set of addresses that can be asked by prefix.
type cover []netip.Prefix

// coverOf returns the set of all addresses of the prefixes.
func coverOf(list []netip.Prefix) cover { return nets.New(list...).Prefixes() }

// overlapping returns the part of the list that shares addresses with p.
func (c cover) overlapping(p netip.Prefix) []netip.Prefix {
	i, end := c.span(p)
	return c[i:end]
}

// span returns where that part is.
func (c cover) span(p netip.Prefix) (i, end int) {
	i = sort.Search(len(c), func(i int) bool { return c[i].Compare(p) >= 0 })
	if i > 0 && c[i-1].Overlaps(p) {
		return i - 1, i // it holds all of p, and so nothing else does
	}
	for end = i; end < len(c) && c[end].Overlaps(p); {
		end++
	}
	return i, end
}

// outlasts tells whether an end is later than another; the zero time is no end.
func outlasts(a, b time.Time) bool {
	return !b.IsZero() && (a.IsZero() || a.After(b))
}

// later returns the later of two ends.
func later(a, b time.Time) time.Time {
	if outlasts(a, b) {
		return a
	}
	return b
}

// Flatten returns entries that deny exactly what all of the given ones do together and exactly as long, but of which no
// two of one scope overlap, as firewalls want them: an address inside a range that lasts as long needs no entry, and a
// range around an address that stays longer is split about it. The answer is in order of scope and target.
func Flatten(entries []Entry) []Entry {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Scope.Kind, b.Scope.Kind), cmp.Compare(a.Scope.Detail, b.Scope.Detail), a.Target.Compare(b.Target))
	})
	out := make([]Entry, 0, len(sorted))
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].Scope == sorted[0].Scope {
			n++
		}
		out = descend(out, sorted[:n])
		sorted = sorted[n:]
	}
	return out
}

// descend flattens entries of one scope, sorted, above which nothing is blocked.
func descend(out []Entry, in []Entry) []Entry {
	for len(in) > 0 {
		top, n := in[0], 1
		for n < len(in) && within(in[n].Target, top.Target) {
			if in[n].Target == top.Target && outlasts(in[n].Until, top.Until) {
				top = in[n]
			}
			n++
		}
		out = spread(out, top.Target, top, in[1:n])
		in = in[n:]
	}
	return out
}

// spread flattens what is below p, which over denies wholly; in is sorted and within p.
func spread(out []Entry, p netip.Prefix, over Entry, in []Entry) []Entry {
	for len(in) > 0 && in[0].Target == p {
		if outlasts(in[0].Until, over.Until) {
			over = in[0]
		}
		in = in[1:]
	}
	var matter []Entry
	for _, e := range in {
		if outlasts(e.Until, over.Until) {
			matter = append(matter, e)
		}
	}
	if len(matter) == 0 {
		over.Target = p
		return append(out, over)
	}
	low, high := halves(p)
	i := sort.Search(len(matter), func(i int) bool { return high.Contains(matter[i].Target.Addr()) })
	return spread(spread(out, low, over, matter[:i]), high, over, matter[i:])
}

// Merge joins neighbours of one scope and one end into the prefix that is exactly both, as far as that goes, so that a
// firewall with few places holds as much as it can. Nothing becomes wider or longer, and no prefix becomes shorter than
// the given lengths for IPv4 and IPv6. The entries must be as Flatten leaves them.
func Merge(entries []Entry, shortest4, shortest6 int) []Entry {
	out := make([]Entry, 0, len(entries))
	for _, e := range entries {
		out = append(out, e)
		for len(out) > 1 {
			a, b := out[len(out)-2], out[len(out)-1]
			shortest := shortest6
			if a.Target.Addr().Is4() {
				shortest = shortest4
			}
			if a.Target.Bits() <= shortest || a.Target.Bits() != b.Target.Bits() || a.Scope != b.Scope || !a.Until.Equal(b.Until) || a.Forced != b.Forced {
				break
			}
			parent := netip.PrefixFrom(a.Target.Addr(), a.Target.Bits()-1).Masked()
			if !parent.Contains(b.Target.Addr()) {
				break
			}
			out = out[:len(out)-1]
			out[len(out)-1].Target = parent
		}
	}
	return out
}

// diff returns what must be added and removed to come from what a firewall has to what is wanted. An entry whose end
// differs by more than slack is added again, if the firewall keeps ends.
func diff(have, want []Entry, p Properties, slack time.Duration) (add, remove []Entry) {
	return missing(have, want, p, slack), unwanted(have, want)
}

// missing are entries that are wanted and not there, or not until then.
func missing(have, want []Entry, p Properties, slack time.Duration) []Entry {
	ends := make(map[EntryKey]time.Time, len(have))
	for _, e := range have {
		ends[e.Key()] = e.Until
	}
	add := slices.Grow([]Entry(nil), max(0, len(want)-len(have)))
	for _, e := range want {
		if end, ok := ends[e.Key()]; !ok || p.Expiry && !near(end, e.Until, slack) {
			add = append(add, e)
		}
	}
	return add
}

// unwanted are entries that are there and not wanted.
func unwanted(have, want []Entry) (remove []Entry) {
	if len(have) == 0 {
		return nil
	}
	stay := make(map[EntryKey]bool, len(want))
	for _, e := range want {
		stay[e.Key()] = true
	}
	for _, e := range have {
		if !stay[e.Key()] {
			remove = append(remove, e)
		}
	}
	return remove
}

func near(a, b time.Time, slack time.Duration) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() == b.IsZero()
	}
	return a.Sub(b).Abs() <= slack
}

// Ranges is a set of addresses that can be asked by prefix. It never changes.
type Ranges struct{ cover cover }

// NewRanges returns the set of all addresses of the prefixes.
func NewRanges(list []netip.Prefix) *Ranges { return &Ranges{coverOf(list)} }

// Overlap tells whether the prefix shares an address with the set, by a binary search.
func (r *Ranges) Overlap(p netip.Prefix) bool { return len(r.cover.overlapping(p)) > 0 }

// Last returns the last address of a prefix.
func Last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
