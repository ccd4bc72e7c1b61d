package tail

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Job is a part of a file to be read.
type Job struct {
	File *File
	// From and To bound the lines by the offset of their first byte in the text; From is the beginning of a line. To 0
	// means the end that the file had when it was opened: what is appended later is left out, but for the end of a
	// line that was half written then.
	From, To int64
	// Whole jobs are read in order, by one worker, and end with an empty Block whose Last is set. Others are, too, when
	// the file is not Plain, but for the last block.
	Whole bool
	// Carry tells what a reader must know of the lines before those that it is given: before is that for lines, what is
	// returned is that for the lines that follow them. nil is what is known at the begin of a text. It is called for the
	// lines in their order, from several goroutines, and must not keep lines or change before. Where a job does not begin with its text, it is given at most the last 16 MiB before. nil: lines stand for themselves.
	Carry func(before, lines []byte) []byte
}

// Block is a piece of a text: whole lines, the first one beginning at Data[0].
type Block struct {
	Job    int   // index into the jobs of Scan
	Chunk  int   // counts the pieces of a job, in the order of the text
	Offset int64 // of Data[0] in the text
	Line   int64 // number of the first line, from 1; 0 when unknown
	// Data is borrowed until visit returns. A line of it may lack its end if it is the last: at the end of the text, or
	// where a line was cut.
	Data []byte
	// Before is what Job.Carry says that one must know at Data[0]. It must not be changed.
	Before []byte
	// Last tells that a Whole job ends here. Data is empty.
	Last bool
}

// Result is what became of a job.
type Result struct {
	Bytes int64 // of text that was read
	Disk  int64 // bytes of the file that were read: less than Bytes for an archive
	// Cut counts lines longer than 1 MiB: the first MiB was handed out as the line, the rest was left out.
	Cut int64
	// Shrunk tells that the file became shorter while it was read.
	Shrunk bool
	// Err is why not everything was read. What could be read has been.
	Err error
}

// ScanOptions tune a scan. The zero value uses every processor.
type ScanOptions struct {
	Workers int // 0: runtime.GOMAXPROCS(0)
	// Progress is told the bytes on disk that were read and that there are, some times a second and at the end, from
	// one goroutine. total leaves out streams.
	Progress func(done, total int64)

	size *measure // nil: the usual
}

// progressEvery is smooth for an eye and nothing for a processor.
const progressEvery = 100 * time.Millisecond

// wakeEvery is how often a pipe is woken that nobody wants to read any more: it may begin to wait just after the last time.
const wakeEvery = 10 * time.Millisecond

// task is a job at work.
type task struct {
	*Job
	index  int
	to     int64 // of a plain file
	chunks int64 // of a plain file that is not read whole
	run    int64 // chunks that a worker takes in a row

	mu     sync.Mutex // guards handle, left, broken and result of a shared job
	handle handle
	left   int64 // chunks not yet finished
	broken bool  // nothing more is to be read
	result *Result

	turn   int64      // the chunk that may ask Carry next: all before have
	passed *sync.Cond // with mu: turn has changed
	before []byte     // what Carry said last; of whose turn it is
}

// scan is one call of Scan.
type scan struct {
	ctx    context.Context
	size   *measure
	visit  func(int, *Block)
	serial []*task // read from begin to end by one worker, largest first
	shared []*task // read by all workers
	upTo   []int64 // runs of shared[0..i] together
	next   atomic.Int64
	done   atomic.Int64
}

