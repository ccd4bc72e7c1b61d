package tail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/connwarden/connwarden"
)

// Options say how files are opened. The zero value follows links and has no standard input.
type Options struct {
	// Stdin is what "-" reads.
	Stdin io.Reader
	// NoFollow is for logs in folders that their users own: a link as the last element of the name is refused, and so
	// is everything but a regular file.
	NoFollow bool
	// Spool is the folder in which a stream is kept while it is read, so that it can be read again; "" means
	// os.TempDir(). The file there has no name (on Windows: it goes when the File is closed).
	Spool string
}

// File is a log: a regular file, plain or compressed, or a stream.
type File struct {
	name   string
	opt    Options
	info   fs.FileInfo // nil of a stream
	form   form        // of a stream known only once its first bytes are here: use shape()
	std    *os.File    // standard input, when it is a regular file
	stream *stream     // nil of a regular file
	end    int64       // lines that begin here or later are no part of it; 0: all are

	opened func(handle) handle // tests count reads with it
}

// handle reads a file at any place until it is closed.
type handle interface {
	io.ReaderAt
	io.Closer
}

// Open looks at the file name; "-" is standard input. Compression is recognised by the first bytes, never by the name.
//
// Folders, devices and sockets are refused. Errors wrap connwarden.ErrNotFound and connwarden.ErrDenied where they
// apply. A named pipe is not waited for here but when it is first read.
func Open(name string, opt Options) (*File, error) {
	f := &File{name: name, opt: opt}
	if name == "-" {
		return f, f.openStdin()
	}
	stat := os.Stat
	if opt.NoFollow {
		stat = os.Lstat
	}
	info, err := stat(name)
	if err != nil {
		return nil, fault(name, err)
	}
	mode := info.Mode()
	switch {
	case mode.IsRegular():
		f.info = info
		return f, f.sniff()
	case mode&fs.ModeNamedPipe != 0 && !opt.NoFollow:
		f.stream = newStream(name, opt.Spool, true, openPipe(name))
		return f, nil
	}
	return nil, refuse(name, mode)
}

// refuse says why something that is no regular file is not read, and what to do.
func refuse(name string, mode fs.FileMode) error {
	switch {
	case mode.IsDir():
		return fmt.Errorf("read %s: it is a folder: name the logs in it", name)
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("read %s: it is a link in a folder of a user, and such links are not followed: name its target", name)
	case mode&fs.ModeNamedPipe != 0:
		return fmt.Errorf("read %s: it is a named pipe in a folder of a user: name it on the command line to read it", name)
	case mode&fs.ModeSocket != 0:
		return fmt.Errorf("read %s: it is a socket: have its program write to a file or pipe", name)
	default:
		return fmt.Errorf("read %s: it is a device and not a log: name a file, or - for standard input", name)
	}
}

// fault names the file in an error of the system, and wraps the error that callers branch on.
func fault(name string, err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("read %s: %w", name, connwarden.ErrDenied)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read %s: %w", name, connwarden.ErrNotFound)
	case errors.As(err, &path):
		err = path.Err // its text repeats the name
	}
	return fmt.Errorf("read %s: %w", name, err)
}

func (f *File) openStdin() error {
	if f.opt.Stdin == nil {
		return errors.New("read standard input: there is none")
	}
	if std, ok := f.opt.Stdin.(*os.File); ok {
		info, err := std.Stat()
		if err != nil {
			return fault("standard input", err)
		}
		if info.IsDir() {
			return refuse("standard input", info.Mode())
		}
		// A file from which somebody has read a part already is a stream of what is left.
		if at, err := std.Seek(0, io.SeekCurrent); err == nil && at == 0 && info.Mode().IsRegular() {
			f.std, f.info = std, info
			return f.sniff()
		}
	}
	f.stream = newStream("standard input", f.opt.Spool, false, func() (io.Reader, error) { return f.opt.Stdin, nil })
	return nil
}

