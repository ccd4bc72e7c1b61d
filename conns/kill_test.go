package conns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/connwarden/connwarden"
)

// answer makes the kernel's answer to one request.
func answer(seq uint32, e syscall.Errno) []byte {
	b := make([]byte, nlHeaderLen+4+nlHeaderLen)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], nlError)
	binary.NativeEndian.PutUint32(b[8:], seq)
	binary.NativeEndian.PutUint32(b[16:], uint32(-int32(e)))
	return b
}

func TestParseAcks(t *testing.T) {
	buf := slices.Concat(answer(9, syscall.EPERM), answer(10, 0), answer(11, syscall.ENOENT),
		diagRow(sockDiagByFamily, 10, connwarden.StateEstablished, ap("192.0.2.1:80"), ap("192.0.2.2:5"), afInet),
		answer(12, syscall.EOPNOTSUPP), answer(13, syscall.EPERM))
	var got []syscall.Errno
	keep := func(e syscall.Errno) { got = append(got, e) }
	if err := parseAcks(buf, 10, 3, keep); err != nil || !slices.Equal(got, []syscall.Errno{0, syscall.ENOENT, syscall.EOPNOTSUPP}) {
		t.Errorf("got %v, %v", got, err)
	}
	for cut := 1; cut < nlHeaderLen+4; cut++ {
		if err := parseAcks(answer(1, 0)[:cut], 1, 1, keep); !errors.Is(err, errNetlink) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// TestHostCode runs the filter as the kernel does, but for its walk: what lies where.
func TestHostCode(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		want   []byte
	}{
		{"192.0.2.0/24", []byte{8, 16, 20, 0, afInet, 24, 0, 0, 0xff, 0xff, 0xff, 0xff, 192, 0, 2, 0}},
		{"2001:db8::7/128", slices.Concat([]byte{8, 28, 32, 0, afInet6, 128, 0, 0, 0xff, 0xff, 0xff, 0xff},
			netip.MustParseAddr("2001:db8::7").AsSlice())},
	} {
		want := tt.want
		want[2], want[3] = 0, 0
		binary.NativeEndian.PutUint16(want[2:], uint16(len(want)+4))
		if got := hostCode(netip.MustParsePrefix(tt.prefix)); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", tt.prefix, got, want)
		}
	}
}

func TestPlainPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7/32":           "192.0.2.7/32",
		"192.0.2.7/24":           "192.0.2.0/24",
		"::ffff:192.0.2.7/128":   "192.0.2.7/32",
		"::ffff:192.0.2.7/120":   "192.0.2.0/24",
		"::ffff:192.0.2.7/64":    "::/64",
		"2001:db8::1:2:3:4:5/64": "2001:db8:0:1::/64",
	} {
		if got, err := plainPrefix(netip.MustParsePrefix(in)); err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
	if _, err := Kill(context.Background(), netip.Prefix{}); err == nil {
		t.Error("no prefix at all was taken")
	}
}

func FuzzParseAcks(f *testing.F) {
	f.Add(slices.Concat(answer(1, 0), answer(2, syscall.EPERM)), uint32(1), uint32(2))
	f.Add([]byte{}, uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, first, count uint32) {
		n := 0
		_ = parseAcks(b, first, count, func(syscall.Errno) { n++ })
		if n*(nlHeaderLen+4) > len(b) {
			t.Errorf("%d answers in %d bytes", n, len(b))
		}
	})
}
