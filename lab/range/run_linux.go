package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is what came of a scenario.
type result struct {
	scenario
	took      time.Duration
	attackers int
	blocked   int
	first     time.Duration // from the attack's first request to the first block in force; 0: none
	before    int           // requests of attackers that were served and sent before their block was in force
	after     int           // and those sent later
	innocents int
	harmed    []string // what was done to whom
	wrong     []string // why the scenario failed, beside harm
	said      []string // what the review says
}

func (r *result) ok() bool { return len(r.harmed)+len(r.wrong) == 0 }

// command runs the range and prints the table.
func command(ctx context.Context, s settings) int {
	good := true
	clean := perform(ctx, func(t testing.TB) {
		began := time.Now()
		g := build(t, s)
		fmt.Printf("range: seed %d; machine ready after %.1f s\n\n", s.seed, time.Since(began).Seconds())
		heading(os.Stdout)
		for _, sc := range chosen(s.only) {
			if t.Context().Err() != nil {
				t.Error("not all was run: ", context.Cause(t.Context()))
				break
			}
			r := g.perform(sc)
			good = r.ok() && good
			r.print(os.Stdout)
		}
		fmt.Printf("\n%.0f s in all\n", time.Since(began).Seconds())
	})
	if !clean || !good {
		return 1
	}
	return 0
}

// chosen are the scenarios whose names contain one of the words; all if there are none.
func chosen(words []string) (list []scenario) {
	for _, sc := range scenarios() {
		if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(sc.name, w) }) {
			list = append(list, sc)
		}
	}
	return list
}

// perform runs a scenario and judges what came of it.
func (g *ground) perform(sc scenario) *result {
	p := &play{
		ground: g, name: sc.name, mark: len(g.watch.all(0)), began: time.Now(),
		attack: map[netip.Addr]bool{}, innocent: map[netip.Addr]bool{}, silent: map[netip.Addr]bool{}, cut: map[netip.Addr]time.Time{},
	}
	sc.run(p)
	if sc.must == blockAll {
		g.watch.await(blockPatience, func(list []heard) bool {
			found := blocks(list[p.mark:])
			for a := range p.attack {
				if _, ok := blocked(found, a); !ok {
					return false
				}
			}
			return true
		})
	}
	r := &result{scenario: sc, attackers: len(p.attack), innocents: len(p.innocent)}
	for a := range p.innocent { // do they still get through?
		if !p.silent[a] {
			p.visits(a, ask{host: blog, path: style}, 200)
		}
	}
	p.judge(r)
	p.read(r)
	r.took = time.Since(p.began)
	return r
}

// judge compares what connwarden did with the truth.
func (p *play) judge(r *result) {
	found := blocks(p.watch.all(p.mark))
	var first time.Time
	for a := range p.attack {
		at, ok := blocked(found, a)
		if !ok {
			continue
		}
		r.blocked++
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	start := p.began
	for i, s := range p.served {
		if i == 0 || s.sent.Before(start) {
			start = s.sent
		}
		if at, ok := blocked(found, s.by); ok && s.sent.After(at) {
			r.after++
		} else {
			r.before++
		}
	}
	if !first.IsZero() {
		r.first = first.Sub(start)
	}
	r.harmed = append(r.harmed, p.troubles...)
	for prefix := range blocks(p.watch.all(0)) {
		for a := range p.innocent {
			if prefix.Contains(a) {
				r.harmed = append(r.harmed, fmt.Sprintf("%s is blocked", a))
			}
		}
	}
	for prefix := range found {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(p.attack)), prefix.Contains) {
			r.harmed = append(r.harmed, fmt.Sprintf("%s is blocked, which nobody attacks from", prefix))
		}
	}
	switch {
	case r.must == blockAll && r.blocked < r.attackers:
		r.wrong = append(r.wrong, fmt.Sprintf("%d attackers are not blocked", r.attackers-r.blocked))
	case r.must != blockAll && r.blocked > 0:
		r.wrong = append(r.wrong, fmt.Sprintf("%d are blocked", r.blocked))
	}
	told := r.held == ""
	for _, m := range p.watch.all(p.mark) {
		if m.Type == "problem" {
			r.wrong = append(r.wrong, "connwarden has a problem: "+m.What+": "+m.Why)
		}
		if !told && strings.Contains(m.Held, r.held) {
			told = true
			r.said = append(r.said, "watch: "+m.Addr+" is not blocked: "+m.Held)
		}
	}
	if !told {
		r.wrong = append(r.wrong, "watch does not say why it blocks nobody")
	}
}

