package cli

import (
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 14, 3, 7, 0, berlin)
	for text, want := range map[string]string{
		"2026-11-22T12:00:00Z":       "2026-11-22T12:00:00Z",
		"2026-11-22T12:00:00+05:30":  "2026-11-22T12:00:00+05:30",
		"2026-11-22 12:00":           "2026-11-22T12:00:00+01:00",
		"2026-11-22":                 "2026-11-22T00:00:00+01:00",
		"22/Nov/2026:12:00:00 +0000": "2026-11-22T12:00:00Z",
		"@1795000000":                "2026-11-18T12:06:40+01:00",
		"now":                        "2026-11-22T14:03:07+01:00",
		"today":                      "2026-11-22T00:00:00+01:00",
		"yesterday":                  "2026-11-21T00:00:00+01:00",
		"yesterday 14:00":            "2026-11-21T14:00:00+01:00",
		"13:30":                      "2026-11-22T13:30:00+01:00",
		"1h":                         "2026-11-22T13:03:07+01:00",
		"-1h":                        "2026-11-22T13:03:07+01:00",
		"1h30m":                      "2026-11-22T12:33:07+01:00",
		"2 hours ago":                "2026-11-22T12:03:07+01:00",
		"1d":                         "2026-11-21T14:03:07+01:00",
		"90s":                        "2026-11-22T14:01:37+01:00",
		"1.5h":                       "2026-11-22T12:33:07+01:00",
	} {
		m, err := parseMoment(text, berlin)
		if err != nil {
			t.Errorf("parseMoment(%q): %v", text, err)
			continue
		}
		wanted, err := time.Parse(time.RFC3339, want)
		if err != nil {
			t.Fatal(err)
		}
		if got := m(now); !got.Equal(wanted) {
			t.Errorf("parseMoment(%q) = %s, want %s", text, got.Format(time.RFC3339), want)
		}
	}
	for _, text := range []string{"", "soon", "1x", "h", "yesterday noon", "25:00", "2026-13-01", "1e9h", "99999999999w", "@", "--1h"} {
		if m, err := parseMoment(text, berlin); err == nil {
			t.Errorf("parseMoment(%q) is %s", text, m(now))
		}
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"1h30m", "yesterday 14:00", "@12", "2026-11-22T12:00:00Z"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMoment(s, time.UTC); err == nil {
			m(now)
		}
	})
}
