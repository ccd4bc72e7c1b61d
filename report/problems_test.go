package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTold(t *testing.T) {
	const denied = "permission denied: needs root"
	got := Told([]Problem{
		{What: "/var/log/a", Why: denied},
		{What: "geo", Why: "older than a year"},
		{What: "/var/log/b", Why: denied},
		{What: "/var/log/b", Why: denied},
		{What: "csf", Why: "not running"}, {What: "/var/log/\x1bc", Why: denied}, {What: "plesk", Why: "not running"},
		{What: "/var/log/d", Why: denied}, {What: "/var/log/e", Why: denied},
		{Why: "interrupted\x07"},
	})
	want := []string{
		`/var/log/a, /var/log/b, /var/log/\x1bc and 2 more: permission denied: needs root`, "geo: older than a year", "csf: not running", "plesk: not running",
		`interrupted\x07`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := Told(nil); got != nil {
		t.Errorf("of none: %q", got)
	}
}
