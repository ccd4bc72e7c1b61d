package tail

import (
	"bytes"
	"io"
)

// piece is what a chunk gave: the lines that begin in it.
type piece struct {
	data   []byte
	offset int64 // of data[0]
	read   int64 // bytes of the chunk
	cut    int64
	shrunk bool
	err    error
}

// readPiece reads chunk n of the job's range. A line belongs to the chunk in which it begins; its rest is read from
// the following ones.
func (m *measure) readPiece(h io.ReaderAt, job *Job, to, n int64, buf []byte) (piece, []byte) {
	start := job.From + n*m.chunk
	end := min(start+m.chunk, to)
	from := start
	if n > 0 {
		from-- // the byte before tells whether a line begins with the chunk
	}
	want := int(end - from)
	if cap(buf) < want+m.step {
		buf = make([]byte, want+m.step)
	}
	buf = buf[:want]
	got, err := h.ReadAt(buf, from)
	data := buf[:got]
	p := piece{offset: from, read: max(int64(got)-(start-from), 0)}
	if got < want {
		if err != io.EOF {
			p.err = err
		}
		p.shrunk = err == io.EOF
	}
	if n > 0 {
		first := bytes.IndexByte(data, '\n') + 1
		if first == 0 {
			return p, buf // no line begins here
		}
		p.offset += int64(first)
		data = data[first:]
	}
	if got == want && len(data) > 0 && data[len(data)-1] != '\n' {
		data, buf = m.complete(&p, h, data, buf, end)
	}
	p.data = data
	return p, buf
}

// complete reads on from at until the last line of data, which lies at the end of buf, is whole or too long.
func (m *measure) complete(p *piece, h io.ReaderAt, data, buf []byte, at int64) ([]byte, []byte) {
	skip := len(buf) - len(data)
	last := bytes.LastIndexByte(data, '\n') + 1 // where that line begins
	for len(data)-last <= m.line {
		if len(buf)+m.step > cap(buf) {
			buf = append(make([]byte, 0, len(buf)+m.line+2*m.step), buf...)
		}
		n, err := h.ReadAt(buf[len(buf):len(buf)+m.step], at)
		at += int64(n)
		more := buf[len(buf) : len(buf)+n]
		end := bytes.IndexByte(more, '\n')
		if end >= 0 {
			more = more[:end+1]
		}
		buf = buf[:len(buf)+len(more)]
		data = buf[skip:]
		if end >= 0 {
			return data, buf
		}
		if err != nil {
			if err != io.EOF {
				p.err = err
			}
			return data, buf
		}
	}
	p.cut++
	return data[:last+m.line], buf
}

// pieces hands out data without what is too much of its lines: skipped bytes follow a piece whose last line was cut.
func (m *measure) pieces(data []byte, hand func(data []byte, skipped int, cut bool)) {
	start := 0
	// A line that is too long covers one of the points that lie m.line apart, so only those are looked at.
	for at := m.line; at < len(data); at += m.line {
		from := start + bytes.LastIndexByte(data[start:at], '\n') + 1
		to := bytes.IndexByte(data[at:], '\n')
		if to < 0 {
			to = len(data) - at
		}
		if to += at; to-from <= m.line {
			continue
		}
		end := min(to+1, len(data))
		hand(data[start:from+m.line], end-from-m.line, true)
		start = end
		at = start
	}
	hand(data[start:], 0, false)
}

// carry asks about data as it will be shown, too long lines cut.
func (m *measure) carry(ask func(before, lines []byte) []byte, before, data []byte) []byte {
	m.pieces(data, func(data []byte, _ int, _ bool) {
		if len(data) > 0 {
			before = ask(before, data)
		}
	})
	return before
}

// lookBack asks about the text before at, as far as reach. What cannot be read is not known.
func (m *measure) lookBack(h io.ReaderAt, at int64, ask func(before, lines []byte) []byte) (before []byte) {
	job := Job{From: max(at-m.reach, 0)}
	var buf []byte
	for n := int64(0); job.From+n*m.chunk < at; n++ {
		var p piece
		p, buf = m.readPiece(h, &job, at, n, buf)
		if n == 0 && job.From > 0 { // in the middle of a line
			p.data = p.data[bytes.IndexByte(p.data, '\n')+1:]
		}
		before = m.carry(ask, before, p.data)
	}
	return before
}

// lines counts the lines of a piece, the last of which may lack its end.
func lines(data []byte) int64 {
	n := int64(bytes.Count(data, []byte{'\n'}))
	if len(data) > 0 && data[len(data)-1] != '\n' {
		n++
	}
	return n
}
