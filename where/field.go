package where

import (
	"slices"
	"strings"

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

func fieldNames() string {
	var names []string
	for _, f := range allFields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// operators are those that the field takes.
func (f *field) operators() []string {
	switch f.sort {
	case texts:
		return []string{"=", "!=", "~", "!~"}
	case numbers:
		return []string{"=", "!=", "<", "<=", ">", ">="}
	default:
		return []string{"=", "!="}
	}
}

func (f *field) takes(op string) bool { return slices.Contains(f.operators(), op) }

// compile makes the node of one value; a negation is put round it by the caller. why is not empty if it cannot.
func (f *field) compile(p *parser, op, value string) (n node, why string) {
	switch {
	case f.sort == addrs:
		return newAddr(f.name, value)
	case f.sort == words:
		return newKind(value)
	case f.sort == numbers:
		return newSpan(f.name, op, value, p.zone)
	case op == "~" || op == "!~":
		return newPattern(f.name, value)
	default:
		return newExact(f.name, value), ""
	}
}

// nearest is the field that a mistyped name is most like.
func nearest(name string) string {
	best, least := "", 1<<30
	for _, f := range allFields {
		if d := distance(strings.ToLower(name), f.name); d < least {
			best, least = f.name, d
		}
	}
	return best
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
