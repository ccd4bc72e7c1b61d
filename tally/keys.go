package tally

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// kind is one key that requests can be counted by.
type kind uint8

const (
	byPath kind = iota
	byURL
	byIP
	byNet
	bySite
	byStatus
	byMethod
	byAgent
	byReferer
	byUser
	byCountry
	byASN
	byMinute
	byHour
	byDay
	several // of these
)

// kinds holds the words of CLI.md and the parts of a request that each reads.
var kinds = [...]struct {
	word   string
	fields connwarden.Fields
}{
	byPath:    {"path", connwarden.FieldPath},
	byURL:     {"url", connwarden.FieldPath | connwarden.FieldQuery},
	byIP:      {"ip", connwarden.FieldClient},
	byNet:     {"net", connwarden.FieldClient},
	bySite:    {"site", connwarden.FieldHost},
	byStatus:  {"status", connwarden.FieldStatus},
	byMethod:  {"method", connwarden.FieldMethod},
	byAgent:   {"agent", connwarden.FieldAgent},
	byReferer: {"referer", connwarden.FieldReferer},
	byUser:    {"user", connwarden.FieldUser},
	byCountry: {"country", connwarden.FieldClient},
	byASN:     {"asn", connwarden.FieldClient},
	byMinute:  {"minute", connwarden.FieldTime},
	byHour:    {"hour", connwarden.FieldTime},
	byDay:     {"day", connwarden.FieldTime},
}

// Longest texts in a key, in bytes. Nearly no server takes a longer request line than 8 KiB, and what differs only
// after 4 KiB is a flood that is better seen as one row. Several keys together stay below 16 KiB.
const (
	maxText  = 4096
	maxParts = 1024
	cutMark  = "…"
)

// Keys says what requests are counted by: one key or several together. It is immutable.
type Keys struct {
	kinds []kind
	zone  *time.Location
	place Place
}

// Place tells where an address belongs; false when that is not known.
type Place func(netip.Addr) (connwarden.Network, bool)

// country is an address's country as a key; "-" is unknown.
func (p Place) country(a netip.Addr) string {
	if p != nil && a.IsValid() {
		if n, ok := p(a); ok && n.Country != "" {
			return n.Country
		}
	}
	return "-"
}

// asn is an address's autonomous system as a key, number and name; "-" is unknown.
func (p Place) asn(a netip.Addr) string {
	if p != nil && a.IsValid() {
		if n, ok := p(a); ok && n.ASN > 0 {
			return strings.TrimSpace(fmt.Sprintf("AS%d %s", n.ASN, n.Org))
		}
	}
	return "-"
}

// At returns the same keys with countries and autonomous systems as place knows them.
func (k Keys) At(place Place) Keys {
	k.place = place
	return k
}

// ParseKeys reads a key of CLI.md's pages, or several joined by commas. Times are those of UTC; see In.
func ParseKeys(text string) (Keys, error) {
	k := Keys{zone: time.UTC}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		i := -1
		for j := range kinds {
			if kinds[j].word == word {
				i = j
			}
		}
		switch {
		case i < 0:
			return Keys{}, fmt.Errorf("key %q: not one of %s", word, allWords())
		case slices.Contains(k.kinds, kind(i)):
			return Keys{}, fmt.Errorf("key %q: given twice", word)
		}
		k.kinds = append(k.kinds, kind(i))
	}
	return k, nil
}

func allWords() string {
	var words []string
	for _, k := range kinds {
		words = append(words, k.word)
	}
	return strings.Join(words, ", ")
}

// In returns the same keys with minutes, hours and days of zone.
func (k Keys) In(zone *time.Location) Keys {
	k.zone = zone
	return k
}

// String returns the words, joined by commas.
func (k Keys) String() string { return strings.Join(k.Words(), ",") }

// Words returns the keys one by one, as in PageRow.Parts.
func (k Keys) Words() []string {
	var words []string
	for _, kind := range k.kinds {
		words = append(words, kinds[kind].word)
	}
	return words
}

// Timed tells whether the first key is a time, so that rows are best read in its order.
func (k Keys) Timed() bool { return len(k.kinds) > 0 && k.kinds[0] >= byMinute }

// Fields are the parts of a request that Pages reads to count by these keys: those of the keys, and time, status and
// size.
func (k Keys) Fields() connwarden.Fields {
	return k.own() | connwarden.FieldTime | connwarden.FieldStatus | connwarden.FieldSize
}

func (k Keys) own() connwarden.Fields {
	var f connwarden.Fields
	for _, kind := range k.kinds {
		f |= kinds[kind].fields
	}
	return f
}

// Append appends the key of a request as a person reads it, PageRow.Key: several are joined by a tab, and a tab within
// one is written \x09. What the log left out is "-", and so is an empty text.
func (k Keys) Append(dst []byte, r *connwarden.Request) []byte {
	p := packer{keys: k}
	return append(dst, k.text(p.pack(r))...)
}