// Scan reads all jobs, files in parallel and plain files in parallel pieces, and calls visit for each block. visit is
// called from Workers goroutines, each with its own number from 0, so that it may keep a table for each worker without
// a lock. An unreadable job does not stop the others: there is one Result a job. When ctx is done, the results of
// unfinished jobs say so.
func Scan(ctx context.Context, jobs []Job, opt ScanOptions, visit func(worker int, b *Block)) []Result {
	results := make([]Result, len(jobs))
	s := &scan{ctx: ctx, size: cmp.Or(opt.size, &usual), visit: visit}
	var total int64
	for i := range jobs {
		job := jobs[i]
		if end := job.File.end; end > 0 && (job.To == 0 || job.To > end) {
			job.To = end
		}
		t := &task{Job: &job, index: i, result: &results[i]}
		size := t.File.Size()
		if t.to = t.To; t.to == 0 || t.to > size {
			t.to = size
		}
		switch {
		case !t.File.Plain():
			total += max(size, 0)
			s.serial = append(s.serial, t)
		case t.Whole:
			total += max(t.to-t.From, 0)
			s.serial = append(s.serial, t)
		case t.to > t.From:
			total += t.to - t.From
			t.chunks = (t.to - t.From + s.size.chunk - 1) / s.size.chunk
			t.left = t.chunks
			t.passed = sync.NewCond(&t.mu)
			s.shared = append(s.shared, t)
		}
	}
	// What one worker must do alone begins first, so that no worker is left with it at the end.
	slices.SortStableFunc(s.serial, func(a, b *task) int { return cmp.Compare(b.File.Size(), a.File.Size()) })
	workers := int64(opt.Workers)
	if workers <= 0 {
		workers = int64(runtime.GOMAXPROCS(0))
	}
	var runs int64
	for _, t := range s.shared {
		if t.run = 1; t.Carry == nil { // else who takes a chunk waits for all before
			t.run = max(1, s.size.stretch/4, min(s.size.stretch, t.chunks/(4*workers)))
		}
		runs += t.runs()
		s.upTo = append(s.upTo, runs)
	}
	workers = min(workers, int64(len(s.serial))+runs)
	stop := s.tell(opt.Progress, total)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() { s.work(int(w)) })
	}
	all.Wait()
	stop()
	return results
}

// tell reports progress until the function it returns is called.
func (s *scan) tell(progress func(done, total int64), total int64) (stop func()) {
	if progress == nil {
		return func() {}
	}
	end := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(s.done.Load(), total)
			case <-end:
				progress(s.done.Load(), total)
				return
			}
		}
	})
	return func() { close(end); teller.Wait() }
}

// work takes tasks until there are none.
func (s *scan) work(worker int) {
	var buf []byte // grows to what the largest chunk needs, and serves all of them
	for {
		n := s.next.Add(1) - 1
		if n < int64(len(s.serial)) {
			t := s.serial[n]
			if t.File.Plain() {
				buf = s.inOrder(worker, t, buf)
			} else {
				s.through(worker, t)
			}
			continue
		}
		n -= int64(len(s.serial))
		i := sort.Search(len(s.upTo), func(i int) bool { return n < s.upTo[i] })
		if i == len(s.upTo) {
			return
		}
		t := s.shared[i]
		from := (n - (s.upTo[i] - t.runs())) * t.run
		for n := from; n < min(from+t.run, t.chunks); n++ {
			buf = s.chunk(worker, t, n, buf)
		}
	}
}

func (t *task) runs() int64 { return (t.chunks + t.run - 1) / t.run }

