package geo

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// A table is, with all numbers little-endian:
//
//	magic     8 bytes
//	sum       4 bytes, CRC-32C of all that follows
//	date      8 bytes, Unix seconds
//	sizes     4 bytes each: bytes of systems, number of networks, and for IPv4 and then IPv6: blocks, known ranges,
//	          bytes of records
//	systems   each AS number and length of name as uvarint, then the name; the first is number 0 without a name
//	networks  6 bytes each: where its system lies in systems, and two letters or two zeros for the country; the first is
//	          the unknown network
//	IPv4      the keys that blocks begin with, 8 bytes each; where in the records they begin, 4 bytes each; the records
//	IPv6      the same
//
// A key is an IPv4 address, or the first 64 bits of an IPv6 address: nobody is told apart more finely, here as in the
// ledgers. Records follow upon each other without a gap. A record is one byte, whose low six bits are the number of zeros
// that the range's size ends with; an uvarint with the rest of the size if the byte's highest bit is set, else the
// rest is 1, as it is for nearly all; and the number of the network as uvarint, where frequent networks have small
// numbers. A block has 32 records, so that a look-up is a binary search and some 16 short steps.

const (
	magic      = "cwgeo\r\n\x01" // what a transfer as text would damage first
	headBytes  = 8 + 4 + 8 + 8*4
	netBytes   = 6
	blockLen   = 32
	maxASNName = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("the table is damaged: connwarden update brings a new one")

// Table is an immutable table of networks. Its data is that of others: the announcements of networks as Route Views saw
// them, the registries' statistics, the names of DB-IP; NOTICE has the attributions that go with the shipped one.
// Registries know where a network was registered, not where a machine stands.
type Table struct {
	data     string
	date     time.Time
	systems  string
	networks string
	v4, v6   family
}

// family holds the ranges of one family of addresses.
type family struct {
	bits    int      // of a key
	first   []uint64 // the keys that blocks begin with, ascending
	at      []uint32 // where they begin in records, and the end of records besides
	records string
	ranges  int // that are known
}

// Parse reads a table and checks its sum and its frame, in some milliseconds. The table keeps the text. See [Table.Verify].
func Parse(text string) (*Table, error) {
	if len(text) < headBytes || text[:8] != magic {
		return nil, errors.New("this is no table of networks, or one of another version")
	}
	if checksum(text[12:]) != uint32(le(text[8:12])) {
		return nil, errDamaged
	}
	return parse(text)
}

// checksum goes through a buffer, since the whole text as bytes would be a copy of megabytes.
func checksum(text string) (sum uint32) {
	buf := make([]byte, 16<<10)
	for text != "" {
		n := copy(buf, text)
		sum, text = crc32.Update(sum, castagnoli, buf[:n]), text[n:]
	}
	return sum
}

// parse reads the frame of a table.
func parse(text string) (*Table, error) {
	if len(text) < headBytes {
		return nil, errDamaged
	}
	t := &Table{data: text, date: time.Unix(int64(le(text[12:20])), 0).UTC()}
	size := func(i int) int { return int(le(text[20+4*i : 24+4*i])) }
	rest := text[headBytes:]
	take := func(n int) (s string, err error) {
		if n > len(rest) {
			return "", errDamaged
		}
		s, rest = rest[:n], rest[n:]
		return s, nil
	}
	var err, err4, err6 error
	t.systems, err = take(size(0))
	if err == nil {
		t.networks, err = take(size(1) * netBytes)
	}
	t.v4, err4 = parseFamily(take, 32, size(2), size(3), size(4))
	t.v6, err6 = parseFamily(take, 64, size(5), size(6), size(7))
	if err != nil || err4 != nil || err6 != nil || rest != "" {
		return nil, errDamaged
	}
	return t, nil
}

func parseFamily(take func(int) (string, error), bits, blocks, ranges, records int) (family, error) {
	f := family{bits: bits, ranges: ranges}
	index, err := take(blocks * 12)
	if err != nil {
		return f, err
	}
	if f.records, err = take(records); err != nil {
		return f, err
	}
	f.first, f.at = make([]uint64, blocks), make([]uint32, blocks+1)
	f.at[blocks] = uint32(records)
	for i := range blocks {
		f.first[i] = le(index[8*i : 8*i+8])
		f.at[i] = uint32(le(index[8*blocks+4*i : 8*blocks+4*i+4]))
	}
	if !slices.IsSorted(f.first) || !slices.IsSorted(f.at) {
		return f, errDamaged
	}
	return f, nil
}

// le reads a little-endian number of up to eight bytes.
func le(s string) (x uint64) {
	for i := len(s) - 1; i >= 0; i-- {
		x = x<<8 | uint64(s[i])
	}
	return x
}

// Date is when the data was made.
func (t *Table) Date() time.Time { return t.date }

// Ranges returns how many ranges of each family are known.
func (t *Table) Ranges() (v4, v6 int) { return t.v4.ranges, t.v6.ranges }

// Same tells whether two tables say the same, whenever they were made.
func (t *Table) Same(other *Table) bool { return t.data[20:] == other.data[20:] }

// WriteTo writes the table as [Parse] reads it.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, t.data)
	return int64(n), err
}