// A packed key is how a table holds a key: short, and in an order that a person expects when compared byte by byte:
// addresses by number, times by time. A text is as it is, with a tab behind it when there are several keys. Other
// kinds tell their length by themselves:
//
//	ip, net  4 and 4 bytes | 6 and 16 bytes | 'n', a name and a tab
//	status   2 bytes, big endian
//	times    8 bytes: seconds since 1970 of the begin, big endian, the sign bit turned round; 0 for no time
const (
	packed4    = 4
	packed6    = 6
	packedName = 'n'
	signBit    = 1 << 63
)

// packer makes packed keys. It belongs to one goroutine.
type packer struct {
	keys    Keys
	buf     []byte
	buckets [3]bucket // of minute, hour, day: the one that was met last
	places  []placed  // addresses that were looked up, each at the place of its hash; nil before the first
}

// placed is an address and its key.
type placed struct {
	addr netip.Addr
	kind kind
	text string
}

// placesKept is a power of two; a look-up costs what a hundred of these do.
const placesKept = 1 << 12

// placeOf is the country or autonomous system of an address, remembered.
func (p *packer) placeOf(k kind, a netip.Addr) string {
	if p.places == nil {
		p.places = make([]placed, placesKept)
	}
	b := a.As16()
	h := binary.LittleEndian.Uint64(b[:8])*31 ^ binary.LittleEndian.Uint64(b[8:])
	m := &p.places[(h*0x9e3779b97f4a7c15>>40)&(placesKept-1)]
	if m.addr != a || m.kind != k || m.text == "" {
		*m = placed{a, k, p.keys.place.country(a)}
		if k == byASN {
			m.text = p.keys.place.asn(a)
		}
	}
	return m.text
}

// bucket is a stretch of time [from, to) in which all times have one key.
type bucket struct {
	from, to int64
	start    uint64
}

// pack returns the packed key of r, valid until the next call and as long as r.
func (p *packer) pack(r *connwarden.Request) []byte {
	p.buf = p.buf[:0]
	if len(p.keys.kinds) == 1 {
		k := p.keys.kinds[0]
		if k == byIP {
			p.addAddr(k, r)
			return p.buf
		}
		if text, ok := p.borrow(k, r); ok {
			return text
		}
	}
	for _, k := range p.keys.kinds {
		p.add(k, r)
	}
	return p.buf
}

// dash is an empty text as a key.
var dash = []byte("-")

// borrow returns a key that stands in the request as it is.
func (p *packer) borrow(k kind, r *connwarden.Request) ([]byte, bool) {
	text, ok := part(k, r)
	if ok && len(text) == 0 {
		return dash, true
	}
	return text, ok && len(text) <= maxText
}

// part returns the text of a kind that is a part of the request.
func part(k kind, r *connwarden.Request) ([]byte, bool) {
	switch k {
	case byPath:
		return r.Path, true
	case byURL:
		return r.Path, r.Query == nil // "/a?" is not "/a"
	case bySite:
		return r.Host, true
	case byMethod:
		return r.Method, true
	case byAgent:
		return r.Agent, true
	case byReferer:
		return r.Referer, true
	case byUser:
		return r.User, true
	default:
		return nil, false
	}
}

// add appends one key to p.buf.
func (p *packer) add(k kind, r *connwarden.Request) {
	if text, ok := part(k, r); ok {
		p.addText(text)
		return
	}
	switch k {
	case byURL:
		from := len(p.buf)
		p.buf = append(p.buf, r.Path...)
		p.buf = append(p.buf, '?')
		p.buf = append(p.buf, r.Query...)
		p.endText(from)
	case byIP, byNet:
		p.addAddr(k, r)
	case byCountry, byASN:
		p.addText([]byte(p.placeOf(k, r.Client)))
	case byStatus:
		p.buf = binary.BigEndian.AppendUint16(p.buf, r.Status)
	case byMinute, byHour, byDay:
		p.buf = binary.BigEndian.AppendUint64(p.buf, p.bucketOf(k, r.Time))
	}
}

func (p *packer) addText(text []byte) {
	from := len(p.buf)
	p.buf = append(p.buf, text...)
	p.endText(from)
}

// endText bounds the text that begins at from, and ends it.
func (p *packer) endText(from int) {
	limit := maxText
	if len(p.keys.kinds) > 1 {
		limit = maxParts
	}
	if len(p.buf) == from {
		p.buf = append(p.buf, '-')
	}
	if len(p.buf)-from > limit {
		p.buf = append(p.buf[:from+limit-len(cutMark)], cutMark...)
	}
	if len(p.keys.kinds) > 1 {
		if bytes.IndexByte(p.buf[from:], '\t') >= 0 {
			p.buf = append(p.buf[:from], bytes.ReplaceAll(p.buf[from:], []byte("\t"), []byte(`\x09`))...)
		}
		p.buf = append(p.buf, '\t')
	}
}

