package bots

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
)

// Prove answers questions from ranges and, where these do not verify, from the names of addresses; answers stand in the order of
// questions. A nil resolver asks no name server.
//
// It returns at the resolver's deadline or the context's, whichever is first: what is not known then is unproven. A name under
// the operator's domain that leads back to the address verifies; so does nothing else. A definite answer refutes if the operator
// promises that it cannot be had: that the address has no name, another's, or one that does not lead back. If the operator
// promises nothing, the ranges decide. When no server answers, nothing is refuted.
func (s *Set) Prove(ctx context.Context, r *Resolver, questions []Question) []Answer {
	answers := make([]Answer, len(questions))
	ask := map[netip.Addr][]int{}
	over, stop := context.WithCancel(ctx) // in which nobody is asked
	stop()
	for i, q := range questions {
		answers[i] = s.ByRange(q)
		c := crawlerOf(q.Bot)
		addr := answers[i].Addr
		if r == nil || answers[i].Proof == connwarden.ProofVerified || c == nil || len(c.names) == 0 || !public(addr) || nets.Fronts().Contains(addr) {
			continue
		}
		if a, known := r.byName(over, answers[i]); known {
			answers[i] = a
			continue
		}
		ask[addr] = append(ask[addr], i)
	}
	if len(ask) == 0 {
		return answers
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ranges := slices.Clone(answers) // for the workers, who may outlive this call
	todo := make(chan netip.Addr, len(ask))
	done := make(chan named, len(questions)) // holds all, so that whoever is late waits for no reader
	waiting := 0
	for addr, list := range ask {
		todo <- addr
		for _, i := range list {
			answers[i] = late(answers[i])
			waiting++
		}
	}
	close(todo)
	for range min(maxInFlight, len(ask)) {
		go func() {
			for addr := range todo {
				if !r.enter(ctx) {
					return
				}
				for _, i := range ask[addr] {
					a, _ := r.byName(ctx, ranges[i])
					done <- named{i, a}
				}
				r.leave()
			}
		}()
	}
	for ; waiting > 0; waiting-- {
		select {
		case n := <-done:
			answers[n.i] = n.a
		case <-ctx.Done():
			for range len(done) {
				n := <-done
				answers[n.i] = n.a
			}
			return answers
		}
	}
	return answers
}

// named is the answer to the question of a number.
type named struct {
	i int
	a Answer
}

// late is an answer that did not come in time.
func late(a Answer) Answer {
	return unproven(a.Question, "no name server answered in time")
}

// byName goes on from what the ranges say; not known when nobody answered.
func (r *Resolver) byName(ctx context.Context, ranges Answer) (a Answer, known bool) {
	c := crawlerOf(ranges.Bot)
	names, known := r.reverse(ctx, ranges.Addr)
	if !known {
		return late(ranges), false
	}
	a = ranges
	domains := strings.Join(c.names, " or ")
	how := fmt.Sprintf("%s has no name under %s, nor any other", a.Addr, domains)
	refuted := c.naming >= allNamed
	if len(names) > 0 {
		a.Host = names[0]
		how = fmt.Sprintf("%s is named %s, not under %s", a.Addr, names[0], domains)
	}
	silence := false
	for _, name := range names {
		if !under(name, c.names) {
			continue
		}
		back, known := r.leadsBack(ctx, name, a.Addr)
		if back {
			return Answer{Question: a.Question, Proof: connwarden.ProofVerified, Host: name,
				How: fmt.Sprintf("%s is named %s, which leads back to it", a.Addr, name)}, true
		}
		silence = silence || !known
		how = fmt.Sprintf("%s is named %s, which does not lead back to it", a.Addr, name)
		refuted = c.naming == allLeadBack
	}
	switch {
	case silence:
		return late(ranges), false
	case refuted && far(a.Time, r.now()):
		a.Proof, a.How = connwarden.ProofUnproven, how+", which says nothing of "+day(a.Time)
	case refuted:
		a.Proof, a.How = connwarden.ProofImpostor, how
	case a.Proof != connwarden.ProofImpostor:
		a.How = how
	}
	return a, true
}

// under tells whether a name is one of the domains or below one of them; a domain with a star is a pattern for the whole name,
// and the star stands for a part of one label.
func under(name string, domains []string) bool {
	for _, d := range domains {
		if head, tail, star := strings.Cut(d, "*"); star {
			rest, ok := strings.CutPrefix(name, head)
			rest, ok2 := strings.CutSuffix(rest, tail)
			if ok && ok2 && rest != "" && !strings.ContainsAny(rest, ".?") {
				return true
			}
		} else if name == d || strings.HasSuffix(name, "."+d) {
			return !strings.Contains(name, "?")
		}
	}
	return false
}
