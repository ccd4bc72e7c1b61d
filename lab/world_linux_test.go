package lab_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// TestKernelElsewhere: nothing is sent to an address that is not of the namespaces which the lab made.
func TestKernelElsewhere(t *testing.T) {
	l := lab.New(t)
	far := netip.MustParseAddr("198.19.80.1")
	far6 := netip.MustParseAddr("2001:db8:60::1")
	from := netip.MustParseAddr("198.51.100.7")
	if err := l.Ours(far); !errors.Is(err, lab.ErrElsewhere) {
		t.Errorf("before it is there %s is not ours: %v", far, err)
	}
	l.Far("far0", far, far6)
	for _, ours := range []string{lab.Addr4, lab.Addr6, "::ffff:" + lab.Addr4, far.String(), far6.String()} {
		if err := l.Ours(netip.MustParseAddr(ours)); err != nil {
			t.Errorf("%s is ours: %v", ours, err)
		}
	}
	for _, elsewhere := range []string{"127.0.0.1", "::1", "0.0.0.0", "9.9.9.9", "192.0.2.2", "192.0.2.254", "198.51.100.7", "10.0.0.1", "2620:fe::fe"} {
		a := netip.MustParseAddr(elsewhere)
		if err := l.Ours(a); !errors.Is(err, lab.ErrElsewhere) {
			t.Errorf("%s is not ours: %v", a, err)
		}
		if conn, err := l.Dial(from, netip.AddrPortFrom(a, 80)); !errors.Is(err, lab.ErrElsewhere) {
			t.Errorf("a connection to %s: %v, %v", a, conn, err)
		}
		if err := l.Throw(a, [][]byte{make([]byte, 40)}); !errors.Is(err, lab.ErrElsewhere) {
			t.Errorf("a packet to %s: %v", a, err)
		}
	}
	packet := make([]byte, 40)
	packet[16] = 9 // to 9.0.0.0
	if err := l.Throw(netip.MustParseAddr(lab.Addr4), [][]byte{packet}); !errors.Is(err, lab.ErrElsewhere) {
		t.Errorf("a packet to another address than it is said to be for: %v", err)
	}
}
