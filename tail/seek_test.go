package tail

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// stamped reads the lines of these tests: a time and some words.
func stamped(line []byte) (time.Time, bool) {
	if len(line) < len(time.RFC3339)-5 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(line[:len(time.RFC3339)-5]))
	return t, err == nil
}

func stampedLine(t time.Time, words string) string {
	return t.UTC().Format(time.RFC3339) + " " + words + "\n"
}

// meter counts what is read through a handle.
type meter struct {
	io.ReaderAt
	handle
	reads int
	bytes int64
}

func (m *meter) ReadAt(b []byte, at int64) (int, error) {
	m.reads++
	m.bytes += int64(len(b))
	return m.ReaderAt.ReadAt(b, at)
}

// data passes the question on, if the file below can answer.
func (m *meter) data(at, size int64) int64 {
	if h, ok := m.ReaderAt.(holed); ok {
		return h.data(at, size)
	}
	return at
}

// metered makes all reads of f go through a meter; made, if not nil, makes up the bytes.
func metered(f *File, made io.ReaderAt) *meter {
	m := &meter{}
	f.opened = func(h handle) handle {
		m.handle, m.ReaderAt = h, made
		if made == nil {
			m.ReaderAt = h
		}
		return m
	}
	return m
}

// endless is a log of lines of 100 bytes, ten a second, of any size.
type endless struct{ size int64 }

func (e endless) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) && at < e.size {
		line := stampedLine(epoch.Add(time.Duration(at/100)*100*time.Millisecond), "GET / HTTP/1.1")
		line = line[:len(line)-1] + strings.Repeat(" ", 100-len(line)) + "\n"
		m := copy(b[n:], line[at%100:])
		n, at = n+m, at+int64(m)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

const hundredGB = 100_000_000_000

// sparse is a file of a size with nothing in it.
func sparse(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Truncate(size); err != nil {
		t.Skip("the file system of the temporary folder has no sparse files:", err)
	}
	return path
}

// The last hour of 100 GB costs some dozen small reads.
func TestSeekInHugeLog(t *testing.T) {
	f := open(t, sparse(t, hundredGB), Options{})
	m := metered(f, endless{hundredGB})
	end := epoch.Add(hundredGB / 100 * 100 * time.Millisecond)
	for _, ago := range []time.Duration{time.Hour, 24 * time.Hour, 3 * 365 * 24 * time.Hour / 2} {
		m.reads, m.bytes = 0, 0
		since := end.Add(-ago)
		at, err := Seek(f, since, stamped)
		if err != nil {
			t.Fatal(err)
		}
		// Ten lines of 100 bytes a second: the place is known.
		exact := int64(since.Sub(epoch)/(100*time.Millisecond)) * 100
		if slack := exact - at; at%100 != 0 || slack < 0 || slack > int64(late/time.Second)*1000+near+probe {
			t.Errorf("%v ago: got %d, %d bytes before the place", ago, at, slack)
		}
		if m.reads > 40 || m.bytes > 40*probe {
			t.Errorf("%v ago: %d reads of %d bytes together", ago, m.reads, m.bytes)
		}
	}
}

// Holes are passed by: here 100 GB hold a few lines each ten thousand million bytes.
func TestSeekInHoles(t *testing.T) {
	path := sparse(t, hundredGB)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range int64(10) {
		text := "\n"
		for range 2000 {
			text += stampedLine(epoch.Add(time.Duration(i)*time.Hour), "GET / HTTP/1.1")
		}
		if _, err := w.WriteAt([]byte(text), i*hundredGB/10); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t, path, Options{})
	m := metered(f, nil)
	at, err := Seek(f, epoch.Add(7*time.Hour), stamped)
	if err != nil || at <= 5*hundredGB/10 || at > 7*hundredGB/10 {
		t.Errorf("got %d, %v", at, err)
	}
	if m.reads > 200 {
		t.Skipf("%d reads: the file system of the temporary folder does not tell where its holes are", m.reads)
	}
}

// No line at or after the time lies before the place, whatever stands between the lines, and the place is no earlier
// than it must be where all lines have times.
func TestSeekAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 16 {
		// Long lines stand alone in a probe, and must not be later than is promised; of short ones some may be.
		length, most, odds := 300, 20*late, 50
		if round%2 == 0 {
			length, most, odds = 40_000, late, 3
		}
		var b strings.Builder
		now := epoch
		type dated struct {
			at   int64
			when time.Time
		}
		var all []dated
		for b.Len() < 3<<20 {
			now = now.Add(time.Duration(r.IntN(10*length)) * time.Millisecond)
			when := now
			switch r.IntN(odds) {
			case 0: // late
				when = now.Add(-time.Duration(r.Int64N(int64(most))))
			case 1:
				if round%4 == 1 {
					b.WriteString(strings.Repeat("\x00trace\xff\n", r.IntN(200)))
				}
			case 2:
				if round%8 == 1 {
					b.WriteString(strings.Repeat("\x00", r.IntN(50_000)) + "\n")
				}
			}
			when = when.Truncate(time.Second)
			all = append(all, dated{int64(b.Len()), when})
			b.WriteString(stampedLine(when, strings.Repeat("x", r.IntN(length))))
		}
		text := b.String()
		f := open(t, write(t, "log", text), Options{})
		for range 20 {
			since := all[r.IntN(len(all))].when.Add(time.Duration(r.IntN(3)-1) * time.Second)
			at, err := Seek(f, since, stamped)
			if err != nil {
				t.Fatal(err)
			}
			if at > 0 && text[at-1] != '\n' {
				t.Fatalf("%d is not the begin of a line", at)
			}
			enough := int64(0) // bytes of lines well before the time that are read in vain
			for _, d := range all {
				if d.at < at && !d.when.Before(since) {
					t.Fatalf("line at %d of %v lies before %d, wanted since %v", d.at, d.when, at, since)
				}
				if d.at >= at && d.when.Before(since.Add(-late-most)) {
					enough = d.at - at
				}
			}
			if round%8 != 1 && enough > near+16*probe+2*int64(length) {
				t.Errorf("%d bytes too early", enough)
			}
		}
	}
}

