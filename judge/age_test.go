package judge

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
)

// following is a table that follows a log, and the worst that it said of each address and group.
type following struct {
	*Table
	worst  map[string]int
	proved map[string]int
	member map[string]bool // nothing else was ever said of it
	now    time.Time
}

func newFollowing(t testing.TB) *following {
	f := &following{Table: New(Options{Rules: compiled(t)}), worst: map[string]int{}, proved: map[string]int{}, member: map[string]bool{}, now: start}
	f.Follow()
	return f
}

// nobody is settled.
func nobody(netip.Addr) bool { return false }

func (f *following) judge() (n int) {
	peers, groups := f.Touched(f.now, nobody)
	for _, v := range append(peers, groups...) {
		name := v.Subject.Name
		if name == "" {
			name = v.Addr.String()
		}
		only := len(v.Evidence) == 1 && v.Evidence[0].Rule == "spread-login" && v.Addr.IsValid()
		if _, known := f.worst[name]; known {
			only = only && f.member[name]
		}
		f.member[name] = only
		f.worst[name] = max(f.worst[name], v.Score)
		f.proved[name] = max(f.proved[name], weigh(v.Proved))
	}
	return len(peers) + len(groups)
}

// TestSettled: on whom nothing more can be said there is no verdict, and on others there is.
func TestSettled(t *testing.T) {
	f := newFollowing(t)
	for i := range 40 {
		for _, addr := range []string{"192.0.2.77", "192.0.2.78"} {
			f.Request(request(addr, "POST", "/xmlrpc.php", 403, start.Add(time.Duration(i)*time.Second), int64(i)))
		}
	}
	peers, _ := f.Touched(start.Add(time.Minute), func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.77") })
	if len(peers) != 1 || peers[0].Addr != netip.MustParseAddr("192.0.2.78") {
		t.Errorf("verdicts on %v, want one on 192.0.2.78 alone", peers)
	}
}

// TestFollowedLikeRead: a log that is followed, in batches and ageing all the while, gives the words that reading it
// afterwards gives. Only who took part in what a group did, and did little else until then, is told besides.
func TestFollowedLikeRead(t *testing.T) {
	log := traffic(4000)
	for i := range 800 {
		log = append(log, request("192.0.2.77", "GET", "/", 200, start.Add(time.Duration(i)*100*time.Millisecond), int64(10_000+i)))
	}
	slices.SortStableFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	want := map[string]string{}
	peers, groups := judged(compiled(t), log, start.Add(30*time.Minute))
	for _, v := range append(peers, groups...) {
		name := v.Subject.Name
		if name == "" {
			name = v.Addr.String()
		}
		want[name] = connwarden.Word(v.Score)
	}
	f := newFollowing(t)
	minute := start
	for i, r := range log {
		r.From.Trust = connwarden.TrustRoot
		f.Request(r)
		f.now = r.Time
		if i%37 == 0 {
			f.judge()
		}
		if r.Time.Sub(minute) >= time.Minute {
			minute = r.Time
			f.Age(f.now)
		}
	}
	f.judge()
	got := map[string]string{}
	for name, score := range f.worst {
		if f.member[name] && want[name] == "" {
			continue
		}
		got[name] = connwarden.Word(score)
		if score >= connwarden.ScoreMalicious && f.proved[name] < connwarden.ScoreMalicious {
			t.Errorf("%s: %d, of which only %d is proved", name, score, f.proved[name])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-read +followed):\n%s", diff)
	}
	if len(want) < 3 {
		t.Errorf("only %d verdicts, so the test shows little", len(want))
	}
}

// Only what was touched is judged, and what is behind every window is forgotten.
func TestTouchedAndAged(t *testing.T) {
	f := newFollowing(t)
	send := func(addr string, n int) {
		for range n {
			f.Request(request(addr, "POST", "/wp-login.php", 200, f.now, 1))
		}
	}
	send("192.0.2.1", 9)
	if n := f.judge(); n != 0 {
		t.Errorf("%d verdicts after nine logins, want none", n)
	}
	send("192.0.2.1", 1)
	if n := f.judge(); n != 1 {
		t.Errorf("%d verdicts after the tenth login, want one", n)
	}
	if n := f.judge(); n != 0 {
		t.Errorf("%d verdicts on what was not touched", n)
	}
	f.now = f.now.Add(11 * time.Minute)
	f.Age(f.now)
	send("192.0.2.1", 3)
	if n := f.judge(); n != 0 {
		t.Errorf("%d verdicts on three logins, the others being long ago", n)
	}
	for i := range 5000 {
		send(fmt.Sprintf("198.51.%d.%d", i/250, i%250), 1)
	}
	f.judge()
	f.now = f.now.Add(25 * time.Hour)
	f.Age(f.now)
	if f.Len() != 0 || f.cells.len() != 0 || len(f.Table.groups) != 0 {
		t.Errorf("%d addresses, %d cells and %d groups are left after a day", f.Len(), f.cells.len(), len(f.Table.groups))
	}
}

// A group that fires touches its members, and those that join afterwards.
func TestTouchedMembers(t *testing.T) {
	f := newFollowing(t)
	for i := range 20 {
		r := request(fmt.Sprintf("192.0.2.%d", i), "POST", "/wp-login.php", 200, f.now, 1)
		r.Host = []byte("shop.example.com")
		f.Request(r)
		if i == 14 {
			f.judge()
		}
	}
	f.judge()
	if f.worst["shop.example.com"] < connwarden.ScoreMalicious {
		t.Errorf("verdicts %v", f.worst)
	}
}

// What a client can have written waits for the request that agrees, whichever comes first, and for no other.
func TestFollowedDoubts(t *testing.T) {
	doubt := func(at time.Time, path string) *connwarden.Event {
		return &connwarden.Event{
			Time: at, Client: request("192.0.2.7", "", "", 0, at, 0).Client, Kind: connwarden.EventLimitHit, Service: "nginx", Request: []byte("GET " + path + " HTTP/1.1"),
			From: connwarden.Source{Name: "error.log"},
		}
	}
	for name, c := range map[string]struct {
		before, after string
		apart         time.Duration
		status        uint16
		want          bool
	}{
		"the request first":   {before: "/a", want: true},
		"the event first":     {after: "/a", want: true},
		"another path":        {before: "/b", after: "/c"},
		"long before":         {before: "/a", apart: -6 * time.Second},
		"long after":          {after: "/a", apart: 6 * time.Second},
		"answered as it asks": {before: "/a", after: "/a", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFollowing(t)
			status := c.status
			if status == 0 {
				status = 503
			}
			for i := range 8 {
				at := start.Add(time.Duration(i) * time.Second)
				if c.before != "" {
					f.Request(request("192.0.2.7", "GET", c.before, status, at.Add(c.apart), 1))
				}
				f.Event(doubt(at, "/a"))
				if c.after != "" {
					f.Request(request("192.0.2.7", "GET", c.after, status, at.Add(c.apart), 1))
				}
				if c.apart != 0 {
					f.Age(at.Add(time.Hour)) // one event and one request are alone
					break
				}
			}
			f.judge()
			if _, got := f.worst["192.0.2.7"]; got != c.want {
				t.Errorf("judged: %v, want %v", slices.Collect(maps.Keys(f.worst)), c.want)
			}
			if c.want && f.proved["192.0.2.7"] < connwarden.ScoreMalicious {
				t.Error("a request agrees, and yet it is not proved")
			}
		})
	}
}

