package tail

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// A stream can be read again, although its spool has no name and a small one has none at all.
func TestStreamTwice(t *testing.T) {
	for _, text := range []string{"", "small\n", strings.Repeat("0123456789\n", 100_000)} {
		dir := t.TempDir()
		f := open(t, "-", Options{Stdin: iotest.HalfReader(strings.NewReader(text)), Spool: dir})
		for range 3 {
			check(t, f, text, 0, 0, false, usual)
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("the spool has a name: %v", left[0])
			}
		}
		if !f.Plain() || f.Size() != int64(len(text)) {
			t.Errorf("once it was read: got plain %v and size %d", f.Plain(), f.Size())
		}
		check(t, f, text, 0, 0, true, measure{line: 100, chunk: 1000, step: 10, block: 100})
		if at := int64(len(text) / 11 / 2 * 11); at > 0 {
			check(t, f, text, at, 0, false, usual)
		}
	}
}

// A first pass that was given up is taken up where it ended.
func TestStreamCancelledThenRead(t *testing.T) {
	text := strings.Repeat("0123456789\n", 100_000)
	f := open(t, "-", Options{Stdin: strings.NewReader(text), Spool: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	Scan(ctx, []Job{{File: f}}, ScanOptions{size: &measure{line: 100, chunk: 100, step: 100, block: 100}}, func(int, *Block) { cancel() })
	cancel()
	check(t, f, text, 0, 0, false, usual)
}

// Without room for a spool the first pass still works, and the second says why it does not.
func TestStreamWithoutSpool(t *testing.T) {
	text := strings.Repeat("0123456789\n", 100_000)
	f := open(t, "-", Options{Stdin: strings.NewReader(text), Spool: filepath.Join(t.TempDir(), "missing")})
	check(t, f, text, 0, 0, false, usual)
	if f.Plain() {
		t.Error("it cannot be read at any place")
	}
	got, r := gather(t, Job{File: f}, ScanOptions{})
	if r.Err == nil || !strings.Contains(r.Err.Error(), "cannot be read twice") {
		t.Errorf("got %d lines and %v", len(got), r.Err)
	}
}

func TestStreamBreaks(t *testing.T) {
	broken := errors.New("wire cut")
	text := strings.Repeat("line\n", 10)
	f := open(t, "-", Options{Stdin: io.MultiReader(strings.NewReader(text+"ha"), iotest.ErrReader(broken))})
	got, r := gather(t, Job{File: f, Whole: true}, ScanOptions{})
	if !errors.Is(r.Err, broken) || len(got) != 11 {
		t.Errorf("got %d lines and %v", len(got), r.Err)
	}
	// What came before it broke can be read again.
	check(t, f, text+"ha", 0, 0, false, usual)
}
