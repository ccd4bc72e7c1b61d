package where

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// span is number within [from, to], of what every comparison of a number is made.
type span struct {
	of       func(r *connwarden.Request) (n int64, known bool)
	from, to int64
}

func (n *span) match(r *connwarden.Request) bool {
	x, known := n.of(r)
	return known && x >= n.from && x <= n.to
}

// numberOf returns a field as a number: of time the nanoseconds since 1970.
func numberOf(name string) func(r *connwarden.Request) (int64, bool) {
	switch name {
	case "status":
		return func(r *connwarden.Request) (int64, bool) { return int64(r.Status), r.Status > 0 }
	case "bytes":
		return func(r *connwarden.Request) (int64, bool) { return r.Size, r.Size >= 0 }
	case "took":
		return func(r *connwarden.Request) (int64, bool) { return int64(r.Took), r.Took >= 0 }
	default:
		return func(r *connwarden.Request) (int64, bool) { return r.Time.UnixNano(), !r.Time.IsZero() }
	}
}

func newSpan(name, op, value string, zone *time.Location) (node, string) {
	from, to, why := spanOf(name, value, zone)
	if why != "" {
		return nil, why
	}
	switch op {
	case "<":
		if from == math.MinInt64 {
			return some{}, ""
		}
		from, to = math.MinInt64, from-1
	case "<=":
		from = math.MinInt64
	case ">":
		if to == math.MaxInt64 {
			return some{}, ""
		}
		from, to = to+1, math.MaxInt64
	case ">=":
		to = math.MaxInt64
	}
	return &span{numberOf(name), from, to}, ""
}

// spanOf reads a value: the first and the last number that it stands for.
func spanOf(name, value string, zone *time.Location) (from, to int64, why string) {
	switch name {
	case "status":
		if len(value) == 3 && strings.EqualFold(value[1:], "xx") && value[0] >= '1' && value[0] <= '5' {
			from = int64(value[0]-'0') * 100
			return from, from + 99, ""
		}
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n > 999 {
			return 0, 0, fmt.Sprintf("%q is no status: write 404 or 4xx", value)
		}
		return int64(n), int64(n), ""
	case "bytes":
		digits, shift := value, 0
		if i := len(value) - 1; i > 0 {
			if unit := strings.IndexByte("kmgt", value[i]|0x20); unit >= 0 {
				digits, shift = value[:i], 10*(unit+1)
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>shift {
			return 0, 0, fmt.Sprintf("%q is no size: write 4096, 64k or 10M", value)
		}
		return n << shift, n << shift, ""
	case "took":
		d, err := time.ParseDuration(value)
		if err != nil {
			d, err = time.ParseDuration(value + "s")
		}
		if err != nil || d < 0 {
			return 0, 0, fmt.Sprintf("%q is no duration: write 2, 2s, 300ms or 1m30s", value)
		}
		return int64(d), int64(d), ""
	default:
		return timeSpan(value, zone)
	}
}

// timeSpan reads a time; the less precise it is, the longer the span.
func timeSpan(value string, zone *time.Location) (from, to int64, why string) {
	plain := strings.Replace(value, " ", "T", 1)
	for _, form := range []struct {
		layout string
		next   func(t time.Time) time.Time
	}{
		{time.RFC3339, nextSecond},
		{"2006-01-02T15:04:05", nextSecond},
		{"2006-01-02T15:04Z07:00", nextMinute},
		{"2006-01-02T15:04", nextMinute},
		{time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	} {
		t, err := time.ParseInLocation(form.layout, plain, zone)
		if err != nil {
			continue
		}
		if y := t.Year(); y < 1700 || y > 2200 { // nanoseconds reach no farther
			break
		}
		if t.Nanosecond() != 0 {
			return t.UnixNano(), t.UnixNano(), ""
		}
		return t.UnixNano(), form.next(t).UnixNano() - 1, ""
	}
	return 0, 0, fmt.Sprintf("%q is no time: write 2026-11-22, 2026-11-22T14:03 or 2026-11-22T14:03:07+01:00", value)
}

func nextSecond(t time.Time) time.Time { return t.Add(time.Second) }
func nextMinute(t time.Time) time.Time { return t.Add(time.Minute) }
