package fleet

import (
	"testing"
	"time"
)

// TestTells: the status is due every ten seconds, and sooner where something is to be told; who never knows how it is does not tell
// that without end.
func TestTells(t *testing.T) {
	for _, c := range []struct {
		name  string
		a     agent
		after time.Duration
		due   bool
	}{
		{"just told", agent{}, time.Second, false},
		{"long ago", agent{}, statusEvery, true},
		{"the clock was set back", agent{}, -time.Second, true},
		{"something was refused", agent{refused: 1}, soonEvery, true},
		{"and this moment", agent{refused: 1}, soonEvery / 2, false},
		{"what was refused is told", agent{refused: 1, left: 1}, soonEvery, false},
		{"unknown once", agent{unknown: 1}, soonEvery, true},
		{"unknown still", agent{unknown: unknownMost}, soonEvery, true},
		{"unknown always", agent{unknown: unknownMost + 1}, soonEvery, false},
		{"unknown always, long ago", agent{unknown: unknownMost + 1}, statusEvery, true},
	} {
		c.a.t, c.a.told = newTable(Policy{}, "g", "me"), noon
		if got := c.a.tellsAt(noon.Add(c.after)); got != c.due {
			t.Errorf("%s: due %v, want %v", c.name, got, c.due)
		}
	}
}
