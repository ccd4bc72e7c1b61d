package tail

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Several look at many logs at once: each log's lines come in order, to one of them at a time, and no Read hands out much more than
// its bound.
func TestFollowBeside(t *testing.T) {
	const logs, lines, all = 40, 2000, 64 << 10 // some 22 KB a log
	both(t, func(t *testing.T, opt FollowOptions) {
		opt.turn, opt.all = 4<<10, all
		dir := t.TempDir()
		r := follow(t, opt)
		want := make([]string, logs)
		name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%d.log", i)) }
		say := func() {
			for i := range logs {
				var b strings.Builder
				for n := range lines {
					fmt.Fprintf(&b, "%d of %d\n", len(want[i])+n, i)
				}
				r.write(name(i), b.String())
				want[i] += b.String()
			}
		}
		say()
		for i := range logs {
			r.f.Add(name(i), Options{}, &Place{})
		}
		var held [logs]atomic.Bool
		var got [logs]strings.Builder
		var handed atomic.Int64
		visit := func(p *Piece) {
			if held[p.Log].Swap(true) {
				t.Errorf("log %d is in two hands", p.Log)
			}
			got[p.Log].Write(p.Data)
			handed.Add(int64(len(p.Data)))
			held[p.Log].Store(false)
		}
		read := func() {
			for more := true; more; {
				handed.Store(0)
				more = r.f.Read(r.now, visit, visit, visit)
				if n := handed.Load(); n > all+3*32<<10 {
					t.Errorf("%d bytes in one Read", n)
				}
			}
		}
		r.f.Wake()
		read()
		for i := range logs {
			r.do(os.Rename(name(i), name(i)+".1"))
			r.write(name(i), "")
		}
		say()
		r.f.Wake()
		read()
		r.f.Wake() // watching a file marks it
		read()
		for i := range logs {
			if got[i].String() != want[i] {
				t.Errorf("log %d: %d bytes, want %d", i, got[i].Len(), len(want[i]))
			}
		}
	})
}

// TestFollowGoesOnBehind stops while the first of three rotated files is being read. The others are older than the last look at
// it, and must be read all the same.
func TestFollowGoesOnBehind(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	r := follow(t, FollowOptions{})
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", 100_000) // more than a turn
	r.write(name, "1\n"+long)
	r.f.Add(name, Options{}, &Place{})
	r.f.Wake()
	if !r.f.Read(r.now, r.visit) {
		t.Fatal("all was read in one turn")
	}
	for i, text := range []string{"2\n", "3\n"} {
		for n := i; n >= 0; n-- {
			from := name
			if n > 0 {
				from += "." + strconv.Itoa(n)
			}
			r.do(os.Rename(from, name+"."+strconv.Itoa(n+1)))
		}
		r.write(name, text)
	}
	r.write(name, "")
	before := r.now.Add(-time.Hour)
	for _, n := range []string{name + ".2", name + ".1", name} {
		r.do(os.Chtimes(n, before, before))
	}
	r.f.Read(r.now, r.visit)
	p, ok := r.f.Place(0)
	if !ok {
		t.Fatal("no place")
	}
	r.f.Remove(0)
	r2 := follow(t, FollowOptions{})
	r2.f.Add(name, Options{}, &p)
	r2.look()
	if got := r.text[0] + r2.text[0]; got != "1\n"+long+"2\n3\n" {
		t.Errorf("%d bytes of %d, the last %q", len(got), len(long)+6, got[len(got)-min(len(got), 8):])
	}
}

// TestFollowGoesOnFromNothing ends when the log has just been rotated and its new file is empty, and goes on after rotations in the same
// second: what was read before is not read again.
func TestFollowGoesOnFromNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	rotate := func(r *reader, last int, text string) {
		for n := last; n > 0; n-- {
			r.do(os.Rename(name+"."+strconv.Itoa(n), name+"."+strconv.Itoa(n+1)))
		}
		r.do(os.Rename(name, name+".1"))
		r.write(name, text)
	}
	r := follow(t, FollowOptions{})
	r.write(name, "1\n")
	r.f.Add(name, Options{}, &Place{})
	r.want(0, "1\n")
	rotate(r, 0, "2\n")
	r.want(0, "2\n")
	rotate(r, 1, "")
	r.want(0, "")
	p, ok := r.f.Place(0)
	if !ok {
		t.Fatal("no place")
	}
	r.f.Remove(0)
	r2 := follow(t, FollowOptions{})
	r2.write(name, "3\n")
	rotate(r2, 2, "4\n")
	r2.f.Add(name, Options{}, &p)
	r2.want(0, "3\n4\n")
}

// TestFollowExact writes as fast as it can while it rotates, and wants every line once.
func TestFollowExact(t *testing.T) {
	const lines, rotations = 200_000, 20
	for how, rotate := range map[string]func(name string, w **os.File) error{
		"rename": func(name string, w **os.File) error {
			if err := os.Rename(name, name+".1"); err != nil {
				return err
			}
			file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
			if err == nil {
				err = (*w).Close()
				*w = file
			}
			return err
		},
		"copytruncate": func(name string, w **os.File) error {
			in, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(name+".1", in, 0o644)
			}
			if err == nil {
				err = (*w).Truncate(0)
			}
			return err
		},
	} {
		both(t, func(t *testing.T, opt FollowOptions) {
			t.Run(how, func(t *testing.T) {
				if runtime.GOOS == "windows" {
					t.Skip("Windows renames no file that is open")
				}
				name := filepath.Join(t.TempDir(), "access.log")
				r := follow(t, opt)
				r.f.Add(name, Options{}, &Place{})
				r.look()
				wrote := make(chan error, 1)
				go func() { wrote <- writeAndRotate(name, lines, rotations, rotate) }()
				var seen [lines]bool
				n := 0
				visit := func(p *Piece) {
					for line := range bytes.Lines(p.Data) {
						i, err := strconv.Atoi(string(line[:6]))
						if err != nil || i >= lines || seen[i] {
							t.Fatalf("line %q came twice or is none", line)
						}
						seen[i] = true
						n++
					}
				}
				done := false
				for deadline := time.Now().Add(time.Minute); !done || n < lines; {
					select {
					case err := <-wrote:
						if err != nil {
							t.Fatal(err)
						}
						done = true
						r.f.Wake()
					case <-r.f.Ready():
						r.f.Read(time.Now(), visit)
					default:
						if opt.Blind {
							r.f.Wake()
						}
						runtime.Gosched()
					}
					if time.Now().After(deadline) {
						first := 0
						for first < lines && seen[first] {
							first++
						}
						t.Fatalf("%d of %d lines were handed out; the first that is missing is %d", n, lines, first)
					}
				}
			})
		})
	}
}

func writeAndRotate(name string, lines, rotations int, rotate func(string, **os.File) error) error {
	w, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { w.Close() }()
	var b bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&b, "%06d 192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] \"GET /index.html HTTP/1.1\" 200 1234\n", i)
		if i%7 == 6 || i == lines-1 { // whole lines and halves
			cut := b.Len()
			if i%2 == 0 && i < lines-1 {
				cut -= 10
			}
			if _, err := io.CopyN(w, &b, int64(cut)); err != nil {
				return err
			}
		}
		if per := lines / rotations; i%per == per-1 && i < lines-1 {
			if _, err := io.Copy(w, &b); err != nil {
				return err
			}
			for n := rotations; n > 0; n-- {
				_ = os.Rename(name+"."+strconv.Itoa(n), name+"."+strconv.Itoa(n+1))
			}
			if err := rotate(name, &w); err != nil {
				return err
			}
		}
	}
	return nil
}
