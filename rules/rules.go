// Package rules owns the language in which it is written what harms, and the rules that ship with the program.
//
// A rule looks at one kind of reading, says by a condition which of them speak against a peer, groups them by a key and
// names how many within which time are too many. [Parse] checks all that can be checked without reading a log; that the
// examples of a rule really fire it, and those of innocent traffic do not, is proved where logs can be read.
//
// The package opens nothing and reads no clock. A [Set] is immutable and may be used by several goroutines; a [Matcher]
// belongs to one.
//
// # Language
//
// A file is TOML with any number of rules:
//
//	[[rule]]
//	name   = "wordpress-login-bruteforce"
//	about  = "Guesses WordPress passwords at wp-login.php"
//	look   = "request"                                    # request, event, fault or connection
//	where  = 'method=POST and path$=/wp-login.php and status!=302'
//	by     = "ip"                                         # ip, net, asn, site, path, agent, user, service
//	count  = 10                                           # so many readings …
//	within = "5m"                                         # … in this time
//	score  = 85
//	why    = "{count} failed logins at wp-login.php in {within}"
//	fires  = """…log lines that must fire it…"""
//	spares = """…log lines that look alike and must not…"""
//
// Besides: distinct counts different values of a field instead of readings; share asks that matching requests are such a
// part of all that the address made; most is the score at ten times the count; family groups rules that see the same fact, of which only the strongest counts (default: the
// name's first word); capped marks what honest heavy users do too (volume, breadth), which alone is never malicious; pass
// is a condition of readings that speak for the peer (a login that succeeded), which lift the count to pass_count; member
// is the score of an address that took part in what a group did, and did little else: of a group share is how little, and
// pass spares the member.
//
// Conditions are those of --where with these differences: texts are compared without regard to case and after percent
// signs were decoded twice, slashes folded and backslashes turned, so that /a/%252e%252e//B is /a/../b.
package rules

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Look is the kind of reading that a rule looks at.
type Look uint8

const (
	Requests Look = iota
	Events
	Faults
	Connections
	looks
)

var lookWords = [...]string{"request", "event", "fault", "connection"}

// String returns the word of the language.
func (l Look) String() string { return lookWords[l] }

// By is what readings are grouped by.
type By uint8

const (
	ByIP      By = iota // an IPv4 address or a /64
	ByNet               // a /24 or a /48
	ByASN               // an autonomous system
	ByCountry           // two capital letters
	BySite              // a virtual host
	ByPath              // a path as the language compares it
	ByAgent             // a user agent
	ByUser              // an account, at a service
	ByService           // a daemon

	// NumBy is how many there are.
	NumBy = iota
)

var byWords = [...]string{"ip", "net", "asn", "country", "site", "path", "agent", "user", "service"}

// String returns the word of the language.
func (b By) String() string { return byWords[b] }

// Rule is one rule, checked.
type Rule struct {
	Name      string
	About     string // a sentence without an end: what the peer does
	Look      Look
	Where     string
	By        By
	Count     uint64        // at least 1
	Distinct  string        // field whose different values are counted; "" counts readings
	Share     float64       // 0: not asked; of a group the part of their requests that members made in it
	Within    time.Duration // 0: the whole time looked at
	Score     int           // at Count
	Most      int           // at ten times Count
	Family    string
	Capped    bool
	Pass      string // condition of readings that speak for the peer; "" none
	PassCount uint64 // the count that is asked for after such a reading; of a group none, as it spares the member alone
	Member    int    // of a group's rule: score of an address that took part; 0: none
	Why       string
	Fires     string
	Spares    string
	File      string // where it is written
	Line      int
	Example   Example // what of the earliest reading is quoted in Why
}

// Example is a part of a reading that a sentence quotes.
type Example uint8

const (
	ExampleValue   Example = iota // of a request path and query, of an event the user
	ExampleAgent                  // {agent}
	ExampleReferer                // {referer}
)

//go:embed rules.d/*.toml
var shipped embed.FS

// Shipped returns the texts of the rules that come with the program, by file name.
func Shipped() map[string][]byte {
	files := map[string][]byte{}
	entries, _ := fs.ReadDir(shipped, "rules.d") // of an embedded folder
	for _, e := range entries {
		text, _ := shipped.ReadFile("rules.d/" + e.Name())
		files[e.Name()] = text
	}
	return files
}

// Merge puts rules over others: a rule of over replaces that of the same name.
func Merge(base, over []Rule) []Rule {
	list := slices.Clone(base)
	for _, r := range over {
		if i := slices.IndexFunc(list, func(o Rule) bool { return o.Name == r.Name }); i >= 0 {
			list[i] = r
		} else {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// broadCount is the count from which a rule by address waits for the second look: what is so many is worth counting by
// time only for those who asked that often at all, and most do not. broadWithin is the longest window of such a rule: who
// may meet it is told by the busiest minute, and of hours a minute tells little.
//
// fewInMinute parts these rules by how much they ask for in a minute: who may meet one that asks for less is told more exactly, since many
// addresses come near it.
const (
	broadCount  = 25
	broadWithin = 10 * time.Minute
	fewInMinute = 20
)

// Broad tells that a rule is counted in a second look, for the busiest alone.
func (r *Rule) Broad() bool {
	if r.Look != Requests || r.Where == "" && r.By == ByNet {
		return r.Look == Requests
	}
	return r.By == ByIP && (r.Where == "" || r.Count >= broadCount && r.Within <= broadWithin)
}

// Few tells that a broad rule names something and asks for few requests in a minute.
func (r *Rule) Few() bool { return r.Where != "" && r.Count < fewInMinute*r.Minutes() && r.Broad() }

// Minutes is in how many minutes of the clock a window lies at most.
func (r *Rule) Minutes() uint64 { return uint64((r.Within+time.Minute-1)/time.Minute) + 1 }
