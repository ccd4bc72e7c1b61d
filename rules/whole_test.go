package rules

import "testing"

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

// TestWhole counts the expressions that must be tried on every text that is new: each costs a microsecond.
func TestWhole(t *testing.T) {
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
	for l := range s.programs {
		for slot := range s.programs[l].leaves {
			for _, n := range s.programs[l].whole[slot] {
				t.Logf("program %d slot %d: %v", l, slot, s.programs[l].exprs[slot][n].source)
			}
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
