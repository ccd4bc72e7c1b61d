package geo

import (
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRows bounds the rows that a Builder takes, some 200 MB; the files of 2026 have 0.7 million.
const maxRows = 4 << 20

// Builder makes a table of the CSV files of ip-location-db (github.com/sapics/ip-location-db): first address, last
// address, and either a country, or an AS number and its name. The zero value is ready for use; it is for one goroutine.
// It takes some 60 bytes a row.
type Builder struct {
	systems   map[uint32]int // AS number to its place in names
	names     []asName
	countries map[string]uint32
	codes     []string
	rows      [2][2][]row // by family, and by what they tell: a system, a country
	dropped   int
}

type asName struct {
	asn uint32
	org string
}

// row is one range; id is a place in names or codes, counted from 1, so that 0 is unknown.
type row struct {
	span
	id uint32
}

const (
	tellsSystem = iota
	tellsCountry
)

// Rows returns how many rows were taken, and how many were left out: because they are about reserved addresses, or about
// IPv6 more finely than a /64.
func (b *Builder) Rows() (taken, dropped int) {
	for _, f := range b.rows {
		taken += len(f[tellsSystem]) + len(f[tellsCountry])
	}
	return taken, b.dropped
}

// ReadCSV takes the rows of one file; four columns tell of systems, three of countries. Anything else is an error that
// names the line. name is for errors.
func (b *Builder) ReadCSV(name string, r io.Reader) error {
	if b.systems == nil {
		b.systems, b.countries = map[uint32]int{}, map[string]uint32{}
	}
	c := csv.NewReader(r)
	c.ReuseRecord = true // and FieldsPerRecord 0: all rows have as many columns as the first
	for {
		cells, err := c.Read()
		if err == nil {
			if err := b.row(cells); err != nil {
				line, _ := c.FieldPos(0)
				return fmt.Errorf("%s:%d: %w", name, line, err)
			}
			continue
		}
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			return fmt.Errorf("%s:%d: %w", name, wrong.Line, wrong.Err)
		default:
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
}

// row takes one row.
func (b *Builder) row(cells []string) error {
	if len(cells) != 3 && len(cells) != 4 {
		return fmt.Errorf("%d columns where 3 tell of a country and 4 of a system", len(cells))
	}
	first, err1 := netip.ParseAddr(cells[0])
	last, err2 := netip.ParseAddr(cells[1])
	if err1 != nil || err2 != nil || first.BitLen() != last.BitLen() || last.Less(first) || first.Zone()+last.Zone() != "" {
		return fmt.Errorf("%.50q to %.50q is no range of addresses", cells[0], cells[1])
	}
	var id uint32
	tells := tellsCountry
	if len(cells) == 3 {
		if !isCountry(cells[2]) {
			return fmt.Errorf("%.20q is no country: it takes two capital letters", cells[2])
		}
		id = b.country(cells[2])
	} else {
		tells = tellsSystem
		asn, err := strconv.ParseUint(cells[2], 10, 32)
		if err != nil {
			return fmt.Errorf("%.20q is no AS number", cells[2])
		}
		if asn == 0 {
			return nil // announced by nobody
		}
		id = b.system(uint32(asn), cells[3])
	}
	firstKey, width := keyOf(first)
	lastKey, _ := keyOf(last)
	if width == 64 {
		// A /64 is whose its first address is.
		if low := first.As16(); [8]byte(low[8:]) != [8]byte{} {
			if firstKey++; firstKey == 0 {
				firstKey, lastKey = 1, 0
			}
		}
	}
	if firstKey > lastKey || overlaps(reservedSpans[width](), firstKey, lastKey) {
		b.dropped++
		return nil
	}
	list := &b.rows[width/64][tells]
	if *list = append(*list, row{span{firstKey, lastKey}, id}); len(*list) > maxRows {
		return fmt.Errorf("more than %d rows: this is none of the files that a table is made of", maxRows)
	}
	return nil
}

func (b *Builder) country(code string) uint32 {
	id, ok := b.countries[code]
	if !ok {
		code = strings.Clone(code)
		b.codes = append(b.codes, code)
		id = uint32(len(b.codes))
		b.countries[code] = id
	}
	return id
}

// system returns the number of a system; its first name counts.
func (b *Builder) system(asn uint32, org string) uint32 {
	id, ok := b.systems[asn]
	if !ok {
		b.names = append(b.names, asName{asn, clip(org)})
		id = len(b.names)
		b.systems[asn] = id
	}
	return uint32(id)
}

// clip makes a name that a table takes: UTF-8, no longer than maxASNName bytes.
func clip(org string) string {
	org = strings.TrimSpace(strings.ToValidUTF8(org, "�"))
	if len(org) > maxASNName {
		n := maxASNName
		for !utf8.RuneStart(org[n]) {
			n--
		}
		org = org[:n]
	}
	return strings.Clone(org)
}

// pair is a network: a system and a country, by their numbers.
type pair struct{ system, country uint32 }

// piece is a range of a network; the ranges of a family follow upon each other.
type piece struct {
	span
	pair
}

// Build makes the table. Of rows that overlap the one that begins last counts, of those that begin together the shorter,
// of those that are the same range the one that was read last.
func (b *Builder) Build(date time.Time) (*Table, error) {
	var pieces [2][]piece
	uses := map[pair]int{}
	for f := range pieces {
		pieces[f] = join(settle(b.rows[f][tellsSystem]), settle(b.rows[f][tellsCountry]))
		for _, p := range pieces[f] {
			uses[p.pair]++
		}
	}
	delete(uses, pair{})
	order := make([]pair, 0, len(uses)+1)
	for p := range uses {
		order = append(order, p)
	}
	slices.SortFunc(order, func(x, y pair) int {
		return cmp.Or(cmp.Compare(uses[y], uses[x]), cmp.Compare(x.system, y.system), cmp.Compare(x.country, y.country))
	})
	order = slices.Insert(order, 0, pair{})
	ids := make(map[pair]uint64, len(order))
	for i, p := range order {
		ids[p] = uint64(i)
	}

	systems, networks := b.encodeNetworks(order)
	v4, v6 := encode(pieces[0], ids), encode(pieces[1], ids)
	out := append(make([]byte, 0, headBytes+len(systems)+len(networks)+v4.size()+v6.size()), magic...)
	out = append(out, 0, 0, 0, 0) // the sum
	out = binary.LittleEndian.AppendUint64(out, uint64(date.Unix()))
	for _, n := range []int{len(systems), len(order), len(v4.first), v4.ranges, len(v4.records), len(v6.first), v6.ranges, len(v6.records)} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	out = v6.append(v4.append(append(append(out, systems...), networks...)))
	binary.LittleEndian.PutUint32(out[8:], crc32.Checksum(out[12:], castagnoli))
	return Parse(string(out))
}

// settle sorts rows and makes them disjoint.
func settle(rows []row) []row {
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last)) })
	var out, open []row // open: those that began and did not end, the last begun on top
	next := uint64(0)   // no key below is still to be written
	write := func(r row, last uint64) {
		if r.first = max(r.first, next); r.first <= last {
			r.last = last
			out, next = append(out, r), last+1
		}
	}
	for _, r := range rows {
		for len(open) > 0 && open[len(open)-1].last < r.first {
			write(open[len(open)-1], open[len(open)-1].last)
			open = open[:len(open)-1]
		}
		if len(open) > 0 && r.first > 0 {
			write(open[len(open)-1], r.first-1)
		}
		open = append(open, r)
	}
	for _, r := range slices.Backward(open) {
		write(r, r.last)
	}
	return out
}

