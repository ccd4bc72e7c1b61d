package tail

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// generation is one file that has, or had, a log's name.
type generation struct {
	f      *os.File
	info   fs.FileInfo
	offset int64 // of the next line
	known  int64 // bytes behind offset that hold no line end
	head   uint64
	len    int
	skip   bool // the rest of a line that was too long
	behind bool // has more than was handed out
	watch  int32
	grew   time.Time
	seen   time.Time
}

// longLine is from where on a line that is not whole is not read again each time it grows.
const longLine = 64 << 10

// headBytes tell a file from others: the first line of a log has its time in it.
const headBytes = 256

// sumOf is FNV-1a (draft-eastlake-fnv): it is kept, so it must be the same in every process.
func sumOf(b []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}

func openGeneration(name string, opt Options) (*generation, error) {
	file, err := openFile(name, opt.NoFollow)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = refuse(name, info.Mode())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &generation{f: file, info: info, watch: -1, head: sumOf(nil)}, nil
}

func (g *generation) same(o *generation) bool { return os.SameFile(g.info, o.info) }

// place is how far it was read. Of one that has more, nothing is known of what was written after it: that may be older than the
// look at it.
func (g *generation) place() Place {
	p := Place{Offset: g.offset, Head: g.head, Len: g.len, At: g.seen}
	if m := g.info.ModTime(); g.behind && m.Before(p.At) {
		p.At = m
	}
	return p
}

// begins tells whether a file begins like that of a place and reaches as far.
func (g *generation) begins(p *Place) bool {
	if g.info.Size() < p.Offset {
		return false
	}
	var head [headBytes]byte
	n, _ := g.f.ReadAt(head[:], 0)
	return p.Fits(head[:n])
}

// Fits tells whether a text that begins with head may be that of the place. Of an empty beginning nothing is known.
func (p *Place) Fits(head []byte) bool {
	return p.Len > 0 && p.Len <= len(head) && sumOf(head[:p.Len]) == p.Head
}

// intact tells whether the file still begins as it did.
func (g *generation) intact() bool {
	var head [headBytes]byte
	n, _ := g.f.ReadAt(head[:g.len], 0)
	return n == g.len && sumOf(head[:n]) == g.head
}

// remember remembers more of the beginning once more of it was handed out: first, what was handed out.
func (g *generation) remember(data []byte) {
	switch {
	case g.len == headBytes || g.offset == int64(g.len):
	case g.len == 0 && g.offset <= int64(len(data)):
		g.len = int(min(g.offset, headBytes))
		g.head = sumOf(data[:g.len])
	default:
		var head [headBytes]byte
		n, _ := g.f.ReadAt(head[:min(headBytes, g.offset)], 0)
		if n > g.len && sumOf(head[:g.len]) == g.head {
			g.head, g.len = sumOf(head[:n]), n
		}
	}
}

// begin remembers the beginning of a file that is read from somewhere behind it.
func (g *generation) begin() {
	var head [headBytes]byte
	n, _ := g.f.ReadAt(head[:min(headBytes, g.offset)], 0)
	g.head, g.len = sumOf(head[:n]), n
}

// seekEnd goes to the begin of the last line that is not whole, or the end.
func (g *generation) seekEnd() {
	size := g.info.Size()
	buf := make([]byte, min(size, 64<<10))
	n, _ := g.f.ReadAt(buf, size-int64(len(buf)))
	if end := bytes.LastIndexByte(buf[:n], '\n'); end >= 0 {
		g.offset = size - int64(len(buf)) + int64(end) + 1
	}
	g.begin()
}

