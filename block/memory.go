package block

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
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

	held   nets.Table[int64]  // ends in Unix nanoseconds; 0: none
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
	list := make([]Entry, 0, m.held.Len())
	for p, end := range m.held.All() {
		e := Entry{Target: p.Prefix, Scope: m.scopes[p.Number]}
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
		m.held.Delete(m.place(e))
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
		m.held.Set(m.place(e), end)
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
	left := make(map[nets.Place]bool, m.held.Len()+len(add))
	for p := range m.held.All() {
		left[p] = true
	}
	for _, e := range remove {
		delete(left, m.place(e))
	}
	for _, e := range add {
		left[m.place(e)] = true
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
	for p, end := range m.held.All() {
		switch {
		case end == 0:
		case end <= now:
			m.held.Delete(p)
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
	m.held, m.next = nets.Table[int64]{}, 0
	return nil
}

// Close does nothing: what is held stays held.
func (m *Memory) Close() error { return nil }

// place is an entry's key: of the null firewall of a large fleet's host there are 100,000.
func (m *Memory) place(e Entry) nets.Place {
	n := slices.Index(m.scopes, e.Scope)
	if n < 0 {
		n = len(m.scopes)
		m.scopes = append(m.scopes, e.Scope)
	}
	return nets.Place{Prefix: e.Target, Number: uint32(n)}
}
