package conns

import (
	"fmt"
	"strconv"
	"strings"
)

// portSet is a set of ports.
type portSet [65536 / 64]uint64

func newPortSet(ports []uint16) *portSet {
	s := new(portSet)
	for _, p := range ports {
		s.add(p)
	}
	return s
}

func (s *portSet) add(p uint16)      { s[p>>6] |= 1 << (p & 63) }
func (s *portSet) has(p uint16) bool { return s[p>>6]>>(p&63)&1 != 0 }

// portRange is lo to hi, both included.
type portRange struct{ lo, hi uint16 }

// ranges returns the set as ascending ranges.
func (s *portSet) ranges() []portRange {
	var list []portRange
	for p := 0; p < 65536; p++ {
		if s[p>>6] == 0 {
			p |= 63
			continue
		}
		if !s.has(uint16(p)) {
			continue
		}
		lo := p
		for p < 65535 && s.has(uint16(p+1)) {
			p++
		}
		list = append(list, portRange{uint16(lo), uint16(p)})
	}
	return list
}

// services are the names that people and ss type for ports. Numbers and names are IANA's registry (RFC 6335) as in
// Debian's /etc/services; hosting panels' ports are from the panels' own documentation.
var services = map[string]uint16{
	"ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "dns": 53, "bootps": 67, "bootpc": 68,
	"http": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123, "imap": 143, "imap2": 143, "snmp": 161,
	"ldap": 389, "https": 443, "submissions": 465, "smtps": 465, "urd": 465, "syslog": 514, "submission": 587,
	"ldaps": 636, "domain-s": 853, "rsync": 873, "ftps": 990, "imaps": 993, "pop3s": 995, "openvpn": 1194,
	"ms-sql-s": 1433, "mssql": 1433, "mqtt": 1883, "nfs": 2049, "cpanel": 2083, "whm": 2087, "webmail": 2096,
	"mysql": 3306, "ms-wbt-server": 3389, "rdp": 3389, "sieve": 4190, "sip": 5060, "sips": 5061, "xmpp-client": 5222,
	"postgresql": 5432, "postgres": 5432, "amqp": 5672, "redis": 6379, "http-alt": 8080, "https-alt": 8443,
	"plesk": 8443, "memcached": 11211, "mongodb": 27017,
}

// ParsePorts reads a list of ports joined by commas: numbers, ranges with '-', and the names of common services
// ("https"). Errors name the item. An empty list is no ports. The result is ascending and without doubles.
func ParsePorts(list string) ([]uint16, error) {
	var set portSet
	for item := range strings.SplitSeq(list, ",") {
		item = strings.ToLower(strings.TrimSpace(item))
		if item == "" {
			continue
		}
		if p, ok := services[item]; ok {
			set.add(p)
			continue
		}
		first, last, isRange := strings.Cut(item, "-")
		lo, err := parsePort(first)
		if err != nil {
			return nil, fmt.Errorf("port %q: %w", item, err)
		}
		hi := lo
		if isRange {
			if hi, err = parsePort(last); err != nil {
				return nil, fmt.Errorf("port %q: %w", item, err)
			}
		}
		if hi < lo {
			return nil, fmt.Errorf("port %q: the range runs backwards", item)
		}
		for p := int(lo); p <= int(hi); p++ {
			set.add(uint16(p))
		}
	}
	var ports []uint16
	for _, r := range set.ranges() {
		for p := int(r.lo); p <= int(r.hi); p++ {
			ports = append(ports, uint16(p))
		}
	}
	return ports, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("use a number from 1 to 65535, a range such as 8000-8010, or a service's name such as https")
	}
	return uint16(n), nil
}

// known are ports above 1023 that are a service's and hardly ever an ephemeral port: they decide a direction that has to
// be guessed. From the same sources as services; 2077 to 2096 are cPanel's, 8880 and 8447 Plesk's, 2222 DirectAdmin's.
var known = func() *portSet {
	s := new(portSet)
	for p := uint16(1); p < 1024; p++ {
		s.add(p)
	}
	for _, p := range services {
		s.add(p)
	}
	for p := uint16(2077); p <= 2096; p++ {
		s.add(p)
	}
	for _, p := range []uint16{1521, 2222, 2375, 2376, 2379, 2380, 3000, 3128, 5000, 5601, 5900, 6443, 7080, 8000, 8008, 8081, 8088, 8447,
		8834, 8880, 8888, 9000, 9090, 9092, 9100, 9200, 9300, 10000, 10250} {
		s.add(p)
	}
	return s
}()
