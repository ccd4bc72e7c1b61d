package bots

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
)

// Set is the published ranges in force. It never changes and may be read by any number of goroutines.
type Set struct {
	lists map[string]*list
	all   *nets.Set // of every list
}

type list struct {
	date   time.Time
	label  string   // "googlebot, 2026-08-22"
	homes  []uint32 // the autonomous systems that held its ranges when it was shipped; none: not known
	ranges *nets.Set
}

// Bounds of what is believed of a refreshed list: none that an operator publishes is near them, and one beyond would take half
// the internet for a crawler.
const (
	maxList = 4 << 20 // bytes
	widest4 = 12      // of the shipped: 14
	widest6 = 24      // of the shipped: 29
)

// List is a list of ranges by name, and of when it is; the zero time if it is neither shipped nor was fetched.
type List struct {
	Name string
	Date time.Time
}

// Lists returns every list that crawlers are proved by, in order of name.
func (s *Set) Lists() []List {
	var out []List
	for _, name := range listNames() {
		one := List{Name: name}
		if l := s.lists[name]; l != nil {
			one.Date = l.date
		}
		out = append(out, one)
	}
	return out
}

func listNames() []string {
	var names []string
	for i := range crawlers {
		names = append(names, crawlers[i].lists...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Load returns the shipped ranges, each replaced by dir/ranges/NAME.txt where there is such a file: prefixes and addresses as
// [nets.Parse] reads them, as of the time in its first line ("# taken 2026-11-22T14:03:07Z …") or else of its last change. A file that cannot be read or believed leaves the shipped list in
// force and is told as a problem; a folder that cannot be entered is one problem. An empty dir is that of nobody: all is as shipped.
func Load(dir string) (*Set, []connwarden.Problem) {
	s := &Set{lists: shipped()}
	defer s.unite()
	var problems []connwarden.Problem
	if dir == "" {
		return s, nil
	}
	folder := filepath.Join(dir, "ranges")
	var denied *fs.PathError
	if _, err := os.Stat(folder + "/."); errors.As(err, &denied) && !errors.Is(err, fs.ErrNotExist) { // with the dot it must be entered
		return s, []connwarden.Problem{{What: folder, Why: denied.Err.Error() + "; the ranges that ship are in force"}}
	}
	for _, list := range listNames() {
		name := filepath.Join(folder, list+".txt")
		l, err := readList(name)
		old := s.lists[list]
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			why := err.Error() + "; no ranges of it are known"
			if old != nil {
				why = err.Error() + "; the ranges of " + day(old.date) + " are in force"
			}
			problems = append(problems, connwarden.Problem{What: name, Why: why})
		default:
			if old != nil {
				l.homes = old.homes
			}
			l.label = list + ", " + day(l.date)
			s.lists[list] = l
		}
	}
	return s, problems
}

// unite joins the ranges of all lists.
func (s *Set) unite() {
	sets := make([]*nets.Set, 0, len(s.lists))
	for _, l := range s.lists {
		sets = append(sets, l.ranges)
	}
	s.all = nets.Union(sets...)
}

// shipped unpacks the ranges that are compiled in.
func shipped() map[string]*list {
	all := map[string]*list{}
	for _, part := range strings.Split(unpack(rangesData), "\n@")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		l, name, err := readHead(head)
		if err == nil {
			l.ranges, err = nets.Parse(text)
		}
		if err != nil {
			panic(fmt.Errorf("shipped ranges %q: %w", head, err)) // a file of our own, which the tests read too
		}
		all[name] = l
	}
	return all
}

// readHead reads "name date asn,asn".
func readHead(head string) (*list, string, error) {
	name, rest, _ := strings.Cut(head, " ")
	date, homes, _ := strings.Cut(rest, " ")
	l := &list{label: name + ", " + date}
	var err error
	if l.date, err = time.Parse(time.DateOnly, date); err != nil {
		return nil, "", err
	}
	for _, word := range strings.Split(homes, ",") {
		asn, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, "", err
		}
		l.homes = append(l.homes, uint32(asn))
	}
	return l, name, nil
}

// readList reads a refreshed list.
func readList(name string) (*list, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxList { // asked before it is opened: a pipe would wait for its writer
		return nil, fmt.Errorf("not a regular file of at most %d bytes", maxList)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxList))
	if err != nil {
		return nil, err
	}
	ranges, err := nets.Parse(string(text))
	if err != nil {
		return nil, err
	}
	if ranges.Empty() {
		return nil, errors.New("holds no range")
	}
	for _, p := range ranges.Prefixes() {
		if p.Addr().Is4() && p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 {
			return nil, fmt.Errorf("%s is wider than anything a crawler has", p)
		}
	}
	return &list{date: taken(string(text), info.ModTime()), ranges: ranges}, nil
}

// taken reads the time in a list's first line.
func taken(text string, otherwise time.Time) time.Time {
	line, _, _ := strings.Cut(text, "\n")
	if words := strings.Fields(line); len(words) > 2 && words[0] == "#" && words[1] == "taken" {
		if t, err := time.Parse(time.RFC3339, words[2]); err == nil {
			return t
		}
	}
	return otherwise
}

