package rules

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxExample bounds the lines that an example may become.
const maxExample = 100_000

// Expand makes log lines of an example. A line may begin with how often it is repeated and how far apart in time, "12x 2s | ";
// after each line the clock goes on so far (by default a second). In a line stand for the time, in the form of a log,
// {clf}, {nginx}, {apache}, {syslog}, {iso}; {n} for the number of the repetition from 1, {hex} for eight digits that differ with
// it, {ip} for an address of its own (198.18.0.0/15, which RFC 2544 sets aside), {ip:NL} for one of its own in a country, which
// [ExampleCountry] knows, and {in:NL} for one there that is always the same.
func Expand(example string, start time.Time) ([]byte, error) {
	var out strings.Builder
	at, made := start, 0
	for number, line := range strings.Split(strings.Trim(example, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		times, step := 1, time.Second
		if head, rest, ok := strings.Cut(line, " | "); ok {
			if n, s, ok := repeats(head); ok {
				times, step, line = n, s, rest
			}
		}
		if made += times; made > maxExample {
			return nil, fmt.Errorf("line %d: more than %d lines", number+1, maxExample)
		}
		for n := range times {
			out.WriteString(fill(line, at, n+1))
			out.WriteByte('\n')
			at = at.Add(step)
		}
	}
	return []byte(out.String()), nil
}

// repeats reads "12x 2s".
func repeats(head string) (int, time.Duration, bool) {
	count, step, ok := strings.Cut(strings.TrimSpace(head), "x")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return 0, 0, false
	}
	d := time.Second
	if step = strings.TrimSpace(step); step != "" {
		if d, err = time.ParseDuration(step); err != nil || d < 0 {
			return 0, 0, false
		}
	}
	return n, d, true
}

// exampleNet is where the addresses of countries are: 2001:db8:4e4c::/48 for NL, by its letters (RFC 3849 sets 2001:db8::/32 aside).
var exampleNet = netip.MustParsePrefix("2001:db8::/32")

// inCountry makes addresses in a country: of their own of {ip:XX}, always the same of {in:XX}.
func inCountry(line string, n int) string {
	for _, word := range []struct {
		begin string
		n     int
	}{{"{ip:", n & 0xffff}, {"{in:", 0}} {
		parts := strings.Split(line, word.begin)
		for i, part := range parts[1:] {
			if len(part) > 2 && part[2] == '}' {
				parts[i+1] = fmt.Sprintf("2001:db8:%02x%02x:%x::1%s", part[0], part[1], word.n, part[3:])
			} else {
				parts[i+1] = word.begin + part
			}
		}
		line = strings.Join(parts, "")
	}
	return line
}

// ExampleCountry is the country of an address in an example; "" if it has none.
func ExampleCountry(a netip.Addr) string {
	if !exampleNet.Contains(a) {
		return ""
	}
	b := a.As16()
	c, err := countryOf(string(b[4:6]))
	if err != nil {
		return ""
	}
	return c
}

func fill(line string, at time.Time, n int) string {
	line = inCountry(line, n)
	return strings.NewReplacer(
		"{clf}", at.Format("02/Jan/2006:15:04:05 -0700"),
		"{nginx}", at.Format("2006/01/02 15:04:05"),
		"{apache}", at.Format("Mon Jan 02 15:04:05.000000 2006"),
		"{syslog}", at.Format("Jan _2 15:04:05"),
		"{iso}", at.Format("2006-01-02T15:04:05.000000-07:00"),
		"{n}", strconv.Itoa(n),
		"{hex}", fmt.Sprintf("%08x", uint32(n)*0x9e3779b1),
		"{ip}", fmt.Sprintf("198.%d.%d.%d", 18+n>>16&1, n>>8&255, n&255),
	).Replace(line)
}
