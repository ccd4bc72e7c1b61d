package bots

import (
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// nameServer answers on a port of loopback as its zone says, over UDP and TCP. What is not in the zone does not exist.
type nameServer struct {
	addr string
	zone map[string]reply // by type and name: "PTR 7.113.0.203.in-addr.arpa."

	mu    sync.Mutex
	asked map[string]int
}

// reply is what the server says to one question.
type reply struct {
	code      int      // 0 no error, 2 failure, 3 no such name
	names     []string // PTR records
	addrs     []string // A or AAAA records
	alias     string   // a CNAME record
	silent    bool     // no answer at all
	truncated bool     // over UDP only that the answer is too long
	garbage   bool     // not a message
}

func startServer(t testing.TB, zone map[string]reply) *nameServer {
	t.Helper()
	for range 20 { // until one port is free for both
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			tcp.Close()
			continue
		}
		s := &nameServer{addr: udp.LocalAddr().String(), zone: zone, asked: map[string]int{}}
		t.Cleanup(func() { udp.Close(); tcp.Close() })
		go s.udp(udp)
		go s.tcp(tcp)
		return s
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil
}

// log is how often each question was asked.
func (s *nameServer) log() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asked)
}

func (s *nameServer) udp(c net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer := s.answer(buf[:n], true); answer != nil {
			c.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) tcp(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, query); err != nil {
				return
			}
			if answer := s.answer(query, false); answer != nil {
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}()
	}
}

var types = map[uint16]string{1: "A", 12: "PTR", 28: "AAAA"}

func (s *nameServer) answer(query []byte, udp bool) []byte {
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		n := int(query[at])
		labels = append(labels, string(query[at+1:at+1+n]))
		at += 1 + n
	}
	kind := types[binary.BigEndian.Uint16(query[at+1:])]
	question := query[12 : at+5]
	key := kind + " " + strings.ToLower(strings.Join(labels, ".")) + "."
	s.mu.Lock()
	s.asked[key]++
	r, ok := s.zone[key]
	s.mu.Unlock()
	if !ok {
		r.code = 3
	}
	if r.silent {
		return nil
	}
	if r.garbage {
		return append(query[:2:2], 0x81)
	}
	flags := 0x8180 | uint16(r.code)
	if r.truncated && udp {
		flags, r = flags|0x0200, reply{}
	}
	var records [][]byte
	for _, n := range r.names {
		records = append(records, record(12, packed(n)))
	}
	if r.alias != "" {
		records = append(records, record(5, packed(r.alias)))
	}
	for _, a := range r.addrs {
		a := netip.MustParseAddr(a)
		if a.Is4() {
			records = append(records, record(1, a.AsSlice()))
		} else {
			records = append(records, record(28, a.AsSlice()))
		}
	}
	m := append([]byte{}, query[:2]...)
	for _, v := range []uint16{flags, 1, uint16(len(records)), 0, 0} {
		m = binary.BigEndian.AppendUint16(m, v)
	}
	m = append(m, question...)
	for _, rec := range records {
		m = append(m, rec...)
	}
	return m
}

// record is one of the question's own name.
func record(kind uint16, data []byte) []byte {
	r := []byte{0xc0, 12} // the name at offset 12
	r = binary.BigEndian.AppendUint16(r, kind)
	r = append(r, 0, 1, 0, 0, 0, 60)
	r = binary.BigEndian.AppendUint16(r, uint16(len(data)))
	return append(r, data...)
}

func packed(name string) []byte {
	var out []byte
	for _, label := range strings.Split(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

// reverse is the name under which an address's names are kept.
func reverse(addr string) string {
	a := netip.MustParseAddr(addr)
	var labels []string
	if a.Is4() {
		for _, b := range a.As4() {
			labels = append([]string{netip.AddrFrom4([4]byte{0, 0, 0, b}).String()[6:]}, labels...)
		}
		return "PTR " + strings.Join(labels, ".") + ".in-addr.arpa."
	}
	const digits = "0123456789abcdef"
	for _, b := range a.As16() {
		labels = append([]string{digits[b&15 : b&15+1], digits[b>>4 : b>>4+1]}, labels...)
	}
	return "PTR " + strings.Join(labels, ".") + ".ip6.arpa."
}