// maxAge is how far a list, or what the name service says now, may be from a claim that it is to refute: addresses change hands.
const maxAge = 365 * 24 * time.Hour

// maxWatch is how long after a list's date it refutes who says that he watches over sites or calls them back: whoever does that hires machines
// every month, and to be blocked by mistake he deserves least.
const maxWatch = 120 * 24 * time.Hour

// Question asks whether an address is that of a bot.
type Question struct {
	Addr netip.Addr
	Bot  string    // the name that [Claim] gave
	Time time.Time // when it was last claimed; zero: now
	// ASN is the number of the autonomous system that announces the address, or 0 if that is not known. Operators move within
	// their networks more often than lists are fetched: where it is known, only an address elsewhere is refuted by a list.
	ASN uint32
}

// Answer is what is known of a question.
type Answer struct {
	Question
	Proof connwarden.Proof
	How   string // a sentence without its full stop; safe to show
	Host  string // the name of the address, if it was asked for; cleaned, but its owner's invention unless verified
}

// ByRange answers from the published ranges alone. An address in one of the bot's ranges verifies the claim. One in none refutes
// it, if the operator publishes all its ranges, the list is not more than a year from the claim, and the address is not in a
// network where the operator has others. Private addresses and those of content delivery networks refute nothing: others stand
// behind them. It takes a few binary searches.
func (s *Set) ByRange(q Question) Answer {
	q.Addr = q.Addr.Unmap().WithZone("")
	c := crawlerOf(q.Bot)
	switch {
	case q.Bot == "":
		return Answer{Question: q}
	case c == nil || len(c.lists)+len(c.names) == 0:
		return unproven(q, "nothing is published that would prove or refute it")
	case !public(q.Addr):
		return unproven(q, "%s is not a public address: anyone may stand behind it", q.Addr)
	}
	held, home := 0, false
	var oldest *list
	for _, name := range c.lists {
		l := s.lists[name]
		if l == nil {
			continue
		}
		if l.ranges.Contains(q.Addr) {
			return Answer{Question: q, Proof: connwarden.ProofVerified,
				How: q.Addr.String() + " is in the ranges that " + c.operator + " publishes (" + l.label + ")"}
		}
		held++
		home = home || slices.Contains(l.homes, q.ASN)
		if oldest == nil || l.date.Before(oldest.date) {
			oldest = l
		}
	}
	if oldest == nil {
		return unproven(q, "its name was not asked for")
	}
	none := q.Addr.String() + " is in none of the ranges that " + c.operator + " publishes (" + oldest.label + ")"
	switch {
	case nets.Fronts().Contains(q.Addr):
		return unproven(q, "%s belongs to a content delivery network, which passes on what others send", q.Addr)
	case !c.full || held < len(c.lists):
		return unproven(q, "%s, which are not all", none)
	case far(q.Time, oldest.date), hires(c) && q.Time.Sub(oldest.date) > maxWatch:
		return unproven(q, "%s, which says nothing of %s", none, day(q.Time))
	case home:
		return unproven(q, "%s, but in AS%d, which holds some", none, q.ASN)
	}
	return Answer{Question: q, Proof: connwarden.ProofImpostor, How: none}
}

// At tells whose published ranges hold the address, whatever its agent says. That most are in none takes a binary search; of one that
// is in some it asks every list, which takes some microseconds.
func (s *Set) At(a netip.Addr) (connwarden.Bot, bool) {
	if !s.all.Contains(a) {
		return connwarden.Bot{}, false
	}
	for i := range crawlers {
		for _, name := range crawlers[i].lists {
			if l := s.lists[name]; l != nil && l.ranges.Contains(a) {
				return crawlers[i].bot(), true
			}
		}
	}
	return connwarden.Bot{}, false
}

// Exempt tells which bot that must not be blocked once it is proved has published addresses in a prefix, and the first of them. That
// most prefixes have none takes a binary search.
func (s *Set) Exempt(p netip.Prefix) (connwarden.Bot, netip.Prefix, bool) {
	if _, ok := s.all.Overlap(p); !ok {
		return connwarden.Bot{}, netip.Prefix{}, false
	}
	for i := range crawlers {
		bot := crawlers[i].bot()
		if !bot.Exempt {
			continue
		}
		for _, name := range crawlers[i].lists {
			if l := s.lists[name]; l != nil {
				if at, ok := l.ranges.Overlap(p); ok {
					return bot, at, true
				}
			}
		}
	}
	return connwarden.Bot{}, netip.Prefix{}, false
}

func unproven(q Question, how string, args ...any) Answer {
	return Answer{Question: q, Proof: connwarden.ProofUnproven, How: fmt.Sprintf(how, args...)}
}

// shared is the space behind carriers' address translation (RFC 6598).
var shared = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)

func public(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// hires tells whether a bot's machines are hired anew all the time: see maxWatch.
func hires(c *crawler) bool { return c.tag == TagMonitoring || c.tag == TagWebhook }

func far(claim, known time.Time) bool {
	return !claim.IsZero() && claim.Sub(known).Abs() > maxAge
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