func (p *packer) addAddr(k kind, r *connwarden.Request) {
	switch a := r.Client; {
	case a.Is4():
		b := a.As4()
		if k == byNet {
			b[3] = 0
		}
		p.buf = append(p.buf, packed4, b[0], b[1], b[2], b[3])
	case a.IsValid() && a.Zone() == "":
		b := a.As16()
		if k == byNet {
			clear(b[8:])
		}
		p.buf = append(append(p.buf, packed6), b[:]...)
	case a.IsValid():
		p.buf = append(p.buf, packedName)
		from := len(p.buf)
		p.buf = a.AppendTo(p.buf)
		p.endText(from)
	default:
		p.buf = append(p.buf, packedName)
		p.addText(r.Name)
	}
}

// bucketOf returns the packed begin of the minute, hour or day of t.
func (p *packer) bucketOf(k kind, t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	sec := t.Unix()
	b := &p.buckets[k-byMinute]
	if sec >= b.from && sec < b.to {
		return b.start
	}
	t = t.In(p.keys.zone)
	var from, to int64
	if k == byDay {
		y, m, d := t.Date()
		from = time.Date(y, m, d, 0, 0, 0, 0, p.keys.zone).Unix()
		to = time.Date(y, m, d+1, 0, 0, 0, 0, p.keys.zone).Unix()
		b.from, b.to = from, to
	} else {
		length := int64(60)
		if k == byHour {
			length = 3600
		}
		_, offset := t.Zone()
		local := sec + int64(offset)
		from = local - ((local%length)+length)%length - int64(offset)
		to = from + length
		// An offset may end within an hour: what lies beyond has another begin.
		b.from, b.to = from, to
		since, until := t.ZoneBounds()
		if !since.IsZero() {
			b.from = max(b.from, since.Unix())
		}
		if !until.IsZero() {
			b.to = min(b.to, until.Unix())
		}
	}
	b.start = uint64(from) ^ signBit
	return b.start
}

// parts turns a packed key into texts.
func (k Keys) parts(packed []byte) []string {
	parts := make([]string, 0, len(k.kinds))
	for _, kind := range k.kinds {
		var text string
		text, packed = k.unpack(kind, packed)
		parts = append(parts, text)
	}
	return parts
}

// text is the key as PageRow.Key shows it.
func (k Keys) text(packed []byte) string { return strings.Join(k.parts(packed), "\t") }

// unpack takes the first key off a packed one.
func (k Keys) unpack(kind kind, packed []byte) (text string, rest []byte) {
	switch kind {
	case byIP, byNet:
		tag := packed[0]
		packed = packed[1:]
		switch tag {
		case packed4:
			return addrText(kind, netip.AddrFrom4([4]byte(packed)), 24), packed[4:]
		case packed6:
			return addrText(kind, netip.AddrFrom16([16]byte(packed)), 64), packed[16:]
		}
	case byStatus:
		if status := binary.BigEndian.Uint16(packed); status > 0 {
			return fmt.Sprintf("%03d", status), packed[2:]
		}
		return "-", packed[2:]
	case byMinute, byHour, byDay:
		start := binary.BigEndian.Uint64(packed)
		if start == 0 {
			return "-", packed[8:]
		}
		form := time.RFC3339
		if kind == byDay {
			form = time.DateOnly
		}
		return time.Unix(int64(start^signBit), 0).In(k.zone).Format(form), packed[8:]
	}
	if len(k.kinds) > 1 {
		text, rest, _ := bytes.Cut(packed, []byte{'\t'})
		return string(text), rest
	}
	return string(packed), nil
}

func addrText(kind kind, a netip.Addr, bits int) string {
	if kind == byNet {
		return netip.PrefixFrom(a, bits).String()
	}
	return a.String()
}

// packText is the reverse of text: the packed key of a row.
func (k Keys) packText(key string) ([]byte, error) {
	texts := []string{key}
	if len(k.kinds) > 1 {
		texts = strings.Split(key, "\t")
	}
	if len(texts) != len(k.kinds) {
		return nil, fmt.Errorf("row %q: %d keys are wanted", key, len(k.kinds))
	}
	p := packer{keys: k}
	for i, kind := range k.kinds {
		var r connwarden.Request
		text := texts[i]
		switch kind {
		case byIP:
			if r.Client, _ = netip.ParseAddr(text); !r.Client.IsValid() && text != "-" {
				r.Name = []byte(text)
			}
		case byNet:
			if prefix, err := netip.ParsePrefix(text); err == nil {
				r.Client = prefix.Addr()
			} else if text != "-" {
				r.Name = []byte(text)
			}
		case byStatus:
			var n uint16
			if _, err := fmt.Sscanf(text, "%d", &n); err != nil && text != "-" {
				return nil, fmt.Errorf("row %q: %q is no status", key, text)
			}
			r.Status = n
		case byMinute, byHour, byDay:
			form := time.RFC3339
			if kind == byDay {
				form = time.DateOnly
			}
			t, err := time.ParseInLocation(form, text, k.zone)
			if err != nil && text != "-" {
				return nil, fmt.Errorf("row %q: %q is no time", key, text)
			}
			r.Time = t
		default:
			p.addText([]byte(text))
			continue
		}
		p.add(kind, &r)
	}
	return p.buf, nil
}
