package judge

import (
	"net/netip"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Reader finds out of requests what does not depend on what a table has counted: which rules each fits, and what its agent claims to
// be. Several may do so beside the table that follows, each in a goroutine of its own.
type Reader struct {
	rules   []rules.Rule
	match   *rules.Matcher // nil: there are no rules
	claims  func(agent []byte) uint16
	agents  []agent // made when the first is asked about
	place   func(netip.Addr) (connwarden.Network, bool)
	seed    seed
	path    uint32 // value of the path of the request in hand, as rules compare it
	known   bool   // it was made
	scratch []byte
}

type agent struct {
	hash  uint64
	claim uint16
}

func newReader(opt *Options) *Reader {
	r := &Reader{claims: opt.Claim, place: opt.Place, seed: seedOf(opt.Seed)}
	if opt.Rules != nil {
		r.rules, r.match = opt.Rules.Rules, opt.Rules.NewMatcher()
		r.match.Place = opt.Place
	}
	return r
}

// Reader returns another reader for the table. After [Table.Renew] what it finds is void.
func (t *Table) Reader() *Reader { return newReader(&t.opt) }

// Findings are what a reader found of some requests, in their order.
type Findings struct {
	list []found
	hits []hit
}

// found is what is known of a request before it is counted: a line of a processor's cache, so that who counts it, on another
// processor, need not mostly fetch the request itself.
type found struct {
	waiting
	from, broad, to uint32 // of Findings.hits, those of narrow rules and then, from broad on, of broad ones
	failed          uint32 // hash of its path, if it was refused
	refused         bool   // status 4xx or 5xx
	local           bool   // a local account may have written it
	void            bool   // nobody asked for it, or at no time: it is of no window
}

// hit is a rule that a request fits.
type hit struct {
	rule  uint16
	pass  bool
	value uint32 // hash of the value whose differences the rule counts
}

// Clear empties findings.
func (f *Findings) Clear() { f.list, f.hits = f.list[:0], f.hits[:0] }

// Part is the findings of some requests in a row.
func (f *Findings) Part(from, to int) Findings { return Findings{f.list[from:to], f.hits} }

// Client is the address of a request; zero where it has none.
func (f *Findings) Client(i int) [16]byte { return f.list[i].addr }

// Request adds what it finds of a request to f.
func (r *Reader) Request(q *connwarden.Request, f *Findings) {
	one := found{from: uint32(len(f.hits))}
	if one.void = void(q); one.void {
		if q.Client.IsValid() {
			one.addr = q.Client.As16()
		}
	} else {
		var busy rules.Busy
		if r.match != nil {
			r.known = false
			f.hits = r.keep(f.hits, r.match.Request(q), q)
			one.broad = uint32(len(f.hits))
			f.hits = r.keep(f.hits, r.match.Broad(), q)
			busy = r.match.Busy()
		}
		one.waiting, one.local = r.waiting(q), q.From.Trust != connwarden.TrustRoot
		one.busy = busy
		if one.refused = q.Status >= 400; one.refused {
			one.failed = uint32(r.hash(rules.Path, q.Path))
		}
	}
	one.to = uint32(len(f.hits))
	f.list = append(f.list, one)
}

func void(q *connwarden.Request) bool { return !q.Client.IsValid() || q.Time.IsZero() }

// keep adds hits of the matcher, which are valid until it is asked again.
func (r *Reader) keep(to []hit, list []rules.Hit, q *connwarden.Request) []hit {
	for _, h := range list {
		one := hit{rule: uint16(h.Rule), pass: h.Pass}
		if field := r.rules[h.Rule].Distinct; field != "" {
			one.value = r.value(field, q)
		}
		to = append(to, one)
	}
	return to
}

// hash is the hash of a part of the request that the matcher was last asked about.
func (r *Reader) hash(p rules.Part, text []byte) uint64 {
	if r.match == nil {
		return rules.Hash(text)
	}
	return r.match.Hash(p, text)
}

// waiting is what a ledger counts of a request, about which the matcher was asked.
func (r *Reader) waiting(q *connwarden.Request) waiting {
	w := waiting{addr: q.Client.As16(), at: seconds(q.Time), size: q.Size, class: uint8(min(q.Status/100, 6)), via: q.Via.IsValid(), dresses: dresses(q.Path)}
	if r.claims != nil && len(q.Agent) > 0 {
		w.claim = r.claim(q.Agent)
	}
	return w
}

// claim asks what an agent claims to be, and remembers it in the first of two places that its hash leads to; what stood
// there moves to the second.
func (r *Reader) claim(text []byte) uint16 {
	if r.agents == nil {
		r.agents = make([]agent, agentSlot)
	}
	h := r.hash(rules.Agent, text)
	at := int(h % agentSlot &^ 1)
	pair := r.agents[at : at+2 : at+2]
	switch h {
	case pair[0].hash:
	case pair[1].hash:
		pair[0], pair[1] = pair[1], pair[0]
	default:
		pair[0], pair[1] = agent{h, r.claims(text)}, pair[0]
	}
	return pair[0].claim
}

// value is the hash of the field whose different values are counted.
func (r *Reader) value(field string, q *connwarden.Request) uint32 {
	switch field {
	case "path":
		if !r.known { // several rules may count the paths of one request
			r.path, r.known = r.normal(q.Path), true
		}
		return r.path
	case "query":
		return r.seed.value(r.hash(rules.Query, q.Query), q.Query)
	case "agent":
		return r.seed.value(r.hash(rules.Agent, q.Agent), q.Agent)
	case "referer":
		return r.seed.value(r.hash(rules.Referer, q.Referer), q.Referer)
	case "site":
		return r.seed.text(q.Host)
	case "user":
		return r.seed.text(q.User)
	default:
		return r.peer(field, q.Client)
	}
}

// peer is the value of an address, of its network or its country.
func (r *Reader) peer(field string, a netip.Addr) uint32 {
	if field == "country" {
		return r.seed.text([]byte(networkOf(a, r.place).Country))
	}
	return r.seed.addr(field, a)
}

// normal is the value of the path in hand as rules compare it.
func (r *Reader) normal(path []byte) uint32 {
	if r.match != nil && r.match.Plain() {
		return r.seed.value(r.hash(rules.Path, path), path)
	}
	r.scratch = rules.Normal(r.scratch, path)
	return r.seed.text(r.scratch)
}
