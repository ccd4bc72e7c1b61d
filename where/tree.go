package where

import (
	"fmt"
	"strings"
)

// Tree is an expression that was read but not yet given a meaning, for those who compare something else than requests
// with the same words: exactly one of Every, Some, Not and Term is set.
type Tree struct {
	Every []*Tree
	Some  []*Tree
	Not   *Tree
	Term  *Term
}

// Term is one comparison. It holds when the field compares so with one of the values.
type Term struct {
	Field  string // as the vocabulary writes it
	Op     string // without negation: = ~ < <= > >= ^= $= *=
	Values []string
	At     []int // where each value stands in the expression
}

// Vocabulary is the fields of an expression and what each may be compared with.
type Vocabulary struct {
	Names     []string
	Operators func(field string) []string // of a name in Names
}

// operators of texts, numbers and the rest. The longer stand before those they begin with.
var (
	allOperators  = []string{"!=", "!~", "<=", ">=", "^=", "$=", "*=", "=", "~", "<", ">"}
	TextOperators = []string{"=", "!=", "~", "!~", "^=", "$=", "*="} // what a text takes
	NumOperators  = []string{"=", "!=", "<", "<=", ">", ">="}        // what a number takes
	WordOperators = []string{"=", "!="}                              // what a word or an address takes
)

// ParseTree reads an expression of any vocabulary. Its errors are of type *Error.
func ParseTree(expr string, v Vocabulary) (*Tree, error) {
	if len(expr) > maxExpr {
		return nil, &Error{expr[:40], 40, fmt.Sprintf("the expression is longer than %d bytes", maxExpr)}
	}
	p := parser{text: expr, vocabulary: v}
	return p.parse()
}

// find returns the vocabulary's spelling of a name.
func (v *Vocabulary) find(name string) (string, bool) {
	for _, n := range v.Names {
		if strings.EqualFold(n, name) {
			return n, true
		}
	}
	return "", false
}

// nearest is the field that a mistyped name is most like.
func (v *Vocabulary) nearest(name string) string {
	best, least := "", 1<<30
	for _, n := range v.Names {
		if d := distance(strings.ToLower(name), n); d < least {
			best, least = n, d
		}
	}
	return best
}

// Nearest is the word of a list that a mistyped one is most like; nothing of an empty list.
func Nearest(word string, list []string) string {
	v := Vocabulary{Names: list}
	return v.nearest(word)
}
