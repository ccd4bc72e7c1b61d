package tail

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/connwarden/connwarden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is what a scan should give of one line.
type line struct {
	offset int64
	number int64
	text   string
}

// linesOf splits a text the slow way: the lines that begin in [from, to), cut to most bytes.
func linesOf(text string, from, to int64, most int) (list []line, cuts int64) {
	offset, number := int64(0), int64(1)
	for text != "" {
		l, rest, _ := strings.Cut(text, "\n")
		if offset >= from && offset < to {
			if len(l) > most {
				cuts++
			}
			list = append(list, line{offset, number, l[:min(len(l), most)]})
		}
		offset += int64(len(text) - len(rest))
		number++
		text = rest
	}
	return list, cuts
}

// gather scans one job and splits its blocks into lines, in the order of their offsets.
func gather(t *testing.T, job Job, opt ScanOptions) ([]line, Result) {
	t.Helper()
	var mu sync.Mutex
	var list []line
	lastOf := -1
	results := Scan(t.Context(), []Job{job}, opt, func(worker int, b *Block) {
		mu.Lock()
		defer mu.Unlock()
		if job.Whole {
			if b.Chunk < lastOf {
				t.Errorf("chunk %d came after %d", b.Chunk, lastOf)
			}
			lastOf = b.Chunk
		}
		if b.Last {
			if len(b.Data) > 0 {
				t.Errorf("the last block holds %q", b.Data)
			}
			lastOf = 1 << 30
			return
		}
		if len(b.Data) == 0 {
			t.Error("an empty block")
		}
		at, number := b.Offset, b.Line
		for text := string(b.Data); text != ""; {
			l, rest, _ := strings.Cut(text, "\n")
			list = append(list, line{at, number, l})
			at += int64(len(text) - len(rest))
			if number > 0 {
				number++
			}
			text = rest
		}
	})
	if job.Whole && lastOf != 1<<30 {
		t.Error("no last block")
	}
	slices.SortFunc(list, func(a, b line) int { return cmp.Compare(a.offset, b.offset) })
	return list, results[0]
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string, opt Options) *File {
	t.Helper()
	f, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// ways are the ways in which one text may come.
func ways(t testing.TB, text string) map[string]*File {
	var packed bytes.Buffer
	for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} { // members, as of a file that was appended to
		w := gzip.NewWriter(&packed)
		io.WriteString(w, half)
		w.Close()
	}
	return map[string]*File{
		"plain":          open(t, write(t, "log", text), Options{}),
		"gzip":           open(t, write(t, "log", packed.String()), Options{}),
		"stream":         open(t, "-", Options{Stdin: iotest.HalfReader(strings.NewReader(text))}),
		"gzipped stream": open(t, "-", Options{Stdin: iotest.HalfReader(&packed)}),
	}
}

