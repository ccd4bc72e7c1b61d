package judge

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
)

// TestRequestsLikeRequest: what readers found beside is counted as if the table had read it, void requests among it.
func TestRequestsLikeRequest(t *testing.T) {
	log := traffic(4000)
	for i := range 400 {
		r := request("192.0.2.77", "GET", "/", 404, start.Add(time.Duration(i)*100*time.Millisecond), int64(10_000+i))
		switch i % 7 {
		case 0:
			r.Time = time.Time{}
		case 1:
			r.Path = []byte("/Some//Page")
		}
		log = append(log, r)
	}
	slices.SortStableFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	alone, beside := newFollowing(t), newFollowing(t)
	readers := []*Reader{beside.Reader(), beside.Reader()}
	for from := 0; from < len(log); {
		var list []connwarden.Request
		var f Findings
		for range min(1+from%150, len(log)-from) {
			alone.Request(log[from])
			list = append(list, *log[from])
			readers[len(list)/50%2].Request(log[from], &f)
			from++
		}
		half := len(list) / 2
		beside.Requests(list[:half], f.Part(0, half))
		beside.Requests(list[half:], f.Part(half, len(list)))
	}
	end := start.Add(30 * time.Minute)
	wantPeers, wantGroups := alone.Verdicts(end)
	peers, groups := beside.Verdicts(end)
	if diff := cmp.Diff(wantPeers, peers, sameAddr) + cmp.Diff(wantGroups, groups, sameAddr); diff != "" {
		t.Errorf("(-read +beside):\n%s", diff)
	}
	if len(peers) < 3 || len(groups) == 0 {
		t.Errorf("%d peers and %d groups are accused, so the test shows little", len(peers), len(groups))
	}
}

// BenchmarkRequests folds what a reader found before, as a daemon's judge does.
func BenchmarkRequests(b *testing.B) {
	log := traffic(1 << 14)
	slices.SortFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	table := New(Options{Rules: compiled(b)})
	table.Follow()
	list := make([]connwarden.Request, len(log))
	var f Findings
	reader := table.Reader()
	for i, r := range log {
		list[i] = *r
		reader.Request(r, &f)
	}
	b.ReportAllocs()
	const batch = 1 << 9
	for i := 0; b.Loop(); i++ {
		from := i * batch % len(list)
		table.Requests(list[from:from+batch], f.Part(from, from+batch))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/request")
}
