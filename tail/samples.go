package tail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
)

// countLimit is how far newlines are counted to number a line, in bytes of text: on two cores that takes half a second
// once the file is in memory, and more is not worth a number.
const countLimit = 4 << 30

// Sample is a line that was read again.
type Sample struct {
	Line int64  // from 1; 0 when it lies so far behind that counting would take too long
	Text []byte // nothing when it can no longer be read
}

// Samples reads the lines that begin at offsets of the text, without their ends and at most limit bytes of each, and
// returns them in the order of offsets, which may be any. What is no offset of a line gives the text from there.
//
// A plain file is read at these places, and the lines before them are counted by all processors; those that begin more
// than 4 GiB into the text have no number. An archive is read once from its begin.
func Samples(ctx context.Context, f *File, offsets []int64, limit int) ([]Sample, error) {
	s := sampler{offsets: offsets, limit: limit, samples: make([]Sample, len(offsets)), order: make([]int, len(offsets))}
	if len(offsets) == 0 {
		return s.samples, nil
	}
	for i := range s.order {
		s.order[i] = i
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return cmp.Compare(offsets[a], offsets[b]) })
	if !f.Plain() {
		return s.samples, s.through(ctx, f)
	}
	if err := s.at(f); err != nil {
		return s.samples, err
	}
	return s.samples, s.number(ctx, f)
}

// sampler is one call of Samples.
type sampler struct {
	offsets []int64
	limit   int
	samples []Sample
	order   []int // indexes of offsets, the smallest offset first
}

// clip copies the first line of text.
func (s *sampler) clip(text []byte) []byte {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = bytes.TrimSuffix(text[:end], []byte{'\r'})
	}
	text = text[:min(len(text), s.limit)]
	return bytes.Clone(text)
}

// at reads the texts of a plain file.
func (s *sampler) at(f *File) error {
	h, err := f.open()
	if err != nil {
		return err
	}
	defer h.Close()
	buf := make([]byte, s.limit+2) // room for \r\n
	for _, i := range s.order {
		n, err := h.ReadAt(buf, s.offsets[i])
		if err != nil && !errors.Is(err, io.EOF) {
			return fault(f.name, err)
		}
		s.samples[i].Text = s.clip(buf[:n])
	}
	return nil
}

// number counts the lines of a plain file. A line belongs to the chunk in which it begins, so a line's number is that of
// all lines in the chunks before, and of those before it in its own.
func (s *sampler) number(ctx context.Context, f *File) error {
	order := s.order
	for len(order) > 0 && s.offsets[order[len(order)-1]] >= min(countLimit, f.Size()) {
		order = order[:len(order)-1]
	}
	if len(order) == 0 {
		return nil
	}
	last := s.offsets[order[len(order)-1]]
	counts := make([]int64, last/usual.chunk+1)
	within := make([]int64, len(s.offsets))
	if last > 0 {
		results := Scan(ctx, []Job{{File: f, To: last}}, ScanOptions{}, func(_ int, b *Block) {
			counts[b.Chunk] += lines(b.Data) // no two workers have the same chunk
			from, _ := slices.BinarySearchFunc(order, b.Offset, func(i int, at int64) int { return cmp.Compare(s.offsets[i], at) })
			for _, i := range order[from:] {
				if s.offsets[i]/usual.chunk != int64(b.Chunk) {
					break
				}
				within[i] += lines(b.Data[:min(s.offsets[i]-b.Offset, int64(len(b.Data)))])
			}
		})
		if err := results[0].Err; err != nil {
			return err
		}
	}
	before, chunk := int64(0), int64(0)
	for _, i := range order {
		for ; chunk < s.offsets[i]/usual.chunk; chunk++ {
			before += counts[chunk]
		}
		s.samples[i].Line = before + within[i] + 1
	}
	return nil
}

// through reads an archive up to the last line that is wanted.
func (s *sampler) through(ctx context.Context, f *File) error {
	next := 0
	last := s.offsets[s.order[len(s.order)-1]]
	results := Scan(ctx, []Job{{File: f, To: last + 1}}, ScanOptions{}, func(_ int, b *Block) {
		for ; next < len(s.order); next++ {
			i := s.order[next]
			at := s.offsets[i] - b.Offset
			if at >= int64(len(b.Data)) {
				return
			}
			if at >= 0 {
				s.samples[i] = Sample{b.Line + lines(b.Data[:at]), s.clip(b.Data[at:])}
			}
		}
	})
	return results[0].Err
}
