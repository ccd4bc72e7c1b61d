package report

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func nonzero(n uint64) string {
	if n == 0 {
		return ""
	}
	return thousands(n)
}

func optional(n *uint64) string {
	if n == nil {
		return ""
	}
	return nonzero(*n)
}

func percentOf(part, total uint64) string {
	return percent(float64(part) / float64(max(total, 1)))
}

func percent(share float64) string {
	switch {
	case share == 0:
		return "0%"
	case share < 0.01:
		return "<1%"
	default:
		return strconv.Itoa(int(share*100+0.5)) + "%"
	}
}

// Size prints bytes in powers of 1000 with the SI letter: "52 MB".
func Size(n uint64) string {
	if n == 0 {
		return "0 B"
	}
	return size(n)
}

// size is Size for a cell: nothing for nothing.
func size(n uint64) string {
	if n == 0 {
		return ""
	}
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		f /= 1000
		if f < 999.5 {
			if f < 9.95 {
				return fmt.Sprintf("%.1f %s", f, unit)
			}
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EB", f/1000)
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// counts lists the largest entries of a map, worst first; the figure is left out where it is that of the whole row.
func counts(m map[string]uint64, whole uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if m[keys[i]] != m[keys[j]] {
			return m[keys[i]] > m[keys[j]]
		}
		return keys[i] < keys[j]
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
		b.WriteString(Clean(k))
		if m[k] != whole {
			b.WriteString("x" + thousands(m[k]))
		}
	}
	return b.String()
}

// Span prints a stretch of time without saying anything twice: "22 Nov 13:58:00 to 14:01:00".
func Span(from, to time.Time) string {
	if to.Sub(from) < time.Second {
		return from.Format("2 Jan 15:04:05")
	}
	if from.Year() == to.Year() && from.YearDay() == to.YearDay() {
		return from.Format("2 Jan 15:04:05") + " to " + to.Format("15:04:05")
	}
	if from.Year() != to.Year() {
		return from.Format("2 Jan 2006 15:04") + " to " + to.Format("2 Jan 2006 15:04")
	}
	return from.Format("2 Jan 15:04") + " to " + to.Format("2 Jan 15:04")
}
