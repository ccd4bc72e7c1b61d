package watch

import (
	"context"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
)

// Identity is who can be asked about an address. Its zero value knows nobody.
type Identity struct {
	Networks geo.Networks
	Bots     *bots.Set
	Resolver *bots.Resolver // nil: no name server is asked
	// Blocked returns the blocks that the journal wants of addresses; nil: none is known of.
	Blocked func(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]report.Block, error)
}

// judging are the options of tables.
func (r *review) judging() judge.Options {
	opt := judge.Options{Rules: r.opt.Rules}
	if r.sources != nil {
		opt.Seed = r.sources.seed()
	}
	if r.opt.Identity.Bots != nil {
		opt.Claim = r.claims.Claim
	}
	if n := r.opt.Identity.Networks; n != nil {
		opt.Place = n.Lookup
	}
	return opt
}

// seedBytes of each log make the seed.
const seedBytes = 4 << 10

// seed is made of how the logs begin: of the same logs the same is told each time, and who writes into one knows little of the others.
func (s *sources) seed() (sum uint64) {
	for _, one := range s.List {
		h := fnv.New64a()
		if head, err := one.File.Head(seedBytes); err == nil {
			h.Write(head)
		}
		sum += h.Sum64()
	}
	return sum
}

// Place is what tables are told where an address belongs by; nil when nobody knows.
func (id *Identity) Place() tally.Place {
	if id.Networks == nil {
		return nil
	}
	return id.Networks.Lookup
}

// network returns where an address belongs, nil when that is not known.
func (id *Identity) network(a netip.Addr) *report.Network {
	if id.Networks == nil {
		return nil
	}
	n, ok := id.Networks.Lookup(a)
	if !ok {
		return nil
	}
	return &report.Network{Prefix: n.Prefix.String(), ASN: n.ASN, Org: report.Clean(n.Org), Country: n.Country}
}

// identified is what is found out about an address before it is judged.
type identified struct {
	judge.Known
	host string
}

// identify finds out who the peers are that claim to be someone, all at once and within the resolver's time, and of some
// whether their address says it without a claim: of those accused, and of those asked about.
func (r *review) identify(ctx context.Context, peers []judge.Peer, some func(netip.Addr) bool) map[netip.Addr]identified {
	found := make(map[netip.Addr]identified, len(peers))
	var questions []bots.Question
	for _, p := range peers {
		k := identified{Known: judge.Known{Exempt: r.exempt(p.Addr)}}
		if p.Claim > 0 {
			k.Bot = r.claims.Bot(p.Claim)
			questions = append(questions, r.question(p, k.Bot.Name))
		} else if set := r.opt.Identity.Bots; set != nil && some(p.Addr) {
			// A payment provider's hook or a monitor need not say who it is: its published address does.
			if bot, ok := set.At(p.Addr); ok {
				k.Bot, k.Proof, k.How = bot, connwarden.ProofVerified, "an address that "+bot.Operator+" publishes"
			}
		}
		found[p.Addr] = k
	}
	if r.opt.Identity.Bots == nil || len(questions) == 0 {
		return found
	}
	for _, a := range r.opt.Identity.Bots.Prove(ctx, r.opt.Identity.Resolver, questions) {
		k := found[a.Addr]
		k.Proof, k.How, k.host = a.Proof, a.How, a.Host
		found[a.Addr] = k
	}
	return found
}

func (r *review) question(p judge.Peer, name string) bots.Question {
	q := bots.Question{Addr: p.Addr, Bot: name, Time: p.Last}
	if n := r.opt.Identity.Networks; n != nil {
		where, _ := n.Lookup(p.Addr)
		q.ASN = where.ASN
	}
	return q
}

// exempt tells why an address must not be blocked whatever it does; "" when nothing speaks against it.
func (r *review) exempt(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "the loopback address of this machine"
	case r.own[a]:
		return "this machine's own address"
	case slices.ContainsFunc(r.opt.Proxies, func(p netip.Prefix) bool { return p.Contains(a) }):
		return "a trusted proxy, behind which are others: block the real client for the site"
	case nets.Fronts().Contains(a):
		return "the address of a content delivery network, behind which are others: block the real client for the site"
	}
	return ""
}

// ownAddresses are those of this machine, if it is this machine that is reviewed.
func (r *review) ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	if len(r.opt.Files) > 0 || r.opt.Host.Rooted() {
		return own
	}
	list, err := r.opt.Host.Addresses()
	if err != nil {
		r.p.Say("own addresses", "%v", err)
	}
	for _, p := range list {
		own[p.Addr().Unmap()] = true
	}
	return own
}
