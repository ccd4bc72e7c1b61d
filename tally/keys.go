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

// placesKept is a power of two; a look-up costs what a hundred of these do.
const placesKept = 1 << 12

// dash is an empty text as a key.
var dash = []byte("-")

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