// chunk reads one piece of a shared task.
func (s *scan) chunk(worker int, t *task, n int64, buf []byte) []byte {
	t.mu.Lock()
	if t.handle == nil && !t.broken {
		var err error
		if t.handle, err = t.File.open(); err != nil {
			t.result.Err, t.broken = err, true
		}
	}
	if s.ctx.Err() != nil && t.result.Err == nil {
		t.result.Err, t.broken = s.ctx.Err(), true
	}
	h, broken := t.handle, t.broken
	t.mu.Unlock()

	var p piece
	if !broken {
		p, buf = s.size.readPiece(h, t.Job, t.to, n, buf)
	}
	before := s.inTurn(t, h, n, p.data)
	if !broken {
		b := Block{Job: t.index, Chunk: int(n), Offset: p.offset, Line: firstLine(t, n), Before: before}
		p.cut += s.show(worker, &b, p.data, t.Carry)
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	s.count(t, &p)
	t.left--
	if t.left == 0 && t.handle != nil {
		t.handle.Close()
	}
	return buf
}

// inTurn returns what must be known before chunk n, whose lines are data, once that is known of all chunks before. Those are
// in other workers' hands and not waiting for this one, since chunks are taken in their order.
func (s *scan) inTurn(t *task, h handle, n int64, data []byte) (before []byte) {
	if t.Carry == nil {
		return nil
	}
	t.mu.Lock()
	for t.turn != n {
		t.passed.Wait()
	}
	t.mu.Unlock()
	if n == 0 && h != nil {
		t.before = s.size.lookBack(h, t.From, t.Carry)
	}
	before = t.before
	t.before = s.size.carry(t.Carry, before, data)
	t.mu.Lock()
	t.turn++
	t.passed.Broadcast()
	t.mu.Unlock()
	return before
}

// firstLine is the number of the first line of a chunk of a shared task.
func firstLine(t *task, chunk int64) int64 {
	if t.From == 0 && chunk == 0 {
		return 1
	}
	return 0
}

// inOrder reads a plain file from begin to end.
func (s *scan) inOrder(worker int, t *task, buf []byte) []byte {
	b := Block{Job: t.index, Offset: t.From, Line: 1}
	if t.From > 0 {
		b.Line = 0
	}
	h, err := t.File.open()
	if err != nil {
		t.result.Err = err
	} else {
		defer h.Close()
		if t.Carry != nil {
			b.Before = s.size.lookBack(h, t.From, t.Carry)
		}
		for n := int64(0); t.From+n*s.size.chunk < t.to && !t.broken; n++ {
			if t.result.Err = s.ctx.Err(); t.result.Err != nil {
				break
			}
			var p piece
			p, buf = s.size.readPiece(h, t.Job, t.to, n, buf)
			b.Chunk, b.Offset = int(n), p.offset
			p.cut += s.show(worker, &b, p.data, t.Carry)
			t.after(&b)
			s.count(t, &p)
		}
	}
	b.Chunk, b.Data, b.Last = b.Chunk+1, nil, true
	s.visit(worker, &b)
	return buf
}

// count adds what became of a piece. The caller holds t.mu if the task is shared.
func (s *scan) count(t *task, p *piece) {
	t.result.Bytes += p.read
	t.result.Disk += p.read
	t.result.Cut += p.cut
	s.done.Add(p.read)
	if p.shrunk {
		t.result.Shrunk, t.broken = true, true
	}
	if p.err != nil {
		t.broken = true
		if t.result.Err == nil {
			t.result.Err = fault(t.File.name, p.err)
		}
	}
}

// show visits the lines of data and leaves b at the line that follows them. It returns how many lines it cut.
func (s *scan) show(worker int, b *Block, data []byte, carry func(before, lines []byte) []byte) (cuts int64) {
	s.size.pieces(data, func(data []byte, skipped int, cut bool) {
		if b.Data = data; len(data) > 0 {
			s.visit(worker, b)
		}
		if cut && carry != nil {
			b.Before = carry(b.Before, data)
		}
		b.Offset += int64(len(data) + skipped)
		if b.Line > 0 {
			b.Line += lines(data)
		}
		if cut {
			cuts++
		}
	})
	return cuts
}

// after sets b.Before to what must be known behind the lines that were shown last.
func (t *task) after(b *Block) {
	if t.Carry != nil && len(b.Data) > 0 {
		b.Before = t.Carry(b.Before, b.Data)
	}
}

// through reads an archive or a stream: its own goroutine reads and unpacks, the worker visits.
func (s *scan) through(worker int, t *task) {
	p := startPump(s.ctx, t, s.size)
	b := Block{Job: t.index, Line: 1}
	if t.From > 0 {
		b.Line = 0
	}
	cut := int64(0)
	again := time.NewTicker(time.Hour)
	defer again.Stop()
	for ctx := s.ctx.Done(); ; {
		select {
		case f, more := <-p.full:
			if !more {
				p.result.Cut += cut
				s.finish(worker, t, p, &b)
				return
			}
			if b.Offset = f.offset; s.ctx.Err() == nil {
				cut += s.show(worker, &b, f.data, t.Carry)
				t.after(&b)
				b.Chunk++
			}
			p.free <- f.buf
			s.done.Add(f.disk)
		case <-ctx:
			if ctx = nil; t.File.stream != nil && !t.File.stream.interrupt() {
				t.result.Err = s.ctx.Err()
				return // it reads a standard input that cannot be woken, and ends when that does
			}
			again.Reset(wakeEvery)
		case <-again.C:
			if t.File.stream != nil {
				t.File.stream.interrupt()
			}
		}
	}
}

// finish notes the end of a pumped text.
func (s *scan) finish(worker int, t *task, p *pump, b *Block) {
	*t.result = p.result
	if err := s.ctx.Err(); err != nil {
		t.result.Err = err
	}
	if t.Whole {
		b.Data, b.Offset, b.Last = nil, t.From+p.result.Bytes, true
		s.visit(worker, b)
	}
}
