package tui

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/connwarden/connwarden/report"
)

// style is how a span looks. Nothing is told by colour alone: the words say it too.
type style uint8

const (
	plain   style = iota
	bold          // what the eye should meet first
	dim           // what may be passed over
	red           // harm, and nothing else
	amber         // doubt, and nothing else
	accent        // what can be pressed or typed
	reverse       // where the hand is
)

// styleCodes are those of the command review; without colours the second row.
var styleCodes = [2][7]string{
	{"", "1", "2", "1;31", "33", "36", "7"},
	{"", "1", "", "1", "", "", "7"},
}

// span is a stretch of clean text in one style.
type span struct {
	text  string
	style style
}

// pen turns spans into what a terminal understands.
type pen struct {
	color, ascii bool
	shade        string // background of the selected row; "" when it is not known whether the terminal is dark
}

// draw paints spans over at most width columns. A selected line is shaded over its whole width, or reversed.
func (p *pen) draw(spans []span, width int, selected bool) string {
	var b strings.Builder
	room := width
	for _, s := range spans {
		text := p.cut(s.text, room)
		room -= columns(text)
		p.paint(&b, text, s.style, selected)
		if room <= 0 {
			break
		}
	}
	if selected && room > 0 {
		p.paint(&b, strings.Repeat(" ", room), plain, true)
	}
	return b.String()
}

func (p *pen) paint(b *strings.Builder, text string, st style, selected bool) {
	row := 1
	if p.color {
		row = 0
	}
	if selected && st == dim {
		st = plain // what is dim on a lit row is hard to read
	}
	code := styleCodes[row][st]
	if selected {
		on := "7"
		if p.color && p.shade != "" {
			on = p.shade
		}
		code = strings.TrimSuffix(on+";"+code, ";")
	}
	if code == "" || text == "" {
		b.WriteString(text)
		return
	}
	b.WriteString("\x1b[" + code + "m" + text + "\x1b[0m")
}

// cut shortens a clean text to n columns.
func (p *pen) cut(s string, n int) string {
	mark := p.glyph("…", "...")
	switch {
	case n <= 0:
		return ""
	case columns(s) <= n:
		return s
	case n <= columns(mark):
		return runewidth.Truncate(s, n, "")
	default:
		return runewidth.Truncate(s, n, mark)
	}
}

// glyph is what is drawn where the terminal shows more than ASCII, and where it does not.
func (p *pen) glyph(full, ascii string) string {
	if p.ascii {
		return ascii
	}
	return full
}

func (p *pen) dot() string   { return p.glyph(" · ", " - ") }
func (p *pen) arrow() string { return p.glyph("→", "->") }

func (p *pen) bar(share float64, n int) string { return report.Bar(share, n, p.ascii) }

// spark draws values against one scale over n columns, the latest on the right. Nothing is drawn for nothing.
func (p *pen) spark(values []uint64, top uint64, n int) string {
	levels := []rune(p.glyph("▁▂▃▄▅▆▇█", ".:-=+*%#"))
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", max(n-len(values), 0)))
	for _, v := range values {
		switch {
		case v == 0:
			b.WriteByte(' ')
		default:
			b.WriteRune(levels[min(int(v*uint64(len(levels))/max(top+1, 1)), len(levels)-1)])
		}
	}
	return b.String()
}

// fold breaks painted lines that are wider than the screen, after a space where one is near, so that commands can be read
// whole.
func fold(text string, width int) []string {
	var out []string
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		for {
			end, code := foldAt(line, width)
			if end == len(line) {
				break
			}
			head := line[:end]
			if code != "" {
				head += "\x1b[0m"
			}
			out, line = append(out, head), code+line[end:]
		}
		out = append(out, line)
	}
	return out
}

// foldAt is where a painted line is to be broken, and the code of the colour that it has there.
func foldAt(line string, width int) (end int, code string) {
	n, space, spaceCode := 0, 0, ""
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			next := i + strings.IndexByte(line[i:], 'm') + 1
			if code = line[i:next]; code == "\x1b[0m" {
				code = ""
			}
			i = next
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		if n += runewidth.RuneWidth(r); n > width {
			if space > 0 {
				return space, spaceCode
			}
			return i, code
		}
		if i += size; r == ' ' && n > width/2 {
			space, spaceCode = i, code
		}
	}
	return len(line), ""
}

// columns is the width of a clean text on a terminal.
func columns(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return runewidth.StringWidth(s)
		}
	}
	return len(s)
}

// wrap breaks clean text between words.
func wrap(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > max(width, 10):
			out = append(out, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}
