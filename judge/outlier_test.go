package judge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/connwarden/connwarden"
)

func TestHolders(t *testing.T) {
	open := func(counts ...uint64) []Open {
		list := make([]Open, len(counts))
		for i, n := range counts {
			list[i] = Open{netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), n}
		}
		return list
	}
	for _, c := range []struct {
		name string
		open []Open
		want string
	}{
		{"the help page's case", open(300, 5, 4, 1, 1), "holds 300 of 311 connections that came in; the median of the other addresses is 4"},
		{"nobody", nil, ""},
		{"a quiet server", open(9, 1, 1, 1), ""},
		{"all alike", open(100, 100, 100, 100), ""},
		{"alone, few", open(40), ""},
		{"alone, many", open(400), "holds all 400 connections that came in"},
		{"two big ones among small", open(100, 90, 1, 1, 1, 1, 1), "holds 100 of 195 connections that came in; the median of the other addresses is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts := Holders(c.open)
			if c.want == "" {
				if len(verdicts) > 0 {
					t.Fatalf("accused: %+v", verdicts)
				}
				return
			}
			if len(verdicts) == 0 || verdicts[0].Evidence[0].Why != c.want {
				t.Fatalf("got %+v, want %q", verdicts, c.want)
			}
			if s := verdicts[0].Score; s < connwarden.ScoreSuspicious || s >= connwarden.ScoreMalicious {
				t.Errorf("score %d is not suspicious", s)
			}
			counted := connwarden.Verdict{Addr: verdicts[0].Addr, Score: 60, Evidence: []connwarden.Evidence{{Rule: "connection-flood", Family: "conns", Score: 60, Capped: true}}}
			if both := Combine([]connwarden.Verdict{verdicts[0], counted}); both[0].Score != max(60, verdicts[0].Score) {
				t.Errorf("open connections count twice: %d", both[0].Score)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	ranked := []PathCount{{"/xmlrpc.php", 441}, {"/", 44}, {"/a", 40}, {"/b", 9}, {"/c", 2}}
	want := []PathOutlier{{"/xmlrpc.php", 441, 40}}
	if diff := cmp.Diff(want[:0], Paths([]PathCount{{"/a", 500}, {"/b", 100}, {"/c", 90}, {"/d", 80}}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("five times is no outlier:\n%s", diff)
	}
	got := Paths(ranked)
	if len(got) != 1 || got[0] != (PathOutlier{"/xmlrpc.php", 441, 9}) && got[0] != want[0] {
		t.Errorf("Paths = %+v", got)
	}
	holder := peer("13.14.15.16", 400, time.Hour/2)
	verdicts := PathHolders(got[0], []PathShare{{holder, 400}, {peer("192.0.2.1", 41, time.Minute), 41}})
	if len(verdicts) != 1 || verdicts[0].Addr != holder.Addr {
		t.Errorf("PathHolders = %+v", verdicts)
	}
	if verdicts := PathHolders(got[0], []PathShare{{peer("13.14.15.16", 400, time.Hour), 400}}); len(verdicts) > 0 {
		t.Errorf("who asks every nine seconds is taken for a burden: %+v", verdicts)
	}
}

// peer made so many requests within a span.
func peer(addr string, requests uint64, span time.Duration) Peer {
	first := time.Unix(1_700_000_000, 0).UTC()
	return Peer{Addr: netip.MustParseAddr(addr), Requests: requests, First: first, Last: first.Add(span)}
}

func dressed(p Peer) Peer {
	p.Dressed = true
	return p
}

func TestTalkers(t *testing.T) {
	quiet := []Peer{peer("192.0.2.1", 90, time.Hour), peer("192.0.2.2", 60, time.Hour), peer("192.0.2.3", 3, time.Hour), peer("192.0.2.4", 1, 0)}
	for _, c := range []struct {
		name    string
		busiest []Peer
		total   uint64
		want    string
	}{
		{"one above all", append([]Peer{peer("203.0.113.1", 4000, time.Hour)}, quiet...), 9000, "made 4000 of 9000 requests; the median of the addresses that come next is 3"},
		{"less than a tenth", append([]Peer{peer("203.0.113.1", 4000, time.Hour)}, quiet...), 41_000, ""},
		{"few", append([]Peer{peer("203.0.113.1", 999, time.Hour)}, quiet...), 1200, ""},
		{"a monitor", append([]Peer{peer("203.0.113.1", 4000, 24*time.Hour)}, quiet...), 9000, ""},
		{"an owner at work", append([]Peer{dressed(peer("203.0.113.1", 4000, time.Hour))}, quiet...), 9000, ""},
		{"a copier of all", append([]Peer{dressed(peer("203.0.113.1", 40_000, time.Hour))}, quiet...), 90_000, "made 40000 of 90000 requests; the median of the addresses that come next is 3"},
		{"nobody to compare with", []Peer{peer("203.0.113.1", 4000, time.Hour), peer("192.0.2.1", 3, 0)}, 4003, ""},
		{"neighbours like it", []Peer{peer("203.0.113.1", 4000, time.Hour), peer("203.0.113.2", 900, time.Hour), peer("203.0.113.3", 800, time.Hour), peer("203.0.113.4", 700, time.Hour)}, 6400, ""},
		{"nobody", nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts := talkers(c.busiest, c.total)
			if c.want == "" {
				if len(verdicts) > 0 {
					t.Fatalf("accused: %+v", verdicts)
				}
				return
			}
			if len(verdicts) != 1 || verdicts[0].Evidence[0].Why != c.want {
				t.Fatalf("got %+v, want %q", verdicts, c.want)
			}
			if s := Combine(verdicts)[0].Score; s < connwarden.ScoreSuspicious || s >= connwarden.ScoreMalicious {
				t.Errorf("score %d is not suspicious", s)
			}
		})
	}
}

// TestThumb is about one whose odd requests are so many that he stands out by them: they are not counted twice.
func TestThumb(t *testing.T) {
	odd := connwarden.Verdict{Addr: netip.MustParseAddr("203.0.113.1"), Score: 78, Evidence: []connwarden.Evidence{{Rule: "bad-requests", Family: "malformed", Score: 78}}}
	most := talkers([]Peer{peer("203.0.113.1", 4000, time.Hour), peer("192.0.2.1", 9, time.Hour), peer("192.0.2.2", 9, time.Hour), peer("192.0.2.3", 9, time.Hour)}, 4027)
	both := Combine(append(most, odd))
	if len(both) != 1 || len(both[0].Evidence) != 2 || both[0].Score != 78 {
		t.Errorf("Combine = %+v, want both reasons and a score of 78", both)
	}
}
