// Package where owns expressions over a request: what a person types after --where, and whether a request fits it.
//
//	status>=500 and not path~^/wp-
//	(ip=203.0.113.0/24 or agent~curl) and method=POST,PUT
//
// # Language
//
// A comparison is a field, an operator and a value; "and", "or", "not" and parentheses join them, "not" binding closest
// and "or" least. A value ends at a space or at a parenthesis that closes none of its own; 'single' or "double" quotes
// hold any other, with a backslash before a quote or backslash. With = != ^= $= *= a value may be a list: method=GET,POST.
//
//	path url query site host method agent referer user   = != exact; ^= $= *= begins, ends with, holds; ~ !~ regular expression
//	                                                     (Go's), anywhere in the text
//	ip net                                               = != address or prefix; net of an address is its /24 or /64
//	status                                               = != < <= > >= number or class: 4xx
//	bytes                                                the same, with k, M, G, T for powers of 1024
//	took                                                 the same, seconds or 300ms, 2s, 1m
//	time                                                 the same, 2026-11-22, 2026-11-22T14:03, 2026-11-22T14:03:07Z
//	kind                                                 = != http, tls, empty, garbage
//
// Site, host (the same) and method are compared without regard to case. A class, a day or a minute is a span: = is within
// it, < before it, > behind it. What the log left out is "-": agent=-; a number or time that it left out fits only !=.
//
// The package never does I/O and reads no clock. An [Expr] is immutable and may be used by several goroutines. Matching
// keeps nothing of the request and allocates nothing.
package where

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// Bounds of an expression: no one types more, and a page or a script may pass on what strangers wrote.
const (
	maxExpr    = 16 << 10 // bytes
	maxPattern = 1 << 10  // bytes of one regular expression, which is compiled into memory many times its length
	maxDepth   = 100      // parentheses and nots within one another
)

// Expr is a compiled expression. A nil Expr fits every request.
type Expr struct {
	root   node
	fields connwarden.Fields
	text   string
}

// node is a part of an expression.
type node interface {
	match(r *connwarden.Request) bool
}

// Parse compiles an expression. Times without a zone are in UTC; see ParseIn. Its errors are of type *Error.
func Parse(expr string) (*Expr, error) { return ParseIn(expr, time.UTC) }

// ParseIn compiles an expression whose times without a zone are in zone.
func ParseIn(expr string, zone *time.Location) (*Expr, error) {
	tree, err := ParseTree(expr, vocabulary)
	if err != nil {
		return nil, err
	}
	c := compiler{text: expr, zone: zone}
	root, err := c.compile(tree)
	if err != nil {
		return nil, err
	}
	return &Expr{root, c.fields, expr}, nil
}

// All returns the expression that fits what all of them fit: nil of none.
func All(exprs ...*Expr) *Expr {
	var list every
	e := &Expr{}
	for _, x := range exprs {
		if x != nil {
			list = append(list, x.root)
			e.fields |= x.fields
			if e.text != "" {
				e.text += " and "
			}
			e.text += "(" + x.text + ")"
		}
	}
	if len(list) == 0 {
		return nil
	}
	e.root = list
	return e
}

// Match tells whether r fits.
func (e *Expr) Match(r *connwarden.Request) bool { return e == nil || e.root.match(r) }

// Fields are the parts of a request that Match looks at.
func (e *Expr) Fields() connwarden.Fields {
	if e == nil {
		return 0
	}
	return e.fields
}

// String returns the expression as it was written.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	return e.text
}

// Error says what is wrong with an expression and where.
type Error struct {
	Expr string
	At   int // byte of Expr
	Why  string
}

// shownBytes is how much of a long expression is shown on either side of the place that is wrong.
const shownBytes = 60

// Error shows the expression, or the part of it around the place, with a caret below the place, in three lines.
func (e *Error) Error() string {
	at := min(e.At, len(e.Expr))
	from, to := 0, len(e.Expr)
	before, after := "", ""
	if at > shownBytes {
		from, before = at-shownBytes, "…"
	}
	if len(e.Expr)-at > shownBytes {
		to, after = at+shownBytes, "…"
	}
	for from > 0 && !utf8.RuneStart(e.Expr[from]) {
		from--
	}
	for to < len(e.Expr) && !utf8.RuneStart(e.Expr[to]) {
		to++
	}
	one := strings.Map(func(r rune) rune { // one column for one rune
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, before+e.Expr[from:to]+after)
	return fmt.Sprintf("the expression cannot be read: %s\n  %s\n  %s^", e.Why, one, strings.Repeat(" ", utf8.RuneCountInString(before+e.Expr[from:at])))
}

// every fits what all of its nodes fit.
type every []node

func (n every) match(r *connwarden.Request) bool {
	for _, x := range n {
		if !x.match(r) {
			return false
		}
	}
	return true
}

// some fits what one of its nodes fits.
type some []node

func (n some) match(r *connwarden.Request) bool {
	for _, x := range n {
		if x.match(r) {
			return true
		}
	}
	return false
}

// none turns a node round.
type none struct{ node }

func (n none) match(r *connwarden.Request) bool { return !n.node.match(r) }