// read has the machine reviewed and compares that with the truth, too.
func (p *play) read(r *result) {
	rev := p.watch.review(time.Since(p.ready) + 3*time.Second) // what watch has seen
	accused, suspected := map[string]int{}, 0
	sentence := map[string]string{}
	for _, peer := range rev.Peers {
		a, err := netip.ParseAddr(peer.Addr)
		if err != nil {
			continue
		}
		if peer.Verdict == "suspicious" && p.holds(p.innocent, a) {
			suspected++
		}
		if p.set.said && p.holds(p.attack, a) {
			fmt.Fprintf(os.Stderr, "  review: %+v\n", peer)
		}
		if peer.Verdict != "malicious" {
			continue
		}
		if p.holds(p.innocent, a) {
			why := ""
			for _, e := range peer.Evidence {
				why += "; " + e.Rule + ": " + e.Why
			}
			r.harmed = append(r.harmed, fmt.Sprintf("the review says that %s is malicious%s", a, why))
		}
		if p.holds(p.attack, a) && len(peer.Evidence) > 0 {
			accused[peer.Evidence[0].Rule]++
			if sentence[peer.Evidence[0].Rule] == "" {
				sentence[peer.Evidence[0].Rule] = fmt.Sprintf("%s %s", a, peer.Evidence[0].Why)
			}
		}
	}
	total := 0
	for _, rule := range slices.SortedFunc(maps.Keys(accused), func(a, b string) int { return cmp.Or(accused[b]-accused[a], strings.Compare(a, b)) }) {
		total += accused[rule]
		r.said = append(r.said, fmt.Sprintf("%d malicious by %s: %s", accused[rule], rule, sentence[rule]))
	}
	for _, group := range rev.Groups {
		if group.Verdict == "malicious" && len(group.Evidence) > 0 && !group.Evidence[0].Last.Before(p.began.Truncate(time.Second)) {
			r.said = append(r.said, fmt.Sprintf("%s %s: %s", group.Kind, group.Addr, group.Evidence[0].Why))
		}
	}
	if r.tell != "" { // what the machine runs short of is the other scenarios' neighbours'
		for _, one := range rev.Pressure {
			if one.What != "load" && (one.Level == "warning" || one.Level == "critical") {
				r.said = append(r.said, fmt.Sprintf("%s: %s", one.What, one.Why))
			}
		}
	}
	if suspected > 0 {
		r.said = append(r.said, fmt.Sprintf("%d innocent ones are suspicious", suspected))
	}
	if r.must == blockAll && total < r.attackers {
		r.wrong = append(r.wrong, fmt.Sprintf("the review finds %d of %d attackers malicious", total, r.attackers))
	}
	if r.must == tellOnly && !strings.Contains(strings.Join(r.said, "\n"), r.tell) {
		r.wrong = append(r.wrong, fmt.Sprintf("the review does not tell of it (%q)", r.tell))
	}
}

// holds tells whether an address, or one of its /64, is in a set: of an IPv6 peer the review shows one address.
func (p *play) holds(set map[netip.Addr]bool, a netip.Addr) bool {
	if set[a] {
		return true
	}
	if a.Is4() {
		return false
	}
	net64, err := a.Prefix(64)
	for b := range set {
		if err == nil && net64.Contains(b) {
			return true
		}
	}
	return false
}

func heading(w io.Writer) {
	fmt.Fprintf(w, "%-46s %9s %8s %12s %14s %9s %7s\n", "SCENARIO", "ATTACKERS", "BLOCKED", "FIRST BLOCK", "SERVED/AFTER", "INNOCENT", "HARMED")
}

// print prints a row, and below it what went wrong and what the review says.
func (r *result) print(w io.Writer) {
	first := "-"
	if r.first > 0 {
		first = r.first.Round(time.Millisecond).String()
	}
	verdict := ""
	if !r.ok() {
		verdict = "  WRONG"
	}
	fmt.Fprintf(w, "%-46s %9d %8d %12s %14s %9d %7d%s\n", r.name, r.attackers, r.blocked, first, fmt.Sprintf("%d/%d", r.before, r.after), r.innocents, len(r.harmed), verdict)
	for _, s := range r.harmed {
		fmt.Fprintf(w, "   harm: %s\n", s)
	}
	for _, s := range r.wrong {
		fmt.Fprintf(w, "   wrong: %s\n", s)
	}
	if r.why != "" {
		fmt.Fprintf(w, "   nobody is to be blocked: %s\n", r.why)
	}
	for i, s := range r.said {
		if i == 4 {
			fmt.Fprintf(w, "   and %d more\n", len(r.said)-i)
			break
		}
		fmt.Fprintf(w, "   %s\n", s)
	}
}
