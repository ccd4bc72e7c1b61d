package paper

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

func round(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

func toUint(n any) uint64 {
	switch n := n.(type) {
	case uint64:
		return n
	case *uint64:
		if n != nil {
			return *n
		}
	case int:
		return uint64(max(n, 0))
	case int64:
		return uint64(max(n, 0))
	}
	return 0
}

func percent(part, total uint64) string {
	switch share := float64(part) / float64(max(total, 1)); {
	case share == 0:
		return "0%"
	case share < 0.01:
		return "<1%"
	default:
		return strconv.Itoa(int(share*100+0.5)) + "%"
	}
}

// width is a bar's: part of whole in percent, and never nothing of something.
func width(part, whole uint64) float64 {
	if part == 0 {
		return 0
	}
	return max(round(float64(min(part, whole))/float64(max(whole, 1))*100), 1)
}

func classes(m map[string]uint64, total uint64) string {
	var parts []string
	for _, c := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		if n := m[c]; n > 0 {
			parts = append(parts, c+" "+percent(n, total))
		}
	}
	return strings.Join(parts, " · ")
}

func states(m map[string]uint64) string {
	var parts []string
	for _, s := range []string{"established", "syn_recv", "syn_sent", "listen", "time_wait", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "close", "unknown"} {
		if n := m[s]; n > 0 {
			parts = append(parts, strings.ReplaceAll(s, "_", "-")+" "+report.Thousands(n))
		}
	}
	return strings.Join(parts, " · ")
}

func span(from, to *time.Time) string {
	if from == nil || to == nil {
		return ""
	}
	return report.Span(*from, *to)
}

func when(t time.Time) string { return t.Format("2 Jan 2006 15:04:05 MST") }

func country(p *report.Peer) string {
	if p.Network == nil {
		return ""
	}
	return p.Network.Country
}

func ports(m map[string]uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if m[a] != m[b] {
			if m[a] > m[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(keys) > 3 {
		keys = append(keys[:3], "…")
	}
	return strings.Join(keys, " ")
}

func plural(n any, one, many string) string {
	if k := toUint(n); k != 1 {
		return report.Thousands(k) + " " + many
	}
	return "1 " + one
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func harmful(verdict string) bool { return verdict == "malicious" || verdict == "suspicious" }

// grave is the colour of a level of an error log.
func grave(level string) string {
	switch level {
	case "critical", "alert", "emergency":
		return "harm"
	case "error", "warning":
		return "doubt"
	default:
		return "dim"
	}
}

// repeats tells whether the lines of a reason were shown for an earlier one of the same peer.
func repeats(p report.Peer, i int) bool {
	same := func(a, b report.Sample) bool { return a.File == b.File && a.Offset == b.Offset && a.Text == b.Text }
	lines := p.Evidence[i].Samples
	return len(lines) > 0 && slices.ContainsFunc(p.Evidence[:i], func(e report.Evidence) bool { return slices.EqualFunc(e.Samples, lines, same) })
}