// No line before the time lies behind the place, if it is not overdue, whatever stands between the lines.
func TestSeekEndAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 8 {
		var b strings.Builder
		now := epoch
		type dated struct {
			at   int64
			when time.Time
		}
		var all []dated
		for b.Len() < 3<<20 {
			now = now.Add(time.Duration(r.IntN(300)) * time.Second)
			when := now
			switch r.IntN(20) {
			case 0:
				when = now.Add(-time.Duration(r.Int64N(int64(overdue))))
			case 1:
				when = now.Add(time.Duration(r.Int64N(int64(1000 * time.Hour)))) // a wrong clock
			case 2:
				if round%2 == 1 {
					b.WriteString(strings.Repeat("\x00trace\xff\n", r.IntN(200)))
				}
			}
			when = when.Truncate(time.Second)
			all = append(all, dated{int64(b.Len()), when})
			b.WriteString(stampedLine(when, strings.Repeat("x", r.IntN(300))))
		}
		text := b.String()
		f := open(t, write(t, "log", text), Options{})
		shorter := false
		for range 20 {
			until := all[r.IntN(len(all))].when.Add(time.Duration(r.IntN(3)-1) * time.Second)
			at, err := SeekEnd(f, until, stamped)
			if err != nil {
				t.Fatal(err)
			}
			shorter = shorter || at > 0
			for _, d := range all {
				if at > 0 && d.at >= at && d.when.Before(until) {
					t.Fatalf("line at %d of %v lies behind %d, wanted until %v", d.at, d.when, at, until)
				}
			}
		}
		if !shorter {
			t.Error("every end is the file's")
		}
	}
	for name, text := range map[string]string{"nothing": "", "no time": strings.Repeat("noise\n", 1<<19), "one time": strings.Repeat(stampedLine(epoch, "x"), 20_000)} {
		if at, err := SeekEnd(open(t, write(t, "log", text), Options{}), epoch, stamped); err != nil || at != 0 {
			t.Errorf("%s: got %d, %v, want 0", name, at, err)
		}
	}
}

