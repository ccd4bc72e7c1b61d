package tail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// pumpBuffers let neither side wait for the other for long: two are under way while the third is filled.
const pumpBuffers = 3

// pump reads a text from its begin to its end in a goroutine of its own.
type pump struct {
	size   *measure
	full   chan filled // closed at the end
	free   chan []byte
	result Result // to be read when full is closed
}

// filled is a buffer with whole lines.
type filled struct {
	buf, data []byte
	offset    int64
	disk      int64 // bytes of the file that were read for it
}

func startPump(ctx context.Context, t *task, size *measure) *pump {
	p := &pump{size: size, full: make(chan filled, pumpBuffers), free: make(chan []byte, pumpBuffers)}
	for range pumpBuffers {
		p.free <- nil
	}
	go func() {
		defer close(p.full)
		if err := p.run(ctx, t); err != nil {
			p.result.Err = err
		}
	}()
	return p
}

// counted counts the bytes of the file.
type counted struct {
	io.Reader
	n atomic.Int64 // a program that unpacks is fed by a goroutine of its own
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (p *pump) run(ctx context.Context, t *task) error {
	form, err := t.File.shape()
	if err != nil {
		return err
	}
	raw, err := t.File.raw()
	if err != nil {
		return err
	}
	defer raw.Close()
	disk := &counted{Reader: raw}
	defer func() { p.result.Disk = disk.n.Load() }()
	text, err := unpack(t.File.name, form, disk)
	if err != nil {
		return err
	}
	defer text.Close()
	at := int64(0)
	if t.From > 0 {
		if at, err = io.CopyN(io.Discard, text, t.From); err != nil {
			return p.end(t, form, err)
		}
	}
	return p.end(t, form, p.fill(ctx, text, at, t.To, disk))
}

// end says what an error means; the end of the text is none.
func (p *pump) end(t *task, form form, err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case form != plain:
		err = damage(err)
	}
	return fault(t.File.name, err)
}

// fill reads text, whose first byte stands at offset at, into buffers of whole lines. Lines that begin at to or later
// are left out, unless to is 0.
func (p *pump) fill(ctx context.Context, text io.Reader, at, to int64, disk *counted) error {
	var rest []byte // the begin of a line whose end was not read yet
	skipping := false
	var seen int64
	for {
		var buf []byte
		select {
		case buf = <-p.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if buf == nil {
			buf = make([]byte, p.size.line+p.size.block)
		}
		n, err := p.refill(ctx, text, buf, copy(buf, rest))
		p.result.Bytes += int64(n - len(rest))
		rest = rest[:0]
		data, offset := buf[:n], at
		at += int64(n)
		if skipping {
			end := bytes.IndexByte(data, '\n') + 1
			if skipping = end == 0; skipping {
				end = n
			}
			data = data[end:]
			offset += int64(end)
		}
		if end := bytes.LastIndexByte(data, '\n') + 1; err == nil {
			if end == 0 && len(data) > p.size.line {
				p.result.Cut++
				skipping = true
				data = data[:p.size.line]
			} else {
				rest = append(rest, data[end:]...) // the worker may give buf back at once
				data = data[:end]
				at -= int64(len(rest))
			}
		}
		if to > 0 && offset+int64(len(data)) >= to {
			data, err = until(data, to-offset), io.EOF
		}
		now := disk.n.Load()
		p.full <- filled{buf, data, offset, now - seen}
		seen = now
		if err != nil {
			return err
		}
	}
}

// refill reads into buf, which holds n bytes, until there is a block with a line's end or buf is full.
func (p *pump) refill(ctx context.Context, text io.Reader, buf []byte, n int) (int, error) {
	for n < len(buf) && (n < p.size.block || bytes.IndexByte(buf[:n], '\n') < 0) {
		m, err := text.Read(buf[n:])
		n += m
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// until is data without the lines that begin at offset to or later.
func until(data []byte, to int64) []byte {
	if to <= 0 {
		return nil
	}
	if to > int64(len(data)) {
		return data
	}
	if end := bytes.IndexByte(data[to-1:], '\n'); end >= 0 {
		return data[:int(to)+end]
	}
	return data
}
