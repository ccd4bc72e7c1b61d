package tail

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Figures of a bisection.
const (
	// late is how long after its own time a line may be written and still be found. A server writes a request down when
	// it is answered but under the time it began; a quarter of an hour holds the slowest page and nearly every download,
	// and reading so much more costs little.
	late = 15 * time.Minute
	// overdue is the same for who asks where a time ends: there a line that is not found is lost, and downloads and sockets
	// can last for hours.
	overdue = 24 * time.Hour
	// probe is what is read at each place: some dozen lines, of which the latest counts, so that single late lines or
	// wrong clocks do not mislead.
	probe = 16 << 10
	// undated is how far a place without a time is read on before the search turns to what lies ahead of it, in bytes: a
	// trace or a piece of noise is shorter.
	undated = 1 << 20
	// near is when bisecting ends: reading this much takes as long as one more probe.
	near = 256 << 10
)

// Seek finds where the lines at or after t begin: it returns the offset of the begin of a line before which no such
// line stands. timeOf tells the time of a line, given without its end, and false when it has none.
//
// It bisects, which needs lines in the order of time, give or take: a line may be written up to 15 minutes after its time. What
// has no time (garbage, holes, traces) never makes it start later. An archive, or a stream that was not read to its
// end, cannot be bisected: its offset is 0.
func Seek(f *File, t time.Time, timeOf func(line []byte) (time.Time, bool)) (int64, error) {
	if !f.Plain() {
		return 0, nil
	}
	h, err := f.open()
	if err != nil {
		return 0, err
	}
	defer h.Close()
	s := seeker{handle: h, size: f.Size(), timeOf: timeOf}
	// A line at t may stand behind lines up to late after t. Where the latest of some lines is older than t by more than
	// that, none before them was written at t or later.
	t = t.Add(-late)
	low, _, err := s.bisect(func(p *place) bool { return p.dated && p.latest.Before(t) })
	if err != nil {
		return 0, fault(f.name, err)
	}
	return low, nil
}

// SeekEnd finds where the lines before t end: it returns an offset at or behind which no such line begins, 0 for the end of
// the file. It bisects like Seek, but a line may be written up to a day after its time; what has no time never makes it end
// earlier.
func SeekEnd(f *File, t time.Time, timeOf func(line []byte) (time.Time, bool)) (int64, error) {
	if !f.Plain() {
		return 0, nil
	}
	h, err := f.open()
	if err != nil {
		return 0, err
	}
	defer h.Close()
	s := seeker{handle: h, size: f.Size(), timeOf: timeOf}
	// A line before t may be written up to overdue after t. Where even the earliest of some lines is later than that, none behind
	// them is from before t.
	t = t.Add(overdue)
	_, high, err := s.bisect(func(p *place) bool { return !p.dated || p.earliest.Before(t) })
	if err != nil {
		return 0, fault(f.name, err)
	}
	if high == s.size {
		high = 0
	}
	return high, nil
}

// bisect narrows down where before, which holds for places from the begin on, ceases to. It returns the begin of a line where it
// held, or 0, and a place at most near behind that where it did not, or the end.
func (s *seeker) bisect(before func(*place) bool) (low, high int64, err error) {
	high = s.size
	for high-low > near {
		middle := low + (high-low)/2
		p, err := s.look(middle, high)
		if err != nil {
			return 0, 0, err
		}
		if before(&p) {
			low = max(p.begin, middle)
		} else {
			high = middle
		}
	}
	return low, high, nil
}

// place is what was met at a place of a file.
type place struct {
	begin            int64 // of the first line with a time
	earliest, latest time.Time
	dated            bool // there was one
}

// seeker looks at places of a file.
type seeker struct {
	handle
	size   int64
	timeOf func([]byte) (time.Time, bool)
	buf    []byte
}

// look reads on from at, at most to high, until it met lines with a time: those that were read with the first of them.
func (s *seeker) look(at, high int64) (p place, err error) {
	if s.buf == nil {
		s.buf = make([]byte, probe)
	}
	var line []byte // the begin of the line in hand, from earlier reads
	inLine := false // whether it is known where that line begins
	start := at     // there
	for end := min(at+undated, high); at < end; {
		n, err := s.ReadAt(s.buf[:min(probe, s.size-at)], at)
		if n == 0 {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return p, err
		}
		block := s.buf[:n]
		if len(bytes.Trim(block, "\x00")) == 0 { // a hole, which may be long: go to where it ends
			next := s.data(at + int64(n))
			end += next - at - int64(n)
			end = min(end, high)
			at, inLine, line = next, false, line[:0]
			continue
		}
		for {
			i := bytes.IndexByte(block, '\n')
			if i < 0 {
				if inLine {
					line = append(line, block...)
				}
				break
			}
			if inLine {
				line = append(line, block[:i]...)
				if when, has := s.timeOf(bytes.TrimSuffix(line, []byte{'\r'})); has {
					if !p.dated {
						p = place{start, when, when, true}
					}
					if when.After(p.latest) {
						p.latest = when
					}
					if when.Before(p.earliest) {
						p.earliest = when
					}
				}
			}
			line, inLine = line[:0], true
			block = block[i+1:]
			start = at + int64(n-len(block))
		}
		at += int64(n)
		if p.dated {
			return p, nil
		}
	}
	return p, nil
}

// data returns the next offset from at on that is not in a hole of the file, where that can be told.
func (s *seeker) data(at int64) int64 {
	if h, ok := s.handle.(holed); ok {
		return h.data(at, s.size)
	}
	return at
}
