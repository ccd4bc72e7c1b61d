// Package geo tells the network and the country of an address without asking anyone: from the table that is compiled in,
// from a newer one in the state folder, or from MaxMind DB files of the user's own.
//
// A table is read where it lies: nothing is unpacked, so that the first look-up costs what the thousandth does, and what
// is compiled in takes no memory but the pages that are touched. All tables may be asked by any number of goroutines.
// What they say is an estimate of others ([Table] tells whose), to be shown with its age.
package geo

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
)

// Networks is who can be asked about an address.
type Networks interface {
	// Lookup returns what is known of an address. IPv4 in IPv6 clothes is IPv4, zones are ignored; false is returned for
	// an address of which nothing is known.
	Lookup(netip.Addr) (connwarden.Network, bool)
	// Date is when the data was made, of several the oldest.
	Date() time.Time
}

// File is the name of a table in the state folder.
const File = "geo.table"

// maxFile bounds the tables that are read; the shipped one has some 5 MB.
const maxFile = 64 << 20

//go:embed data/geo.table
var shipped string

// Shipped returns the table that is compiled in. It takes no memory but its index, 280 KB, which is made when first asked
// for.
func Shipped() *Table { return shippedTable() }

var shippedTable = sync.OnceValue(func() *Table {
	t, err := parse(shipped)
	if err != nil {
		panic(err) // a file of our own, which the tests read too
	}
	return t
})

// Load returns the table of the state folder if it is newer than the shipped one and not damaged, else the shipped one.
// The table is never nil; the error tells why one that is there was passed over. A table that is loaded takes its size in
// memory, some 5 MB and never more than 64, and some milliseconds.
func Load(stateDir string) (*Table, error) {
	t, err := Open(filepath.Join(stateDir, File))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Shipped(), nil
	case err != nil:
		return Shipped(), err
	case !t.Date().After(Shipped().Date()):
		return Shipped(), nil
	}
	return t, nil
}

// Open reads a table from a file and checks that it is whole.
func Open(name string) (*Table, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open table of networks: %w", err)
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Read reads a table of at most 64 MB and checks that it is whole.
func Read(r io.Reader) (*Table, error) {
	var text strings.Builder
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			text.Grow(int(min(info.Size(), maxFile)) + 1)
		}
	}
	n, err := io.Copy(&text, io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read table of networks: %w", err)
	case n > maxFile:
		return nil, fmt.Errorf("read table of networks: it has more than %d MB: no table of ours", maxFile>>20)
	}
	return Parse(text.String())
}

// Prefer returns networks that ask the first and fill in from the second what it does not know. The prefix is then the
// narrower of the two, of which all that is said is true.
func Prefer(first, second Networks) Networks { return preferred{first, second} }

type preferred struct{ first, second Networks }

func (p preferred) Lookup(a netip.Addr) (connwarden.Network, bool) {
	n, ok := p.first.Lookup(a)
	if n.ASN != 0 && n.Country != "" {
		return n, true
	}
	if more, also := p.second.Lookup(a); also {
		return merge(n, more), true
	}
	return n, ok
}

// merge fills in what a network does not say.
func merge(n, more connwarden.Network) connwarden.Network {
	filled := false
	if n.ASN == 0 && more.ASN != 0 {
		n.ASN, n.Org, filled = more.ASN, more.Org, true
	}
	if n.Country == "" && more.Country != "" {
		n.Country, filled = more.Country, true
	}
	if filled && (!n.Prefix.IsValid() || more.Prefix.Bits() > n.Prefix.Bits()) {
		n.Prefix = more.Prefix
	}
	return n
}

func (p preferred) Date() time.Time {
	a, b := p.first.Date(), p.second.Date()
	if b.Before(a) {
		return b
	}
	return a
}
