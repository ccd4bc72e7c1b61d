package tail

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// neighboursKept bounds how many rotated pieces are looked at to find the one that was read last: a year of weekly ones.
const neighboursKept = 60

// pastKept is how many texts are remembered that were read: rotations that come so fast that a time does not tell them
// apart.
const pastKept = 4

// clockSlack is by how much a file's time may be behind the clock: file systems count in ticks, some in two seconds.
const clockSlack = 2 * time.Second

// adopt takes a file that has the log's name now, after what is left of those that had it before.
func (e *eye) adopt(t *trail, g *generation) {
	known, was := t.known, t.cur
	t.known, t.cur = Place{}, g
	defer t.show()
	g.grew, g.seen = e.now, e.now
	e.notice.watch(t, g)
	t.emptied = g.info.Size() == 0
	switch {
	case was != nil:
		was.grew = e.now
		t.leave(was)
		t.old = append(t.old, was)
		e.between(t, was.place())
	case known.Offset < 0:
		g.seekEnd()
	case known == Place{}:
	case g.begins(&known): // as it was left, or put back
		g.offset = known.Offset
		g.begin()
	default:
		e.between(t, known)
	}
}

// rewritten begins a file anew that was truncated, or written over in its place. What of its old text was not read yet is
// in the copy that was made before, if one was.
func (e *eye) rewritten(t *trail, g *generation) {
	if g == t.cur {
		e.between(t, g.place())
		t.leave(g)
		t.emptied = true
	}
	e.visit(&Piece{Log: t.number, Offset: g.offset, Older: g != t.cur, Last: true})
	// A writer that does not append goes on where it was, behind a hole.
	g.offset = nextData(g.f, 0, g.info.Size())
	if g.offset >= g.info.Size() {
		g.offset = 0
	}
	g.known, g.skip = 0, false
	g.begin()
}

// filled is asked when a file that was empty has text again, of which data is the beginning: it may have been filled,
// copied and emptied before anyone looked. It tells that all was read that came before data; else there is more now, or
// the file is another by now.
func (e *eye) filled(t *trail, data []byte) bool {
	known := Place{At: t.cur.grew}
	if n := len(t.past); n > 0 {
		known = t.past[n-1]
	}
	before := len(t.old)
	e.between(t, known)
	head := t.cur.beginning()
	t.emptied = len(t.old) > before || !bytes.HasPrefix(head, data[:min(len(data), len(head))])
	return !t.emptied
}

// beginning is the first bytes of a file as it is now.
func (g *generation) beginning() []byte {
	head := make([]byte, headBytes)
	n, _ := g.f.ReadAt(head, 0)
	return head[:n]
}

// leave remembers a text that is read no more.
func (t *trail) leave(g *generation) {
	if g.len > 0 {
		t.remember(g.place())
	}
}

func (t *trail) remember(p Place) {
	if len(t.past) == pastKept {
		t.past = slices.Delete(t.past, 0, 1)
	}
	t.past = append(t.past, p)
}

// wasRead tells whether a text that begins with head is one of those read before.
func (t *trail) wasRead(head []byte) bool {
	return slices.ContainsFunc(t.past, func(p Place) bool { return p.Fits(head) })
}

// between reads what was written after a place and before the log's present file: the rest of the piece that the place is
// in, unless it is open still, and pieces that came and went unseen. Archives are read at once, others join the old ones.
func (e *eye) between(t *trail, known Place) {
	var list []older
	for range steadyTries {
		var steady bool
		if list, steady = t.older(&known); steady {
			break
		}
		for _, o := range list {
			if o.file == nil {
				o.g.f.Close()
			}
		}
		list = nil
	}
	for _, o := range slices.Backward(list) {
		if o.file != nil {
			e.unpack(t, o.file, o.from)
			t.remember(Place{Head: sumOf(o.head), Len: len(o.head), At: e.now})
			continue
		}
		o.g.grew, o.g.seen, o.g.behind = e.now, e.now, true
		t.old = append(t.old, o.g)
		e.notice.watch(t, o.g)
	}
	t.show()
}

