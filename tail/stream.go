package tail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
)

// memory is how many first bytes of a stream are kept in memory: small inputs then never touch the disk, and formats
// can be recognised although no spool could be made.
const memory = 256 << 10

// stream makes a pipe readable more than once: what was read from it lies in memory and, after the first bytes, in a
// spool. Several readers may follow one another or run at once; whoever is first at the end reads on.
type stream struct {
	name   string
	folder string
	pipe   bool // a named pipe, which we open and close
	source func() (io.Reader, error)

	turn sync.Mutex // held by who reads the source, perhaps for long; taken before mu
	src  io.Reader

	mu     sync.Mutex // guards all below; never held while anything waits
	file   *os.File   // src, when it is one
	mem    []byte
	spool  *os.File
	n      int64 // bytes read from src
	done   bool  // src is at its end
	err    error // of src
	broken error // of the spool: bytes after mem cannot be had again
	shut   bool  // nothing more is to be read from src
}

func newStream(name, folder string, pipe bool, source func() (io.Reader, error)) *stream {
	return &stream{name: name, folder: folder, pipe: pipe, source: source}
}

// size is the number of bytes once all were read, else -1.
func (s *stream) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		return -1
	}
	return s.n
}

// lost tells why bytes cannot be read again.
func (s *stream) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// head waits for the first n bytes or the end.
func (s *stream) head(n int) ([]byte, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	buf := make([]byte, 32<<10)
	for len(s.mem) < n && !s.done { // only who has the turn changes these
		s.more(buf)
	}
	if len(s.mem) > 0 {
		return s.mem[:min(n, len(s.mem))], nil // what broke it is told to who reads on
	}
	return nil, s.err
}

// more reads the next bytes of the source and keeps them. The caller has the turn.
func (s *stream) more(b []byte) int {
	if s.src == nil {
		src, err := s.source()
		if err != nil {
			s.end(err)
			return 0
		}
		s.src = src
		s.mu.Lock()
		s.file, _ = src.(*os.File)
		shut := s.shut
		s.mu.Unlock()
		if shut {
			s.end(os.ErrDeadlineExceeded)
			return 0
		}
	}
	if len(s.mem) < memory {
		b = b[:min(len(b), memory-len(s.mem))]
	}
	n, err := s.src.Read(b)
	if n > 0 {
		s.mu.Lock()
		s.keep(b[:n])
		s.n += int64(n)
		s.mu.Unlock()
	}
	if err != nil {
		s.end(err)
	}
	return n
}

// write adds bytes of a text that we make ourselves, as if they had been read.
func (s *stream) write(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) > 0 {
		n := len(b)
		if len(s.mem) < memory { // what lies in the spool begins behind exactly this much
			n = min(n, memory-len(s.mem))
		}
		s.keep(b[:n])
		s.n += int64(n)
		b = b[n:]
	}
}

// end notes that the source gives no more.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	if !errors.Is(err, io.EOF) {
		s.err = fault(s.name, err)
	}
}

// keep stores bytes that were just read. The caller holds mu.
func (s *stream) keep(b []byte) {
	if len(s.mem) < memory {
		s.mem = append(s.mem, b...)
		return
	}
	if s.broken != nil {
		return
	}
	if s.spool == nil {
		if s.spool, s.broken = newSpool(s.folder); s.broken != nil {
			return
		}
	}
	if _, err := s.spool.WriteAt(b, s.n-memory); err != nil {
		s.broken = err
		s.drop()
	}
}

// drop gives the spool back. The caller holds mu.
func (s *stream) drop() {
	if s.spool != nil {
		s.spool.Close()
		_ = os.Remove(s.spool.Name()) // nothing is there but on Windows
		s.spool = nil
	}
}

func newSpool(folder string) (*os.File, error) {
	f, err := os.CreateTemp(folder, "connwarden-*.spool")
	if err != nil {
		return nil, err
	}
	// Without a name nobody else can open it and nothing is left after a crash. Windows refuses; close removes it then.
	if runtime.GOOS != "windows" {
		if err := os.Remove(f.Name()); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// ReadAt reads bytes that have been read before.
func (s *stream) ReadAt(b []byte, at int64) (int, error) {
	s.mu.Lock()
	mem, spool, size, broken := s.mem, s.spool, s.n, s.broken
	s.mu.Unlock()
	n := 0
	if at < int64(len(mem)) {
		n = copy(b, mem[at:])
	}
	if want := min(int64(len(b)-n), size-at-int64(n)); want > 0 {
		if broken == nil && spool == nil {
			broken = os.ErrClosed
		}
		if broken != nil {
			return n, fmt.Errorf("it cannot be read twice, for its copy could not be kept: %v", broken) //nolint:errorlint // the cause is the copy's: a missing folder is no missing log
		}
		m, err := spool.ReadAt(b[n:n+int(want)], at+int64(n)-memory)
		n += m
		if err != nil {
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// reader reads all bytes from the first, and the source where it is the first to come so far.
func (s *stream) reader() io.Reader { return &streamReader{s: s} }

type streamReader struct {
	s  *stream
	at int64
}

func (r *streamReader) Read(b []byte) (int, error) {
	kept, err := r.kept(b)
	if kept == 0 && err == nil && len(b) > 0 {
		r.s.turn.Lock()
		defer r.s.turn.Unlock()
		// Another reader may have had the turn before us.
		if kept, err = r.kept(b); kept == 0 && err == nil {
			n := r.s.more(b)
			r.at += int64(n)
			return n, nil // what ended it is said by the next call
		}
	}
	return kept, err
}

// kept reads what has been read before; nothing and no error means that the source must be asked.
func (r *streamReader) kept(b []byte) (int, error) {
	r.s.mu.Lock()
	n, done, err := r.s.n, r.s.done, r.s.err
	r.s.mu.Unlock()
	if r.at == n {
		if done && err == nil {
			err = io.EOF
		}
		return 0, err
	}
	m, err := r.s.ReadAt(b[:min(int64(len(b)), n-r.at)], r.at)
	r.at += int64(m)
	return m, err
}

// interrupt makes a reader that waits for the source return, where the system can do that, and tells whether it could.
// A pipe or terminal given as standard input cannot be woken everywhere.
func (s *stream) interrupt() bool {
	s.mu.Lock()
	s.shut = true
	file := s.file
	s.mu.Unlock()
	if file == nil && s.pipe {
		wakePipe(s.name)
		return true
	}
	return file != nil && file.SetReadDeadline(time.Unix(1, 0)) == nil
}

func (s *stream) close() error {
	s.interrupt()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	if s.pipe && s.file != nil {
		s.file.Close()
	}
	return nil
}
