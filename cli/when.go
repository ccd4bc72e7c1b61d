package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a point in time as a person names it; it becomes a time once it is known what now is.
type moment func(now time.Time) time.Time

var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "02/Jan/2006:15:04:05 -0700", "02/Jan/2006:15:04:05", "02/Jan/2006",
}

var clocks = []string{"15:04:05", "15:04"}

// parseMoment understands what journalctl does: a date with or without time and zone, a time of today, "now", "today",
// "yesterday" (with a time too), "@" and Unix seconds, and a span back from now: "90s", "15m", "1h30m", "2d", "1w", "-1h",
// "2 hours ago". Times without zone are in zone.
func parseMoment(text string, zone *time.Location) (moment, error) {
	s := strings.TrimSpace(text)
	if s == "" {
		return nil, fmt.Errorf("time is empty")
	}
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, s, zone); err == nil {
			return func(time.Time) time.Time { return t }, nil
		}
	}
	if strings.HasPrefix(s, "@") {
		if f, err := strconv.ParseFloat(s[1:], 64); err == nil && f >= 0 && f < 1e11 {
			return func(time.Time) time.Time { return time.Unix(int64(f), 0).In(zone) }, nil
		}
	}
	day, clock, _ := strings.Cut(strings.ToLower(s), " ")
	back := map[string]int{"today": 0, "yesterday": -1, "tomorrow": 1}
	if n, known := back[day]; known {
		h, m, sec, err := parseClock(clock)
		if err != nil {
			return nil, fmt.Errorf("time %q: %w", text, err)
		}
		return at(zone, n, h, m, sec), nil
	}
	if strings.EqualFold(s, "now") {
		return func(now time.Time) time.Time { return now }, nil
	}
	if h, m, sec, err := parseClock(s); err == nil {
		return at(zone, 0, h, m, sec), nil
	}
	span := strings.TrimSuffix(strings.ToLower(s), "ago")
	if d, err := parseSpan(strings.TrimPrefix(span, "-")); err == nil {
		return func(now time.Time) time.Time { return now.Add(-d) }, nil
	}
	return nil, fmt.Errorf("time %q is not understood", text)
}

func at(zone *time.Location, days, h, m, s int) moment {
	return func(now time.Time) time.Time {
		y, mon, d := now.In(zone).Date()
		return time.Date(y, mon, d+days, h, m, s, 0, zone)
	}
}

func parseClock(s string) (h, m, sec int, err error) {
	if s == "" {
		return 0, 0, 0, nil
	}
	for _, l := range clocks {
		if t, err := time.Parse(l, s); err == nil {
			return t.Hour(), t.Minute(), t.Second(), nil
		}
	}
	return 0, 0, 0, fmt.Errorf("%q is no time of day", s)
}

var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// parseSpan understands "1h30m", "2d", "2 hours".
func parseSpan(text string) (time.Duration, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	var sum time.Duration
	for s != "" {
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		n, err := strconv.ParseFloat(s[:i], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no span of time: try 90s, 15m, 1h30m, 2d or 1w", text)
		}
		s = strings.TrimLeft(s[i:], " ")
		j := 0
		for j < len(s) && s[j] >= 'a' && s[j] <= 'z' {
			j++
		}
		unit, known := units[s[:j]]
		if !known || n > 1e6 {
			return 0, fmt.Errorf("%q is no span of time: try 90s, 15m, 1h30m, 2d or 1w", text)
		}
		sum += time.Duration(n * float64(unit))
		s = strings.TrimLeft(s[j:], " ")
	}
	if sum == 0 {
		return 0, fmt.Errorf("%q is no span of time: try 90s, 15m, 1h30m, 2d or 1w", text)
	}
	return sum, nil
}
