package tally

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// conn makes a connection: "in" and "out" are directions, ports are the service's.
func conn(proto connwarden.Proto, dir connwarden.Direction, state connwarden.State, remote string, port uint16) connwarden.Conn {
	c := connwarden.Conn{Proto: proto, Dir: dir, State: state}
	ours := netip.MustParseAddr("192.0.2.1")
	theirs := netip.MustParseAddr(remote)
	if dir == connwarden.DirOut {
		c.Local, c.Remote = netip.AddrPortFrom(ours, 50000), netip.AddrPortFrom(theirs, port)
	} else {
		c.Local, c.Remote = netip.AddrPortFrom(ours, port), netip.AddrPortFrom(theirs, 50000)
	}
	return c
}

const (
	tcp, udp = connwarden.TCP, connwarden.UDP
	in, out  = connwarden.DirIn, connwarden.DirOut
	estab    = connwarden.StateEstablished
)

// sample is eleven connections with every kind of key among them.
func sample() []connwarden.Conn {
	list := []connwarden.Conn{
		conn(tcp, in, estab, "203.0.113.5", 443),
		conn(tcp, in, estab, "203.0.113.5", 443),
		conn(tcp, in, connwarden.StateSynRecv, "203.0.113.5", 80),
		conn(tcp, in, connwarden.StateNewSynRecv, "203.0.113.5", 80),
		conn(tcp, out, estab, "203.0.113.5", 443),
		conn(tcp, in, estab, "203.0.113.77", 443),
		conn(udp, out, estab, "203.0.113.77", 443),
		conn(tcp, in, connwarden.StateTimeWait, "2001:db8:0:1::a", 443),
		conn(tcp, in, estab, "2001:db8:0:1::b", 443),
		{Proto: tcp, Dir: in, State: connwarden.StateListen, Local: netip.MustParseAddrPort("0.0.0.0:443")},
		{Proto: tcp, Dir: in, State: estab, Local: netip.MustParseAddrPort("[2001:db8::1]:443"), Truncated: "2001:db8:ffff:9:d", Remote: netip.AddrPortFrom(netip.Addr{}, 37539)},
	}
	worker := connwarden.Process{PID: 11, Name: "nginx", Unit: "nginx.service"}
	list[0].Process, list[1].Process = worker, worker
	worker.PID = 12
	list[5].Process = worker
	list[6].Process = connwarden.Process{PID: 20, Name: "curl", Unit: "session-3.scope"}
	return list
}

func count(list []connwarden.Conn) *Conns {
	t := &Conns{Keep: 100}
	for i := range list {
		t.Conn(&list[i])
	}
	return t
}

