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
	j, ok := t.verdict(l, &deeds{map[deedKey]*deed{}, at})
	return j.Verdict, ok
}
