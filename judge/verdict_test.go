package judge

import "testing"

// TestSingular: the words behind a count of one are those of one.
func TestSingular(t *testing.T) {
	for _, c := range []struct{ why, want string }{
		{"{count} requests in {within}", "{count} request in {within}"},
		{"{count} times in {within}", "once in {within}"},
		{"{count} different names of shells tried", "{count} name of shells tried"},
		{"{count} tries over SSH", "{count} try over SSH"},
		{"asked for {value}", "asked for {value}"},
	} {
		if got := singular(c.why, 1); got != c.want {
			t.Errorf("%q: got %q, want %q", c.why, got, c.want)
		}
		if got := singular(c.why, 2); got != c.why {
			t.Errorf("%q of two: got %q", c.why, got)
		}
	}
}
