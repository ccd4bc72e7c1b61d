package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/connwarden/connwarden"
)

// View is what the engine knows of all hosts.
type View struct {
	Time    time.Time // of the engine, when it last heard of a host
	Hosts   []Status  // by name
	Blocked []Blocked // those of most hosts first, of as many the latest
	Unread  int       // messages that could not be read
	More    int       // hosts and decisions beyond what is kept
}

// Blocked is a target that hosts share a block of.
type Blocked struct {
	Target netip.Prefix
	Scope  connwarden.Scope
	Score  int       // the highest
	Why    string    // of the first
	Hosts  []string  // names, in the order in which they decided
	Until  time.Time // of the last of them to end
}

// maxHosts bounds the hosts that are looked at: some 20 MB.
const maxHosts = 20_000

// Window is a look at the whole fleet that lasts: of the decisions each look reads what is new alone, over one connection.
// It belongs to one goroutine. It needs no room before its first look and none after Close, after which it may be used again.
type Window struct {
	id     *Identity
	nc     *nats.Conn
	born   string // which bucket was read
	last   uint64 // sequence of the decisions that was read
	claims map[attacked]*claimed
	unread int
	more   int
}

// attacked is what hosts block, in part or whole.
type attacked struct {
	target netip.Prefix
	scope  connwarden.Scope
}

// claimed is who blocks it.
type claimed struct {
	seq   uint64 // of the latest
	hosts []sharer
}

// sharer is one of them.
type sharer struct {
	host  string
	end   time.Time // of the engine's clock
	score int
	why   string
}

// Window opens no connection yet.
func (id *Identity) Window() *Window { return &Window{id: id} }

// Close ends the connection and forgets what was read.
func (w *Window) Close() {
	if w.nc != nil {
		w.nc.Close()
	}
	*w = Window{id: w.id}
}

// Look reads what is new. After an error the next look begins from the start.
func (w *Window) Look(ctx context.Context) (*View, error) {
	v, err := w.look(ctx)
	if err != nil {
		w.Close()
	}
	return v, err
}

func (w *Window) look(ctx context.Context) (*View, error) {
	if w.nc == nil {
		nc, err := w.id.dial(nats.NoReconnect())
		if err != nil {
			return nil, err
		}
		w.nc = nc
	}
	v := &View{Hosts: []Status{}, Blocked: []Blocked{}}
	if _, err := fetch(ctx, w.nc, GetHosts, anything, 1, v.host); err != nil {
		return nil, fmt.Errorf("read the hosts: %w", err)
	}
	m, err := latest(ctx, w.nc, GetDecisions, BornSubject)
	if err != nil {
		return nil, fmt.Errorf("read the decisions: %w", err)
	}
	born := ""
	if m != nil {
		born = clip(string(m.Data), maxWord)
	}
	if born != w.born || born == "" || w.claims == nil {
		w.born, w.last, w.unread, w.more, w.claims = born, 0, 0, 0, map[attacked]*claimed{}
	}
	last, err := fetch(ctx, w.nc, GetDecisions, anything, w.last+1, w.take)
	if err != nil {
		return nil, fmt.Errorf("read the decisions: %w", err)
	}
	w.last = max(w.last, last)
	v.Blocked = w.blocked(v.Time)
	v.Unread += w.unread
	v.More += w.more
	slices.SortFunc(v.Hosts, func(a, b Status) int { return strings.Compare(a.Host, b.Host) })
	return v, nil
}

// host takes the status of one.
func (v *View) host(m *Message) {
	s, err := decodeStatus(m)
	switch {
	case err != nil:
		v.Unread++
		return
	case len(v.Hosts) == maxHosts:
		v.More++
		return
	}
	v.Hosts = append(v.Hosts, *s)
	if m.Time.After(v.Time) {
		v.Time = m.Time
	}
}

// take reads one message of the decisions.
func (w *Window) take(m *Message) {
	if m.Subject == BornSubject {
		return
	}
	k, err := parseKey(m.Subject)
	switch {
	case errors.Is(err, errGone):
		if !m.Deleted {
			w.gone(k.Host)
		}
		return
	case err != nil:
		w.unread++
		return
	}
	where := attacked{k.Target, k.Scope}
	var d Decision
	if !m.Deleted {
		err = d.decode(m.Data)
	}
	if m.Deleted || err != nil {
		if err != nil {
			w.unread++
		}
		w.drop(where, k.Host)
		return
	}
	if k.Kind != KindBlock {
		return
	}
	c := w.claims[where]
	if c == nil {
		if len(w.claims) == maxPlaces {
			w.more++
			return
		}
		c = &claimed{}
		w.claims[where] = c
	}
	s := sharer{k.Host, m.Time.Add(d.For), d.Score, d.Why}
	if i := c.by(k.Host); i >= 0 {
		c.hosts[i] = s // it lasts longer, or is renewed
		return
	}
	c.seq, c.hosts = m.Seq, append(c.hosts, s)
}

func (c *claimed) by(host string) int {
	return slices.IndexFunc(c.hosts, func(s sharer) bool { return s.host == host })
}

func (w *Window) drop(where attacked, host string) {
	c := w.claims[where]
	if c == nil {
		return
	}
	if i := c.by(host); i >= 0 {
		c.hosts = slices.Delete(c.hosts, i, i+1)
	}
	if len(c.hosts) == 0 {
		delete(w.claims, where)
	}
}

// gone forgets what a host decided.
func (w *Window) gone(host string) {
	for where := range w.claims {
		w.drop(where, host)
	}
}

// blocked is what is in force, as far as the engine's clock is known, and forgets what is over.
func (w *Window) blocked(now time.Time) []Blocked {
	type row struct {
		attacked
		*claimed
	}
	rows := make([]row, 0, len(w.claims))
	for where, c := range w.claims {
		c.hosts = slices.DeleteFunc(c.hosts, func(s sharer) bool { return !s.end.After(now) })
		if len(c.hosts) == 0 {
			delete(w.claims, where)
			continue
		}
		rows = append(rows, row{where, c})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(len(b.hosts), len(a.hosts)), cmp.Compare(b.seq, a.seq))
	})
	list := make([]Blocked, len(rows))
	for i, r := range rows {
		b := &list[i]
		b.Target, b.Scope, b.Why, b.Hosts = r.target, r.scope, r.hosts[0].why, make([]string, len(r.hosts))
		for j, s := range r.hosts {
			b.Hosts[j], b.Score = Name(s.host), max(b.Score, s.score)
			if s.end.After(b.Until) {
				b.Until = s.end
			}
		}
	}
	return list
}
