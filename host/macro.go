package host

import "strings"

// macro is a <Macro> of mod_macro.
type macro struct {
	params []string
	lines  []apacheLine
}

// define keeps the body of a <Macro> (mod_macro) that begins at line i and returns its last line.
func (a *apache) define(args []string, lines []apacheLine, i int) int {
	var m macro
	for i++; i < len(lines); i++ {
		if lines[i].text[0] == '<' {
			if name, _ := section(lines[i].text); name == "/macro" {
				break
			}
		}
		m.lines = append(m.lines, lines[i])
	}
	if len(args) > 0 {
		m.params = args[1:]
		a.macros[strings.ToLower(args[0])] = &m
	}
	return i
}

// use carries out the body of a macro with its parameters replaced.
func (a *apache) use(args []string, at position, depth int, host *vhost) {
	s := a.book.scan
	if len(args) == 0 {
		return
	}
	m := a.macros[strings.ToLower(args[0])]
	switch {
	case m == nil:
		s.problem(at.String(), "uses macro "+args[0]+", which is not defined before")
		return
	case depth >= s.lim.depth || a.book.reads >= s.lim.files:
		s.problem(at.String(), "macros inside macros too deep or too many: not read")
		return
	}
	a.book.reads++ // a body costs as much as a file: the same bound ends what doubles itself
	var pairs []string
	for i, p := range m.params {
		if i+1 < len(args) && p != "" {
			pairs = append(pairs, p, args[i+1])
		}
	}
	replacer := strings.NewReplacer(pairs...)
	body := make([]apacheLine, 0, len(m.lines))
	for _, l := range m.lines {
		grown := len(l.text)
		for i := 0; i < len(pairs); i += 2 {
			grown += strings.Count(l.text, pairs[i]) * len(pairs[i+1])
		}
		if grown > maxLine {
			s.problem(l.at.String(), "a line of over 64 KiB is not read")
			continue
		}
		t := strings.TrimSpace(replacer.Replace(l.text))
		if !a.book.charge(len(l.text) + len(t)) {
			return
		}
		if t != "" {
			body = append(body, apacheLine{t, l.at})
		}
	}
	a.lines(body, depth+1, host)
}
