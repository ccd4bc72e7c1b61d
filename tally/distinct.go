package tally

import (
	"math/bits"

	"github.com/connwarden/connwarden"
)

// Bounds on the addresses of rows. All rows of a table share distinctMemory, in bytes: twenty rows, as many as people
// look at, are then exact up to exactMost addresses each.
const (
	distinctMemory = 32 << 20
	exactMost      = 65_536
	exactLeast     = 16
)

// Distinct counts, in a second pass, the different clients behind some rows of [Pages]: exactly up to a bound, which is
// 65,536 clients for each of up to 20 rows and less for more, and beyond that as an estimate within 2% (more with over
// 2,000 rows). What has no address is counted by its name.
//
// Clients are told apart by hashes of 64 bits: with 65,536 of them the odds of two being taken for one are one in nine
// thousand million.
type Distinct struct {
	keys    Keys
	pack    packer
	client  packer
	table   table // of the rows, in their order
	rows    []clients
	most    int // hashes kept for a row
	precise int // log2 of the length of a row's sketch
}

// NewDistinct counts for the rows with these keys (PageRow.Key). A row that cannot be one of keys is never counted.
func NewDistinct(keys Keys, rows []string) *Distinct {
	d := &Distinct{keys: keys, pack: packer{keys: keys}, client: packer{keys: Keys{kinds: []kind{byIP}}}}
	for _, row := range rows {
		key, err := keys.packText(row)
		if h := hash(key); err == nil && d.table.find(h) < 0 {
			d.table.add(key, h)
		}
	}
	d.rows = make([]clients, d.table.n)
	share := distinctMemory / max(d.table.n, 1)
	d.most = min(max(share/24, exactLeast), exactMost) // slots of 8 bytes, a third of them filled on average
	d.precise = min(max(bits.Len(uint(share))-1, 8), sketchBits)
	return d
}

// Fields are the parts of a request that are read.
func (d *Distinct) Fields() connwarden.Fields { return d.keys.own() | connwarden.FieldClient }

// Request counts the client of one request.
func (d *Distinct) Request(r *connwarden.Request) {
	key := d.pack.pack(r)
	if i := d.table.find(hash(key)); i >= 0 {
		d.add(i, hash(d.client.pack(r)))
	}
}

func (d *Distinct) add(row int, h uint64) {
	c := &d.rows[row]
	if c.sketch != nil {
		c.sketch.add(h)
		return
	}
	if c.add(h); c.n > d.most {
		c.estimate(d.precise)
	}
}

// Merge adds what o, made for the same rows, has counted. o must not be used afterwards.
func (d *Distinct) Merge(o *Distinct) {
	for i := range o.rows {
		theirs := &o.rows[i]
		for _, h := range theirs.slots {
			if h != 0 {
				d.add(i, h)
			}
		}
		if theirs.sketch != nil {
			c := &d.rows[i]
			if c.sketch == nil {
				c.estimate(d.precise)
			}
			c.sketch.merge(theirs.sketch)
		}
	}
	*o = Distinct{}
}

// Count is the number of different clients of a row, 0 of one that was not asked for.
func (d *Distinct) Count(row string) (n uint64, exact bool) {
	key, err := d.keys.packText(row)
	if err != nil {
		return 0, true
	}
	i := d.table.find(hash(key))
	if i < 0 {
		return 0, true
	}
	if c := &d.rows[i]; c.sketch == nil {
		return uint64(c.n), true
	}
	return d.rows[i].sketch.estimate(), false
}

// clients is a set of hashes: open addressing, 0 for a free slot, or a sketch once there were too many.
type clients struct {
	slots  []uint64
	n      int
	sketch sketch
}

func (c *clients) add(h uint64) {
	if h == 0 {
		h = 1
	}
	if 3*c.n >= 2*len(c.slots) {
		old := c.slots
		c.slots = make([]uint64, max(2*len(old), 4))
		for _, h := range old {
			if h != 0 {
				c.slots[c.place(h)] = h
			}
		}
	}
	if at := c.place(h); c.slots[at] == 0 {
		c.slots[at] = h
		c.n++
	}
}

// estimate turns the set into a sketch.
func (c *clients) estimate(bits int) {
	c.sketch = newSketch(bits)
	for _, h := range c.slots {
		if h != 0 {
			c.sketch.add(h)
		}
	}
	c.slots = nil
}

// place is where h is or belongs.
func (c *clients) place(h uint64) int {
	mask := len(c.slots) - 1
	at := int(h>>32) & mask
	for c.slots[at] != 0 && c.slots[at] != h {
		at = (at + 1) & mask
	}
	return at
}
