package where

import (
	"fmt"
	"slices"
	"strings"
)

// parser reads an expression by recursive descent.
type parser struct {
	text       string
	at         int
	vocabulary Vocabulary
	depth      int
}

// fail is an error at a byte of the expression.
func (p *parser) fail(at int, format string, args ...any) error {
	return &Error{p.text, at, fmt.Sprintf(format, args...)}
}

func (p *parser) parse() (*Tree, error) {
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

func (p *parser) or() (*Tree, error) {
	n, err := p.and()
	if err != nil {
		return nil, err
	}
	list := []*Tree{n}
	for p.word("or") {
		if n, err = p.and(); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return n, nil
	}
	return &Tree{Some: list}, nil
}

func (p *parser) and() (*Tree, error) {
	n, err := p.not()
	if err != nil {
		return nil, err
	}
	list := []*Tree{n}
	for p.word("and") {
		if n, err = p.not(); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return n, nil
	}
	return &Tree{Every: list}, nil
}

func (p *parser) not() (*Tree, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.at, "more than %d parentheses or nots within one another", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.word("not") {
		n, err := p.not()
		return &Tree{Not: n}, err
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

func (p *parser) comparison() (*Tree, error) {
	from := p.at
	for p.at < len(p.text) && (p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z' || p.text[p.at] == '_') {
		p.at++
	}
	word := p.text[from:p.at]
	if word == "" {
		if p.at == len(p.text) {
			return nil, p.fail(p.at, "a comparison is missing here: field, operator and value, such as status>=500")
		}
		return nil, p.fail(p.at, "a field is wanted here: one of %s", strings.Join(p.vocabulary.Names, ", "))
	}
	name, ok := p.vocabulary.find(word)
	if !ok {
		return nil, p.fail(from, "there is no field %q: did you mean %q? The fields are %s", word, p.vocabulary.nearest(word), strings.Join(p.vocabulary.Names, ", "))
	}
	takes := p.vocabulary.Operators(name)
	p.space()
	opAt := p.at
	op := ""
	for _, o := range allOperators {
		if strings.HasPrefix(p.text[p.at:], o) {
			op = o
			break
		}
	}
	if op == "" {
		return nil, p.fail(p.at, "an operator is wanted after %q: %s", word, strings.Join(takes, " "))
	}
	p.at += len(op)
	if !slices.Contains(takes, op) {
		return nil, p.fail(opAt, "%q cannot be compared with %q: use %s", word, op, strings.Join(takes, " "))
	}
	p.space()
	term := &Term{Field: name, Op: strings.TrimPrefix(op, "!")}
	if err := p.values(term); err != nil {
		return nil, err
	}
	p.space()
	if op[0] == '!' {
		return &Tree{Not: &Tree{Term: term}}, nil
	}
	return &Tree{Term: term}, nil
}

// value is a text and its place.
type value struct {
	text string
	at   int
}

// values reads a value, or a list of them after an operator that ends in an equals sign and compares no order.
func (p *parser) values(term *Term) error {
	lists := term.Op == "=" || term.Op == "^=" || term.Op == "$=" || term.Op == "*="
	for {
		v, err := p.value(lists)
		if err != nil {
			return err
		}
		term.Values = append(term.Values, v.text)
		term.At = append(term.At, v.at)
		if !lists || p.at == len(p.text) || p.text[p.at] != ',' {
			return nil
		}
		p.at++
		p.space()
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
