package tail

import (
	"bytes"
	"compress/gzip"
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// pack compresses text with the program that writes such files.
func pack(t testing.TB, text string, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("the program %s is not installed (Debian: %s)", program, map[string]string{"xz": "xz-utils"}[program])
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func gzipped1(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func zstd1(text string) string {
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

// archives are the forms that are read, each as several members, and what makes them.
var archives = map[string]func(t testing.TB, text string) string{
	"gzip": func(t testing.TB, text string) string { return gzipped1(text) },
	"zstd": func(t testing.TB, text string) string { return zstd1(text) },
	"bzip2": func(t testing.TB, text string) string {
		return pack(t, text, "bzip2", "--compress", "--stdout")
	},
	"xz": func(t testing.TB, text string) string { return pack(t, text, "xz", "--compress", "--stdout") },
}

// noise does not compress to nothing, so that cutting an archive loses some of it.
func noise(lines int) string {
	var b strings.Builder
	x := uint32(1)
	for range lines {
		for range 20 {
			x = x*1664525 + 1013904223
			b.WriteByte('a' + byte(x>>24)%26)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestArchives(t *testing.T) {
	text := noise(60_000)
	for name, make := range archives {
		t.Run(name, func(t *testing.T) {
			packed := make(t, text[:len(text)/3]) + make(t, "") + make(t, text[len(text)/3:])
			// The name says nothing, the bytes say all.
			f := open(t, write(t, "access.log", packed), Options{})
			if f.Plain() || f.Size() != int64(len(packed)) {
				t.Errorf("got plain %v and size %d", f.Plain(), f.Size())
			}
			if head, err := f.Head(100); err != nil || string(head) != text[:100] {
				t.Errorf("head: got %q, %v", head, err)
			}
			check(t, f, text, 0, 0, true, usual)
			check(t, f, text, 21*1000, 21*50_000, false, usual)
			_, r := gather(t, Job{File: f}, ScanOptions{})
			if r.Bytes != int64(len(text)) || r.Disk != int64(len(packed)) {
				t.Errorf("got %d bytes of text and %d on disk, want %d and %d", r.Bytes, r.Disk, len(text), len(packed))
			}
			check(t, open(t, "-", Options{Stdin: strings.NewReader(packed)}), text, 0, 0, false, usual)
		})
	}
}

// What a damaged archive still holds is read, and the damage is said.
func TestArchivesDamaged(t *testing.T) {
	text := noise(120_000)
	for name, make := range archives {
		packed := make(t, text)
		middle := len(packed) / 2
		for damage, bytes := range map[string]string{
			"cut short":          packed[:middle],
			"cut after one byte": packed[:len(packed)-1],
			"changed":            packed[:middle] + "\x00\x01\x02\x03" + packed[middle+4:],
			"followed by text":   packed + "and more",
			"followed by a part": packed + packed[:middle],
		} {
			t.Run(name+" "+damage, func(t *testing.T) {
				path := write(t, "access.log", bytes)
				got, r := gather(t, Job{File: open(t, path, Options{}), Whole: true}, ScanOptions{})
				if r.Err == nil || !strings.HasPrefix(r.Err.Error(), "read "+path+": the archive ") {
					t.Errorf("got error %v", r.Err)
				}
				if len(got) < 40_000 {
					t.Errorf("got %d lines", len(got))
				}
				for i, l := range got[:40_000] {
					if want := text[i*21 : i*21+20]; l.text != want {
						t.Fatalf("line %d: got %q, want %q", i+1, l.text, want)
					}
				}
			})
		}
	}
}

func TestArchiveOfNothing(t *testing.T) {
	for name, make := range archives {
		t.Run(name, func(t *testing.T) {
			check(t, open(t, write(t, "log", make(t, "")), Options{}), "", 0, 0, true, usual)
		})
	}
}

func TestWithoutPrograms(t *testing.T) {
	text := noise(10)
	bz, xz := archives["bzip2"](t, text), archives["xz"](t, text)
	t.Setenv("PATH", t.TempDir())
	check(t, open(t, write(t, "log", bz), Options{}), text, 0, 0, false, usual)
	_, r := gather(t, Job{File: open(t, write(t, "log", xz), Options{})}, ScanOptions{})
	if r.Err == nil || !strings.Contains(r.Err.Error(), "xz is not installed: install it") {
		t.Errorf("got %v", r.Err)
	}
}

// The environment of a user must not change what xz does.
func TestProgramEnvironment(t *testing.T) {
	text := noise(10)
	packed := archives["xz"](t, text)
	t.Setenv("XZ_OPT", "--list")
	t.Setenv("XZ_DEFAULTS", "--memlimit=1")
	check(t, open(t, write(t, "log", packed), Options{}), text, 0, 0, false, usual)
}

// A log may begin with letters that begin an archive too.
func TestNearlyArchives(t *testing.T) {
	for _, text := range []string{"BZh\n", "BZh9 is a name\n", "\x1f\x8b\n", "\xfd7zXZ\n", "(\xb5/\n", "BZh91"} {
		check(t, open(t, write(t, "log", text), Options{}), text, 0, 0, false, usual)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte(gzipped1("a\nb\n")))
	f.Add([]byte(zstd1("a\nb\n")))
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("plain\n"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		form := formOf(packed)
		if form == xzipped || form == bzipped {
			t.Skip("a program of its own reads these")
		}
		text, err := unpack("fuzz", form, bytes.NewReader(packed))
		if err != nil {
			return
		}
		defer text.Close()
		io.CopyN(io.Discard, text, 1<<20)
	})
}

func BenchmarkArchive(b *testing.B) {
	text := noise(1 << 20)
	for name, make := range archives {
		b.Run(name, func(b *testing.B) {
			f := open(b, write(b, "log", make(b, text)), Options{})
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if r := Scan(b.Context(), []Job{{File: f}}, ScanOptions{}, func(int, *Block) {}); r[0].Err != nil {
					b.Fatal(r[0].Err)
				}
			}
		})
	}
}

// Lines behind a cut are read by nobody, whole or in pieces, from a file, an archive or a stream.
func TestCutAt(t *testing.T) {
	text := strings.Repeat("0123456789abcde\n", 100_000)
	cut := len(text) / 2
	for name, f := range map[string]*File{
		"file":    open(t, write(t, "log", text), Options{}),
		"archive": open(t, write(t, "log.gz", gzipped1(text)), Options{}),
		"stream":  open(t, "-", Options{Stdin: strings.NewReader(text)}),
	} {
		f.CutAt(int64(cut))
		for _, job := range []Job{{File: f}, {File: f, Whole: true}, {File: f, To: int64(len(text))}, {File: f, To: 32}} {
			want := int64(cut)
			if job.To == 32 {
				want = 32
			}
			var n atomic.Int64
			r := Scan(t.Context(), []Job{job}, ScanOptions{Workers: 2}, func(_ int, b *Block) { n.Add(int64(len(b.Data))) })
			if r[0].Err != nil || n.Load() != want {
				t.Errorf("%s, %+v: %d bytes, want %d (%v)", name, job, n.Load(), want, r[0].Err)
			}
		}
	}
}