// What a local account can have written is told, and proves nothing.
func TestLocalProvesNothing(t *testing.T) {
	f := newFollowing(t)
	send := func(trust connwarden.Trust, n int) {
		for range n {
			f.Event(&connwarden.Event{Time: f.now, Client: request("192.0.2.7", "", "", 0, f.now, 0).Client, Kind: connwarden.EventAuthFailed, Service: "sshd",
				From: connwarden.Source{Name: "auth.log", Trust: trust}})
		}
		f.judge()
	}
	send(connwarden.TrustLocal, 20)
	send(connwarden.TrustRoot, 4)
	if f.worst["192.0.2.7"] < connwarden.ScoreMalicious || f.proved["192.0.2.7"] != 0 {
		t.Errorf("verdict %v, of which %v is proved", f.worst, f.proved)
	}
	send(connwarden.TrustRoot, 1)
	if f.proved["192.0.2.7"] < connwarden.ScoreMalicious {
		t.Errorf("five lines of the daemon prove %v", f.proved)
	}
}

// Connections are those of the last look.
func TestForgetConns(t *testing.T) {
	f := newFollowing(t)
	addr := request("192.0.2.7", "", "", 0, start, 0).Client
	for range 3 {
		f.ForgetConns()
		f.Conns(addr, "syn_recv", "in", 443, 30, true)
	}
	if n := f.judge(); n != 0 {
		t.Error("three looks were added up")
	}
	f.ForgetConns()
	f.Conns(addr, "syn_recv", "in", 443, 60, true)
	if n := f.judge(); n != 1 {
		t.Error("60 half-open connections are not told")
	}
}