// sniff reads the first bytes of a regular file to know its form.
func (f *File) sniff() error {
	h, err := f.open()
	if err != nil {
		return err
	}
	defer h.Close()
	var first [6]byte
	n, err := h.ReadAt(first[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fault(f.name, err)
	}
	f.form = formOf(first[:n])
	return nil
}

// disk is a regular file.
type disk struct{ *os.File }

func (d disk) data(at, size int64) int64 { return nextData(d.File, at, size) }

// holed is a handle that knows where its holes are.
type holed interface {
	// data returns the first offset from at on that is not in a hole; size when there is none.
	data(at, size int64) int64
}

// borrowed is a handle that somebody else closes.
type borrowed struct{ io.ReaderAt }

func (borrowed) Close() error { return nil }

// open opens the very file that Open saw, under its own name or, if it was rotated since, under a neighbour's.
func (f *File) open() (handle, error) {
	h, err := f.find()
	if err == nil && f.opened != nil {
		h = f.opened(h)
	}
	return h, err
}

func (f *File) find() (handle, error) {
	if f.std != nil {
		return borrowed{f.std}, nil
	}
	if f.stream != nil {
		return borrowed{f.stream}, nil
	}
	h, err := f.same(f.name)
	if err == nil {
		return h, nil
	}
	if !errors.Is(err, errReplaced) && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault(f.name, err)
	}
	for _, name := range Rotated(f.name) {
		if h, e := f.same(name); e == nil {
			return h, nil
		}
	}
	return nil, fault(f.name, err)
}

var errReplaced = errors.New("another file took its place while it was being read")

func (f *File) same(name string) (handle, error) {
	h, err := openFile(name, f.opt.NoFollow)
	if err != nil {
		return nil, err
	}
	info, err := h.Stat()
	if err == nil && !os.SameFile(info, f.info) {
		err = errReplaced
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return disk{h}, nil
}

// CutAt leaves lines that begin at this offset of the text or later out of every Scan. It must not be called while one runs.
func (f *File) CutAt(offset int64) { f.end = offset }

// Name is the name that Open was given.
func (f *File) Name() string { return f.name }

// Size is the size on disk, in bytes, when the file was opened; of a stream it is -1 until it has been read to its
// end.
func (f *File) Size() int64 {
	if f.stream != nil {
		return f.stream.size()
	}
	return f.info.Size()
}

// ModTime is the time of the last change; zero of a stream.
func (f *File) ModTime() time.Time {
	if f.info == nil {
		return time.Time{}
	}
	return f.info.ModTime()
}

// ID tells two names of one file: device and inode. Both are 0 of a stream and on systems that have none.
func (f *File) ID() (dev, inode uint64) {
	if f.info == nil {
		return 0, 0
	}
	return identity(f.info)
}

// Plain tells whether the text can be read at any place, so that Scan may share it among workers and Seek can bisect.
// Archives never can; a stream can once it has been read to its end.
func (f *File) Plain() bool {
	if f.stream != nil && (f.stream.size() < 0 || f.stream.lost() != nil) {
		return false
	}
	form, err := f.shape()
	return err == nil && form == plain
}

// shape is the form of the bytes. Of a stream it waits for the first bytes.
func (f *File) shape() (form, error) {
	if f.stream == nil {
		return f.form, nil
	}
	head, err := f.stream.head(6)
	return formOf(head), err
}

// Head returns the first n bytes of the text, or all of a shorter one; n is at most 256 KiB. Of a stream it waits
// until they are there; they are not lost to later readers. What a damaged archive still gives is returned without an
// error: whoever reads it all will be told.
func (f *File) Head(n int) ([]byte, error) {
	n = min(n, memory)
	form, err := f.shape()
	if err != nil {
		return nil, err
	}
	r, err := f.rawHead(form, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := unpack(f.name, form, r)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	head := make([]byte, n)
	n, err = io.ReadFull(text, head)
	if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		return nil, fault(f.name, err)
	}
	return head[:n], nil
}

// End returns the last n bytes of the text, or all of a shorter one; nothing of what cannot be read at any place.
func (f *File) End(n int64) []byte {
	if !f.Plain() {
		return nil
	}
	h, err := f.open()
	if err != nil {
		return nil
	}
	defer h.Close()
	end := make([]byte, min(n, f.Size()))
	got, err := h.ReadAt(end, f.Size()-int64(len(end)))
	if err != nil {
		got = 0 // it became shorter just now
	}
	return end[:got]
}

// rawHead reads the file's own bytes from its start; of a stream only those that Head may wait for.
func (f *File) rawHead(form form, n int) (io.ReadCloser, error) {
	if f.stream != nil {
		if form != plain {
			n = memory
		}
		head, err := f.stream.head(n)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(newBytes(head)), nil
	}
	return f.raw()
}

// raw reads the file's own bytes from their start.
func (f *File) raw() (io.ReadCloser, error) {
	if f.stream != nil {
		return io.NopCloser(f.stream.reader()), nil
	}
	h, err := f.open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(h, 0, f.info.Size()), h}, nil
}

// Close gives back what a stream holds: its pipe and its spool. Standard input stays open.
func (f *File) Close() error {
	if f.stream != nil {
		return f.stream.close()
	}
	return nil
}