// check compares a scan of a part of a text with the slow way.
func check(t *testing.T, f *File, text string, from, to int64, whole bool, m measure) {
	t.Helper()
	plain := f.Plain()
	got, result := gather(t, Job{File: f, From: from, To: to, Whole: whole}, ScanOptions{Workers: 3, size: &m})
	end := to
	if end == 0 {
		end = int64(len(text))
	}
	want, cuts := linesOf(text, from, end, m.line)
	for i := range want {
		// Numbers are known to who reads in order from the begin.
		if from > 0 || plain && !whole && want[i].offset >= m.chunk {
			want[i].number = 0
		}
	}
	if plain && !whole { // of the first chunk only, as far as its first lines go
		for i := range min(len(got), len(want)) {
			if got[i].number == 0 {
				want[i].number = 0
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%q from %d to %d, %+v:\ngot  %v\nwant %v", text, from, to, m, got, want)
	}
	if result.Err != nil || result.Shrunk || result.Cut != cuts {
		t.Fatalf("%q from %d to %d, %+v: got %+v, want %d cut", text, from, to, m, result, cuts)
	}
}

// starts are the offsets where lines begin, and the end.
func starts(text string) []int64 {
	list, _ := linesOf(text, 0, int64(len(text)), 1<<30)
	var at []int64
	for _, l := range list {
		at = append(at, l.offset)
	}
	return append(at, int64(len(text)))
}

// Every border of chunks, blocks and lines falls on every byte.
func TestScanEveryBorder(t *testing.T) {
	for _, text := range []string{
		"", "\n", "a", "a\n", "\n\n\n", "ab\ncd\nef\n", "ab\ncd\nef", "a\n\n\nbcdefghijklmnopq\nr\n\ns",
		"abcdefghijklmnopqrstuvwxyz", "a\nbcdefghijklmnopqrstuvwxyz\n", "abcdefgh\nabcdefgh\nabcdefgh\n", "\x00\x00\x00\n\r\n\xff",
	} {
		for way, f := range ways(t, text) {
			for chunk := int64(1); chunk <= 9; chunk++ {
				for longest := 1; longest <= 9; longest += 2 {
					m := measure{line: longest, chunk: chunk, step: 1 + int(chunk)%4, block: int(chunk)}
					check(t, f, text, 0, 0, false, m)
					check(t, f, text, 0, 0, true, m)
				}
			}
			if t.Failed() {
				t.Fatalf("as %s", way)
			}
		}
	}
}

func TestScanParts(t *testing.T) {
	text := "ab\n\ncdefghijkl\nm\nno"
	for _, f := range ways(t, text) {
		for _, from := range starts(text) {
			for _, to := range starts(text) {
				if to <= from {
					continue
				}
				for chunk := int64(1); chunk <= 5; chunk++ {
					m := measure{line: 4, chunk: chunk, step: 2, block: 2}
					check(t, f, text, from, to, false, m)
					check(t, f, text, from, to, true, m)
				}
			}
		}
	}
}

// randomText has lines of all lengths, few of them long.
func randomText(r *rand.Rand, size int) string {
	var b strings.Builder
	for b.Len() < size {
		n := r.IntN(40)
		if r.IntN(20) == 0 {
			n = r.IntN(2000)
		}
		b.WriteString(strings.Repeat(string(rune('a'+r.IntN(26))), n))
		b.WriteByte('\n')
	}
	return b.String()
}

func TestScanAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		text := randomText(r, 20_000)
		for _, f := range ways(t, text) {
			for range 5 {
				at := starts(text)
				from, to := at[r.IntN(len(at)/2)], at[len(at)/2+r.IntN(len(at)/2)]
				m := measure{line: 1 + r.IntN(1500), chunk: 1 + r.Int64N(3000), stretch: r.Int64N(20), step: 1 + r.IntN(300), block: 1 + r.IntN(1000)}
				check(t, f, text, from, to, r.IntN(2) == 0, m)
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("a\nb\n\nccccccccccccccc\nd", byte(3), byte(4), byte(2), byte(5), true)
	f.Add("\n\n", byte(1), byte(1), byte(1), byte(1), false)
	f.Fuzz(func(t *testing.T, text string, chunk, longest, step, block byte, whole bool) {
		m := measure{line: int(longest) + 1, chunk: int64(chunk) + 1, stretch: int64(step) % 12, step: int(step) + 1, block: int(block) + 1}
		check(t, open(t, write(t, "log", "x\n"+text), Options{}), "x\n"+text, 0, 0, whole, m)
		check(t, open(t, "-", Options{Stdin: strings.NewReader(text)}), text, 0, 0, whole, m)
	})
}

func TestScanManyJobs(t *testing.T) {
	// Many more files than descriptors may be used for them: none is held open for long.
	const files = 400
	dir := t.TempDir()
	var jobs []Job
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(strings.Repeat(fmt.Sprintf("file %d\n", i), i%5)), 0o600); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, Job{File: open(t, path, Options{}), Whole: i%7 == 0})
	}
	missing := open(t, write(t, "gone", "x\n"), Options{})
	os.Remove(missing.Name())
	jobs = append(jobs, Job{File: missing}, Job{File: missing, Whole: true})
	before := descriptors(t)
	var most atomic.Int64
	got := make([]atomic.Int64, len(jobs))
	seenBy := make([]map[int]bool, 4)
	results := Scan(t.Context(), jobs, ScanOptions{Workers: 4}, func(worker int, b *Block) {
		most.Store(max(most.Load(), descriptors(t)-before))
		if want := fmt.Sprintf("file %d\n", b.Job); strings.ReplaceAll(string(b.Data), want, "") != "" {
			t.Errorf("job %d got %q", b.Job, b.Data)
		}
		if seenBy[worker] == nil {
			seenBy[worker] = map[int]bool{}
		}
		seenBy[worker][b.Job] = true
		got[b.Job].Add(int64(bytes.Count(b.Data, []byte{'\n'})))
	})
	for i := range files {
		if n := got[i].Load(); n != int64(i%5) || results[i].Err != nil {
			t.Errorf("job %d: got %d lines and %v, want %d", i, n, results[i].Err, i%5)
		}
	}
	for _, r := range results[files:] {
		if !errors.Is(r.Err, connwarden.ErrNotFound) {
			t.Errorf("a file that is gone: got %v, want not found", r.Err)
		}
	}
	if most.Load() > 8 {
		t.Errorf("%d descriptors were open at once for 4 workers", most.Load())
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors stayed open", after-before)
	}
}

// descriptors is the number of open ones, 0 where that cannot be seen.
func descriptors(t *testing.T) int64 {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Log("descriptors cannot be counted here:", err)
	}
	return int64(len(list))
}

func TestScanProgress(t *testing.T) {
	text := strings.Repeat("a line of a log\n", 100_000)
	path := write(t, "log", text)
	jobs := []Job{{File: open(t, path, Options{})}, {File: open(t, path, Options{}), Whole: true}}
	var calls [][2]int64
	Scan(t.Context(), jobs, ScanOptions{size: &measure{line: 64, chunk: 1000, step: 10, block: 10}, Progress: func(done, total int64) {
		calls = append(calls, [2]int64{done, total}) // the race detector tells if there is more than one goroutine
	}}, func(int, *Block) {})
	last := int64(-1)
	for _, c := range calls {
		if c[0] < last || c[1] != 2*int64(len(text)) {
			t.Fatalf("progress went %v", calls)
		}
		last = c[0]
	}
	if last != 2*int64(len(text)) {
		t.Errorf("progress ended at %d of %d", last, 2*len(text))
	}
}

