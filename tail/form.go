package tail

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// form is how the bytes of a file are to be read.
type form uint8

const (
	plain form = iota
	gzipped
	bzipped
	xzipped
	zstandard
)

// formOf knows a form by the first bytes: RFC 1952 2.3.1; bzip2's "BZh" and block size; xz file format 2.1.1.1; RFC
// 8878 3.1.1. Letters can begin a log as well, so bzip2 must show the first bytes of its first block, or of its end, too.
func formOf(first []byte) form {
	switch {
	case bytes.HasPrefix(first, []byte{0x1f, 0x8b, 8}):
		return gzipped
	case len(first) >= 6 && string(first[:3]) == "BZh" && first[3] >= '1' && first[3] <= '9' &&
		(first[4] == 0x31 && first[5] == 0x41 || first[4] == 0x17 && first[5] == 0x72):
		return bzipped
	case bytes.HasPrefix(first, []byte("\xfd7zXZ\x00")):
		return xzipped
	case bytes.HasPrefix(first, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstandard
	}
	return plain
}

// Bounds on what an archive may make us hold, in bytes: zstd --long=27 and xz -9 need 128 and 65 MiB.
const (
	zstdWindow = 128 << 20
	xzMemory   = 256 << 20
)

func newBytes(b []byte) io.Reader { return bytes.NewReader(b) }

// unpack reads the text of raw. Closing it leaves raw open.
func unpack(name string, form form, raw io.Reader) (io.ReadCloser, error) {
	switch form {
	case gzipped:
		r, err := gzip.NewReader(bufio.NewReaderSize(raw, 256<<10))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, damage(err))
		}
		return r, nil
	case zstandard:
		r, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, damage(err))
		}
		return r.IOReadCloser(), nil
	case bzipped:
		// The program is several times as fast as the standard library.
		if path, err := exec.LookPath("bzip2"); err == nil {
			return start(context.Background(), name, raw, path, "--decompress", "--stdout")
		}
		return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(raw, 256<<10))), nil
	case xzipped:
		path, err := exec.LookPath("xz")
		if err != nil {
			return nil, fmt.Errorf("read %s: the program xz is not installed: install it (Debian: xz-utils) or unpack the file first", name)
		}
		return start(context.Background(), name, raw, path, "--decompress", "--stdout", fmt.Sprintf("--memlimit-decompress=%d", xzMemory))
	default:
		return io.NopCloser(raw), nil
	}
}

// damage says in plain words what is wrong with an archive.
func damage(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the archive is cut short: what it holds was read")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		return errors.New("the archive is followed by bytes that are none: they were left out")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("the archive needs more than %d MiB of memory: unpack it first", zstdWindow>>20)
	default:
		return fmt.Errorf("the archive is damaged: %w", err)
	}
}

// program is a decompressor, or journalctl, that runs beside us.
type program struct {
	cmd    *exec.Cmd
	name   string
	out    io.ReadCloser
	words  words
	cancel context.CancelFunc
	done   bool
	err    error
}

func start(ctx context.Context, name string, raw io.Reader, path string, args ...string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &program{cmd: exec.CommandContext(ctx, path, args...), name: name, cancel: cancel}
	p.cmd.Stdin = raw
	p.cmd.Stderr = &p.words
	p.cmd.Env = append(os.Environ(), "LC_ALL=C", "XZ_DEFAULTS=", "XZ_OPT=", "BZIP2=", "BZIP=", "SYSTEMD_LOG_LEVEL=err")
	// A standard input that waits for ever must not hold up Wait once the program is gone.
	p.cmd.WaitDelay = time.Second
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("read %s: start %s: %w", name, path, err)
	}
	p.out = out
	return p, nil
}

func (p *program) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == nil || n > 0 {
		return n, nil
	}
	if !p.done {
		p.done = true
		p.err = io.EOF
		// Bytes behind the end are a warning to bzip2 and no failure.
		if err := p.cmd.Wait(); err != nil || len(p.words.b) > 0 {
			p.err = p.words.first(err)
		}
		p.cancel()
	}
	return 0, p.err
}

func (p *program) Close() error {
	if !p.done {
		p.done = true
		p.err = io.ErrClosedPipe
		p.cancel()
		_ = p.cmd.Wait() // killed: its exit says nothing
	}
	return nil
}

// words keeps the beginning of what a program says on its standard error.
type words struct{ b []byte }

func (w *words) Write(b []byte) (int, error) {
	w.b = append(w.b, b[:min(len(b), 500-len(w.b))]...)
	return len(b), nil
}

// first returns the first line as an error, or err when nothing was said.
func (w *words) first(err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(string(w.b)), "\n")
	if line == "" {
		return err
	}
	return errors.New(line)
}
