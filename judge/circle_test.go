package judge

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// groupRule is a rule of groups.
func groupRule(name, where, by string, count int, within string, member int, family, more string) string {
	return fmt.Sprintf(`
[[rule]]
name = %q
about = "does so"
look = "request"
where = '%s'
by = %q
distinct = "ip"
count = %d
within = %q
score = 60
member = %d
family = %q
why = "{count} addresses in {within}"
%s
fires = "x"
spares = "x"
`, name, where, by, count, within, member, family, more)
}

// circleRules fit the same readings in many ways: by site and agent, for windows of which none is a part of the other, with and without what may
// be passed.
var circleRules = []string{
	groupRule("minute", "method=POST", "site", 8, "1m", 61, "login", ""),
	groupRule("hour", "method=POST", "site", 30, "1h", 55, "login", ""),
	groupRule("agents", "method=POST and status=200", "agent", 6, "2m", 71, "login", `share = 0.2`),
	groupRule("agents-hour", "status=200", "agent", 40, "1h", 41, "crowd", `share = 0.9`),
	groupRule("passed", "method=POST and status=200", "site", 9, "90s", 83, "other", `pass = 'method=POST and status=302'`),
	groupRule("ever", "path=/once", "path", 5, "24h", 35, "once", ""),
}

// crowd is a log of many addresses, a few requests each, at two sites with agents that are called like them.
func crowd(seed uint64) []*connwarden.Request {
	rng := rand.New(rand.NewPCG(seed, 9))
	var log []*connwarden.Request
	at := start
	for i := range 900 {
		r := request(fmt.Sprintf("198.51.%d.%d", rng.IntN(2), rng.IntN(150)), "POST", "/login", 200, at, int64(i+1))
		r.Host, r.Agent = fmt.Appendf(nil, "site%d.example", rng.IntN(2)), fmt.Appendf(nil, "site%d.example", rng.IntN(9))
		switch rng.IntN(8) {
		case 0:
			r.Method = []byte("GET")
		case 1:
			r.Status = 302
		case 2:
			r.Path = []byte("/once")
		}
		log = append(log, r)
		at = at.Add(time.Duration(rng.IntN(20)) * time.Second)
		if rng.IntN(60) == 0 {
			at = at.Add(5 * time.Minute)
		}
	}
	return log
}

func memberEvidence(peers []connwarden.Verdict, into map[netip.Addr][]connwarden.Evidence) {
	for _, v := range peers {
		into[v.Addr] = append(into[v.Addr], v.Evidence...)
	}
}

// TestCircles: what is said of those who took part is, of each family, the strongest of what each rule by itself says, whoever read which part
// of the log.
func TestCircles(t *testing.T) {
	whole := setOf(t, strings.Join(circleRules, ""))
	found := map[string]int{}
	for seed := range uint64(12) {
		log := crowd(seed)
		now := log[len(log)-1].Time
		single := map[netip.Addr][]connwarden.Evidence{}
		for _, text := range circleRules {
			peers, _ := judged(setOf(t, text), log, now)
			memberEvidence(peers, single)
		}
		want := map[netip.Addr][]connwarden.Evidence{}
		for addr, list := range single {
			slices.SortFunc(list, func(a, b connwarden.Evidence) int {
				return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Rule, b.Rule))
			})
			list = slices.CompactFunc(list, func(a, b connwarden.Evidence) bool { return a.Family == b.Family })
			slices.SortFunc(list, func(a, b connwarden.Evidence) int { return cmp.Compare(a.Rule, b.Rule) })
			for _, e := range list {
				found[e.Rule]++
			}
			want[addr] = list
		}
		rng := rand.New(rand.NewPCG(seed, 5))
		got := map[netip.Addr][]connwarden.Evidence{}
		peers, _ := deal(rng, log, 200, func() *Table { return New(Options{Rules: whole}) }).Verdicts(now)
		memberEvidence(peers, got)
		for _, r := range log {
			if r.Status == 302 && slices.ContainsFunc(got[r.Client], func(e connwarden.Evidence) bool { return e.Rule == "passed" }) {
				t.Errorf("seed %d: %v is accused by a rule that lets pass what it did", seed, r.Client)
			}
		}
		if diff := gocmp.Diff(want, got, sameAddr); diff != "" {
			t.Fatalf("seed %d (-each rule by itself +together):\n%s", seed, diff)
		}
	}
	for _, r := range whole.Rules {
		if found[r.Name] == 0 {
			t.Errorf("nobody was accused by %s, so that the test shows nothing of it", r.Name)
		}
	}
}

