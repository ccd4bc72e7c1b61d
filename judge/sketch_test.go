package judge

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
)

// sketchedValues are more values than a cell keeps: so many in each of some windows, each in a bucket by chance.
func sketchedValues(rng *rand.Rand, windows, each int) (list []value) {
	s := seedOf(rng.Uint64())
	for w := range windows {
		for i := range each {
			list = append(list, value{uint32(w*windowParts*3 + rng.IntN(windowParts)), s.text(binary.LittleEndian.AppendUint64(nil, uint64(w<<32|i)))})
		}
	}
	return list
}

// TestSketchOrder: what is kept of too many values does not depend on their order, nor on which of several cells met them.
func TestSketchOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	all := sketchedValues(rng, 5, 2000)
	var want *sketch
	for round := range 20 {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		parts := make([]cell, 1+round%4)
		for _, v := range all {
			parts[rng.IntN(len(parts))*rng.IntN(2)].note(v, windowParts)
		}
		for i := range parts[1:] {
			parts[0].merge(&parts[i+1], windowParts, nil)
		}
		got := parts[0].extra.sketch
		if round == 0 {
			want = got
		}
		if got.rank != want.rank || !slices.Equal(got.values, want.values) {
			t.Fatalf("round %d: %d values of rank %d, and %d of rank %d before", round, len(got.values), got.rank, len(want.values), want.rank)
		}
	}
	if len(want.values) > maxSketch || len(want.values) < maxSketch/4 || want.rank == 0 {
		t.Errorf("%d values of rank %d, want between %d and %d", len(want.values), want.rank, maxSketch/4, maxSketch)
	}
}

// TestSketchWorst: what a sketch tells of a window is seldom more than there was, and mostly not much less.
func TestSketchWorst(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	const rounds, each = 200, 3000
	more, less := 0, 0
	for range rounds {
		var c cell
		for _, v := range sketchedValues(rng, 2, each) {
			c.note(v, windowParts)
		}
		n := c.extra.sketch.worst(windowParts)
		if n > each {
			more++
		}
		if n < each*7/10 {
			less++
		}
	}
	// Of each round the fuller of two windows is told: 2 in 100 are too much for each of them, and six standard errors of that.
	if more > 29 || less > 29 {
		t.Errorf("of %d sketches %d told too much, %d too little", rounds, more, less)
	}
}

const breadthRule = `
[[rule]]
name = "breadth"
about = "copies"
look = "request"
where = 'method=GET and status=2xx'
distinct = "path"
count = 300
within = "10m"
score = 60
why = "{count} pages in {within}"
fires = "x"
spares = "x"
`

// TestSketchVerdict: a rule that asks for more different values than are left when a cell lets some go is met, and the same is told of it whoever
// read what.
func TestSketchVerdict(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	set := setOf(t, testRules+breadthRule)
	var log []*connwarden.Request
	for i := range 4000 {
		r := request("13.14.15.16", "GET", fmt.Sprintf("/page-%d", rng.IntN(1500)), 200, start.Add(time.Duration(i)*time.Second/4), int64(i+1))
		log = append(log, r)
		r = request(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 7}).String(), "POST", "/wp-login.php", 200, start.Add(time.Duration(i)*time.Second/4), int64(i+10_001))
		log = append(log, r)
	}
	type answer struct{ Peers, Groups []connwarden.Verdict }
	var want answer
	for round := range 12 {
		sum := deal(rng, log, 700, func() *Table { return New(Options{Rules: set, Seed: 5}) })
		sum.Adopt(deal(rng, log, 700, sum.Second().Table))
		var got answer
		got.Peers, got.Groups = sum.Verdicts(start.Add(time.Hour))
		if round == 0 {
			want = got
			breadth := slices.ContainsFunc(got.Peers, func(v connwarden.Verdict) bool {
				return slices.ContainsFunc(v.Evidence, func(e connwarden.Evidence) bool { return e.Rule == "breadth" && e.Count >= 600 && e.Count <= 1500 })
			})
			if !breadth {
				t.Errorf("who asks for 1500 pages is not told of: %+v", got.Peers[0])
			}
			if len(got.Peers) < 4000 || len(got.Groups) == 0 {
				t.Errorf("%d peers, %d groups", len(got.Peers), len(got.Groups))
			}
			continue
		}
		if diff := cmp.Diff(want, got, sameAddr); diff != "" {
			t.Fatalf("round %d (-first +now):\n%.2000s", round, diff)
		}
	}
}

// TestRank: one of 2^r values has at least the rank r, whatever the values have in common.
func TestRank(t *testing.T) {
	for _, n := range []uint64{0, 1, 0xdeadbeef, 1 << 63} {
		s := seedOf(n)
		var least [4]int
		for i := range 1 << 16 {
			a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			for r := range least {
				if (value{hash: s.addr("ip", a)}).rank() >= uint32(r) && (value{hash: s.text(fmt.Append(nil, "/", i))}).rank() >= uint32(r) {
					least[r]++
				}
			}
		}
		for r, n := range least { // of both one of 4^r
			if want := float64(int(1) << (16 - 2*r)); float64(n) < want-6*math.Sqrt(want) || float64(n) > want+6*math.Sqrt(want) {
				t.Errorf("seed %x: %d of rank %d and more twice, want some %.0f", s, n, r, want)
			}
		}
	}
}
