package rules

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestShortTexts compares what is found of texts of one to four bytes, in any mode, with what each by itself is.
func TestShortTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, 1+random.IntN(most))
		for i := range b {
			b[i] = "ab/.'\x00\xff"[random.IntN(7)]
		}
		return string(b)
	}
	found := 0
	for range 2000 {
		var short, long []literal
		for leaf := range 1 + random.IntN(8) {
			l := literal{text: word(4), leaf: int32(leaf), mode: mode(random.IntN(int(confirm) + 1))}
			if len(l.text) < gram {
				short = append(short, l)
			} else {
				long = append(long, l)
			}
		}
		text := []byte(word(12))
		var seen byteSet
		for _, c := range text {
			seen.add(c)
		}
		got := map[int32]bool{}
		hit := func(l *literal) { got[l.leaf] = true }
		newShorts([]leaf{{short: short}}).find(text, &seen, hit)
		newLiterals(long, gram).find(text, hit)
		for _, l := range append(short, long...) {
			want := false
			switch l.mode {
			case begins:
				want = bytes.HasPrefix(text, []byte(l.text))
			case ends:
				want = bytes.HasSuffix(text, []byte(l.text))
			case equals:
				want = string(text) == l.text
			default:
				want = bytes.Contains(text, []byte(l.text))
			}
			if got[l.leaf] != want {
				t.Fatalf("%q, mode %d, in %q: %t", l.text, l.mode, text, got[l.leaf])
			}
			if want {
				found++
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d were there to be found", found)
	}
}
