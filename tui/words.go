package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// bare is a target as people write it: a single address without its length.
func bare(target string) string {
	if p, err := netip.ParsePrefix(target); err == nil && p.IsSingleIP() {
		return p.Addr().String()
	}
	return target
}

// left is how long it is until an end.
func left(now time.Time, until *time.Time) string {
	if until == nil {
		return "no end"
	}
	return brief(until.Sub(now))
}

// brief is a span in its two largest units.
func brief(d time.Duration) string {
	const day = 24 * time.Hour
	pair := func(a time.Duration, unit string, b time.Duration, part string) string {
		if b == 0 {
			return fmt.Sprintf("%d%s", a, unit)
		}
		return fmt.Sprintf("%d%s %d%s", a, unit, b, part)
	}
	switch d = max(d.Round(time.Second), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return pair(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < day:
		return pair(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	default:
		return pair(d/day, "d", d%day/time.Hour, "h")
	}
}

// stateOrder is that of the command review: what serves first, then what begins, then what ends.
var stateOrder = [...]string{"established", "syn_recv", "syn_sent", "listen", "time_wait", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "close", "unknown"}

// states tells how many are in which state; the figure is left out where it is that of the whole row.
func (s *screen) states(m map[string]uint64, whole uint64) string {
	var parts []string
	for _, name := range stateOrder {
		switch n := m[name]; {
		case n == 0:
		case n == whole:
			return strings.ReplaceAll(name, "_", "-")
		default:
			parts = append(parts, strings.ReplaceAll(name, "_", "-")+" "+thousands(n))
		}
	}
	return strings.Join(parts, s.pen.dot())
}

// counts lists the largest entries of a map; the figure is left out where it is that of the whole row.
func counts(m map[string]uint64, whole uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if m[a] != m[b] {
			return int(min(m[b], 1<<40)) - int(min(m[a], 1<<40))
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for i, k := range keys {
		if i == 4 {
			fmt.Fprintf(&b, " +%d", len(keys)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(report.Clean(k))
		if m[k] != whole {
			b.WriteString("x" + thousands(m[k]))
		}
	}
	return b.String()
}
