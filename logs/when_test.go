package logs

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text, want string // want: RFC 3339 with nanoseconds, "zero" for a time that says nothing, nothing when it is no time
		used       int    // 0: all of it
	}{
		{"17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z", 0},
		{"17/May/2015:10:05:03 -0330", "2015-05-17T10:05:03-03:30", 0},
		{"17/May/2015:10:05:03.123 +0000", "2015-05-17T10:05:03.123Z", 0},
		{"17/May/2015:10:05:03", "2015-05-17T10:05:03+02:00", 0},
		{"25/Aug/2014 14:04:54] x", "2014-08-25T14:04:54+02:00", 20},
		{"06/10/2021:11:19:31 -0000", "2021-06-10T11:19:31Z", 0},
		{"2015-05-17T10:05:03Z", "2015-05-17T10:05:03Z", 0},
		{"2015-05-17T10:05:03.123456789+01:00", "2015-05-17T10:05:03.123456789+01:00", 0},
		{"2015-05-17T10:05:03,5+0100", "2015-05-17T10:05:03.5+01:00", 0},
		{"2015-05-17 10:05:03 UTC", "2015-05-17T10:05:03Z", 0},
		{"2015/05/17 10:05:03 [error]", "2015-05-17T10:05:03+02:00", 19},
		{"2026-03-29 01:59:59", "2026-03-29T01:59:59+01:00", 0}, // the last second of winter time
		{"2026-03-29 03:00:00", "2026-03-29T03:00:00+02:00", 0},
		{"2026-10-25 03:00:00", "2026-10-25T03:00:00+01:00", 0},
		{"Sun May 17 10:05:03 2015", "2015-05-17T10:05:03+02:00", 0},
		{"Sun May 17 10:05:03.250 2015", "2015-05-17T10:05:03.25+02:00", 0},
		{"Sun, 17 May 2015 10:05:03 GMT", "2015-05-17T10:05:03Z", 0},
		{"Jan  2 10:05:03 host", "2026-01-02T10:05:03+01:00", 15},
		{"Jan 2 10:05:03 host", "2026-01-02T10:05:03+01:00", 14},
		{"Jan 2 10:05", "", 0},
		{"Sun May 3 10:05:03 2015", "2015-05-03T10:05:03+02:00", 0},
		{"Dec 31 23:59:59 host", "2025-12-31T23:59:59+01:00", 15},
		{"Jan  4 11:00:00 host", "2026-01-04T11:00:00+01:00", 15}, // a clock that is ahead
		{"Jan  5 11:00:00 host", "2025-01-05T11:00:00+01:00", 15},
		{"Feb 29 11:00:00 host", "2024-02-29T11:00:00+01:00", 15},
		{"1431857103", "2015-05-17T10:05:03Z", 0},
		{"1431857103.5", "2015-05-17T10:05:03.5Z", 0},
		{"1431857103123", "2015-05-17T10:05:03.123Z", 0},
		{"1431857103123456", "2015-05-17T10:05:03.123456Z", 0},
		{"1431857103123456789", "2015-05-17T10:05:03.123456789Z", 0},
		{"29:23:53:25", "zero", 0},
		{"32/May/2015:10:05:03 +0000", "", 0},
		{"29/Feb/2015:10:05:03 +0000", "", 0},
		{"17/May/2015:24:05:03 +0000", "", 0},
		{"2015-13-17T10:05:03Z", "", 0},
		{"14318571031", "", 0},
		{"1431857103x", "", 0},
		{"hello world", "", 0},
		{"", "", 0},
	} {
		s := stamps{where: berlin, now: now, text: make([]byte, 0, maxTime)}
		for range 2 { // and once from memory
			got, used := s.any([]byte(c.text))
			text := got.Format(time.RFC3339Nano)
			switch {
			case used == 0:
				text = ""
			case got.IsZero():
				text = "zero"
			}
			want := c.used
			if want == 0 && c.want != "" {
				want = len(c.text)
			}
			if text != c.want || used != want {
				t.Errorf("%q: got %q and %d bytes, want %q and %d", c.text, text, used, c.want, want)
			}
		}
	}
	// Without a moment to reckon from a date without a year says nothing.
	s := stamps{where: time.UTC}
	if got, used := s.any([]byte("Jan  2 10:05:03 host")); !got.IsZero() || used != 15 {
		t.Errorf("got %s and %d bytes", got, used)
	}
}

// A longer time that begins as the one before does is another.
func TestTimeMemory(t *testing.T) {
	s := stamps{where: time.UTC, text: make([]byte, 0, maxTime)}
	for _, text := range []string{"2015-05-17T10:05:03.1Z", "2015-05-17T10:05:03.12Z", "2015-05-17 10:05:03", "2015-05-17 10:05:03.5", "1431857103", "1431857103.25"} {
		if got, used := s.any([]byte(text)); used != len(text) {
			t.Errorf("%s: got %s and %d bytes", text, got, used)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "192.0.2.7:80": "192.0.2.7", "0.0.0.0": "0.0.0.0", "255.255.255.255": "255.255.255.255",
		"::ffff:192.0.2.7": "192.0.2.7", "::": "::", "::1": "::1", "2001:db8::1": "2001:db8::1", "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
		"[2001:db8::1]:443": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "fe80::1%eth0": "fe80::1", "1::": "1::", "64:ff9b::192.0.2.7": "64:ff9b::c000:207",
		"": "", "-": "", "256.0.0.1": "", "1.2.3": "", "1.2.3.4.5": "", "1.2.3.4x": "", "01234.1.1.1": "", "1.2.3.4:": "", "1.2.3.4:123456": "",
		":": "", ":::": "", "1:2:3:4:5:6:7": "", "1:2:3:4:5:6:7:8:9": "", "1::2::3": "", "12345::": "", "g::": "", "[::1": "", "[::1]x": "", "1:": "",
		"www.example.com": "", "1.2.3.4.": "",
	} {
		got, ok := parseAddr([]byte(text))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: got %v, want %q", text, got, want)
		}
	}
}
