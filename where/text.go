package where

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// textOf returns a text field of a request; url is not among them, for it stands in no request as one piece.
func textOf(name string) func(r *connwarden.Request) []byte {
	switch name {
	case "path":
		return func(r *connwarden.Request) []byte { return r.Path }
	case "query":
		return func(r *connwarden.Request) []byte { return r.Query }
	case "method":
		return func(r *connwarden.Request) []byte { return r.Method }
	case "agent":
		return func(r *connwarden.Request) []byte { return r.Agent }
	case "referer":
		return func(r *connwarden.Request) []byte { return r.Referer }
	case "user":
		return func(r *connwarden.Request) []byte { return r.User }
	default:
		return func(r *connwarden.Request) []byte { return r.Host }
	}
}

// exact is text = value.
type exact struct {
	of    func(*connwarden.Request) []byte
	want  []byte
	folds bool // without regard to case
}

// folds tells whether a field is compared without regard to case.
func folds(name string) bool { return name == "site" || name == "host" || name == "method" }

func newExact(name, value string) node {
	if value == "-" {
		value = ""
	}
	if name == "url" {
		path, query, _ := strings.Cut(value, "?")
		return every{newExact("path", path), newExact("query", query)}
	}
	return &exact{textOf(name), []byte(value), folds(name)}
}

func (n *exact) match(r *connwarden.Request) bool {
	text := n.of(r)
	if n.folds {
		return bytes.EqualFold(text, n.want)
	}
	return bytes.Equal(text, n.want)
}

// pattern is text ~ value.
type pattern struct {
	of    func(*connwarden.Request) []byte // nil: url
	begin []byte                           // what the text must begin with
	part  []byte                           // what the text must hold
	re    *regexp.Regexp                   // nil when begin and part say all
}

func newPattern(name, value string) (node, string) {
	if len(value) > maxPattern {
		return nil, fmt.Sprintf("the regular expression is longer than %d bytes", maxPattern)
	}
	if folds(name) {
		value = "(?i)" + value
	}
	re, err := regexp.Compile(value)
	if err != nil {
		return nil, fmt.Sprintf("the regular expression is wrong: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	n := &pattern{re: re}
	if name != "url" {
		n.of = textOf(name)
	}
	if tree, err := syntax.Parse(value, syntax.Perl); err == nil {
		n.literals(tree)
	}
	return n, ""
}

// literals finds texts that every match holds: they are looked for first, at many times the speed of an expression.
func (n *pattern) literals(tree *syntax.Regexp) {
	list := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		list = tree.Sub
	}
	rest := list
	if list[0].Op == syntax.OpBeginText {
		if rest = list[1:]; len(rest) > 0 && literal(rest[0]) {
			n.begin = []byte(string(rest[0].Rune))
			rest = rest[1:]
		}
	}
	for _, x := range rest {
		if text := string(x.Rune); literal(x) && len(text) > len(n.part) {
			n.part = []byte(text)
		}
	}
	if len(rest) == 0 || len(rest) == 1 && literal(rest[0]) && list[0].Op != syntax.OpBeginText {
		n.re = nil
	}
}

// literal tells whether x fits one text only. The rune for what is no UTF-8 fits any such byte.
func literal(x *syntax.Regexp) bool {
	return x.Op == syntax.OpLiteral && x.Flags&syntax.FoldCase == 0 && !slices.Contains(x.Rune, utf8.RuneError)
}

// urls lends buffers in which a path and a query are put together.
var urls = sync.Pool{New: func() any { return new([]byte) }}

func (n *pattern) match(r *connwarden.Request) bool {
	if n.of != nil {
		return n.fits(n.of(r))
	}
	if len(r.Query) == 0 {
		return n.fits(r.Path)
	}
	buf := urls.Get().(*[]byte)
	url := append(append(append((*buf)[:0], r.Path...), '?'), r.Query...)
	fits := n.fits(url)
	*buf = url
	urls.Put(buf)
	return fits
}

func (n *pattern) fits(text []byte) bool {
	return bytes.HasPrefix(text, n.begin) && bytes.Contains(text, n.part) && (n.re == nil || n.re.Match(text))
}

// addr is ip = prefix.
type addr struct{ prefix netip.Prefix }

// nameless fits what came from no address that the log knows.
type nameless struct{}

func (nameless) match(r *connwarden.Request) bool { return !r.Client.IsValid() }

func newAddr(name, value string) (node, string) {
	if value == "-" {
		return nameless{}, ""
	}
	if prefix, err := netip.ParsePrefix(value); err == nil {
		if prefix.Addr().Is4In6() {
			if prefix.Bits() < 96 {
				return nil, fmt.Sprintf("%q is wider than all of IPv4", value)
			}
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		return addr{prefix.Masked()}, ""
	}
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		return nil, fmt.Sprintf("%q is no address and no prefix: write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32", value)
	}
	a = a.Unmap()
	bits := a.BitLen()
	if name == "net" {
		bits = 64
		if a.Is4() {
			bits = 24
		}
	}
	return addr{netip.PrefixFrom(a, bits).Masked()}, ""
}

func (n addr) match(r *connwarden.Request) bool { return n.prefix.Contains(r.Client) }

// kind is kind = word.
type kind connwarden.RequestKind

func newKind(value string) (node, string) {
	for _, k := range []connwarden.RequestKind{connwarden.ReqHTTP, connwarden.ReqTLS, connwarden.ReqEmpty, connwarden.ReqGarbage} {
		if strings.EqualFold(k.String(), value) {
			return kind(k), ""
		}
	}
	return nil, fmt.Sprintf("%q is no kind of request: http, tls, empty or garbage", value)
}

func (n kind) match(r *connwarden.Request) bool { return r.Kind == connwarden.RequestKind(n) }
