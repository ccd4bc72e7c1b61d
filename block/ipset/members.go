package ipset

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/connwarden/connwarden/block"
)

// maxElements is what our sets may hold: the largest number that the kernel takes. It reserves nothing; the set grows as
// it is filled, and only memory is its bound.
const maxElements uint32 = 1<<32 - 1

// member is an entry of a set.
type member struct {
	prefix netip.Prefix
	left   uint32 // seconds; 0 without end
	hits   block.Hits
}

// Attributes of the kernel's set messages, from include/uapi/linux/netfilter/ipset/ip_set.h.
const (
	attrSetName = 2
	attrADT     = 8

	attrData    = 7 // of ADT: one member
	attrIP      = 1 // of a member, as are the following
	attrCIDR    = 3
	attrTimeout = 6
	attrFlags   = 8
	attrBytes   = 24
	attrPackets = 25

	attrIPv4 = 1 // of IP
	attrIPv6 = 2

	flagNoMatch = 1 << 2 // of Flags: an exception

	attrMask = 1<<14 - 1 // without the bits for nested and byte order
)

var errShort = errors.New("an answer of the kernel is cut short")

// attributes calls fn for each attribute, its kind without flags.
func attributes(b []byte, fn func(kind int, value []byte) error) error {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return errShort
		}
		if err := fn(int(binary.NativeEndian.Uint16(b[2:])&attrMask), b[4:n]); err != nil {
			return err
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}

// parseList reads one message of a listing: the set's name and the members in it. Exceptions are left out; we make none.
func parseList(b []byte) (name string, members []member, err error) {
	if len(b) < 4 {
		return "", nil, errShort
	}
	err = attributes(b[4:], func(kind int, value []byte) error {
		switch kind {
		case attrSetName:
			name = cString(value)
		case attrADT:
			return attributes(value, func(kind int, value []byte) error {
				if kind != attrData {
					return nil
				}
				m, exception, err := parseMember(value)
				if err == nil && !exception {
					members = append(members, m)
				}
				return err
			})
		}
		return nil
	})
	return name, members, err
}

func parseMember(b []byte) (m member, exception bool, err error) {
	var addr netip.Addr
	bits := -1
	err = attributes(b, func(kind int, value []byte) error {
		switch {
		case kind == attrIP:
			return attributes(value, func(kind int, value []byte) error {
				a, ok := netip.AddrFromSlice(value)
				if !ok || kind != attrIPv4 && kind != attrIPv6 {
					return errShort
				}
				addr = a
				return nil
			})
		case kind == attrCIDR && len(value) == 1:
			bits = int(value[0])
		case kind == attrTimeout && len(value) == 4:
			m.left = binary.BigEndian.Uint32(value)
		case kind == attrFlags && len(value) == 4:
			exception = binary.BigEndian.Uint32(value)&flagNoMatch != 0
		case kind == attrBytes && len(value) == 8:
			m.hits.Bytes = binary.BigEndian.Uint64(value)
		case kind == attrPackets && len(value) == 8:
			m.hits.Packets = binary.BigEndian.Uint64(value)
		}
		return nil
	})
	if bits < 0 {
		bits = addr.BitLen()
	}
	if m.prefix = netip.PrefixFrom(addr, bits); err == nil && !m.prefix.IsValid() {
		err = errShort
	}
	return m, exception, err
}

// cString is the text before the first NUL.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
