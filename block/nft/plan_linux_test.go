package nft

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// mixed is an entry in each corner of the layout.
func mixed() []block.Entry {
	list := []block.Entry{
		entry("192.0.2.7/32", all), entry("192.0.2.0/24", all), entry("192.0.2.0/25", all), entry("10.0.0.0/8", all), entry("128.0.0.0/1", all),
		entry("2001:db8::7/128", all), entry("2001:db8::/64", all), entry("2001:db8::/29", all),
		entry("192.0.2.7/32", connwarden.Ports(25, 587)), entry("2001:db8::/64", connwarden.Ports(25, 587)), entry("198.51.100.0/24", connwarden.Ports(22)),
	}
	for i := range list {
		if i%2 == 1 {
			list[i].Until = time.Now().Add(time.Duration(i) * time.Hour)
		}
	}
	slices.SortFunc(list, block.Entry.Compare)
	return list
}

// TestKernelOverlap adds prefixes in prefixes, and each goes away alone.
func TestKernelOverlap(t *testing.T) {
	netnstest.Run(t, func() {
		d := open(t)
		want := mixed()
		if err := d.Apply(t.Context(), want, nil); err != nil {
			t.Fatal(err)
		}
		for len(want) > 0 {
			got, err := d.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, block.Entry.Compare)
			if !slices.EqualFunc(got, want, func(a, b block.Entry) bool { return a.Key() == b.Key() }) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}
			if err := d.Apply(t.Context(), nil, want[:1]); err != nil {
				t.Fatal(err)
			}
			want = want[1:]
		}
	})
}

// TestKernelPlan gives nft the lines of the plan: they make what Apply makes, at first and when something is there.
func TestKernelPlan(t *testing.T) {
	steps := []struct{ add, remove []block.Entry }{
		{add: mixed()},
		{add: mixed()[:3], remove: mixed()[5:]},
		{add: []block.Entry{entry("192.0.2.9/32", all), entry("192.0.2.9/32", connwarden.Ports(80))}},
		{remove: []block.Entry{entry("192.0.2.77/32", all), entry("192.0.3.0/24", all)}},
	}
	var applied, planned []string
	netnstest.Run(t, func() {
		d := open(t)
		for _, step := range steps {
			if err := d.Apply(t.Context(), step.add, step.remove); err != nil {
				t.Fatal(err)
			}
			applied = append(applied, sorted(listed(t, "ruleset")))
		}
	})
	netnstest.Run(t, func() {
		d := open(t)
		for _, step := range steps {
			lines, err := d.Plan(t.Context(), step.add, step.remove)
			if err != nil {
				t.Fatal(err)
			}
			if err := nftFile(strings.Join(lines, "\n") + "\n"); err != nil {
				t.Fatal(err)
			}
			planned = append(planned, sorted(listed(t, "ruleset")))
		}
	})
	for i := range steps {
		if applied[i] != planned[i] {
			t.Errorf("step %d: applied\n%s\nplanned\n%s", i, applied[i], planned[i])
		}
	}
}

// sorted orders the elements of a listing, which come as the hash has them, and takes off ends, which have moved on.
func sorted(listing string) string {
	var lines []string
	for line := range strings.Lines(listing) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "elements = { "); ok {
			words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(", }\n", r) })
			words = slices.DeleteFunc(words, func(w string) bool { return w == "counter" || w == "timeout" || !strings.ContainsAny(w, ".:") })
			slices.Sort(words)
			line = strings.Join(words, " ") + "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// TestKernelSaved has nft save our table and load it again, as the services of distributions do: it is ours as before.
func TestKernelSaved(t *testing.T) {
	want := mixed()
	var saved string
	netnstest.Run(t, func() {
		if err := open(t).Apply(t.Context(), want, nil); err != nil {
			t.Fatal(err)
		}
		saved = netnstest.Command(t, "nft", "list", "ruleset")
	})
	netnstest.Run(t, func() {
		if err := nftFile(saved); err != nil {
			t.Fatal(err)
		}
		d := open(t)
		got, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, block.Entry.Compare)
		if !slices.EqualFunc(got, want, func(a, b block.Entry) bool {
			return a.Key() == b.Key() && a.Until.IsZero() == b.Until.IsZero() && a.Until.Sub(b.Until).Abs() < time.Minute
		}) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for _, e := range want {
			if _, err := d.Prove(t.Context(), e); err != nil {
				t.Error(err)
			}
		}
		before := strings.Count(listed(t, "ruleset"), " drop\n")
		if err := d.Apply(t.Context(), want, nil); err != nil {
			t.Fatal(err)
		}
		if after := strings.Count(listed(t, "ruleset"), " drop\n"); after != before {
			t.Errorf("%d rules before, %d after the same once more", before, after)
		}
	})
}