func TestSeekEdges(t *testing.T) {
	text := strings.Repeat(stampedLine(epoch, "x"), 20_000)
	f := open(t, write(t, "log", text), Options{})
	for when, want := range map[time.Time]int64{epoch.Add(-time.Hour): 0, epoch: 0, {}: 0} {
		if at, err := Seek(f, when, stamped); err != nil || at != want {
			t.Errorf("%v: got %d, %v, want %d", when, at, err, want)
		}
	}
	if at, err := Seek(f, epoch.Add(100*time.Hour), stamped); err != nil || at < int64(len(text))-near-probe {
		t.Errorf("in the future: got %d of %d, %v", at, len(text), err)
	}
	for name, text := range map[string]string{"nothing": "", "no line": strings.Repeat("\xff", 3<<20), "no time": strings.Repeat("noise\n", 1<<19)} {
		if at, err := Seek(open(t, write(t, "log", text), Options{}), epoch, stamped); err != nil || at != 0 {
			t.Errorf("%s: got %d, %v, want 0", name, at, err)
		}
	}
	packed := open(t, write(t, "log", gzipped1(text)), Options{})
	if at, err := Seek(packed, epoch.Add(time.Hour), stamped); err != nil || at != 0 {
		t.Errorf("an archive: got %d, %v, want 0", at, err)
	}
	gone := open(t, write(t, "log", text), Options{})
	os.Remove(gone.Name())
	if _, err := Seek(gone, epoch, stamped); err == nil {
		t.Error("a file that is gone gave no error")
	}
}

func show(samples []Sample) string {
	var b strings.Builder
	for _, s := range samples {
		fmt.Fprintf(&b, "%d %q, ", s.Line, s.Text)
	}
	return b.String()
}

func TestSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text := "first\r\n" + randomText(r, 2<<20) + "last"
	all, _ := linesOf(text, 0, int64(len(text)), 1<<30)
	for way, f := range ways(t, text) {
		for range 2 { // a stream: before and after it was read
			var offsets []int64
			var want []Sample
			for range 50 {
				l := all[r.IntN(len(all))]
				offsets = append(offsets, l.offset)
				want = append(want, Sample{l.number, []byte(l.text[:min(len(l.text), 100)])})
			}
			offsets = append(offsets, 0, all[len(all)-1].offset, offsets[0])
			want = append(want, Sample{1, []byte("first")}, Sample{int64(len(all)), []byte("last")}, want[0])
			got, err := Samples(t.Context(), f, offsets, 100)
			if err != nil {
				t.Fatalf("%s: %v", way, err)
			}
			if show(got) != show(want) {
				t.Errorf("%s:\ngot  %s\nwant %s", way, show(got), show(want))
			}
		}
	}
}

func TestSamplesEdges(t *testing.T) {
	f := open(t, write(t, "log", "one\ntwo\n"), Options{})
	if got, err := Samples(t.Context(), f, nil, 10); err != nil || len(got) != 0 {
		t.Errorf("none: got %v, %v", got, err)
	}
	got, err := Samples(t.Context(), f, []int64{4, 400}, 2)
	if err != nil || show(got) != `2 "tw", 0 "", ` {
		t.Errorf("got %s, %v", show(got), err)
	}
	// Far behind, lines are read but not counted.
	big := open(t, sparse(t, 2*countLimit), Options{})
	w, err := os.OpenFile(big.Name(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.WriteAt([]byte("zero\n"), 0)
	w.WriteAt([]byte("\nfar\n"), countLimit)
	m := metered(big, nil)
	got, err = Samples(t.Context(), big, []int64{countLimit + 1, 5}, 10)
	if err != nil || len(got) != 2 || string(got[0].Text) != "far" || got[0].Line != 0 || got[1].Line != 2 {
		t.Errorf("got %s, %v", show(got), err)
	}
	if m.reads > 10 {
		t.Errorf("%d reads", m.reads)
	}
}

func BenchmarkSeek(b *testing.B) {
	path := filepath.Join(b.TempDir(), "log")
	w, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w.Truncate(hundredGB)
	w.Close()
	f := open(b, path, Options{})
	metered(f, endless{hundredGB})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seek(f, epoch.Add(30_000*time.Hour), stamped); err != nil {
			b.Fatal(err)
		}
	}
}
