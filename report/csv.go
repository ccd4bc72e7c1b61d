package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
)

// CSV writes the rows of a document, with a head, as RFC 4180 asks. A cell that a spreadsheet would take for a
// formula is led by an apostrophe (OWASP, "CSV Injection").
type CSV struct{ w *csv.Writer }

// NewCSV returns a writer of rows to w.
func NewCSV(w io.Writer) *CSV { return &CSV{csv.NewWriter(w)} }

func (c *CSV) row(cells ...string) {
	for i, s := range cells {
		cells[i] = cell(s)
	}
	c.w.Write(cells) // the error is kept by the csv.Writer until Error is asked
}

func cell(s string) string {
	s = Clean(s)
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '|', '%':
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return "'" + s
		}
	}
	return s
}

func (c *CSV) end() error {
	c.w.Flush()
	return c.w.Error()
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func share(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}

// Conns writes the rows of d.
func (c *CSV) Conns(d *Conns) error {
	c.row("key", "count", "share", "in", "out", "proto", "dir", "state", "local", "remote", "process")
	for _, r := range d.Rows {
		process := ""
		if r.Process != nil {
			process = r.Process.Name
		}
		c.row(r.Key, number(r.Count), share(r.Share), number(r.In), number(r.Out), r.Proto, r.Dir, r.State, r.Local, r.Remote, process)
	}
	return c.end()
}

// Pages writes the rows of d.
func (c *CSV) Pages(d *Pages) error {
	c.row("key", "count", "share", "bytes", "ips", "1xx", "2xx", "3xx", "4xx", "5xx", "none")
	for _, r := range d.Rows {
		ips := ""
		if r.IPs != nil {
			ips = number(*r.IPs)
		}
		c.row(r.Key, number(r.Count), share(r.Share), number(r.Bytes), ips, number(r.Status["1xx"]), number(r.Status["2xx"]),
			number(r.Status["3xx"]), number(r.Status["4xx"]), number(r.Status["5xx"]), number(r.Status["none"]))
	}
	return c.end()
}

// Errors writes the rows of d.
func (c *CSV) Errors(d *Errors) error {
	c.row("key", "count", "service", "code", "level", "first", "last", "ips", "meaning", "remedy")
	for _, r := range d.Rows {
		c.row(r.Key, number(r.Count), r.Service, r.Code, r.Level, moment(r.First), moment(r.Last), number(r.IPs), r.Meaning, r.Remedy)
	}
	return c.end()
}

// Review writes the peers of d.
func (c *CSV) Review(d *Review) error {
	c.row("addr", "verdict", "score", "open", "requests", "bytes", "why")
	for _, p := range d.Peers {
		why := ""
		if len(p.Evidence) > 0 {
			why = p.Evidence[0].Why
		}
		c.row(p.Addr, p.Verdict, strconv.Itoa(p.Score), number(p.Open), number(p.Requests), number(p.Bytes), why)
	}
	return c.end()
}

// Doctor writes the probes of d.
func (c *CSV) Doctor(d *Doctor) error {
	c.row("area", "name", "answer", "why")
	for _, p := range d.Probes {
		c.row(p.Area, p.Name, p.Answer, p.Why)
	}
	return c.end()
}

// Config writes the values of d.
func (c *CSV) Config(d *Config) error {
	c.row("key", "value", "origin")
	for _, v := range d.Values {
		c.row(v.Key, fmt.Sprint(v.Value), v.Origin)
	}
	return c.end()
}
