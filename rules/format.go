package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Format writes a rule as a file has it.
func Format(r *Rule) string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%-10s = %s\n", key, value) }
	b.WriteString("[[rule]]\n")
	line("name", quoted(r.Name))
	line("about", quoted(r.About))
	line("look", quoted(r.Look.String()))
	if r.Where != "" {
		line("where", quoted(r.Where))
	}
	line("by", quoted(r.By.String()))
	line("count", strconv.FormatUint(r.Count, 10))
	if r.Distinct != "" {
		line("distinct", quoted(r.Distinct))
	}
	if r.Share > 0 {
		line("share", strconv.FormatFloat(r.Share, 'f', -1, 64))
	}
	if r.Within > 0 {
		line("within", quoted(short(r.Within)))
	}
	line("score", strconv.Itoa(r.Score))
	line("most", strconv.Itoa(r.Most))
	line("family", quoted(r.Family))
	if r.Capped {
		line("capped", "true")
	}
	if r.Pass != "" {
		line("pass", quoted(r.Pass))
	}
	if r.PassCount > 0 {
		line("pass_count", strconv.FormatUint(r.PassCount, 10))
	}
	if r.Member > 0 {
		line("member", strconv.Itoa(r.Member))
	}
	line("why", quoted(r.Why))
	for _, e := range []struct{ key, text string }{{"fires", r.Fires}, {"spares", r.Spares}} {
		if e.text != "" {
			line(e.key, "'''\n"+strings.Trim(e.text, "\n")+"\n'''")
		}
	}
	return b.String()
}

// quoted writes a text as TOML: literally where it can stand so.
func quoted(s string) string {
	if !strings.ContainsAny(s, "'\n\r\t") {
		return "'" + s + "'"
	}
	return strconv.Quote(s)
}

// short is a duration without its empty parts: 5m, not 5m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
