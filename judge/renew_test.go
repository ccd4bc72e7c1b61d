package judge

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// A table that goes on with the same rules in another order, and a new one among them, says what it would have said.
func TestRenew(t *testing.T) {
	set := compiled(t)
	list := slices.Clone(set.Rules)
	slices.Reverse(list)
	list = slices.Insert(list, 1, rules.Rule{Name: "new-one", About: "x", Where: "path=/nowhere", Count: 1, Score: 10, Most: 10, Family: "new", Why: "x"})
	other, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	log := traffic(4000)
	slices.SortStableFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	run := func(renew bool) *following {
		f := newFollowing(t)
		for i, r := range log {
			r.From.Trust = connwarden.TrustRoot
			f.Request(r)
			f.now = r.Time
			if i%37 == 0 {
				f.judge()
			}
			if renew && i%500 == 250 {
				f.Renew(Options{Rules: []*rules.Set{other, set}[i/500%2]})
			}
		}
		f.judge()
		return f
	}
	want, got := run(false).worst, run(true).worst
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 3 {
		t.Errorf("%d verdicts (-without +renewed):\n%s", len(want), diff)
	}
}

// What is no rule any more does not speak, and one that asks for less speaks about what was counted before.
func TestRenewOther(t *testing.T) {
	set := compiled(t)
	f := newFollowing(t)
	for range 6 {
		f.Request(request("192.0.2.1", "POST", "/wp-login.php", 200, f.now, 1))
	}
	if n := f.judge(); n != 0 {
		t.Fatalf("%d verdicts after six logins, want none", n)
	}
	list := slices.Clone(set.Rules)
	i := slices.IndexFunc(list, func(r rules.Rule) bool { return r.Count == 10 && r.By == rules.ByIP && r.Look == rules.Requests })
	list[i].Count = 7
	less, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	f.Renew(Options{Rules: less})
	f.Request(request("192.0.2.1", "POST", "/wp-login.php", 200, f.now.Add(time.Second), 1))
	if n := f.judge(); n != 1 {
		t.Errorf("%d verdicts after the seventh, want one", n)
	}
	none, err := rules.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Renew(Options{Rules: none})
	f.Request(request("192.0.2.1", "POST", "/wp-login.php", 200, f.now.Add(time.Second), 1))
	if n := f.judge(); n != 0 || len(f.groups) != 0 {
		t.Errorf("%d verdicts without a rule; %v", n, slices.Collect(maps.Keys(f.groups)))
	}
}