// join lays two lists of disjoint rows over each other and fills the gaps with the unknown network.
func join(systems, countries []row) (out []piece) {
	at := uint64(0)
	for len(systems) > 0 || len(countries) > 0 {
		s, sNext := under(systems, at)
		c, cNext := under(countries, at)
		last := min(sNext, cNext) - 1
		add := piece{span{at, last}, pair{s, c}}
		switch n := len(out); {
		case n > 0 && out[n-1].pair == add.pair:
			out[n-1].last = last
		case n > 0 || add.pair != (pair{}): // before the first known key nothing is written
			out = append(out, add)
		}
		at = last + 1
		systems, countries = drop(systems, last), drop(countries, last)
	}
	return out
}

// under returns what the first row says of a key, and the next key of which it says something else.
func under(rows []row, key uint64) (id uint32, next uint64) {
	switch {
	case len(rows) == 0:
		return 0, ^uint64(0)
	case key < rows[0].first:
		return 0, rows[0].first
	default:
		return rows[0].id, rows[0].last + 1
	}
}

// drop leaves out the first row if it ends here.
func drop(rows []row, last uint64) []row {
	if len(rows) > 0 && rows[0].last <= last {
		return rows[1:]
	}
	return rows
}

// encodeNetworks writes the systems in the order in which networks need them, and the networks.
func (b *Builder) encodeNetworks(order []pair) (systems, networks []byte) {
	systems = []byte{0, 0}
	at := map[uint32]int{0: 0}
	for _, p := range order {
		place, ok := at[p.system]
		if !ok {
			place = len(systems)
			at[p.system] = place
			name := b.names[p.system-1]
			systems = binary.AppendUvarint(systems, uint64(name.asn))
			systems = append(binary.AppendUvarint(systems, uint64(len(name.org))), name.org...)
		}
		code := "\x00\x00"
		if p.country != 0 {
			code = b.codes[p.country-1]
		}
		networks = append(binary.LittleEndian.AppendUint32(networks, uint32(place)), code...)
	}
	return systems, networks
}

// encoded is a family as bytes.
type encoded struct {
	first   []uint64
	at      []uint32
	records []byte
	ranges  int
}

func encode(pieces []piece, ids map[pair]uint64) (e encoded) {
	for i, p := range pieces {
		if i%blockLen == 0 {
			e.first, e.at = append(e.first, p.first), append(e.at, uint32(len(e.records)))
		}
		size := p.last - p.first + 1
		zeros := bits.TrailingZeros64(size)
		if size >>= zeros; size == 1 {
			e.records = append(e.records, byte(zeros))
		} else {
			e.records = binary.AppendUvarint(append(e.records, byte(zeros)|0x80), size)
		}
		id := ids[p.pair]
		e.records = binary.AppendUvarint(e.records, id)
		if id != 0 {
			e.ranges++
		}
	}
	return e
}

func (e *encoded) size() int { return 12*len(e.first) + len(e.records) }

func (e *encoded) append(out []byte) []byte {
	for _, x := range e.first {
		out = binary.LittleEndian.AppendUint64(out, x)
	}
	for _, x := range e.at {
		out = binary.LittleEndian.AppendUint32(out, x)
	}
	return append(out, e.records...)
}
