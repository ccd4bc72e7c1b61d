package update

import (
	"fmt"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/nets"
)

func TestParseRanges(t *testing.T) {
	for _, c := range []struct{ name, member, text, want string }{
		{"Google's form", "", `{"prefixes":[{"ipv6Prefix":"2001:db8::/48"},{"ipv4Prefix":"192.0.2.0/27"}]}`, "192.0.2.0/27 2001:db8::/48"},
		{"Ahrefs' form", "", `{"ips":[{"ip_address":"192.0.2.1"},{"ip_address":"192.0.2.0"}]}`, "192.0.2.0/31"},
		{"Amazon's form", "", `{"syncToken":"1","prefixes":[{"ip_prefix":"192.0.2.0/27","region":"eu"}],"ipv6_prefixes":[{"ipv6_prefix":"2001:db8::/48"}]}`, "192.0.2.0/27 2001:db8::/48"},
		{"Fastly's form", "", `{"addresses":["192.0.2.0/27"],"ipv6_addresses":["2001:db8::/48"]}`, "192.0.2.0/27 2001:db8::/48"},
		{"GitHub's form", "hooks", `{"verifiable_password_authentication":false,"hooks":["192.0.2.0/27"],"web":["198.51.100.0/24"]}`, "192.0.2.0/27"},
		{"Datadog's form", "synthetics", `{"version":3,"synthetics":{"prefixes_ipv4":["192.0.2.1/32"],"prefixes_ipv4_by_location":{"aws:eu":["192.0.2.1/32","192.0.2.2/32"]},"prefixes_ipv6":[]}}`, "192.0.2.1/32 192.0.2.2/32"},
		{"a JSON list", "", ` [ "192.0.2.1" , "2001:db8::1" ] `, "192.0.2.1/32 2001:db8::1/128"},
		{"lines", "", "192.0.2.1\n2001:db8::/32\n", "192.0.2.1/32 2001:db8::/32"},
		{"a mark of UTF-8, and Windows' lines", "", "\xef\xbb\xbf192.0.2.1\r\n192.0.2.2 # two\r\n", "192.0.2.1/32 192.0.2.2/32"},
		{"nothing", "", "\n", "there is no prefix"},
		{"comments alone", "", "# none\n", "there is no prefix"},
		{"an empty list", "", `{"prefixes":[]}`, "there is no prefix"},
		{"a number", "", "42", "neither an address nor a prefix"},
		{"a heading", "", "network,country\n192.0.2.0/24,DE\n", "neither an address nor a prefix"},
		{"JSON and more", "", `["192.0.2.1"] ["192.0.2.2"]`, "read JSON"},
		{"an odd prefix", "", `{"ipv4Prefix":"192.0.2.0-192.0.2.9"}`, `"192.0.2.0-192.0.2.9" in member "ipv4Prefix" is no prefix`},
		{"a member that is not there", "web", `{"hooks":["192.0.2.1"]}`, `no member "web"`},
		{"a member of a list", "web", `["192.0.2.1"]`, `no member "web"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := ParseRanges([]byte(c.text), c.member)
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error is %v, want %q", err, c.want)
				}
				return
			}
			if got := strings.Trim(fmt.Sprint(list), "[]"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// FuzzParseRanges wants of whatever was not refused a list that, written and read again, is the same.
func FuzzParseRanges(f *testing.F) {
	f.Add([]byte(crawlers), "")
	f.Add([]byte(inFolder), "")
	f.Add([]byte(`{"a":{"b":["::ffff:1.2.3.4/100"," fe80::1%eth0"]}}`), "a")
	f.Fuzz(func(t *testing.T, text []byte, member string) {
		list, err := ParseRanges(text, member)
		if err != nil {
			return
		}
		if len(list) == 0 {
			t.Fatal("an empty list is no error")
		}
		again, err := nets.Parse(strings.Trim(fmt.Sprint(list), "[]"))
		if err != nil || fmt.Sprint(again.Prefixes()) != fmt.Sprint(list) {
			t.Fatalf("%v, %v of %v", again.Prefixes(), err, list)
		}
	})
}
