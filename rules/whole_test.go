package rules

import (
	"cmp"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		expr string
		want int // texts
	}{
		{`\.(css|js|png)$`, 3}, {`/wp-[a-z]*\.php`, 1}, {`union( all)? select`, 2}, {`a*`, 0}, {`[a-z]+`, 0}, {`(ab|c)d`, 2}, {`(abc|xyz)+d`, 2},
		{`^/[a-z0-9]{6,40}$`, 1}, {`é`, 0}, {`sel(ec)t .* from`, 1}, {`[ab]cd`, 2},
	} {
		if got := required(c.expr); len(got) != c.want {
			t.Errorf("%s: %q, want %d", c.expr, got, c.want)
		}
	}
}

// shippedSet is the set of the rules that ship.
func shippedSet(t *testing.T) *Set {
	t.Helper()
	var list []Rule
	for name, text := range Shipped() {
		more, errs := Parse(name, text)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		list = append(list, more...)
	}
	s, err := Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWhole: no expression must be tried on every text of a request that is new: each would cost a microsecond.
func TestWhole(t *testing.T) {
	p := &shippedSet(t).programs[Requests]
	for slot := range p.leaves {
		for _, n := range p.whole[slot] {
			t.Errorf("slot %d: %v", slot, p.exprs[slot][n].source)
		}
	}
}

// TestOrdinary: what everybody asks for fits no rule but those that are counted for the busiest alone. Each that it fitted would cost as much
// as reading the line.
func TestOrdinary(t *testing.T) {
	s := shippedSet(t)
	m := s.NewMatcher()
	const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	for _, r := range []connwarden.Request{
		{Path: []byte("/")},
		{Path: []byte("/2024/05/a-walk-by-the-lake/")},
		{Path: []byte("/shop/shoes.html"), Query: []byte("page=2"), Referer: []byte("https://shop.example/")},
		{Path: []byte("/wp-content/themes/twenty/style.css"), Query: []byte("ver=6.5"), Referer: []byte("https://shop.example/")},
		{Path: []byte("/favicon.ico"), Status: 304},
		{Path: []byte("/spring-sale"), Status: 301},
		{Path: []byte("/index.php"), Query: []byte("id=12"), Referer: []byte("https://www.google.com/")},
	} {
		r.Client, r.Method, r.Agent, r.Proto, r.Took, r.Size = netip.MustParseAddr("203.0.113.9"), []byte("GET"), []byte(browser), []byte("HTTP/1.1"), -1, 5120
		r.Status = cmp.Or(r.Status, 200)
		for _, h := range m.Request(&r) {
			t.Errorf("%s fits %s", r.Path, s.Rules[h.Rule].Name)
		}
	}
}

func TestAlternatives(t *testing.T) {
	for expr, want := range map[string]int{
		`a|b`: 2, `(a|b)c|d`: 2, `[a|]b|\||c`: 3, `[]|]|x`: 2, `[^]|]|x`: 2, `\(|b`: 2, `(?i)a|b`: 1, `(?:a|b)|c`: 2, `a|`: 1, `[[:alpha:]|]|b`: 2, `a\|b`: 1, `\(?a|b`: 2, `[(?]|b`: 2, `x{2}|y`: 2,
	} {
		if got := alternatives(expr); len(got) != want {
			t.Errorf("%s: %q, want %d", expr, got, want)
		}
	}
}

func TestAlphabet(t *testing.T) {
	for expr, c := range map[string]struct {
		in, out string
	}{
		`^a[0-9_]+$`: {"a09_", "b-"}, `^\??[a-z]{1,3}(=x)?$`: {"?az=", "&-"}, `^a.b$`: {"a\xff\x00", ""}, `a[0-9]`: {"zzz", ""}, `^k$`: {"k\xe2", "j"}, `^[^/]+$`: {"ab\xff", "/"},
	} {
		set := alphabet(expr)
		for i := range len(c.in) {
			if one := bytesOf([]byte{c.in[i]}); !one.within(&set) {
				t.Errorf("%s: %q is not in its alphabet", expr, c.in[i])
			}
		}
		for i := range len(c.out) {
			if one := bytesOf([]byte{c.out[i]}); one.within(&set) {
				t.Errorf("%s: %q is in its alphabet", expr, c.out[i])
			}
		}
	}
}
