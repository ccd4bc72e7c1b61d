package tail

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reader follows logs by a clock of its own and keeps what it is given.
type reader struct {
	t    *testing.T
	f    *Follower
	now  time.Time
	text map[int]string
	last map[int]int
	why  map[int]error
}

func follow(t *testing.T, opt FollowOptions) *reader {
	t.Helper()
	r := &reader{t: t, now: time.Now(), text: map[int]string{}, last: map[int]int{}, why: map[int]error{}}
	opt.Trouble = func(log int, err error) { r.why[log] = err }
	var err error
	if r.f, err = NewFollower(opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.f.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// look reads all there is, as after a notice for every log.
func (r *reader) look() {
	r.f.Wake()
	for r.f.Read(r.now, r.visit) {
	}
}

func (r *reader) visit(p *Piece) {
	r.text[p.Log] += string(p.Data)
	if p.Last {
		r.last[p.Log]++
	}
}

// want compares what was handed out of a log since the last time.
func (r *reader) want(log int, want string) {
	r.t.Helper()
	r.look()
	if got := r.text[log]; got != want {
		r.t.Errorf("handed out %.200q, want %.200q", got, want)
	}
	r.text[log] = ""
}

func (r *reader) write(name, text string) {
	r.t.Helper()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = file.WriteString(text)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) do(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// both runs a test with the system's notices and without.
func both(t *testing.T, run func(t *testing.T, opt FollowOptions)) {
	t.Run("notices", func(t *testing.T) { run(t, FollowOptions{}) })
	t.Run("blind", func(t *testing.T) { run(t, FollowOptions{Blind: true}) })
}

func TestFollow(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r, dir := follow(t, opt), t.TempDir()
		a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "later", "b.log")
		r.write(a, "old\nhalf")
		atEnd, fromStart, later := r.f.Add(a, Options{}, nil), r.f.Add(a, Options{}, &Place{}), r.f.Add(b, Options{}, nil)
		r.want(atEnd, "")
		r.want(fromStart, "old\n")
		r.write(a, " line\nnext\nno end yet")
		r.want(atEnd, "half line\nnext\n")
		r.want(fromStart, "half line\nnext\n")
		r.want(atEnd, "")
		r.write(a, "\n")
		r.want(atEnd, "no end yet\n")
		r.do(os.Mkdir(filepath.Dir(b), 0o755))
		r.write(b, "first\n")
		r.look()
		r.want(later, "first\n") // what is made while it is followed is new from its start
	})
}

// A follower that goes on in the middle of a log tells what stands before, no further back than it is asked to look.
func TestFollowBefore(t *testing.T) {
	text := "#one\na\n" + strings.Repeat("filling\n", 10)
	path := write(t, "log", text+"new\n")
	r := follow(t, FollowOptions{Blind: true})
	place := Place{Offset: int64(len(text)), Head: sumOf([]byte(text)), Len: len(text)}
	r.f.Add(path, Options{}, &place)
	got := map[int64]string{}
	r.f.Wake()
	for r.f.Read(r.now, func(p *Piece) {
		for _, reach := range []int64{10, 1000} {
			got[reach] = string(p.Data) + string(p.Before(reach, lastMark))
		}
	}) {
	}
	if got[10] != "new\n" || got[1000] != "new\n1#one" {
		t.Errorf("%v", got)
	}
}

func TestFollowRename(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r, name := follow(t, opt), filepath.Join(t.TempDir(), "access.log")
		r.write(name, "1\n")
		log := r.f.Add(name, Options{}, &Place{})
		r.want(log, "1\n")
		r.write(name, "2\n")
		r.do(os.Rename(name, name+".1"))
		r.write(name+".1", "3\n") // the server has not been told yet
		r.want(log, "2\n3\n")
		r.write(name, "4\n")
		r.write(name+".1", "5\n") // a connection that lasted
		r.want(log, "5\n4\n")
		r.write(name+".1", "its last words")
		r.now = r.now.Add(59 * time.Second)
		r.want(log, "")
		r.now = r.now.Add(2 * time.Minute)
		r.want(log, "its last words")
		if r.last[log] != 1 {
			t.Errorf("%d files were ended, want 1", r.last[log])
		}
	})
}

// Pieces that came and went between two looks are read too, each once.
func TestFollowUnseen(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r, name := follow(t, opt), filepath.Join(t.TempDir(), "access.log")
		r.write(name+".1", "from long ago\n")
		r.do(os.Chtimes(name+".1", r.now.Add(-time.Hour), r.now.Add(-time.Hour)))
		r.write(name, "1\n")
		log := r.f.Add(name, Options{}, &Place{})
		r.want(log, "1\n")
		for i := 2; i < 7; i++ {
			for n := i; n > 0; n-- {
				if err := os.Rename(name+"."+strconv.Itoa(n), name+"."+strconv.Itoa(n+1)); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			r.do(os.Rename(name, name+".1"))
			r.write(name, strconv.Itoa(i)+"\n")
		}
		r.want(log, "2\n3\n4\n5\n6\n")
		r.want(log, "")
	})
}

