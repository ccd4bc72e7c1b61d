package judge

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Event folds one event. What a client can have written itself counts only once a request agrees with it: it is a doubt
// until the second look.
func (t *Table) Event(e *connwarden.Event) {
	outside := e.From.Trust == connwarden.TrustOutside
	if t.match == nil || !e.Client.IsValid() || outside && t.second != nil || !t.wants(e.Client, &e.From) {
		return
	}
	hits := t.match.Event(e)
	switch {
	case len(hits) == 0:
	case outside:
		t.doubt(e, hits)
	default:
		t.event(e, hits, t.look())
	}
}

// look is how a reading that is no request is counted for its address.
type look uint8

const (
	lookOnce   look = iota // at once
	lookFirst              // it waits for the second look
	lookSecond             // this is it
)

func (t *Table) look() look {
	switch {
	case t.live != nil:
		return lookOnce
	case t.second != nil:
		return lookSecond
	default:
		return lookFirst
	}
}

// wants tells whether a reading of a log is looked at: in the second look that of suspects alone.
func (t *Table) wants(client netip.Addr, from *connwarden.Source) bool {
	if t.second == nil {
		return true
	}
	addr := client.As16()
	return t.second.suspected(&addr, from.Offset)
}

// event counts what rules an event fits.
func (t *Table) event(e *connwarden.Event, hits []rules.Hit, how look) {
	got := reading{at: seconds(e.Time), more: e.More, voice: e.Voice, local: e.From.Trust != connwarden.TrustRoot, from: &e.From, addr: e.Client.As16(), text: e.User}
	if len(e.User) == 0 {
		got.text = e.Detail
	}
	for _, h := range hits {
		rule := &t.rules[h.Rule]
		got.pass = h.Pass
		switch rule.Distinct {
		case "user":
			got.value = t.read.seed.text(e.User)
		case "service":
			got.value = t.read.seed.text([]byte(e.Service))
		case "detail":
			got.value = t.read.seed.text(e.Detail)
		default:
			got.value = t.read.peer(rule.Distinct, e.Client)
		}
		t.speaks(h, t.eventKey(rule.By, e), &got, how)
	}
	t.spoken(hits, &got, how)
}

// eventKey is the name of the group of an event. Valid until the next call.
func (t *Table) eventKey(by rules.By, e *connwarden.Event) []byte {
	switch by {
	case rules.ByUser:
	case rules.ByService:
		t.scratch = append(t.scratch[:0], e.Service...)
		return t.scratch
	default:
		return t.addrKey(by, e.Client)
	}
	if len(e.User) == 0 {
		return nil
	}
	t.scratch = append(append(append(t.scratch[:0], e.User...), " at "...), e.Service...)
	return t.scratch
}

// speaks counts a reading that is no request, for the group of a rule or for its address. [Table.spoken] follows when all its rules were told.
func (t *Table) speaks(h rules.Hit, key []byte, g *reading, how look) {
	rule := &t.rules[h.Rule]
	switch {
	case rule.By != rules.ByIP:
		if how != lookSecond {
			t.joins(h.Rule, rule, key, g)
		}
	case how == lookOnce || how == lookSecond && t.second.reaches(&g.addr, h.Rule):
		t.count(t.ledger(&g.addr), &g.addr, h.Rule, rule, g)
	}
}

// spoken counts a reading that is no request for its address, whatever it fits.
func (t *Table) spoken(hits []rules.Hit, g *reading, how look) {
	l := t.ledger(&g.addr)
	l.seen(g.at)
	if how == lookFirst {
		n := 1 + g.more
		if least, _ := t.suspect(&g.addr, hits, g.from.Offset, n); least > 0 {
			l.hit(uint16(min(n, math.MaxUint16)), least)
		}
	}
	t.partakes(l, &g.addr, g)
}

// Fault folds one fault that names a client and that only the daemon can have written.
func (t *Table) Fault(f *connwarden.Fault) {
	if t.match == nil || !f.Client.IsValid() || f.From.Trust != connwarden.TrustRoot || !t.wants(f.Client, &f.From) {
		return
	}
	hits := t.match.Fault(f)
	if len(hits) == 0 {
		return
	}
	how := t.look()
	got := reading{at: seconds(f.Time), from: &f.From, addr: f.Client.As16(), text: f.Message}
	for _, h := range hits {
		rule := &t.rules[h.Rule]
		got.pass = h.Pass
		switch rule.Distinct {
		case "site":
			got.value = t.read.seed.text(f.Site)
		case "message":
			got.value = t.read.seed.text(f.Message)
		default:
			got.value = t.read.peer(rule.Distinct, f.Client)
		}
		key := t.addrKey(rule.By, f.Client)
		if rule.By == rules.BySite {
			key = f.Site
		}
		t.speaks(h, key, &got, how)
	}
	t.spoken(hits, &got, how)
}

// Doubt is an event in a log that a client can write whole lines of: nginx's error log holds what it is asked for, line
// breaks included. It counts when the access log has a request of the same address, for the same path, that was
// refused or failed, within [agreeSeconds].
type Doubt struct {
	event connwarden.Event // owned
	path  uint32           // hash of the path that it quotes; 0: it quotes none
}

// agreeSeconds is how far apart the two lines may be: an error is written when it happens, a request when it ends.
const agreeSeconds = 5

func (t *Table) doubt(e *connwarden.Event, hits []rules.Hit) {
	if t.live == nil && len(t.doubts) == maxClaims {
		t.lost++
		return
	}
	d := Doubt{event: *e}
	d.event.User, d.event.Detail = clip(e.User), clip(e.Detail)
	d.event.Request, d.event.Raw = nil, nil
	if path := requestPath(e.Request); path != nil {
		d.path = hashText(path) | 1
	}
	if t.live != nil {
		t.wait(d)
		return
	}
	t.doubts = append(t.doubts, d)
	addr := e.Client.As16()
	if least, _ := t.suspect(&addr, hits, e.From.Offset, 1+e.More); least > 0 { // what comes besides may be the more that is missing
		t.ledger(&addr).hit(uint16(min(1+e.More, math.MaxUint16)), least)
	}
}

func clip(b []byte) []byte { return bytes.Clone(b[:min(len(b), valueText)]) }

// requestPath is the path of a quoted request line, without its query.
func requestPath(line []byte) []byte {
	_, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return nil
	}
	path, _, _ := bytes.Cut(rest, []byte(" "))
	path, _, _ = bytes.Cut(path, []byte("?"))
	return path
}

// Conns folds the connections of one address that are alike, as they are at one moment. known tells whether logs were
// read, so that the number of requests means something.
func (t *Table) Conns(addr netip.Addr, state, dir string, port uint16, count uint64, known bool) {
	if t.match == nil || !addr.IsValid() || count == 0 {
		return
	}
	requests := int64(-1)
	if known {
		requests = int64(t.Peer(addr).Requests)
	}
	hits := t.match.Conn(addr, state, dir, port, requests)
	if len(hits) == 0 {
		return
	}
	got := reading{addr: addr.As16(), more: uint32(min(count, 1<<31)) - 1, text: []byte(state + " at port " + strconv.Itoa(int(port)))}
	for _, h := range hits {
		rule := &t.rules[h.Rule]
		if got.pass = h.Pass; rule.Distinct != "" {
			got.value = t.read.peer(rule.Distinct, addr)
		}
		t.speaks(h, t.addrKey(rule.By, addr), &got, lookOnce)
	}
	t.spoken(hits, &got, lookOnce)
}
