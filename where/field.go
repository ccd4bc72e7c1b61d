package where

import (
	"regexp"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// field is what can be compared.
type field struct {
	name  string
	sort  sort
	reads connwarden.Fields
}

// sort says how a field is compared.
type sort uint8

const (
	texts sort = iota
	addrs
	numbers
	words
)

var allFields = []field{
	{"ip", addrs, connwarden.FieldClient},
	{"net", addrs, connwarden.FieldClient},
	{"path", texts, connwarden.FieldPath},
	{"url", texts, connwarden.FieldPath | connwarden.FieldQuery},
	{"query", texts, connwarden.FieldQuery},
	{"site", texts, connwarden.FieldHost},
	{"host", texts, connwarden.FieldHost},
	{"method", texts, connwarden.FieldMethod},
	{"status", numbers, connwarden.FieldStatus},
	{"bytes", numbers, connwarden.FieldSize},
	{"took", numbers, connwarden.FieldTook},
	{"agent", texts, connwarden.FieldAgent},
	{"referer", texts, connwarden.FieldReferer},
	{"user", texts, connwarden.FieldUser},
	// What a line really was is seen while its request text is taken apart.
	{"kind", words, connwarden.FieldMethod | connwarden.FieldPath},
	{"time", numbers, connwarden.FieldTime},
}

func fieldOf(name string) *field {
	for i := range allFields {
		if strings.EqualFold(allFields[i].name, name) {
			return &allFields[i]
		}
	}
	return nil
}

// vocabulary is that of requests.
var vocabulary = Vocabulary{
	Names: func() (names []string) {
		for _, f := range allFields {
			names = append(names, f.name)
		}
		return names
	}(),
	Operators: func(name string) []string {
		switch fieldOf(name).sort {
		case texts:
			return TextOperators
		case numbers:
			return NumOperators
		default:
			return WordOperators
		}
	},
}

// compiler gives a tree its meaning for requests.
type compiler struct {
	text   string
	zone   *time.Location
	fields connwarden.Fields
}

func (c *compiler) compile(t *Tree) (node, error) {
	switch {
	case t.Not != nil:
		n, err := c.compile(t.Not)
		return none{n}, err
	case t.Term != nil:
		return c.term(t.Term)
	case t.Some != nil:
		list, err := c.list(t.Some)
		return some(list), err
	default:
		list, err := c.list(t.Every)
		return every(list), err
	}
}

func (c *compiler) list(trees []*Tree) (list []node, err error) {
	for _, t := range trees {
		n, err := c.compile(t)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

func (c *compiler) term(t *Term) (node, error) {
	f := fieldOf(t.Field)
	c.fields |= f.reads
	list := some{}
	for i, v := range t.Values {
		n, why := f.compile(c.zone, t.Op, v)
		if why != "" {
			return nil, &Error{c.text, t.At[i], why}
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// compile makes the node of one value; a negation is put round it by the caller. why is not empty if it cannot.
func (f *field) compile(zone *time.Location, op, value string) (n node, why string) {
	switch {
	case f.sort == addrs:
		return newAddr(f.name, value)
	case f.sort == words:
		return newKind(value)
	case f.sort == numbers:
		return newSpan(f.name, op, value, zone)
	case op == "~":
		return newPattern(f.name, value)
	case op != "=":
		return newPattern(f.name, anchored(op, value))
	default:
		return newExact(f.name, value), ""
	}
}

// anchored is the regular expression of a text that begins, ends with or holds another.
func anchored(op, text string) string {
	text = regexp.QuoteMeta(text)
	switch op {
	case "^=":
		return "^" + text
	case "$=":
		return text + "$"
	default:
		return text
	}
}

// distance is the number of letters to put in, take out, change or swap with their neighbour (Damerau and Levenshtein's
// optimal string alignment).
func distance(a, b string) int {
	a = a[:min(len(a), 32)]
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, above[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
