package rules

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// automatonOf is an automaton and what it must agree with.
func automatonOf(t testing.TB, expr string) (*automaton, *regexp.Regexp) {
	t.Helper()
	e := expression{source: expr}
	re, err := regexp.Compile(folded(expr))
	if err != nil {
		t.Skip(err)
	}
	return e.automaton(), re
}

// TestAutomaton: all expressions that ship, on texts made of their own letters, find what package regexp finds.
func TestAutomaton(t *testing.T) {
	var exprs []string
	for name, text := range Shipped() {
		list, errs := Parse(name, text)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		set, err := Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		for l := range set.programs {
			for _, some := range set.programs[l].exprs {
				for _, e := range some {
					exprs = append(exprs, e.source)
				}
			}
		}
	}
	exprs = append(exprs, `\bor\b`, `\Ba`, `^$`, `^a|b$`, `(^|&)x`, `x\b`, `^(a|b)*$`, `a.{3}b`, `(?m)^b$`, `[^\x00-\x7f]`, `\b`, `a$^`)
	rng := rand.New(rand.NewPCG(1, 2))
	yeses := 0
	for _, expr := range exprs {
		a, re := automatonOf(t, expr)
		room := maxStates
		for range 60 {
			text := []byte{}
			for range rng.IntN(12) { // pieces of the expression, and some others
				at := rng.IntN(len(expr))
				text = append(text, expr[at:min(len(expr), at+1+rng.IntN(6))]...)
				if rng.IntN(4) == 0 {
					text = append(text, "/ab \n.=&'0"[rng.IntN(10)])
				}
			}
			for i, c := range text {
				text[i] = c & 0x7f
			}
			want := re.Match(text)
			if want {
				yeses++
			}
			if yes, sure := a.match(text, &room); sure && yes != want || !sure && room > 0 {
				t.Errorf("%s on %q: %v, sure %v, want %v", expr, text, yes, sure, want)
			}
		}
	}
	if len(exprs) < 300 || yeses < 1000 {
		t.Errorf("%d expressions, %d matches: too few to tell", len(exprs), yeses)
	}
}

// TestAutomatonRoom: states are bounded, and what cannot be told without more is said.
func TestAutomatonRoom(t *testing.T) {
	a, _ := automatonOf(t, `[ab]*a[ab]{12}c`)
	rng := rand.New(rand.NewPCG(1, 2))
	room, unsure := 50, 0
	text := make([]byte, 60)
	for range 100 {
		for i := range text {
			text[i] = "ab"[rng.IntN(2)]
		}
		if yes, sure := a.match(text, &room); yes {
			t.Fatal("it matches without a c")
		} else if !sure {
			unsure++
		}
	}
	if len(a.states) != 50 || room != 0 || unsure == 0 {
		t.Errorf("%d states, room for %d more, %d texts left open", len(a.states), room, unsure)
	}
	room = 0
	if _, sure := newAutomaton(a.prog).match(text, &room); sure {
		t.Error("an answer without a state")
	}
}

func FuzzAutomaton(f *testing.F) {
	f.Add(`^/[^/]{1,60}/?$`, "/some/path")
	f.Add(`(\bor\b|\band\b) +[0-9'"]+ *= *[0-9'"]`, "1 or 1=1")
	f.Add(`(?i)a(b|c)*$`, "abcbc\n")
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 200 || strings.ContainsFunc(text, func(c rune) bool { return c >= ascii }) {
			return // no text for an automaton
		}
		a, re := automatonOf(t, expr)
		room := 200
		for range 2 { // as it is made, and made
			if yes, sure := a.match([]byte(text), &room); sure && yes != re.MatchString(text) {
				t.Errorf("%s on %q: %v", expr, text, yes)
			}
		}
	})
}
