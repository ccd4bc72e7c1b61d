package host

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// book is the configuration of one server: the files read so far and what may still be read.
type book struct {
	scan    *scan
	left    int64           // bytes
	files   []string        // each once, in the order of reading
	known   map[string]bool // of files
	reads   int
	stopped bool
	open    map[string]bool // files that are being read, by their place without links: an include of one is a cycle
}

func (s *scan) book() *book {
	return &book{scan: s, left: s.lim.total, known: map[string]bool{}, open: map[string]bool{}}
}

// with reads a file and hands its text to f. It tells why when it does not. from is the line that asks for the file.
func (b *book) with(name string, depth int, from string, f func(text []byte)) {
	s := b.scan
	if s.ctx.Err() != nil {
		return
	}
	if from != "" {
		from = " (included by " + from + ")"
	}
	place, info, err := s.tree.find(name)
	switch {
	case err != nil:
		s.problem(name, why(err)+from)
		return
	case info.IsDir():
		s.problem(name, "a folder, not a file"+from)
		return
	case b.open[place.at]:
		s.problem(name, "includes itself: not read again"+from)
		return
	case depth > s.lim.depth:
		s.problem(name, fmt.Sprintf("includes more than %d deep: not read%s", s.lim.depth, from))
		return
	case b.reads >= s.lim.files:
		b.stop(fmt.Sprintf("more than %d files: %s and later ones are not read%s", s.lim.files, name, from))
		return
	case b.left <= 0:
		b.stop(fmt.Sprintf("more than %d bytes: %s and later files are not read%s", s.lim.total, name, from))
		return
	}
	limit := min(s.lim.file, b.left)
	text, more, err := s.tree.read(name, limit)
	if err != nil {
		s.problem(name, why(err)+from)
		return
	}
	if more {
		s.problem(name, fmt.Sprintf("only its first %d bytes are read%s", limit, from))
	}
	b.reads++
	b.left -= int64(len(text))
	if !b.known[name] {
		b.known[name] = true
		b.files = append(b.files, name)
	}
	b.open[place.at] = true
	f(text)
	delete(b.open, place.at)
}

// lines hands over the lines of a file one by one, without their ends and the blanks around them; what is too long for a setting is left out.
func (b *book) lines(name string, depth int, from string, each func(line string, at position)) {
	b.indented(name, depth, from, func(line string, at position) { each(strings.TrimSpace(line), at) })
}

// indented is lines with the blanks in front, which say something in YAML.
func (b *book) indented(name string, depth int, from string, each func(line string, at position)) {
	b.with(name, depth, from, func(text []byte) {
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if len(line) <= maxLine && b.scan.ctx.Err() == nil {
				each(strings.TrimRight(string(line), " \t\r\n"), position{name, n})
			}
		}
	})
}

// charge counts text that variables and macros made against the bytes that may be read. It returns false when none
// are left.
func (b *book) charge(n int) bool {
	b.left -= int64(max(n, 0))
	if b.left > 0 {
		return true
	}
	b.stop(fmt.Sprintf("more than %d bytes with what variables and macros make: the rest is not read", b.scan.lim.total))
	return false
}

// stop says, once, that a bound of the whole configuration was met.
func (b *book) stop(why string) {
	if !b.stopped {
		b.stopped = true
		b.scan.problem("configuration", why)
	}
}

// include expands the argument of an include relative to base and calls f for each file. Folders are read whole when
// folders is set, as Apache does. quiet is for an include that may find nothing.
func (b *book) include(arg, base string, from position, depth int, folders, quiet bool, f func(name string)) {
	s := b.scan
	if !strings.HasPrefix(arg, "/") {
		arg = path.Join(base, arg)
	}
	if !hasMeta(arg) {
		_, info, err := s.tree.find(arg)
		switch {
		case err != nil && quiet && why(err) == "not there":
		case err != nil:
			s.problem(arg, why(err)+" (included by "+from.String()+")")
		case info.IsDir() && folders:
			b.folder(arg, from, depth, f)
		default:
			f(arg)
		}
		return
	}
	names, more, err := s.tree.glob(arg, s.lim.entries)
	if err != nil {
		s.problem(blame(err, arg), why(err)+" (included by "+from.String()+")")
	}
	if more {
		s.problem(arg, fmt.Sprintf("more than %d matches: the rest is not read (included by %s)", s.lim.entries, from))
	}
	if len(names) == 0 && err == nil && !quiet {
		s.problem(arg, "nothing there (included by "+from.String()+")")
	}
	for _, name := range names {
		if _, info, err := s.tree.find(name); err == nil && info.IsDir() {
			if folders {
				b.folder(name, from, depth, f)
			}
			continue
		}
		f(name)
	}
}

func (b *book) folder(name string, from position, depth int, f func(name string)) {
	s := b.scan
	if depth > s.lim.depth {
		s.problem(name, fmt.Sprintf("folders more than %d deep: not read (included by %s)", s.lim.depth, from))
		return
	}
	entries, more, err := s.tree.list(name, s.lim.entries)
	if err != nil {
		s.problem(name, why(err)+" (included by "+from.String()+")")
		return
	}
	if more {
		s.problem(name, fmt.Sprintf("more than %d files: the rest is not read (included by %s)", s.lim.entries, from))
	}
	for _, e := range entries {
		inside := path.Join(name, e.Name())
		if _, info, err := s.tree.find(inside); err == nil && info.IsDir() {
			b.folder(inside, from, depth+1, f)
			continue
		}
		f(inside)
	}
}
