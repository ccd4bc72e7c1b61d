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
			for _, x := range s.programs[l].leaves[slot] {
				if x.whole {
					t.Logf("program %d slot %d: %v", l, slot, x.exprs)
				}
			}
		}
	}
}