// Lookup returns the network of an address; the prefix is the widest that lies in one range of the table. It allocates
// nothing; Org and Country point into the table.
func (t *Table) Lookup(a netip.Addr) (connwarden.Network, bool) {
	if !a.IsValid() {
		return connwarden.Network{}, false
	}
	key, bits := keyOf(a)
	f := &t.v4
	if bits != f.bits {
		f = &t.v6
	}
	first, last, id, ok := f.find(key)
	if !ok || id == 0 {
		return connwarden.Network{}, false
	}
	n, ok := t.network(id)
	if !ok {
		return connwarden.Network{}, false
	}
	n.Prefix = f.prefix(first, last, key)
	return n, true
}

// find returns the range that a key lies in, and its network.
func (f *family) find(key uint64) (first, last, id uint64, ok bool) {
	i, exact := slices.BinarySearch(f.first, key)
	if !exact {
		i--
	}
	if i < 0 {
		return 0, 0, 0, false
	}
	first = f.first[i]
	block := f.records[f.at[i]:f.at[i+1]]
	for at := 0; at < len(block); at++ {
		// What is passed by is skipped rather than read: this loop is most of a look-up.
		head, size := block[at], uint64(1)
		at++
		if head&0x80 != 0 {
			size, block, _ = uvarint(block[at:])
			at = 0
		}
		size <<= head & 63
		number := at
		for at < len(block) && block[at] >= 0x80 {
			at++
		}
		if key-first < size {
			id, _, ok = uvarint(block[number:])
			return first, first + size - 1, id, ok
		}
		first += size
	}
	return 0, 0, 0, false
}

// record reads the first record of a block.
func record(s string) (size, id uint64, rest string, ok bool) {
	head := s[0]
	size, s, ok = 1, s[1:], true
	if head&0x80 != 0 {
		size, s, ok = uvarint(s)
	}
	if ok {
		id, s, ok = uvarint(s)
	}
	return size << (head & 63), id, s, ok
}

// uvarint is binary.Uvarint of a string.
func uvarint(s string) (x uint64, rest string, ok bool) {
	for i := 0; i < len(s) && i < 10; i++ {
		b := s[i]
		x |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return x, s[i+1:], true
		}
	}
	return 0, "", false
}

// network reads a network by its number.
func (t *Table) network(id uint64) (n connwarden.Network, ok bool) {
	if id >= uint64(len(t.networks)/netBytes) {
		return n, false
	}
	row := t.networks[id*netBytes:][:netBytes]
	if row[4] != 0 {
		n.Country = row[4:]
	}
	at := le(row[:4])
	if at >= uint64(len(t.systems)) {
		return n, false
	}
	asn, s, ok1 := uvarint(t.systems[at:])
	size, s, ok2 := uvarint(s)
	if !ok1 || !ok2 || size > uint64(len(s)) {
		return n, false
	}
	n.ASN, n.Org = uint32(asn), s[:size]
	return n, true
}

// prefix returns the widest prefix that holds the key and lies in a range.
func (f *family) prefix(first, last, key uint64) netip.Prefix {
	n := 0 // bits that the prefix leaves free
	for n < f.bits {
		free := uint64(1)<<(n+1) - 1
		if key&^free < first || key|free > last {
			break
		}
		n++
	}
	key = key >> n << n
	if f.bits == 32 {
		return netip.PrefixFrom(addr4(key), 32-n)
	}
	return netip.PrefixFrom(addr6(key), 64-n)
}

func addr4(key uint64) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)})
}

func addr6(key uint64) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(key >> (56 - 8*i))
	}
	return netip.AddrFrom16(b)
}

// Verify reads the whole table, which takes some 20 ms, and tells the first thing in it that is not as it must be: for
// tables that come from outside.
func (t *Table) Verify() error {
	for id := range uint64(len(t.networks) / netBytes) {
		n, ok := t.network(id)
		if !ok || len(n.Org) > maxASNName || n.Country != "" && !isCountry(n.Country) || id == 0 && n != (connwarden.Network{}) {
			return fmt.Errorf("network %d: %w", id, errDamaged)
		}
	}
	if err := t.verify(&t.v4); err != nil {
		return fmt.Errorf("IPv4: %w", err)
	}
	if err := t.verify(&t.v6); err != nil {
		return fmt.Errorf("IPv6: %w", err)
	}
	return nil
}

func (t *Table) verify(f *family) error {
	known, networks, nobodys := 0, uint64(len(t.networks)/netBytes), reservedSpans[f.bits]()
	end := uint64(0) // the key after the block before; 0 also after the last of all
	for i, first := range f.first {
		if i > 0 && first != end {
			return fmt.Errorf("block %d: %w", i, errDamaged)
		}
		block := f.records[f.at[i]:f.at[i+1]]
		for n := 0; block != ""; n++ {
			size, id, rest, ok := record(block)
			last := first + size - 1
			if !ok || size == 0 || last < first || f.bits < 64 && last>>f.bits != 0 || id >= networks || n == blockLen {
				return fmt.Errorf("block %d: %w", i, errDamaged)
			}
			if id != 0 {
				if overlaps(nobodys, first, last) {
					return fmt.Errorf("%v is said to be someone's, and belongs to nobody: the table is refused", f.prefix(first, last, first))
				}
				known++
			}
			first, block = last+1, rest
		}
		end = first
	}
	if known != f.ranges {
		return fmt.Errorf("%d known ranges where the table promises %d: %w", known, f.ranges, errDamaged)
	}
	return nil
}

// isCountry tells whether a text can be an ISO 3166-1 alpha-2 code.
func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
