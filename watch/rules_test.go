package watch_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/watch"
)

// TestShippedRules: every rule that ships fires on its own example and spares what looks alike, and an example of innocent
// traffic is never malicious to any rule.
func TestShippedRules(t *testing.T) {
	var list []rules.Rule
	files := rules.Shipped()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, errs := rules.Parse(name, files[name])
		for _, err := range errs {
			t.Error(err)
		}
		list = append(list, more...)
	}
	if len(list) < 80 {
		t.Errorf("%d rules ship, want 80 at least", len(list))
	}
	set, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Rules {
		r := &set.Rules[i]
		t.Run(r.Name, func(t *testing.T) {
			if err := watch.TestRule(set, r); err != nil {
				t.Errorf("%s:%d: %v", r.File, r.Line, err)
			}
		})
	}
}

// TestRuleFails: a rule whose examples are the wrong way round is told.
func TestRuleFails(t *testing.T) {
	text := func(name string) string {
		files := rules.Shipped()
		list, _ := rules.Parse("wordpress.toml", files["wordpress.toml"])
		i := slices.IndexFunc(list, func(r rules.Rule) bool { return r.Name == name })
		return rules.Format(&list[i])
	}("wordpress-login-bruteforce")
	for _, c := range []struct{ old, new, want string }{
		{"12x", "2x", "does not fire"},
		{"4x 20s", "40x 2s", "fires on the example that it must spare"},
		{"12x 2s | 203.0.113.9 - - [{clf}]", "no log", "no line of this example can be read"},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		list, errs := rules.Parse("r.toml", []byte(changed))
		if changed == text || len(errs) > 0 {
			t.Fatalf("%q: %v", c.old, errs)
		}
		set, err := rules.Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := watch.TestRule(set, &set.Rules[0]); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
}
