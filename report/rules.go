package report

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// SchemaRules names the form of Rules.
const SchemaRules = "connwarden.rules/1"

// Rules is the answer of the command rules.
type Rules struct {
	Schema   string    `json:"schema"`
	Rules    []Rule    `json:"rules"`
	Tested   *int      `json:"tested,omitempty"` // how many of the rules had their examples run
	Failed   *int      `json:"failed,omitempty"` // of those; problems tells which, and why
	Problems []Problem `json:"problems"`
}

// Rule is one rule.
type Rule struct {
	Name     string  `json:"name"`
	About    string  `json:"about"`
	Look     string  `json:"look"` // request, event, fault or connection
	Where    string  `json:"where"`
	By       string  `json:"by"`
	Count    uint64  `json:"count"`
	Distinct string  `json:"distinct,omitempty"`
	Within   float64 `json:"within"` // seconds; 0: the whole time looked at
	Score    int     `json:"score"`
	Most     int     `json:"most"`
	Family   string  `json:"family"`
	Capped   bool    `json:"capped"`
	Member   int     `json:"member,omitempty"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
}

// Rules writes one line a rule.
func (t *Text) Rules(w io.Writer, d *Rules) error {
	t.begin()
	t.head("RULES", Thousands(uint64(len(d.Rules))), "")
	tab := &table{cols: []column{{title: "RULE"}, {title: "SCORE", right: true}, {title: "WHEN", drop: 2}, {title: "WHAT THE PEER DOES", cut: 20}}}
	for i := range d.Rules {
		r := &d.Rules[i]
		score := strconv.Itoa(r.Score)
		if r.Most > r.Score {
			score += "-" + strconv.Itoa(r.Most)
		}
		tab.add(field{Clean(r.Name), bold}, field{score, plain}, field{when(r), dim}, field{Clean(r.About), plain})
	}
	t.indent = "  "
	t.table(tab)
	t.problems(d.Problems)
	return t.end(w)
}

// when is the count and window of a rule.
func when(r *Rule) string {
	s := strconv.FormatUint(r.Count, 10)
	if r.Distinct != "" {
		s += " " + r.Distinct + "s"
	}
	if r.Within > 0 {
		s += " in " + Brief(time.Duration(r.Within)*time.Second)
	}
	return s + " by " + r.By
}

// Rules writes the rules as rows.
func (c *CSV) Rules(d *Rules) error {
	c.row("name", "about", "look", "where", "by", "count", "distinct", "within", "score", "most", "family", "file", "line")
	for i := range d.Rules {
		r := &d.Rules[i]
		c.row(r.Name, r.About, r.Look, r.Where, r.By, fmt.Sprint(r.Count), r.Distinct, fmt.Sprint(r.Within), fmt.Sprint(r.Score), fmt.Sprint(r.Most), r.Family, r.File,
			fmt.Sprint(r.Line))
	}
	return c.end()
}