// grow hands out what was appended, up to what is left of the turn; more tells that there is more.
func (e *eye) grow(t *trail, g *generation) (more bool) {
	g.seen = e.now
	older := len(t.old)
	for {
		info, err := g.f.Stat()
		if err != nil {
			e.trouble(t, fault(t.name, err))
			return false
		}
		g.info = info
		size := info.Size()
		if size < g.offset {
			e.rewritten(t, g)
		}
		if len(t.old) > older { // what was written before comes first
			g.behind = true
			return true
		}
		if size <= g.offset+g.known {
			if !g.intact() { // written anew, and as long as it was
				e.rewritten(t, g)
				continue
			}
			g.behind = false
			return false
		}
		if e.left <= 0 {
			g.behind = true
			return true
		}
		n, err := e.fill(g, size)
		if err != nil {
			e.trouble(t, fault(t.name, err))
			return false
		}
		// The file may have been truncated, and have grown beyond where it was, before it was read or just now. What was
		// read while its beginning is the same afterwards is what was appended.
		switch {
		case !g.intact():
			e.rewritten(t, g)
			continue
		case g.offset == 0 && g == t.cur && t.emptied && n > 0 && !e.filled(t, e.buf[:min(n, headBytes)]):
			continue
		}
		if n == 0 {
			return false
		}
		e.left -= n
		g.grew = e.now
		e.emit(t, g, e.buf[:n])
		g.remember(e.buf[:n])
	}
}

// fill reads from the next line on. Of a line that is long and grows slowly only what is new is looked at.
func (e *eye) fill(g *generation, size int64) (int, error) {
	if g.known >= longLine {
		n, err := g.f.ReadAt(e.buf[:min(len(e.buf), usual.step)], g.offset+g.known)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if bytes.IndexByte(e.buf[:n], '\n') < 0 && g.known+int64(n) < int64(usual.line) {
			g.known += int64(n)
			return n, nil
		}
	}
	want := int64(len(e.buf))
	if g.known > 0 {
		if want = max(want, g.known+int64(usual.block)); want > int64(len(e.buf)) {
			e.buf = make([]byte, want)
		}
	}
	n, err := g.f.ReadAt(e.buf[:min(want, size-g.offset)], g.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	g.known = 0
	return n, nil
}

// emit hands out the whole lines of data, which begins where the next line does.
func (e *eye) emit(t *trail, g *generation, data []byte) {
	if g.known > 0 {
		return // fill looked ahead: there is no line yet
	}
	if g.skip {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			g.offset += int64(len(data))
			return
		}
		g.skip = false
		g.offset += int64(end) + 1
		data = data[end+1:]
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 {
		if len(data) < usual.line {
			g.known = int64(len(data))
			return
		}
		end, g.skip = usual.line, true
	}
	p := Piece{Log: t.number, Offset: g.offset, Data: data[:end], Older: g != t.cur, file: g.f}
	g.offset += int64(end)
	e.visit(&p)
}

// end closes a file that was rotated. What stands behind its last line end is a line too: nobody will end it.
func (e *eye) end(t *trail, g *generation) {
	if g.known > 0 && !g.skip {
		buf := make([]byte, min(g.known, int64(usual.line)))
		if n, _ := g.f.ReadAt(buf, g.offset); n > 0 {
			e.visit(&Piece{Log: t.number, Offset: g.offset, Data: buf[:n], Older: true, file: g.f})
		}
	}
	e.visit(&Piece{Log: t.number, Offset: g.offset + g.known, Older: true, Last: true})
	e.drop(g)
}

func (f *Follower) drop(g *generation) {
	if g == nil {
		return
	}
	f.notice.unwatch(g)
	g.f.Close()
}

// Text reads the line that begins at an offset of a log's present file, or of one rotated lately, without its end and at
// most limit bytes of it; nothing when it is not there. Which file the offset is of is not known: who asks must check
// that it is the line that is meant. It is valid until the next call.
func (f *Follower) Text(log int, offset int64, limit int, fits func([]byte) bool) []byte {
	files := f.trails[log].files.Load()
	if files == nil {
		return nil
	}
	f.quoted = slices.Grow(f.quoted[:0], limit+2)
	buf := f.quoted[:limit+2]
	for _, file := range *files { // one may be closed meanwhile, and then has nothing
		n, _ := file.ReadAt(buf, offset)
		line, _, _ := bytes.Cut(buf[:n], []byte{'\n'})
		line = bytes.TrimSuffix(line[:min(len(line), limit)], []byte{'\r'})
		if len(line) > 0 && fits(line) {
			return line
		}
	}
	return nil
}

// EndOf is the place at the end of a log: behind its last whole line.
func EndOf(name string, opt Options) (Place, error) {
	g, err := openGeneration(name, opt)
	if err != nil {
		return Place{}, fault(name, err)
	}
	defer g.f.Close()
	g.seekEnd()
	g.seen = g.info.ModTime()
	return g.place(), nil
}
