package tally

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
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
