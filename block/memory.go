package block

import (
	"context"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Memory is a driver over a map: it refuses no packet. Tests use it where a firewall would stand, and it is the model
// that the conformance suite is proved on.
type Memory struct {
	Label  string           // the name; "memory" if empty
	Claims Properties       // what it says of itself and keeps to
	Now    func() time.Time // the clock that ends entries; time.Now if nil
	// Fail, if not nil, is asked before each step: op is "list", "remove", "add" or "flush", and e the entry that is
	// about to change. What it returns is why the step fails.
	Fail func(op string, e Entry) error

	held   ends               // in Unix nanoseconds; 0: none
	scopes []connwarden.Scope // by their number
	next   int64              // nothing ends before; 0: nothing ends at all
}

// Everything are the properties of a firewall that can do all that the contract speaks of.
func Everything() Properties {
	return Properties{
		Expiry: true, Prefixes: true, IPv6: true, Lists: true,
		Scopes: []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts, connwarden.ScopeSite, connwarden.ScopeLogins},
		About:  "a map in memory; refuses nothing",
	}
}

// Name returns the label.
func (m *Memory) Name() string {
	if m.Label == "" {
		return "memory"
	}
	return m.Label
}

// Properties returns the claims.
func (m *Memory) Properties() Properties { return m.Claims }

func (m *Memory) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

// step asks Fail about a step. done is how many steps of the same call stand already.
func (m *Memory) step(op string, e Entry, done int) error {
	if m.Fail == nil {
		return nil
	}
	err := m.Fail(op, e)
	if err == nil {
		return nil
	}
	if done > 0 {
		err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
	}
	failed := &Error{Driver: m.Name(), Op: op, Err: err}
	if e.Target.IsValid() {
		failed.Target = e.Target.String()
	}
	return failed
}

// List returns what is held and has not ended, in the order of targets.
func (m *Memory) List(context.Context) ([]Entry, error) {
	if err := m.step("list", Entry{}, 0); err != nil {
		return nil, err
	}
	m.expire()
	list := make([]Entry, 0, m.held.len())
	for p, end := range m.held.all() {
		e := Entry{Target: p.target(), Scope: m.scopes[p.scope]}
		if end != 0 {
			e.Until = time.Unix(0, end).UTC()
		}
		list = append(list, e)
	}
	slices.SortFunc(list, Entry.Compare)
	return list, nil
}

// Apply removes and adds. With Fail it may stop half-way, as a firewall without transactions does.
func (m *Memory) Apply(_ context.Context, add, remove []Entry) error {
	m.expire()
	if err := m.check(add, remove); err != nil {
		return err
	}
	for i, e := range remove {
		if err := m.step("remove", e, i); err != nil {
			return err
		}
		m.held.drop(m.pack(e))
	}
	for i, e := range add {
		if err := m.step("add", e, len(remove)+i); err != nil {
			return err
		}
		end := int64(0)
		if !e.Until.IsZero() {
			end = e.Until.UnixNano()
			if m.next == 0 || end < m.next {
				m.next = end
			}
		}
		m.held.set(m.pack(e), end)
	}
	m.expire()
	return nil
}

// check refuses what the claims leave out, before anything is changed.
func (m *Memory) check(add, remove []Entry) error {
	for _, e := range add {
		if err := m.Claims.Holds(e); err != nil {
			return &Error{Driver: m.Name(), Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	if m.Claims.Most == 0 {
		return nil
	}
	left := make(map[packed]bool, m.held.len()+len(add))
	for p := range m.held.all() {
		left[p] = true
	}
	for _, e := range remove {
		delete(left, m.pack(e))
	}
	for _, e := range add {
		left[m.pack(e)] = true
	}
	if len(left) > m.Claims.Most {
		return &Error{Driver: m.Name(), Op: "add", Err: fmt.Errorf("%d entries where %d fit: %w", len(left), m.Claims.Most, connwarden.ErrUnsupported)}
	}
	return nil
}

func (m *Memory) expire() {
	if !m.Claims.Expiry || m.next == 0 {
		return
	}
	now := m.now().UnixNano()
	if now < m.next {
		return
	}
	m.next = 0
	for p, end := range m.held.all() {
		switch {
		case end == 0:
		case end <= now:
			m.held.drop(p)
		case m.next == 0 || end < m.next:
			m.next = end
		}
	}
}

// Flush forgets everything.
func (m *Memory) Flush(context.Context) error {
	if err := m.step("flush", Entry{}, 0); err != nil {
		return err
	}
	m.held, m.next = ends{}, 0
	return nil
}

// Close does nothing: what is held stays held.
func (m *Memory) Close() error { return nil }

// packed is the key of an entry.
type packed struct {
	addr  [16]byte // of IPv4 in IPv6's clothes
	bits  uint8
	four  bool
	scope uint32 // a number in Memory.scopes
}

func (p *packed) target() netip.Prefix {
	addr := netip.AddrFrom16(p.addr)
	if p.four {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, int(p.bits))
}

func (m *Memory) pack(e Entry) packed {
	n := slices.Index(m.scopes, e.Scope)
	if n < 0 {
		n = len(m.scopes)
		m.scopes = append(m.scopes, e.Scope)
	}
	return packed{e.Target.Addr().As16(), uint8(e.Target.Bits()), e.Target.Addr().Is4(), uint32(n)}
}

// ends are the ends of entries. Those of IPv4 are apart, in 16 bytes each instead of 32: the null firewall of a large fleet's host holds
// 100,000.
type ends struct {
	four  map[packed4]int64
	other map[packed]int64
}

// packed4 is the key of an entry of IPv4 in one of the first scopes.
type packed4 struct {
	addr  [4]byte
	bits  uint8
	scope uint16
}

// small returns the short form of a key, if it has one.
func (p *packed) small() (packed4, bool) {
	return packed4{[4]byte(p.addr[12:]), p.bits, uint16(p.scope)}, p.four && p.scope <= math.MaxUint16
}

func (p packed4) packed() packed {
	return packed{netip.AddrFrom4(p.addr).As16(), p.bits, true, uint32(p.scope)}
}

func (n *ends) len() int { return len(n.four) + len(n.other) }

func (n *ends) set(p packed, end int64) {
	if n.four == nil {
		n.four, n.other = map[packed4]int64{}, map[packed]int64{}
	}
	if four, ok := p.small(); ok {
		n.four[four] = end
	} else {
		n.other[p] = end
	}
}

func (n *ends) drop(p packed) {
	if four, ok := p.small(); ok {
		delete(n.four, four)
	} else {
		delete(n.other, p)
	}
}

// all yields keys and ends; what is yielded may be dropped meanwhile.
func (n *ends) all() iter.Seq2[packed, int64] {
	return func(yield func(packed, int64) bool) {
		for p, end := range n.four {
			if !yield(p.packed(), end) {
				return
			}
		}
		for p, end := range n.other {
			if !yield(p, end) {
				return
			}
		}
	}
}
