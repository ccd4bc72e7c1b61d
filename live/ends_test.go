package live

import (
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

func TestEnds(t *testing.T) {
	var e ends
	start := time.Unix(1_763_820_000, 0)
	conn := func(remote string) *connwarden.Conn {
		return &connwarden.Conn{Local: netip.MustParseAddrPort("192.0.2.1:443"), Remote: netip.MustParseAddrPort(remote)}
	}
	key := brief{netip.MustParseAddr("198.51.100.7"), 443}
	for i := range 90 { // one a second
		e.end(conn("198.51.100.7:1024"), start.Add(time.Duration(i)*time.Second))
	}
	e.end(conn("127.0.0.1:1024"), start.Add(89*time.Second))
	if got := e.minute(start.Add(89 * time.Second)); len(got) != 1 || got[key] != 60 {
		t.Errorf("of ninety seconds a minute has %v", got)
	}
	if got := e.minute(start.Add(119 * time.Second)); got[key] != 30 {
		t.Errorf("half a minute later %v", got)
	}
	if got := e.minute(start.Add(time.Hour)); len(got) != 0 {
		t.Errorf("an hour later %v", got)
	}
	e.end(conn("198.51.100.7:1024"), start) // the clock was set back
	if got := e.minute(start); got[key] != 1 {
		t.Errorf("after the clock was set back %v", got)
	}
	for i := range 2 * endsMost {
		e.end(&connwarden.Conn{Local: conn("192.0.2.9:1").Local, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 1)}, start)
	}
	e.end(conn("198.51.100.7:1024"), start)
	if got := e.minute(start); len(got) > endsMost || got[key] != 2 {
		t.Errorf("of a flood %d are kept, of whom was there before %d", len(got), got[key])
	}
}