func TestFollowCopyTruncate(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r, name := follow(t, opt), filepath.Join(t.TempDir(), "access.log")
		rotate := func() {
			r.t.Helper()
			for n := 5; n > 0; n-- {
				_ = os.Rename(name+"."+strconv.Itoa(n), name+"."+strconv.Itoa(n+1))
			}
			b, err := os.ReadFile(name)
			r.do(err)
			r.do(os.WriteFile(name+".1", b, 0o644))
			r.do(os.Truncate(name, 0))
		}
		r.write(name, "1\n2\n")
		log := r.f.Add(name, Options{}, &Place{})
		r.want(log, "1\n2\n")
		r.write(name, "3\n")
		rotate()
		r.want(log, "3\n") // from the copy
		r.write(name, "4\n")
		r.want(log, "4\n")
		rotate()
		r.write(name, "longer than all that was before\n") // truncated and grown beyond
		r.want(log, "longer than all that was before\n")
		rotate()
		r.look()
		r.write(name, "never looked at\n")
		rotate()
		r.write(name, "5\n")
		r.want(log, "never looked at\n5\n")
		r.do(os.Truncate(name, 0)) // without a copy
		r.write(name, "6\n")
		r.want(log, "6\n")
		r.want(log, "")
	})
}

func TestFollowGzipAndDeletion(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows deletes no file that is open")
		}
		r, name := follow(t, opt), filepath.Join(t.TempDir(), "access.log")
		r.write(name, "1\n")
		log := r.f.Add(name, Options{}, &Place{})
		r.want(log, "1\n")
		r.write(name, "2\n")
		compressAway(r, name, name+".1.gz")
		r.write(name, "3\n")
		r.want(log, "2\n3\n")
		r.do(os.Remove(name))
		r.want(log, "")
		r.write(name, "4\n")
		r.want(log, "4\n")
	})
}

// A log that was deleted is read as long as its server writes into it, and an hour longer; then its file is let go.
func TestFollowDeletedForLong(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows deletes no file that is open")
		}
		r, name := follow(t, opt), filepath.Join(t.TempDir(), "access.log")
		server, err := os.Create(name)
		r.do(err)
		defer server.Close()
		say := func(text string) {
			_, err := server.WriteString(text)
			r.do(err)
		}
		say("1\n")
		log := r.f.Add(name, Options{}, &Place{})
		r.want(log, "1\n")
		r.do(os.Remove(name))
		r.now = r.now.Add(goneRest - time.Second)
		say("2\n")
		r.want(log, "2\n")
		r.now = r.now.Add(goneRest)
		say("3\n")
		r.want(log, "3\n")
		if r.f.trails[log].cur == nil {
			t.Error("it was let go while its server writes")
		}
		r.now = r.now.Add(goneRest)
		say("4") // and no line's end
		r.want(log, "")
		r.now = r.now.Add(goneRest)
		r.want(log, "4")
		if r.f.trails[log].cur != nil || r.last[log] != 1 {
			t.Errorf("it is held still; its end was told %d times", r.last[log])
		}
		if p, ok := r.f.Place(log); !ok || p.Offset != 6 {
			t.Errorf("its place is %+v, %t", p, ok)
		}
		if !r.f.Gone(log, r.now) {
			t.Error("it does not say that it is gone")
		}
		r.write(name, "5\n")
		r.want(log, "5\n")
		if r.f.Gone(log, r.now) {
			t.Error("it says that it is gone though it came again")
		}
	})
}

// Numbers of logs that were removed are given again, and what they were is forgotten.
func TestFollowRemoved(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r, dir := follow(t, opt), t.TempDir()
		a, b, c := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log"), filepath.Join(dir, "c.log")
		for _, name := range []string{a, b, c} {
			r.write(name, name+"\n")
		}
		first, second := r.f.Add(a, Options{}, &Place{}), r.f.Add(b, Options{}, &Place{})
		r.want(first, a+"\n")
		r.want(second, b+"\n")
		r.write(a, "nobody wants this\n") // and it is marked
		r.f.Remove(first)
		if n := r.f.Add(c, Options{}, &Place{}); n != first {
			t.Errorf("number %d, want %d again", n, first)
		}
		r.want(first, c+"\n")
		r.write(a, "nor this\n")
		r.write(c, "more\n")
		r.want(first, "more\n")
		r.want(second, "")
		if n := len(r.f.trails); n != 2 {
			t.Errorf("%d logs are remembered", n)
		}
	})
}

