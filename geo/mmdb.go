package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/connwarden/connwarden"
)

// MMDB is one or several MaxMind DB files: ASN, ISP, Country, City or Enterprise files of MaxMind or DB-IP, and those of
// ip-location-db. The files are mapped rather than read; while they are open they must be replaced by renaming, as
// geoipupdate does, and never be written to in place.
type MMDB struct {
	files []*maxminddb.Reader
	date  time.Time
}

// mmdbRow is what we want of a row. Country files have the country's own place and the place of registration, which is all
// that is known of an address that is used all over the world.
type mmdbRow struct {
	system
	Traits     system `maxminddb:"traits"` // of Enterprise files
	Country    place  `maxminddb:"country"`
	Registered place  `maxminddb:"registered_country"`
	Code       string `maxminddb:"country_code"` // of ip-location-db
}

type system struct {
	ASN uint32 `maxminddb:"autonomous_system_number"`
	Org string `maxminddb:"autonomous_system_organization"`
}

type place struct {
	ISO string `maxminddb:"iso_code"`
}

// probed is how many rows of a file may be without a system and a country before the file is refused.
const probed = 10000

// OpenMMDB opens MaxMind DB files. Where several know the same, the one named first is believed. A file that tells
// neither systems nor countries is refused.
func OpenMMDB(names ...string) (*MMDB, error) {
	if len(names) == 0 {
		return nil, errors.New("open MaxMind DB files: none is named")
	}
	m := &MMDB{}
	for _, name := range names {
		r, err := maxminddb.Open(name)
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("open MaxMind DB file %s: %w", name, err)
		}
		m.files = append(m.files, r)
		if err := probe(r); err != nil {
			m.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if built := r.Metadata.BuildTime().UTC(); m.date.IsZero() || built.Before(m.date) {
			m.date = built
		}
	}
	return m, nil
}

// probe looks for a row that tells something.
func probe(r *maxminddb.Reader) error {
	rows := 0
	for result := range r.Networks() {
		n, err := readRow(result)
		switch {
		case err != nil:
			return fmt.Errorf("its rows (%.40q) are not as those of MaxMind and DB-IP: %w", r.Metadata.DatabaseType, err)
		case n.ASN != 0 || n.Country != "":
			return nil
		}
		if rows++; rows == probed {
			break
		}
	}
	return fmt.Errorf("it (%.40q) tells neither AS numbers nor countries: name an ASN, Country or City file", r.Metadata.DatabaseType)
}

// readRow decodes a row.
func readRow(result maxminddb.Result) (n connwarden.Network, err error) {
	var r mmdbRow
	if err := result.Decode(&r); err != nil {
		return n, err
	}
	s := r.system
	if s.ASN == 0 {
		s = r.Traits
	}
	if s.ASN != 0 {
		n.ASN, n.Org = s.ASN, s.Org
		if len(n.Org) > maxASNName || !utf8.ValidString(n.Org) {
			n.Org = clip(n.Org)
		}
	}
	for _, code := range []string{r.Country.ISO, r.Code, r.Registered.ISO} {
		if isCountry(code) {
			n.Country = code
			break
		}
	}
	return n, nil
}

// Lookup asks the files in their order. A row that cannot be read says nothing.
func (m *MMDB) Lookup(a netip.Addr) (n connwarden.Network, ok bool) {
	if !a.IsValid() {
		return n, false
	}
	a = a.Unmap().WithZone("")
	for _, f := range m.files {
		if a.Is6() && f.Metadata.IPVersion == 4 {
			continue
		}
		result := f.Lookup(a)
		if !result.Found() {
			continue
		}
		more, err := readRow(result)
		if err != nil || more.ASN == 0 && more.Country == "" {
			continue
		}
		more.Prefix = result.Prefix()
		n, ok = merge(n, more), true
		if n.ASN != 0 && n.Country != "" {
			break
		}
	}
	return n, ok
}

// Date is when the oldest of the files was made.
func (m *MMDB) Date() time.Time { return m.date }

// Close gives the files back; nobody may ask any more.
func (m *MMDB) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
