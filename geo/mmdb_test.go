package geo

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mmdb writes a file by MaxMind's description of its format (maxmind.github.io/MaxMind-DB, version 2.0): a tree of
// addresses with 24-bit records, the rows, and the metadata. version 4 has 32 levels; version 6 has 128, with IPv4 at
// ::/96.
func mmdb(t *testing.T, kind string, version int, epoch int64, rows map[string]any) string {
	t.Helper()
	const empty = -1
	tree := [][2]int{{empty, empty}} // a child: a node, or empty, or -2 less the place of its row
	var data []byte
	for _, text := range slices.Sorted(maps.Keys(rows)) {
		p := netip.MustParsePrefix(text)
		path, length := p.Addr().AsSlice(), p.Bits()
		if version == 6 && p.Addr().Is4() {
			path, length = append(make([]byte, 12), path...), length+96
		}
		node := 0
		for i := range length {
			bit := path[i/8] >> (7 - i%8) & 1
			if i == length-1 {
				tree[node][bit] = -2 - len(data)
				break
			}
			if tree[node][bit] < 0 {
				tree[node][bit] = len(tree)
				tree = append(tree, [2]int{empty, empty})
			}
			node = tree[node][bit]
		}
		data = mmdbValue(data, rows[text])
	}
	var out []byte
	for _, node := range tree {
		for _, child := range node {
			switch {
			case child == empty:
				child = len(tree)
			case child < 0:
				child = len(tree) + 16 + (-2 - child)
			}
			out = append(out, byte(child>>16), byte(child>>8), byte(child))
		}
	}
	out = append(append(out, make([]byte, 16)...), data...)
	out = mmdbValue(append(out, "\xab\xcd\xefMaxMind.com"...), map[string]any{
		"node_count": uint32(len(tree)), "record_size": uint16(24), "ip_version": uint16(version), "database_type": kind,
		"languages": []any{"en"}, "binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0),
		"build_epoch": uint64(epoch), "description": map[string]any{"en": "of a test"},
	})
	name := filepath.Join(t.TempDir(), "test.mmdb")
	if err := os.WriteFile(name, out, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func mmdbValue(out []byte, v any) []byte {
	head := func(kind, size int) {
		more := []byte(nil)
		if size >= 29 {
			size, more = 29, []byte{byte(size - 29)}
		}
		if kind > 7 {
			out = append(out, byte(size), byte(kind-7))
		} else {
			out = append(out, byte(kind<<5|size))
		}
		out = append(out, more...)
	}
	switch v := v.(type) {
	case string:
		head(2, len(v))
		out = append(out, v...)
	case uint16:
		head(5, 2)
		out = binary.BigEndian.AppendUint16(out, v)
	case uint32:
		head(6, 4)
		out = binary.BigEndian.AppendUint32(out, v)
	case uint64:
		head(9, 8)
		out = binary.BigEndian.AppendUint64(out, v)
	case map[string]any:
		head(7, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = mmdbValue(mmdbValue(out, key), v[key])
		}
	case []any:
		head(11, len(v))
		for _, x := range v {
			out = mmdbValue(out, x)
		}
	}
	return out
}

type m = map[string]any

func TestMMDB(t *testing.T) {
	asn := mmdb(t, "GeoLite2-ASN", 6, 2000, m{
		"1.128.0.0/11":   m{"autonomous_system_number": uint32(1221), "autonomous_system_organization": "Telstra Pty Ltd"},
		"8.8.8.0/24":     m{"autonomous_system_number": uint32(15169)},
		"2600:7000::/24": m{"autonomous_system_number": uint32(6939), "autonomous_system_organization": "Hurricane Electric, Inc."},
		"9.0.0.0/24":     m{"autonomous_system_number": uint32(7), "autonomous_system_organization": strings.Repeat("é", 100)},
	})
	city := mmdb(t, "DBIP-City-Lite", 6, 1000, m{
		"1.128.0.0/12": m{"city": m{"names": m{"en": "Perth"}}, "continent": m{"code": "OC"}, "country": m{"iso_code": "AU", "is_in_european_union": uint16(0)}},
		"8.8.0.0/16":   m{"country": m{"iso_code": "US"}, "location": m{"time_zone": "America/New_York"}},
		"7.0.0.0/8":    m{"registered_country": m{"iso_code": "DE"}},
		"6.0.0.0/8":    m{"country": m{"iso_code": "\x1b["}},
		"2a00::/12":    m{"country": m{"iso_code": "NL"}},
	})
	enterprise := mmdb(t, "GeoIP2-Enterprise", 4, 3000, m{
		"74.209.16.0/20": m{"country": m{"iso_code": "US"}, "traits": m{"autonomous_system_number": uint32(14671), "autonomous_system_organization": "FairPoint Communications"}},
	})
	flat := mmdb(t, "country ipvAll", 6, 3000, m{"8.8.8.0/23": m{"country_code": "US"}, "1.0.0.0/24": m{"country_code": "AU"}})

	both, err := OpenMMDB(asn, city, enterprise)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if !both.Date().Equal(time.Unix(1000, 0)) {
		t.Errorf("the date is %v", both.Date())
	}
	for _, c := range []struct{ addr, prefix, org, country string }{
		{"1.128.0.1", "1.128.0.0/12", "1221 Telstra Pty Ltd", "AU"},
		{"1.159.0.1", "1.128.0.0/11", "1221 Telstra Pty Ltd", ""},
		{"::ffff:8.8.8.8", "8.8.8.0/24", "15169", "US"},
		{"8.8.9.8", "8.8.0.0/16", "", "US"},
		{"2600:7000::1%eth0", "2600:7000::/24", "6939 Hurricane Electric, Inc.", ""},
		{"2a00:1450::1", "2a00::/12", "", "NL"},
		{"7.1.2.3", "7.0.0.0/8", "", "DE"},
		{"6.1.2.3", "", "", ""}, // what says nothing that can be believed
		{"9.0.0.1", "9.0.0.0/24", "7 " + strings.Repeat("é", 64), ""},
		{"74.209.20.1", "74.209.16.0/20", "14671 FairPoint Communications", "US"},
		{"10.0.0.1", "", "", ""},
		{"fe80::1", "", "", ""},
	} {
		checkNetwork(t, both, c.addr, c.prefix, c.org, c.country)
	}
	if n, ok := both.Lookup(netip.Addr{}); ok {
		t.Errorf("the invalid address is %v", n)
	}

	small, err := OpenMMDB(flat)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	checkNetwork(t, small, "8.8.9.8", "8.8.8.0/23", "", "US")
	checkNetwork(t, Prefer(small, Shipped()), "8.8.8.8", "8.8.8.0/24", "15169 Google LLC", "US")
	checkNetwork(t, Prefer(small, Shipped()), "9.9.9.9", "9.9.9.0/24", "19281 Quad9", "US")
}

func TestOpenMMDBRefuses(t *testing.T) {
	good := mmdb(t, "GeoLite2-ASN", 6, 1, m{"8.8.8.0/24": m{"autonomous_system_number": uint32(15169)}})
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "bad.mmdb")
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		name, says string
		files      []string
	}{
		{"none", "none is named", nil},
		{"not there", "none.mmdb", []string{good, filepath.Join(t.TempDir(), "none.mmdb")}},
		{"nothing in it", "bad.mmdb", []string{file("")}},
		{"a text", "invalid MaxMind DB file", []string{file("not a database")}},
		{"cut off", "bad.mmdb", []string{good, file(string(text[:len(text)-40]))}},
		{"of domains", "tells neither", []string{mmdb(t, "GeoIP2-Domain", 4, 1, m{"8.8.8.0/24": m{"domain": "google.com"}})}},
		{"of names", "not as those of MaxMind", []string{mmdb(t, "odd", 4, 1, m{"8.8.8.0/24": m{"country": "United States"}})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := OpenMMDB(c.files...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
}