// rowText writes rows shortly: key, count, in, out, ports.
func rowText(v ConnView) string {
	var b strings.Builder
	for _, r := range v.Rows {
		fmt.Fprintf(&b, "%s %d %d/%d", r.Key, r.Count, r.In, r.Out)
		for _, p := range r.Ports {
			fmt.Fprintf(&b, " %s/%s/%d=%d", p.Dir, p.Proto, p.Port, p.Count)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestConnsBy(t *testing.T) {
	for _, tt := range []struct {
		key      ConnKey
		top      int
		want     string
		distinct int
		restRows int
		rest     uint64
	}{
		{ConnByIP, 0, `203.0.113.5 5 4/1 in/tcp/80=2 in/tcp/443=2 out/tcp/443=1
203.0.113.77 2 1/1 in/tcp/443=1 out/udp/443=1
2001:db8:0:1::a 1 1/0 in/tcp/443=1
2001:db8:0:1::b 1 1/0 in/tcp/443=1
* 1 1/0 in/tcp/443=1
2001:db8:ffff:9:d 1 1/0 in/tcp/443=1
`, 6, 0, 0},
		{ConnByIP, 2, `203.0.113.5 5 4/1 in/tcp/80=2 in/tcp/443=2 out/tcp/443=1
203.0.113.77 2 1/1 in/tcp/443=1 out/udp/443=1
`, 6, 4, 4},
		{ConnByNet, 0, `203.0.113.0/24 7 5/2 in/tcp/443=3 in/tcp/80=2 out/tcp/443=1 out/udp/443=1
2001:db8:0:1::/64 2 2/0 in/tcp/443=2
* 1 1/0 in/tcp/443=1
2001:db8:ffff:9:d 1 1/0 in/tcp/443=1
`, 4, 0, 0},
		// Directions and protocols of one number are never added.
		{ConnByPort, 0, `443 7 7/0 in/tcp/443=7
80 2 2/0 in/tcp/80=2
443 1 0/1 out/tcp/443=1
443 1 0/1 out/udp/443=1
`, 4, 0, 0},
		{ConnByState, 0, `established 7 5/2 in/tcp/443=5 out/tcp/443=1 out/udp/443=1
syn_recv 2 2/0 in/tcp/80=2
listen 1 1/0 in/tcp/443=1
time_wait 1 1/0 in/tcp/443=1
`, 4, 0, 0},
		{ConnByProcess, 0, `- 7 6/1 in/tcp/443=4 in/tcp/80=2 out/tcp/443=1
nginx 3 3/0 in/tcp/443=3
curl 1 0/1 out/udp/443=1
`, 3, 0, 0},
		{ConnByConn, 2, `203.0.113.5:443 192.0.2.1:50000 1 0/1 out/tcp/443=1
203.0.113.5:50000 192.0.2.1:80 1 1/0 in/tcp/80=1
`, 11, 9, 9},
	} {
		v := count(sample()).By(tt.key, tt.top)
		if got := rowText(v); got != tt.want {
			t.Errorf("by %s: got\n%s\nwant\n%s", tt.key, got, tt.want)
		}
		if v.Total != 11 || v.Distinct != tt.distinct || v.RestRows != tt.restRows || v.RestCount != tt.rest {
			t.Errorf("by %s: total %d, distinct %d, rest %d rows of %d; want 11, %d, %d, %d", tt.key, v.Total, v.Distinct, v.RestRows, v.RestCount,
				tt.distinct, tt.restRows, tt.rest)
		}
		if v.States[estab] != 7 || v.States[connwarden.StateSynRecv] != 2 || v.States[connwarden.StateNewSynRecv] != 0 || v.States[connwarden.StateTimeWait] != 1 {
			t.Errorf("by %s: states %v", tt.key, v.States)
		}
	}
}

func TestConnsRow(t *testing.T) {
	table := count(sample())
	v := table.By(ConnByProcess, 0)
	if p := v.Rows[1].Process; p != (connwarden.Process{Name: "nginx", Unit: "nginx.service"}) {
		t.Errorf("two workers are %+v, want a name and a unit without PID", p)
	}
	if p := v.Rows[2].Process; p.PID != 20 {
		t.Errorf("one process is %+v, want its PID", p)
	}
	v = table.By(ConnByIP, 0)
	if r := v.Rows[0]; r.Addr != netip.MustParseAddr("203.0.113.5") || r.Prefix != netip.MustParsePrefix("203.0.113.5/32") || r.States[connwarden.StateSynRecv] != 2 {
		t.Errorf("row %+v", r)
	}
	if r := v.Rows[5]; r.Addr.IsValid() || r.Prefix.IsValid() {
		t.Errorf("a truncated address became %v", r.Addr)
	}
	if c := table.By(ConnByConn, 1).Rows[0].Conn; c == nil || c.Remote != netip.MustParseAddrPort("203.0.113.5:443") {
		t.Errorf("connection %+v", c)
	}
}

// TestConnsMapped: an address in IPv6 clothes is the same address, should one get here.
func TestConnsMapped(t *testing.T) {
	list := []connwarden.Conn{conn(tcp, in, estab, "203.0.113.5", 443), conn(tcp, in, estab, "::ffff:203.0.113.5", 443)}
	if v := count(list).By(ConnByIP, 0); v.Distinct != 1 || v.Rows[0].Key != "203.0.113.5" || v.Rows[0].Count != 2 {
		t.Errorf("got %+v", v.Rows)
	}
}

// TestConnsMerge is the merge law: any cut counts as the whole does.
func TestConnsMerge(t *testing.T) {
	list := append(sample(), someConns(5000, 700)...)
	r := rand.New(rand.NewPCG(3, 4))
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	want := count(list)
	for _, cut := range []int{0, 1, 5, 63, 64, 65, 2500, len(list)} {
		got := count(list[:cut])
		got.Merge(count(list[cut:]))
		for key := ConnByIP; key <= ConnByConn; key++ {
			for _, top := range []int{0, 10} {
				if g, w := got.By(key, top), want.By(key, top); !reflect.DeepEqual(g, w) {
					t.Fatalf("cut at %d, by %s: got\n%+v\nwant\n%+v", cut, key, g, w)
				}
			}
		}
	}
}

// TestConnsPlain compares with counting in a map, while the table grows.
func TestConnsPlain(t *testing.T) {
	list := someConns(200_000, 60_000)
	want := map[netip.Addr]uint64{}
	for i := range list {
		want[list[i].Remote.Addr()]++
	}
	v := count(list).By(ConnByIP, 0)
	if v.Distinct != len(want) || len(v.Rows) != len(want) {
		t.Fatalf("%d distinct, %d rows, want %d", v.Distinct, len(v.Rows), len(want))
	}
	for _, r := range v.Rows {
		if r.Count != want[r.Addr] {
			t.Fatalf("%s: %d, want %d", r.Key, r.Count, want[r.Addr])
		}
	}
	if !slices.IsSortedFunc(v.Rows, func(a, b ConnRow) int {
		if a.Count != b.Count {
			return int(b.Count) - int(a.Count)
		}
		return a.Addr.Compare(b.Addr)
	}) {
		t.Error("rows are not sorted by count and address")
	}
}

// TestConnsNames: what text can claim without bound is bounded, and nothing is lost.
func TestConnsNames(t *testing.T) {
	var table Conns
	const n = maxNames + 1000
	c := connwarden.Conn{State: estab, Dir: in}
	for i := range n {
		c.Truncated = fmt.Sprintf("2001:db8:%d:", i)
		c.Process = connwarden.Process{PID: i + 1, Name: "x"}
		table.Conn(&c)
	}
	if len(table.cut) > maxNames+1 || len(table.procs) > maxNames+2 {
		t.Errorf("%d truncated addresses, %d processes are kept", len(table.cut), len(table.procs))
	}
	v := table.By(ConnByIP, 1)
	if v.Total != n || v.Rows[0].Key != otherNames || v.Rows[0].Count != 1000 || v.Rows[0].Count+v.RestCount != n {
		t.Errorf("got %+v", v)
	}
}

func TestConnsAllocs(t *testing.T) {
	list := someConns(10_000, 100)
	table := count(nil)
	table.Keep = 0
	for i := range list {
		table.Conn(&list[i])
	}
	i := 0
	if n := testing.AllocsPerRun(5000, func() { table.Conn(&list[i%len(list)]); i++ }); n != 0 {
		t.Errorf("%v allocations a connection", n)
	}
}

// TestConnsMemory: a million connections from 200,000 addresses fit into a fraction of the 40 MB that the whole program may
// take, at the worst moment too.
func TestConnsMemory(t *testing.T) {
	var before, after runtime.MemStats
	var table Conns
	c := conn(tcp, in, estab, "10.0.0.0", 443)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		a := uint32(i) * 2654435761 % 200_000
		c.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(a >> 16), byte(a >> 8), byte(a)}), 50000)
		table.Conn(&c)
	}
	v := table.By(ConnByIP, 10)
	runtime.ReadMemStats(&after)
	if v.Distinct != 200_000 {
		t.Fatalf("%d distinct", v.Distinct)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 24<<20 {
		t.Errorf("%d KiB were allocated in all, want at most 24 MiB", got>>10)
	}
}

func TestParseConnKey(t *testing.T) {
	for key := ConnByIP; key <= ConnByConn; key++ {
		if got, err := ParseConnKey(key.String()); err != nil || got != key {
			t.Errorf("%s: got %v, %v", key, got, err)
		}
	}
	if _, err := ParseConnKey("adress"); err == nil || !strings.Contains(err.Error(), `"adress"`) {
		t.Errorf("an unknown key: %v", err)
	}
}

var _ connwarden.Sink = (*Conns)(nil)