// compressAway compresses a file and deletes it.
func compressAway(r *reader, name, to string) {
	r.t.Helper()
	text, err := os.ReadFile(name)
	r.do(err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(text)
	r.do(err)
	r.do(z.Close())
	r.do(os.WriteFile(to, b.Bytes(), 0o644))
	r.do(os.Remove(name))
}

// A place leads on after a stop, whatever happened to the file meanwhile.
func TestFollowGoesOn(t *testing.T) {
	for what, c := range map[string]struct {
		do   func(r *reader, name string)
		want string
	}{
		"nothing": {func(*reader, string) {}, ""},
		"grown":   {func(r *reader, name string) { r.write(name, "3\n") }, "3\n"},
		"renamed": {func(r *reader, name string) {
			r.write(name, "3\n")
			r.do(os.Rename(name, name+".1"))
			r.write(name, "4\n")
		}, "3\n4\n"},
		"gone":      {func(r *reader, name string) { r.do(os.Remove(name)) }, ""},
		"truncated": {func(r *reader, name string) { r.do(os.Truncate(name, 0)); r.write(name, "3\n") }, "3\n"},
		"compressed": {func(r *reader, name string) {
			r.write(name, "3\n")
			compressAway(r, name, name+".2.gz")
			r.write(name+".1", "4\n")
			r.write(name, "5\n")
		}, "3\n4\n5\n"},
		"copied": {func(r *reader, name string) {
			r.write(name, "3\n")
			b, err := os.ReadFile(name)
			r.do(err)
			r.do(os.WriteFile(name+".1", b, 0o644))
			r.do(os.Truncate(name, 0))
			r.write(name, "4 and much more than there was\n")
		}, "3\n4 and much more than there was\n"},
		"restored": {func(r *reader, name string) {
			b, err := os.ReadFile(name)
			r.do(err)
			r.do(os.Remove(name))
			r.do(os.WriteFile(name, append(b, "3\n"...), 0o644))
		}, "3\n"},
	} {
		t.Run(what, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "access.log")
			r := follow(t, FollowOptions{})
			r.write(name, "1\n2\n")
			r.f.Add(name, Options{}, &Place{})
			r.want(0, "1\n2\n")
			p, ok := r.f.Place(0)
			if !ok {
				t.Fatal("no place")
			}
			r.f.Remove(0)
			c.do(r, name)
			r2 := follow(t, FollowOptions{})
			r2.f.Add(name, Options{}, &p)
			r2.want(0, c.want)
		})
	}
}

func TestFollowLongLines(t *testing.T) {
	r, name := follow(t, FollowOptions{Blind: true}), filepath.Join(t.TempDir(), "access.log")
	log := r.f.Add(name, Options{}, &Place{})
	long := strings.Repeat("x", usual.line*3)
	for i := 0; i < len(long); i += 100_000 {
		r.write(name, long[i:min(i+100_000, len(long))])
		r.look()
	}
	r.write(name, "\nnext\n")
	r.look()
	got := r.text[log]
	if !strings.HasSuffix(got, "next\n") || len(got) != usual.line+len("next\n") {
		t.Errorf("of a line of %d bytes %d were handed out, then %.20q", len(long), len(got), got[min(usual.line, len(got)):])
	}
	r.text[log] = ""
	fit := strings.Repeat("y", usual.line-1) + "\n"
	for i := 0; i < len(fit); i += 100_000 {
		r.write(name, fit[i:min(i+100_000, len(fit))])
		r.look()
	}
	if r.text[log] != fit {
		t.Errorf("of a line of %d bytes %d were handed out", len(fit), len(r.text[log]))
	}
}

func TestFollowTrouble(t *testing.T) {
	r, dir := follow(t, FollowOptions{}), t.TempDir()
	name, link := filepath.Join(dir, "access.log"), filepath.Join(dir, "link.log")
	log := r.f.Add(name, Options{NoFollow: true}, &Place{})
	r.do(os.Mkdir(name, 0o755))
	r.look()
	if r.why[log] == nil {
		t.Error("a folder was taken for a log")
	}
	r.do(os.Remove(name))
	r.write(name, "1\n")
	r.want(log, "1\n")
	if r.why[log] != nil {
		t.Error(r.why[log])
	}
	if runtime.GOOS == "windows" {
		return
	}
	r.do(os.Symlink(name, link))
	refused, followed := r.f.Add(link, Options{NoFollow: true}, &Place{}), r.f.Add(link, Options{}, &Place{})
	r.want(refused, "")
	if r.why[refused] == nil {
		t.Error("a user's link was followed")
	}
	r.want(followed, "1\n")
}
