package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Thousands prints a number with commas: "1,234,567".
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Nonzero is Thousands for a cell: nothing for nothing.
func Nonzero(n uint64) string {
	if n == 0 {
		return ""
	}
	return Thousands(n)
}

func optional(n *uint64) string {
	if n == nil {
		return ""
	}
	return Nonzero(*n)
}

// Percent prints a part of a total: "12%", "<1%".
func Percent(part, total uint64) string {
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
	return CellSize(n)
}

// CellSize is Size for a cell: nothing for nothing.
func CellSize(n uint64) string {
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

// Plural prints a number with its noun: "1 page", "1,200 pages".
func Plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Thousands(n) + " " + many
}

// Counts lists the largest entries of a map, worst first; the figure is left out where it is that of the whole row.
func Counts(m map[string]uint64, whole uint64) string {
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
			b.WriteString("x" + Thousands(m[k]))
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

// Bar draws a share of 0 to 1 over n columns. What is not nothing shows at least a sliver.
func Bar(share float64, n int, ascii bool) string {
	if share <= 0 {
		return ""
	}
	if ascii {
		return strings.Repeat("#", min(n, max(1, int(share*float64(n)+0.5))))
	}
	e := min(n*8, max(1, int(share*float64(n*8)+0.5)))
	return strings.Repeat("█", e/8) + eighths[e%8]
}

var eighths = [...]string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// BarWidth is how wide bars are on a screen.
func BarWidth(columns int) int {
	switch {
	case columns >= 110:
		return 20
	case columns >= 80:
		return 12
	default:
		return 6
	}
}

// stateOrder is the order in which states are told: what serves first, then what begins, then what ends.
var stateOrder = [...]string{"established", "syn_recv", "syn_sent", "listen", "time_wait", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "close", "unknown"}

// States tells how many are in which state; the figure is left out where it is that of the whole row.
func States(m map[string]uint64, whole uint64, dot string) string {
	var parts []string
	for _, name := range stateOrder {
		switch n := m[name]; {
		case n == 0:
		case n == whole:
			return strings.ReplaceAll(name, "_", "-")
		default:
			parts = append(parts, strings.ReplaceAll(name, "_", "-")+" "+Thousands(n))
		}
	}
	return strings.Join(parts, dot)
}

// Kinds names events by kind, most first.
func Kinds(m map[string]uint64, dot string) string {
	words := slices.Collect(maps.Keys(m))
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	for i, w := range words {
		words[i] = Thousands(m[w]) + " " + Clean(strings.ReplaceAll(w, "_", " "))
	}
	return strings.Join(words, dot)
}

// Place is the network in few words: "AS64500 Example Hosting, NL". Of nil it is nothing.
func (n *Network) Place() string {
	if n == nil {
		return ""
	}
	var parts []string
	if n.ASN > 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("AS%d %s", n.ASN, n.Org)))
	}
	if n.Country != "" {
		parts = append(parts, n.Country)
	}
	return strings.Join(parts, ", ")
}
