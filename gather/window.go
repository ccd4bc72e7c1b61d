package gather

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/tail"
)

// bound finds now and the bounds of the window.
func (s *Sources) bound() error {
	now := s.opt.Now
	if now.IsZero() {
		now = s.opt.Clock()
		if len(s.opt.Files) > 0 {
			if last := s.lastTime(); !last.IsZero() {
				now = last
			}
		}
	}
	var err error
	s.Bounds, err = s.opt.resolve(now)
	return err
}

// enter finds the place in each log where the window begins, and the older pieces of logs that it reaches into.
func (s *Sources) enter(p *Problems) {
	if !s.Bounds.Until.IsZero() {
		for _, one := range s.List {
			one.To = s.leave(one)
		}
	}
	if s.Bounds.Since.IsZero() {
		return
	}
	var older []*Source
	have := map[[2]uint64]bool{} // files, by device and inode
	for _, one := range s.List {
		dev, inode := one.File.ID()
		have[[2]uint64{dev, inode}] = true
	}
	for _, one := range s.List {
		if !one.File.Plain() || !one.Known {
			continue
		}
		clock := s.clock(one)
		at, err := tail.Seek(one.File, s.Bounds.Since, clock)
		if err != nil {
			p.Say(one.Log.Shown, "the beginning of the window was not found, it is read from its start: %v", err)
			continue
		}
		if one.From = at; at == 0 {
			older = append(older, s.rotated(one, have, clock, p)...)
		}
	}
	s.List = append(s.List, older...)
}

// leave finds the place in a log behind which the window has no lines; 0, its end, where that cannot be told.
func (s *Sources) leave(one *Source) int64 {
	if !one.File.Plain() || !one.Known || one.Format.Whole {
		return 0
	}
	at, err := tail.SeekEnd(one.File, s.Bounds.Until, s.clock(one))
	if err != nil {
		return 0 // reading will say why
	}
	return at
}

// rotated returns the older pieces of a log that the window reaches into, but for those that are read anyway.
func (s *Sources) rotated(one *Source, have map[[2]uint64]bool, clock func([]byte) (time.Time, bool), p *Problems) []*Source {
	if first := s.firstTime(one.File, clock); !first.IsZero() && first.Before(s.Bounds.Since) {
		return nil
	}
	var list []*Source
	for _, path := range tail.Rotated(one.Log.Path) {
		file, err := tail.Open(path, tail.Options{NoFollow: one.Log.Trust == connwarden.TrustLocal})
		if err != nil {
			p.Add(connwarden.Problem{What: path, Why: Reason(err)})
			continue
		}
		dev, inode := file.ID()
		if inode != 0 && have[[2]uint64{dev, inode}] || file.ModTime().Before(s.Bounds.Since) {
			file.Close()
			continue // written for the last time before the window, as are those behind it, but dates may be odd: look at all
		}
		piece := &Source{File: file, Log: one.Log, Format: one.Format, Known: one.Known}
		piece.Log.Path, piece.Log.Shown = path, strings.TrimSuffix(one.Log.Shown, filepath.Base(one.Log.Path))+filepath.Base(path)
		if file.Plain() {
			piece.From, _ = tail.Seek(file, s.Bounds.Since, clock)
			if !s.Bounds.Until.IsZero() {
				piece.To = s.leave(piece)
			}
		}
		list = append(list, piece)
	}
	return list
}

// clock returns a function that tells the time of one line of a log.
func (s *Sources) clock(one *Source) func([]byte) (time.Time, bool) {
	parser := s.Parser(one, connwarden.FieldTime)
	var stamp stampSink
	return func(line []byte) (time.Time, bool) {
		stamp.at = time.Time{}
		parser.Parse(connwarden.Source{Name: one.Log.Shown}, line, &stamp)
		parser.Flush(&stamp)
		return stamp.at, !stamp.at.IsZero()
	}
}

// stampSink keeps the latest time of what it is given.
type stampSink struct{ at time.Time }

func (s *stampSink) Conn(*connwarden.Conn)         {}
func (s *stampSink) Request(r *connwarden.Request) { s.see(r.Time) }
func (s *stampSink) Event(e *connwarden.Event)     { s.see(e.Time) }
func (s *stampSink) Fault(f *connwarden.Fault)     { s.see(f.Time) }

func (s *stampSink) see(t time.Time) {
	if t.After(s.at) {
		s.at = t
	}
}

// firstTime is the time of the first line that has one.
func (s *Sources) firstTime(f *tail.File, clock func([]byte) (time.Time, bool)) time.Time {
	head, _ := f.Head(headSize)
	for line := range strings.Lines(string(head)) {
		if t, ok := clock([]byte(strings.TrimRight(line, "\r\n"))); ok {
			return t
		}
	}
	return time.Time{}
}

// lastTime is the latest time at the end of the named logs. Streams and archives are read through for it, which is
// asked for only when a window counts back from their end.
func (s *Sources) lastTime() time.Time {
	var stamp stampSink
	for _, one := range s.List {
		var block []byte
		if one.File.Plain() {
			block = lastBlock(one.File)
		} else if s.opt.Since == nil && s.opt.Until == nil {
			continue // found while reading
		}
		if block != nil {
			parser := s.Parser(one, connwarden.FieldTime)
			parser.Parse(connwarden.Source{}, block, &stamp)
			parser.Flush(&stamp)
			continue
		}
		parser := s.Parser(one, connwarden.FieldTime)
		tail.Scan(context.Background(), []tail.Job{{File: one.File, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
			parser.Parse(connwarden.Source{Offset: b.Offset}, b.Data, &stamp)
		})
		parser.Flush(&stamp)
	}
	return stamp.at
}

// lastBlock reads the last lines of a plain file.
func lastBlock(f *tail.File) []byte {
	from := max(f.Size()-headSize, 0)
	var block []byte
	tail.Scan(context.Background(), []tail.Job{{File: f, From: from, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
		block = append(block, b.Data...)
	})
	if from > 0 { // the first line is cut off
		if _, rest, found := strings.Cut(string(block), "\n"); found {
			return []byte(rest)
		}
	}
	return append([]byte{}, block...)
}
