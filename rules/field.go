package rules

import (
	"slices"

	"github.com/connwarden/connwarden/where"
)

// sort is how a field is compared.
type sort uint8

const (
	text sort = iota
	number
	address
	word
	country
)

// field is one field of a kind of reading and where a subject holds it.
type field struct {
	name   string
	sort   sort
	slot   int  // of subject.text, or of subject.num
	form   form // how it is made comparable
	values []string
}

// slots of texts; those of requests are remembered by value, so their number is small.
const (
	slotPath = iota
	slotQuery
	slotAgent
	slotReferer
	slotSite
	slotUser
	slotMethod
	slotKind
	slotHost
	texts
)

// The slots of other readings reuse those of requests.
const (
	slotService = slotPath
	slotDetail  = slotQuery
	slotCode    = slotAgent
	slotModule  = slotReferer
	slotLevel   = slotMethod
	slotAccount = slotMethod
	slotMessage = slotQuery
)

const (
	numStatus = iota
	numBytes
	numTook // milliseconds
	numPort
	numRequests
	numASN
	nums
)

// Whatever is read comes from an address.
var (
	ip   = field{name: "ip", sort: address}
	asn  = field{name: "asn", sort: number, slot: numASN}
	land = field{name: "country", sort: country}
)

var vocabularies = [looks][]field{
	Requests: {
		{name: "path", slot: slotPath, form: pathForm}, {name: "query", slot: slotQuery, form: queryForm}, {name: "agent", slot: slotAgent, form: queryForm},
		{name: "referer", slot: slotReferer, form: queryForm}, {name: "site", slot: slotSite}, {name: "user", slot: slotUser},
		{name: "method", slot: slotMethod}, {name: "kind", sort: word, slot: slotKind, values: []string{"http", "tls", "empty", "garbage"}},
		{name: "host", slot: slotHost},
		{name: "status", sort: number, slot: numStatus}, {name: "bytes", sort: number, slot: numBytes},
		{name: "took", sort: number, slot: numTook}, ip, asn, land,
	},
	Events: {
		{name: "service", slot: slotService}, {name: "detail", slot: slotDetail}, {name: "user", slot: slotUser},
		{name: "kind", sort: word, slot: slotKind, values: []string{
			"auth_failed", "not_allowed", "bad_handshake", "limit_hit", "probe", "spam", "relay", "harvest", "filter_hit", "auth_passed", "connected", "closed",
		}},
		{name: "account", sort: word, slot: slotAccount, values: []string{"missing"}},
		ip, asn, land,
	},
	Faults: {
		{name: "service", slot: slotService}, {name: "message", slot: slotMessage}, {name: "code", slot: slotCode},
		{name: "module", slot: slotModule}, {name: "level", slot: slotLevel}, {name: "site", slot: slotSite}, ip, asn, land,
	},
	Connections: {
		{name: "state", slot: slotKind}, {name: "dir", sort: word, slot: slotMethod, values: []string{"in", "out"}},
		{name: "port", sort: number, slot: numPort}, {name: "requests", sort: number, slot: numRequests}, ip, asn, land,
	},
}

func (l Look) field(name string) *field {
	i := slices.IndexFunc(vocabularies[l], func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &vocabularies[l][i]
}

func (l Look) names() (names []string) {
	for _, f := range vocabularies[l] {
		names = append(names, f.name)
	}
	return names
}

func (l Look) vocabulary() where.Vocabulary {
	return where.Vocabulary{Names: l.names(), Operators: func(name string) []string {
		switch l.field(name).sort {
		case text:
			return where.TextOperators
		case number:
			return where.NumOperators
		default:
			return where.WordOperators
		}
	}}
}

// groups are the keys that readings of a kind may be grouped by, and distinct the fields whose values may be counted.
var groups = [looks][]By{
	Requests:    {ByIP, ByNet, ByASN, ByCountry, BySite, ByPath, ByAgent, ByUser},
	Events:      {ByIP, ByNet, ByASN, ByCountry, ByUser, ByService},
	Faults:      {ByIP, ByNet, ByASN, ByCountry, BySite},
	Connections: {ByIP, ByNet, ByASN, ByCountry},
}

var distinct = [looks][]string{
	Requests:    {"ip", "net", "country", "path", "query", "agent", "referer", "site", "user"},
	Events:      {"ip", "net", "country", "user", "service", "detail"},
	Faults:      {"ip", "net", "country", "site", "message"},
	Connections: {"ip"},
}
