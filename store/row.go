package store

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// first is a target's first address as the schema has it.
func first(a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append([]byte{4}, b[:]...)
	}
	b := a.As16()
	return append([]byte{6}, b[:]...)
}

// last is the last address of a target, likewise.
func last(p netip.Prefix) []byte {
	b := first(p.Masked().Addr())
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		b[1+i/8] |= 0x80 >> (i % 8)
	}
	return b
}

func target(first []byte, bits int) netip.Prefix {
	if len(first) == 0 {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(first[1:])
	return netip.PrefixFrom(a, bits)
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

const (
	// wishColumns are those of a wish, in the order of wishValues.
	wishColumns = "first, bits, scope, driver, since, until, origin, why, forced, revision, state, evidence, confirm, later, restores"
	// wishRead are what a wish is read of, in the order of scanWish; wishOutline are the same without the long ones.
	wishRead    = "first, bits, scope, driver, since, until, origin, why, forced, revision, " + stateRead + ", evidence, confirm, later, restores"
	wishOutline = "first, bits, scope, driver, since, until, origin, '', forced, revision, " + stateRead + ", '', confirm, later, restores"
	stateRead   = "CASE WHEN state = 0 AND " + marked + " THEN 1 ELSE state END"
)

type scanner interface{ Scan(...any) error }

func scanWish(row scanner) (w block.Wish, err error) {
	var address []byte
	var bits int
	var scope, origin string
	var since, until, confirm, later int64
	err = row.Scan(&address, &bits, &scope, &w.Driver, &since, &until, &origin, &w.Why, &w.Forced, &w.Revision, &w.State, &w.Evidence, &confirm, &later, &w.Restores)
	w.Target, w.By = target(address, bits), connwarden.ParseOrigin(origin)
	w.Scope, _ = connwarden.ParseScope(scope)
	w.Since, w.Until, w.Confirm, w.Then = instant(since), instant(until), instant(confirm), instant(later)
	return w, err
}

func wishValues(w *block.Wish) []any {
	return []any{
		first(w.Target.Addr()), w.Target.Bits(), w.Scope.String(), w.Driver, milli(w.Since), milli(w.Until), w.By.String(), w.Why, w.Forced,
		w.Revision, w.State, w.Evidence, milli(w.Confirm), milli(w.Then), w.Restores,
	}
}

const pastColumns = "first, bits, scope, driver, since, until, origin, why, forced, revision, ended"

func scanPast(row scanner) (p block.Past, err error) {
	var address []byte
	var bits int
	var scope, origin string
	var since, until, ended int64
	err = row.Scan(&address, &bits, &scope, &p.Driver, &since, &until, &origin, &p.Why, &p.Forced, &p.Revision, &ended)
	p.Target, p.By = target(address, bits), connwarden.ParseOrigin(origin)
	p.Scope, _ = connwarden.ParseScope(scope)
	p.Since, p.Until, p.Ended = instant(since), instant(until), instant(ended)
	return p, err
}

// swaps is the JSON of a change: its lines in the short words of the kept types.
type swaps struct {
	Wishes  [][2]*wishJSON   `json:"w,omitempty"`
	Allows  [][2]*allowJSON  `json:"a,omitempty"`
	Pardons [][2]*pardonJSON `json:"p,omitempty"`
}

type wishJSON struct {
	Target   netip.Prefix `json:"t"`
	Scope    string       `json:"s"`
	Driver   string       `json:"d"`
	Since    int64        `json:"b"`
	Until    int64        `json:"e,omitempty"`
	Origin   string       `json:"o"`
	Why      string       `json:"y,omitempty"`
	Forced   bool         `json:"f,omitempty"`
	Revision int64        `json:"r"`
	State    block.State  `json:"q,omitempty"`
	Evidence string       `json:"v,omitempty"`
	Confirm  int64        `json:"c,omitempty"`
	Then     int64        `json:"n,omitempty"`
	Restores int64        `json:"g,omitempty"`
}

type allowJSON struct {
	Target   netip.Prefix `json:"t"`
	Since    int64        `json:"b"`
	Origin   string       `json:"o"`
	Why      string       `json:"y,omitempty"`
	Revision int64        `json:"r"`
	Restores int64        `json:"g,omitempty"`
}

type pardonJSON struct {
	Target   netip.Prefix `json:"t"`
	Since    int64        `json:"b"`
	Until    int64        `json:"e"`
	Origin   string       `json:"o"`
	Revision int64        `json:"r"`
}

func encode(c *block.Change) ([]byte, error) {
	if text, ok := encodeNew(c); ok {
		return text, nil
	}
	return encodeAny(c)
}

func encodeAny(c *block.Change) ([]byte, error) {
	return json.Marshal(swaps{
		Wishes: pairs(c.Wishes, func(w block.Wish) wishJSON {
			return wishJSON{w.Target, w.Scope.String(), w.Driver, milli(w.Since), milli(w.Until), w.By.String(), w.Why, w.Forced, w.Revision, w.State, w.Evidence, milli(w.Confirm), milli(w.Then), w.Restores}
		}),
		Allows: pairs(c.Allows, func(a block.Allow) allowJSON {
			return allowJSON{a.Target, milli(a.Since), a.By.String(), a.Why, a.Revision, a.Restores}
		}),
		Pardons: pairs(c.Pardons, func(p block.Pardon) pardonJSON {
			return pardonJSON{p.Target, milli(p.Since), milli(p.Until), p.By.String(), p.Revision}
		}),
	})
}

// encodeNew is encode of a change that only adds wishes, in a third of the time: a host that joins a fleet adds 100,000. What it cannot
// write it leaves to encode.
func encodeNew(c *block.Change) (b []byte, ok bool) {
	if len(c.Wishes) == 0 || len(c.Allows)+len(c.Pardons) > 0 {
		return nil, false
	}
	const each = 256 // bytes; more are rare
	b = append(make([]byte, 0, each*len(c.Wishes)), `{"w":`...)
	for i, s := range c.Wishes {
		w := s.After
		if w == nil || s.Before != nil || w.State != block.StateWanted {
			return nil, false
		}
		between := byte(',')
		if i == 0 {
			between = '['
		}
		b = append(append(b, between), `[null,{"t":"`...)
		b = text(append(w.Target.AppendTo(b), `","s":`...), w.Scope.String())
		b = text(append(b, `,"d":`...), w.Driver)
		b = number(b, `,"b":`, milli(w.Since))
		b = number(b, `,"e":`, milli(w.Until))
		b = text(append(b, `,"o":`...), w.By.String())
		b = text(append(b, `,"y":`...), w.Why)
		if w.Forced {
			b = append(b, `,"f":true`...)
		}
		b = number(b, `,"r":`, w.Revision)
		b = text(append(b, `,"v":`...), w.Evidence)
		b = number(b, `,"c":`, milli(w.Confirm))
		b = number(b, `,"n":`, milli(w.Then))
		b = append(number(b, `,"g":`, w.Restores), `}]`...)
	}
	return append(b, `]}`...), true
}

// number appends a field of an object, unless it is 0.
func number(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

// text appends a JSON string.
func text(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string can always be written
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func decode(text []byte, c *block.Change) error {
	var s swaps
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	c.Wishes = swapped(s.Wishes, func(j wishJSON) (w block.Wish) {
		w.Target, w.Driver, w.By = j.Target, j.Driver, connwarden.ParseOrigin(j.Origin)
		w.Scope, _ = connwarden.ParseScope(j.Scope)
		w.Since, w.Until, w.Confirm, w.Then = instant(j.Since), instant(j.Until), instant(j.Confirm), instant(j.Then)
		w.Why, w.Forced, w.Revision, w.State, w.Evidence, w.Restores = j.Why, j.Forced, j.Revision, j.State, j.Evidence, j.Restores
		return w
	})
	c.Allows = swapped(s.Allows, func(j allowJSON) block.Allow {
		return block.Allow{Target: j.Target, Since: instant(j.Since), By: connwarden.ParseOrigin(j.Origin), Why: j.Why, Revision: j.Revision, Restores: j.Restores}
	})
	c.Pardons = swapped(s.Pardons, func(j pardonJSON) block.Pardon {
		return block.Pardon{Target: j.Target, Since: instant(j.Since), Until: instant(j.Until), By: connwarden.ParseOrigin(j.Origin), Revision: j.Revision}
	})
	return nil
}

// pairs turns swaps into pairs of what is kept of them.
func pairs[T, J any](list []block.Swap[T], keep func(T) J) [][2]*J {
	out := make([][2]*J, len(list))
	for i, s := range list {
		for side, v := range []*T{s.Before, s.After} {
			if v != nil {
				j := keep(*v)
				out[i][side] = &j
			}
		}
	}
	return out
}

// swapped is the way back.
func swapped[J, T any](list [][2]*J, read func(J) T) []block.Swap[T] {
	var out []block.Swap[T]
	for _, pair := range list {
		var s block.Swap[T]
		for side, to := range []**T{&s.Before, &s.After} {
			if pair[side] != nil {
				v := read(*pair[side])
				*to = &v
			}
		}
		out = append(out, s)
	}
	return out
}
