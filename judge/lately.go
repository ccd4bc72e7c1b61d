package judge

import (
	"math"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// lately remembers the last requests that fit broad rules: a rule that begins to count an address or a network counts those that it made before,
// too, and so says what it says of a log that is read afterwards. A request takes 56 bytes and 8 for each rule that it fits, 6 MB in all when
// lateRequests and lateHits are reached.
type lately struct {
	ring  []late // number n stands at (n-1) % lateRequests
	hits  []hit  // number n stands at n % lateHits
	last  uint32 // number of the last request; 0: none
	heard uint32 // how many hits there were
	addrs [lateSlots]uint32
	nets  [lateSlots]uint32
}

const (
	lateRequests = 1 << 16
	lateHits     = 1 << 18
	lateSlots    = 1 << 14
	// lateSteps is how many requests are looked through when a rule begins to count. Shipped rules begin at half of what they ask for, 3,000 requests at most.
	lateSteps = 1 << 13
)

// late is a request that came lately. Requests whose addresses, or networks, share a slot are a chain.
type late struct {
	addr, net           uint64 // hashes
	offset              int64
	at                  uint32
	requests            uint32 // of its address, it among them
	line                uint32
	hits                uint32 // number of the first
	priorAddr, priorNet uint32 // the numbers of those before it in the chains
	source              uint16 // in Table.names
	fits                uint8  // how many hits
	trust               connwarden.Trust
	refused             bool
}

func (r *late) of(net bool) uint64 {
	if net {
		return r.net
	}
	return r.addr
}

// remember notes a request that fits broad rules, of an address that made so many.
func (t *Table) remember(f *found, hits []hit, requests uint32, from *connwarden.Source) {
	m := &t.live.lately
	if m.last++; m.last == 0 {
		m.last++
	}
	place := (m.last - 1) % lateRequests
	if int(place) >= len(m.ring) {
		m.ring = append(m.ring, make([]late, int(place)+1-len(m.ring))...)
	}
	addr, net := hashOf(keyOf(&f.addr)), hashOf(netKey(&f.addr))
	one, other := &m.addrs[addr%lateSlots], &m.nets[net%lateSlots]
	m.ring[place] = late{
		addr: addr, net: net, offset: from.Offset, at: f.at, requests: requests, line: uint32(min(from.Line, math.MaxUint32)), hits: m.heard,
		priorAddr: *one, priorNet: *other, source: t.source(from.Name), fits: uint8(min(len(hits), math.MaxUint8)), trust: from.Trust, refused: f.refused,
	}
	*one, *other = m.last, m.last
	for _, h := range hits {
		if n := int(m.heard % lateHits); n < len(m.hits) {
			m.hits[n] = h
		} else {
			m.hits = append(m.hits, h)
		}
		m.heard++
	}
}

// recall counts in a cell, whose rule begins to count with a request, those of the address, or of its network, that came lately. It
// returns the number of the earliest request that it looked at, of those of the address; requests where there was none.
func (t *Table) recall(c *cell, rule *rules.Rule, f *found, requests uint32) (earliest uint32) {
	m, net := &t.live.lately, rule.By == rules.ByNet
	want, n, span := hashOf(keyOf(&f.addr)), uint32(0), parts(rule)*partSeconds(rule)
	if net {
		want = hashOf(netKey(&f.addr))
		n = m.nets[want%lateSlots]
	} else {
		n = m.addrs[want%lateSlots]
	}
	example := c.example // what is remembered has none
	earliest = requests
	for range lateSteps {
		if n == 0 || m.last-n >= uint32(len(m.ring)) {
			break
		}
		r := &m.ring[(n-1)%lateRequests]
		if m.heard-r.hits > lateHits {
			break
		}
		if r.of(net) == want && r.at+span > f.at {
			earliest = min(earliest, r.requests)
			t.recount(c, rule, r)
		}
		if n = r.priorAddr; net {
			n = r.priorNet
		}
	}
	c.example = example
	return earliest
}

// recount counts a request that came lately, if it fits the rule.
func (t *Table) recount(c *cell, rule *rules.Rule, r *late) {
	for i := range uint32(r.fits) {
		h := &t.live.lately.hits[(r.hits+i)%lateHits]
		if h.rule != c.rule {
			continue
		}
		from := connwarden.Source{Name: t.names[r.source], Line: int64(r.line), Offset: r.offset, Trust: r.trust}
		t.fill(c, rule, &reading{at: r.at, refused: r.refused, local: r.trust != connwarden.TrustRoot, pass: h.pass, value: h.value, from: &from})
		return
	}
}

// renew gives the rules of what is remembered other numbers.
func (m *lately) renew(to []uint16) {
	for i := range m.hits {
		if h := &m.hits[i]; h.rule != noRule {
			h.rule = to[h.rule]
		}
	}
}
