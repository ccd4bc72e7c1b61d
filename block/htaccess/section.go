package htaccess

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/canary"
)

// The lines that begin and end our section, and what may stand in it besides the rules. All are comments to a server.
const (
	beginLine    = "# BEGIN connwarden"
	endLine      = "# END connwarden"
	noteLine     = "# Written whole by connwarden; what is changed between these lines is lost."
	madeLine     = "# The file was made for this section and goes with it."
	unprovedLine = "# Not proved yet."
)

// bom is what some editors of Windows put before everything else. Apache passes it over at the head of a file only.
const bom = "\xef\xbb\xbf"

// section is what we say in a file.
type section struct {
	present  bool
	made     bool // there was no file before us
	unproved bool // whether the server heeds it is not known
	targets  []netip.Prefix
}

// inForce are the targets that count: those of a section that was proved.
func (s section) inForce() []netip.Prefix {
	if s.unproved {
		return nil
	}
	return s.targets
}

// split parts a file's text into our section and the bytes of others. A second section of ours, as a copy by hand
// leaves it, adds to the first. One that begins and does not end is an error: where it ends only a person can tell.
func split(text []byte) (own []byte, sec section, err error) {
	text, marked := bytes.CutPrefix(text, []byte(bom))
	if marked {
		own = append(own, bom...)
	}
	began, number := 0, 0
	for line := range bytes.Lines(text) {
		number++
		content := string(bytes.TrimRight(line, "\r\n"))
		switch {
		case began == 0 && content == beginLine:
			began, sec.present = number, true
		case began == 0:
			own = append(own, line...)
		case content == endLine:
			began = 0
		default:
			sec.parse(content)
		}
	}
	if began > 0 {
		return nil, section{}, fmt.Errorf("line %d begins our section and no line %q ends it: mend it by hand", began, endLine)
	}
	slices.SortFunc(sec.targets, netip.Prefix.Compare)
	sec.targets = slices.Compact(sec.targets)
	return own, sec, nil
}

// parse reads a line of our section.
func (s *section) parse(line string) {
	switch line {
	case madeLine:
		s.made = true
	case unprovedLine:
		s.unproved = true
	}
	for _, lead := range leads {
		list, ok := strings.CutPrefix(line, lead)
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(list) {
			if p, err := block.ParseTarget(word); err == nil && !canary.Reserved(p) {
				s.targets = append(s.targets, p)
			}
		}
	}
}

// join puts a section before the bytes of others, with the ends of lines that they have. A section without targets is
// left out.
func join(own []byte, sec section, form Form) []byte {
	if len(sec.targets) == 0 {
		return own
	}
	eol := "\n"
	if i := bytes.IndexByte(own, '\n'); i > 0 && own[i-1] == '\r' {
		eol = "\r\n"
	}
	rest, marked := bytes.CutPrefix(own, []byte(bom))
	var text []byte
	if marked {
		text = append(text, bom...)
	}
	text = append(text, sec.render(form, eol)...)
	return append(text, rest...)
}

// render returns the section's text.
func (s section) render(form Form, eol string) []byte {
	var b bytes.Buffer
	line := func(words ...string) {
		for _, w := range words {
			b.WriteString(w)
		}
		b.WriteString(eol)
	}
	line(beginLine)
	line(noteLine)
	if s.made {
		line(madeLine)
	}
	if s.unproved {
		line(unprovedLine)
	}
	targets := make([]netip.Prefix, 0, len(s.targets)+1)
	targets = append(append(targets, netip.PrefixFrom(canary.Denied, 32)), s.targets...)
	form.rules(targets, line)
	line(endLine)
	return b.Bytes()
}