func TestScanShrinks(t *testing.T) {
	for _, whole := range []bool{false, true} {
		path := write(t, "log", strings.Repeat("0123456\n", 1000))
		f := open(t, path, Options{})
		var once sync.Once
		var got []byte
		result := Scan(t.Context(), []Job{{File: f, Whole: whole}}, ScanOptions{Workers: 1, size: &measure{line: 64, chunk: 80, step: 16, block: 16}}, func(_ int, b *Block) {
			once.Do(func() {
				if err := os.Truncate(path, 804); err != nil {
					t.Error(err)
				}
			})
			got = append(got, b.Data...)
		})[0]
		if want := strings.Repeat("0123456\n", 100) + "0123"; string(got) != want || !result.Shrunk || result.Err != nil || result.Bytes != 804 {
			t.Errorf("whole %v: got %d bytes %+v, want %d and that it shrank", whole, len(got), result, len(want))
		}
	}
}

func TestScanGrows(t *testing.T) {
	path := write(t, "log", "one\ntwo\nhal")
	f := open(t, path, Options{})
	w, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	io.WriteString(w, "f\nlater\n")
	got, _ := gather(t, Job{File: f}, ScanOptions{})
	if want := []line{{0, 1, "one"}, {4, 2, "two"}, {8, 3, "half"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A file that was rotated since it was opened is found under its new name; another that took its place is never read.
func TestScanRotated(t *testing.T) {
	path := write(t, "access.log", "old\n")
	f := open(t, path, Options{})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, []byte("new\n"), 0o600)
	if got, r := gather(t, Job{File: f}, ScanOptions{}); r.Err != nil || len(got) != 1 || got[0].text != "old" {
		t.Errorf("got %v %v, want the old file", got, r.Err)
	}
	os.Remove(path + ".1")
	if got, r := gather(t, Job{File: f}, ScanOptions{}); r.Err == nil || len(got) > 0 {
		t.Errorf("got %v %v, want an error", got, r.Err)
	}
}

func TestScanCancel(t *testing.T) {
	text := strings.Repeat("line\n", 10_000)
	for way, f := range ways(t, text) {
		for _, whole := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			blocks := 0
			var mu sync.Mutex
			r := Scan(ctx, []Job{{File: f, Whole: whole}}, ScanOptions{Workers: 2, size: &measure{line: 64, chunk: 100, step: 16, block: 16}}, func(_ int, b *Block) {
				mu.Lock()
				defer mu.Unlock()
				blocks++
				cancel()
			})[0]
			cancel()
			if !errors.Is(r.Err, context.Canceled) || blocks > 100 {
				t.Errorf("%s: got %v after %d blocks", way, r.Err, blocks)
			}
		}
	}
}

// One line of 100 MB takes no more memory than any other and is counted as cut.
func TestScanHugeLine(t *testing.T) {
	const size = 100 << 20
	path := filepath.Join(t.TempDir(), "log")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "first\n")
	if _, err := io.CopyN(w, ones{}, size); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "\nlast\n")
	w.Close()
	stdin, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	want := []line{{0, 1, "first"}, {6, 2, strings.Repeat("1", usual.line)}, {size + 7, 3, "last"}}
	for _, f := range []*File{open(t, path, Options{}), open(t, "-", Options{Stdin: io.MultiReader(stdin)})} {
		got, r := gather(t, Job{File: f, Whole: true}, ScanOptions{})
		if r.Cut != 1 || r.Err != nil || !slices.Equal(got, want) {
			t.Errorf("got %d lines, %+v", len(got), r)
		}
	}
	var allocated uint64
	f := open(t, path, Options{})
	allocated = allocatedBy(func() { Scan(t.Context(), []Job{{File: f}}, ScanOptions{Workers: 2}, func(int, *Block) {}) })
	if allocated > 24<<20 {
		t.Errorf("%d MiB were allocated", allocated>>20)
	}
}

type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '1'
	}
	return len(b), nil
}

func BenchmarkScan(b *testing.B) {
	text := strings.Repeat(strings.Repeat("x", 230)+"\n", 1<<18)
	path := write(b, "log", text)
	many := make([]Job, 1000)
	small := write(b, "small", strings.Repeat("x", 230)+"\n")
	for i := range many {
		many[i].File = open(b, small, Options{})
	}
	for name, jobs := range map[string][]Job{"plain": {{File: open(b, path, Options{})}}, "whole": {{File: open(b, path, Options{}), Whole: true}}, "1000 small": many} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var size int64
			for _, j := range jobs {
				size += j.File.Size()
			}
			b.SetBytes(size)
			for b.Loop() {
				Scan(b.Context(), jobs, ScanOptions{}, func(int, *Block) {})
			}
		})
	}
}

// allocatedBy is how many bytes were allocated while f ran.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
