package fleet

import (
	"encoding/json"
	"strings"
)

// version is that of the value. A later one that others can still read keeps the number and adds fields.
const version = 1

// value is what stands at a key.
type value struct {
	Version int    `json:"v"`
	For     int64  `json:"for"`             // seconds
	Until   int64  `json:"until,omitempty"` // Unix milliseconds
	Score   int    `json:"score"`
	By      string `json:"by"`
	Why     string `json:"why,omitempty"`
}

// readValue reads JSON. As hosts write it, and without a character that JSON escapes, which is nearly always so, that takes a fifth of
// the time.
func readValue(b []byte) (value, error) {
	var v value
	if v.plain(string(b)) {
		return v, nil
	}
	var other value
	err := json.Unmarshal(b, &other)
	return other, err
}

// plain reads what Marshal makes of a value whose texts are of printable ASCII and need no escape. Of anything else it says no, and
// what it read is worth nothing. Texts are parts of the one given.
func (v *value) plain(text string) bool {
	r := plainReader{rest: text}
	v.Version, v.For = int(r.number(`{"v":`)), r.number(`,"for":`)
	if v.Until = 0; strings.HasPrefix(r.rest, `,"until":`) {
		v.Until = r.number(`,"until":`)
	}
	v.Score, v.By = int(r.number(`,"score":`)), r.text(`,"by":"`)
	if v.Why = ""; strings.HasPrefix(r.rest, `,"why":"`) {
		v.Why = r.text(`,"why":"`)
	}
	return !r.odd && r.rest == "}"
}

// plainReader reads JSON of one spelling, from the left to the right.
type plainReader struct {
	rest string
	odd  bool // something is spelled otherwise
}

// after goes on behind what must stand here.
func (r *plainReader) after(begin string) {
	rest, ok := strings.CutPrefix(r.rest, begin)
	r.rest, r.odd = rest, r.odd || !ok
}

// number reads a whole number of at most 15 digits.
func (r *plainReader) number(begin string) (n int64) {
	r.after(begin)
	digits := 0
	for digits < len(r.rest) && '0' <= r.rest[digits] && r.rest[digits] <= '9' {
		n = 10*n + int64(r.rest[digits]-'0')
		if digits++; digits > 15 {
			break
		}
	}
	r.odd = r.odd || digits == 0 || digits > 15 || digits > 1 && r.rest[0] == '0'
	r.rest = r.rest[digits:]
	return n
}

// text reads to the quotation mark that ends a string.
func (r *plainReader) text(begin string) string {
	r.after(begin)
	for i := range len(r.rest) {
		switch c := r.rest[i]; {
		case c == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			r.odd = true
			return ""
		}
	}
	r.odd = true
	return ""
}