// steadyTries is how often the neighbours of a log are looked through again because they were renamed meanwhile.
const steadyTries = 20

// older is a piece that was not read, or not to its end.
type older struct {
	g    *generation
	file *File // of an archive
	from int64
	head []byte
}

// older lists what was written after a place and before the present file, newest first. steady tells that nothing was
// rotated meanwhile: names shift then, and the list is worthless.
func (t *trail) older(known *Place) (list []older, steady bool) {
	present := t.cur.beginning()
	names := Rotated(t.name)
	var newest fs.FileInfo
	for i, path := range names[:min(len(names), neighboursKept)] {
		file, err := Open(path, Options{NoFollow: t.opt.NoFollow})
		if err != nil {
			return list, false
		}
		if i == 0 {
			newest = file.info
		}
		head, err := file.Head(headBytes)
		g := &generation{info: file.info}
		if err != nil || len(head) == 0 || t.cur.same(g) || len(present) > 0 && (bytes.HasPrefix(head, present) || bytes.HasPrefix(present, head)) {
			continue // broken, or the present file or a copy of it
		}
		last := known.Fits(head)
		if t.holds(g) || last && t.open(known) || !last && (t.wasRead(head) || file.ModTime().Before(known.At.Add(-clockSlack))) {
			break // from here on all was read, or will be from the file that is open
		}
		if slices.ContainsFunc(list, func(o older) bool { return o.g != nil && o.g.same(g) }) {
			return list, false // the names shift just now
		}
		o := older{file: file, head: head}
		if last {
			o.from = known.Offset
		}
		if file.Plain() {
			if g, err = openGeneration(path, Options{NoFollow: true}); err != nil {
				return list, false
			}
			g.offset = o.from
			g.begin()
			o = older{g: g}
		}
		if list = append(list, o); last {
			break
		}
	}
	again := Rotated(t.name)
	if len(again) == 0 || newest == nil {
		return list, len(again) == 0 && newest == nil
	}
	info, err := os.Stat(again[0])
	return list, err == nil && os.SameFile(info, newest) && bytes.HasPrefix(t.cur.beginning(), present)
}

// holds tells whether a file is open as one that had the log's name.
func (t *trail) holds(g *generation) bool {
	return slices.ContainsFunc(t.old, g.same)
}

// open tells whether the file of a place is open still under no name that can be found, so that its rest is read there and
// not from a copy.
func (t *trail) open(known *Place) bool {
	return slices.ContainsFunc(t.old, func(o *generation) bool { return o.head == known.Head && o.len == known.Len })
}

// unpack reads an archive, once: nobody appends to it.
func (e *eye) unpack(t *trail, file *File, from int64) {
	defer file.Close()
	results := Scan(context.Background(), []Job{{File: file, From: from, Whole: true}}, ScanOptions{Workers: 1}, func(_ int, b *Block) {
		e.visit(&Piece{Log: t.number, Offset: b.Offset, Data: b.Data, Older: true, Last: b.Last})
	})
	if err := results[0].Err; err != nil {
		e.trouble(t, err)
	}
}

// RotatedAmong lists those of the given paths that are older pieces of the log path, newest first, by their names alone,
// as Rotated does with those of a folder. paths must be sorted.
func RotatedAmong(path string, paths []string) []string {
	base := filepath.Base(path)
	stem := path[:len(path)-len(filepath.Ext(base))]
	type old struct {
		path string
		age  age
	}
	var found []old
	i, _ := slices.BinarySearch(paths, stem)
	for ; i < len(paths) && strings.HasPrefix(paths[i], stem); i++ {
		if a, ok := rotatedAge(base, filepath.Base(paths[i])); ok {
			found = append(found, old{paths[i], a})
		}
	}
	slices.SortFunc(found, func(a, b old) int {
		return cmp.Or(cmp.Compare(a.age.kind, b.age.kind), cmp.Compare(a.age.order, b.age.order), cmp.Compare(a.path, b.path))
	})
	list := make([]string, len(found))
	for i, f := range found {
		list[i] = f.path
	}
	return list
}
