package faults

import "strings"

// Busiest returns the minute in which the row was counted most, the first of several; its Count is 0 when no line had a time.
func (r *Row) Busiest() Minute {
	var most Minute
	for _, m := range r.Minutes {
		if m.Count > most.Count {
			most = m
		}
	}
	return most
}

// Module is the module of the sample, of PHP-FPM its pool. It is hostile.
func (r *Row) Module() string { return r.module }

// Meaning returns what the fault means, or nothing when it is not known. It may quote hostile text.
func (r *Row) Meaning() string {
	if r.Kind == nil {
		return ""
	}
	return r.fill(r.Kind.Meaning)
}

// Remedy returns what to do, or nothing when the fault is not known. It may quote hostile text.
func (r *Row) Remedy() string {
	if r.Kind == nil {
		return ""
	}
	return r.fill(r.Kind.Remedy)
}

// fill puts the sample's names for the placeholders; one that has none becomes a word in angle brackets.
func (r *Row) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	pairs := make([]string, 0, 8)
	for _, p := range [...][2]string{{"pool", r.module}, {"script", r.script}, {"site", r.site}, {"limit", r.limit}} {
		if p[1] == "" {
			p[1] = "<" + p[0] + ">"
		}
		pairs = append(pairs, "{"+p[0]+"}", p[1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