// TestRenewCircles: where a rule is no more, what the others counted stays, though they cut time otherwise without it.
func TestRenewCircles(t *testing.T) {
	texts := circleRules[:5]
	all := setOf(t, strings.Join(texts, ""))
	for gone := range texts {
		rest := setOf(t, strings.Join(slices.Delete(slices.Clone(texts), gone, gone+1), ""))
		log := crowd(uint64(gone))[:400]
		run := func(first *rules.Set) map[netip.Addr]int {
			table := New(Options{Rules: first})
			table.Follow()
			worst := map[netip.Addr]int{}
			for i, r := range log {
				if i == len(log)/2 && first != rest {
					table.Renew(Options{Rules: rest})
				}
				table.Request(r)
				peers, _ := table.Touched(r.Time, nobody)
				for _, v := range peers {
					if i >= len(log)/2 {
						worst[v.Addr] = max(worst[v.Addr], v.Score)
					}
				}
			}
			return worst
		}
		want, got := run(rest), run(all)
		if len(want) == 0 {
			t.Fatal("nobody is accused, so that the test shows nothing")
		}
		for addr, score := range want {
			if got[addr] < score {
				t.Errorf("without rule %d %v has %d, and %d where it was there before", gone, addr, score, got[addr])
			}
		}
	}
}

// TestManyTakePart: of an attack of one request each as many are accused as there is room for, though each request fits a dozen rules, and the
// others are told of; who follows accuses everybody.
func TestManyTakePart(t *testing.T) {
	var text strings.Builder
	for i := range 12 {
		text.WriteString(groupRule(fmt.Sprintf("rule%d", i), "method=POST", []string{"site", "agent"}[i%2], 20+i, fmt.Sprintf("%dm", 10+i), 60+i, "login", ""))
	}
	set := setOf(t, text.String())
	const attackers = maxCells * 5 / 4
	attack := func(i int) *connwarden.Request {
		r := request(netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "POST", "/login", 200, start.Add(time.Duration(i)*5*time.Millisecond), int64(i))
		r.Agent, r.From.Trust = fmt.Appendf(nil, "agent %d", i%3), connwarden.TrustRoot
		return r
	}
	table, follower := New(Options{Rules: set}), New(Options{Rules: set})
	follower.Follow()
	accused := map[netip.Addr]bool{}
	for i := range attackers {
		r := attack(i)
		table.Request(r)
		if follower.Request(r); i%128 == 127 {
			peers, _ := follower.Touched(r.Time, func(a netip.Addr) bool { return accused[a] })
			for _, v := range peers {
				accused[v.Addr] = true
			}
		}
	}
	peers, _ := table.Verdicts(start.Add(time.Hour))
	if _, lost := table.Evicted(); len(peers) < maxCells*9/10 || len(peers)+int(lost) < attackers {
		t.Errorf("who reads afterwards accuses %d of %d, and tells of %d counts that were let go", len(peers), attackers, lost)
	}
	if len(accused) != attackers {
		t.Errorf("who follows accuses %d of %d", len(accused), attackers)
	}
}

// TestMergeManyTakePart: of two tables that do not fit into one those go that are too many, not all who took part in what only one of them knows.
func TestMergeManyTakePart(t *testing.T) {
	set := setOf(t, groupRule("rule", "method=POST", "site", 20, "10m", 60, "login", ""))
	const each = maxCells * 5 / 8
	half := func(site string, net byte) *Table {
		table := New(Options{Rules: set})
		for i := range each {
			r := request(netip.AddrFrom4([4]byte{net, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "POST", "/login", 200, start.Add(time.Duration(i)*time.Millisecond), int64(i))
			r.Host = []byte(site)
			table.Request(r)
		}
		return table
	}
	sum := half("a.example", 198)
	sum.Merge(half("b.example", 203))
	peers, _ := sum.Verdicts(start.Add(time.Hour))
	sites := map[byte]int{}
	for _, v := range peers {
		sites[v.Addr.As4()[0]]++
	}
	if len(peers) != maxCells || sites[198] != each {
		t.Errorf("accused are %d of one site and %d of the other; want %d and as many as fit", sites[198], sites[203], each)
	}
}
