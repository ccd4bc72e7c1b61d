package where

import (
	"fmt"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// parser reads an expression by recursive descent.
type parser struct {
	text   string
	at     int
	zone   *time.Location
	fields connwarden.Fields
	depth  int
}

// fail is an error at a byte of the expression.
func (p *parser) fail(at int, format string, args ...any) error {
	return &Error{p.text, at, fmt.Sprintf(format, args...)}
}

func (p *parser) parse() (node, error) {
	p.space()
	if p.at == len(p.text) {
		return nil, p.fail(0, "it is empty: write for example status>=500")
	}
	n, err := p.or()
	if err == nil && p.at < len(p.text) {
		if p.text[p.at] == ')' {
			return nil, p.fail(p.at, "this parenthesis closes none")
		}
		return nil, p.fail(p.at, `"and" or "or" is wanted here`)
	}
	return n, err
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// word takes the word w, in any case, if it stands here by itself.
func (p *parser) word(w string) bool {
	end := p.at + len(w)
	if end > len(p.text) || !strings.EqualFold(p.text[p.at:end], w) || end < len(p.text) && !strings.ContainsRune(" \t\r\n()", rune(p.text[end])) {
		return false
	}
	p.at = end
	p.space()
	return true
}

func (p *parser) or() (node, error) {
	n, err := p.and()
	if err != nil {
		return nil, err
	}
	list := some{n}
	for p.word("or") {
		if n, err = p.and(); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return n, nil
	}
	return list, nil
}

func (p *parser) and() (node, error) {
	n, err := p.not()
	if err != nil {
		return nil, err
	}
	list := every{n}
	for p.word("and") {
		if n, err = p.not(); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return n, nil
	}
	return list, nil
}

func (p *parser) not() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.at, "more than %d parentheses or nots within one another", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.word("not") {
		n, err := p.not()
		return none{n}, err
	}
	if p.at < len(p.text) && p.text[p.at] == '(' {
		open := p.at
		p.at++
		p.space()
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.at == len(p.text) || p.text[p.at] != ')' {
			if p.at < len(p.text) {
				return nil, p.fail(p.at, `"and", "or" or a closing parenthesis is wanted here`)
			}
			return nil, p.fail(open, "this parenthesis is never closed")
		}
		p.at++
		p.space()
		return n, nil
	}
	return p.comparison()
}

// operators, the longer before those they begin with.
var operators = []string{"!=", "!~", "<=", ">=", "=", "~", "<", ">"}

func (p *parser) comparison() (node, error) {
	from := p.at
	for p.at < len(p.text) && (p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z' || p.text[p.at] == '_') {
		p.at++
	}
	name := p.text[from:p.at]
	if name == "" {
		if p.at == len(p.text) {
			return nil, p.fail(p.at, "a comparison is missing here: field, operator and value, such as status>=500")
		}
		return nil, p.fail(p.at, "a field is wanted here: one of %s", fieldNames())
	}
	f := fieldOf(name)
	if f == nil {
		return nil, p.fail(from, "there is no field %q: did you mean %q? The fields are %s", name, nearest(name), fieldNames())
	}
	p.space()
	opAt := p.at
	op := ""
	for _, o := range operators {
		if strings.HasPrefix(p.text[p.at:], o) {
			op = o
			break
		}
	}
	if op == "" {
		return nil, p.fail(p.at, "an operator is wanted after %q: %s", name, strings.Join(f.operators(), " "))
	}
	p.at += len(op)
	if !f.takes(op) {
		return nil, p.fail(opAt, "%q cannot be compared with %q: use %s", name, op, strings.Join(f.operators(), " "))
	}
	p.space()
	values, err := p.values(op)
	if err != nil {
		return nil, err
	}
	p.space()
	p.fields |= f.reads
	list := some{}
	for _, v := range values {
		n, why := f.compile(p, op, v.text)
		if why != "" {
			return nil, p.fail(v.at, "%s", why)
		}
		list = append(list, n)
	}
	var n node = list
	if len(list) == 1 {
		n = list[0]
	}
	if op[0] == '!' {
		n = none{n}
	}
	return n, nil
}

// value is a text and its place.
type value struct {
	text string
	at   int
}

// values reads a value, or a list of them after = and !=.
func (p *parser) values(op string) ([]value, error) {
	lists := op == "=" || op == "!="
	var all []value
	for {
		v, err := p.value(lists)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		if !lists || p.at == len(p.text) || p.text[p.at] != ',' {
			return all, nil
		}
		p.at++
	}
}

func (p *parser) value(list bool) (value, error) {
	from := p.at
	if p.at < len(p.text) && (p.text[p.at] == '"' || p.text[p.at] == '\'') {
		return p.quoted()
	}
	open := 0
	for p.at < len(p.text) {
		c := p.text[p.at]
		if strings.IndexByte(" \t\r\n", c) >= 0 || list && c == ',' || c == ')' && open == 0 {
			break
		}
		switch {
		case c == '(':
			open++
		case c == ')':
			open--
		case c == '\\' && p.at+1 < len(p.text) && (p.text[p.at+1] == '(' || p.text[p.at+1] == ')'):
			p.at++ // of a regular expression: neither opens nor closes
		}
		p.at++
	}
	if p.at == from {
		return value{}, p.fail(from, "a value is missing here; an empty one is written \"\"")
	}
	return value{p.text[from:p.at], from}, nil
}

func (p *parser) quoted() (value, error) {
	from := p.at
	quote := p.text[from]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if c == quote {
			p.at++
			return value{b.String(), from}, nil
		}
		if c == '\\' && p.at+1 < len(p.text) && (p.text[p.at+1] == quote || p.text[p.at+1] == '\\') {
			// A backslash before anything else stays: \. and \d are a regular expression's.
			p.at++
			c = p.text[p.at]
		}
		b.WriteByte(c)
	}
	return value{}, p.fail(from, "this quote is never closed")
}
