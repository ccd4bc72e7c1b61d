package judge

import (
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// Verdict returns what the rules say of one address at a moment, of a table that follows; false when nothing speaks against
// it. It looks at that address alone.
func (t *Table) Verdict(a netip.Addr, now time.Time) (connwarden.Verdict, bool) {
	addr, at := a.As16(), now.Unix()
	_, l := t.ledgers.find(&addr)
	if l == nil || l.cell < 0 {
		return connwarden.Verdict{}, false
	}
	fired := map[int]*cell{}
	if t.live != nil {
		for rule, k := range t.live.fired {
			if c := t.groups[k]; c != nil {
				if _, _, ok := t.evidence(c, &t.rules[rule], at, 0); ok {
					fired[rule] = c
				}
			}
		}
	}
	return t.verdict(l, fired, at)
}
