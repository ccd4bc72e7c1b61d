package tail

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Follower hands out what is appended to any number of logs, through rotation by renaming, copying and truncating,
// compressing or deletion, and through names that come and go. It has no goroutine and no buffer for each of them; a
// log costs a descriptor and some hundred bytes.
//
// Where the system tells of changes (inotify) it is told; file systems that others change too (NFS, CIFS, FUSE), and all
// where there is no inotify, are looked at by [Follower.Tick]. What a notice missed, a slow round of all logs finds.
//
// All methods but Wake belong to one goroutine. While another is in Read, it may call Text.
type Follower struct {
	opt    FollowOptions
	trails []*trail
	free   []int // numbers of trails that were removed
	eyes   []*eye
	ready  chan struct{}
	notice *notices // nil: the system tells of nothing
	round  int      // where the slow round stands
	strays bool
	behind bool   // the last Read left something
	quoted []byte // Text's

	mu    sync.Mutex // guards dirty, the marks of trails, and nothing else
	dirty []*trail   // to be looked at, each once, in this order
}

// eye is with what one goroutine looks at logs.
type eye struct {
	*Follower
	now   time.Time
	visit func(*Piece)
	buf   []byte
	left  int // of the turn of the log in hand, in bytes
}

// FollowOptions tune a Follower. The zero value is right.
type FollowOptions struct {
	// Round is how long it takes Tick to look at every log once, whether or not a notice came; 0 is a minute.
	Round time.Duration
	// Linger is how long a log that was rotated is still read after it last grew: servers that are restarted gracefully go
	// on writing to it until their last connection ends. 0 is a minute.
	Linger time.Duration
	// Blind asks the system for no notices.
	Blind bool
	// Trouble is told, from Read, why a log cannot be read, once for each reason, and nil when it can again. It is called by
	// several goroutines at once if Read is given several functions.
	Trouble func(log int, err error)

	turn int // bytes that one log may hand out before the next has its turn; tests lower it, and
	all  int // bytes after which a Read begins no more turns
}

// Bounds of what is handed out at a time, in bytes.
const (
	turnBytes = 1 << 20   // of one log, before the others have their turn: some 5,000 lines, 3 ms of judging
	readBytes = 16 << 20  // of all, before Read returns
	eyeBytes  = 256 << 10 // of one piece, but for a line that is longer
)

// Place is how far a log was read. It is kept while nobody follows, and finds the place again in a log that was rotated
// meanwhile, by its first bytes: the first line of a log has its time in it. Device and inode would not do, since copies
// have their own and numbers of inodes are used again.
type Place struct {
	Offset int64     `json:"offset"` // of the next line
	Head   uint64    `json:"head"`   // sum over the first HeadLen bytes
	Len    int       `json:"len"`
	At     time.Time `json:"at"` // when it was last looked at
}

// Piece is what a Follower hands out: whole lines of one log. Data is borrowed until visit returns.
type Piece struct {
	Log    int   // the number that Add gave
	Offset int64 // of Data[0] in the text of its file
	Data   []byte
	// Older tells that the lines stand in a file that was rotated, not in the one that has the log's name.
	Older bool
	// Last ends a file: what a parser kept open is whole. Data is empty.
	Last bool

	file io.ReaderAt
}

// Before asks carry, which is as in a [Job], what must be known at Offset: a reader that goes on in the middle of a file has not
// seen what stands before, of which the last reach bytes are read. It must not be called after visit has returned.
func (p *Piece) Before(reach int64, carry func(before, lines []byte) []byte) []byte {
	if p.file == nil || p.Offset == 0 || carry == nil {
		return nil
	}
	m := usual
	m.reach = reach
	return m.lookBack(p.file, p.Offset, carry)
}

// trail is one log that is followed.
type trail struct {
	number int
	name   string
	opt    Options
	gone   bool // removed
	cur    *generation
	old    []*generation // rotated, oldest first
	known  Place         // of the generation read last, while none is open
	past   []Place       // of texts that were read to their end, latest last
	// emptied tells that the present file was empty and nothing was read of it since: what it held meanwhile may have been
	// copied and truncated again.
	emptied bool
	polled  bool
	missing time.Time // since when there is no file of the name; zero: there is
	why     string    // the trouble that was told
	target  string    // where a link leads; "" when it is none

	files atomic.Pointer[[]*os.File] // of cur and old, the latest first, for who quotes from them meanwhile

	// Guarded by Follower.mu.
	marked bool // in dirty
	moved  bool // the name may mean another file
}

// show lets what is read be quoted from. It follows each change of what is open.
func (t *trail) show() {
	files := make([]*os.File, 0, len(t.old)+1)
	if t.cur != nil {
		files = append(files, t.cur.f)
	}
	for _, g := range slices.Backward(t.old) {
		files = append(files, g.f)
	}
	t.files.Store(&files)
}

// NewFollower returns a Follower of no log. Close it.
func NewFollower(opt FollowOptions) (*Follower, error) {
	opt.Round, opt.Linger = cmp.Or(opt.Round, time.Minute), cmp.Or(opt.Linger, time.Minute)
	opt.turn, opt.all = cmp.Or(opt.turn, turnBytes), cmp.Or(opt.all, readBytes)
	f := &Follower{opt: opt, ready: make(chan struct{}, 1)}
	if opt.Blind {
		return f, nil
	}
	var err error
	f.notice, err = newNotices(f)
	return f, err
}

// Add follows a log, which need not be there yet. from is how far it was read before; nil begins at its present end,
// the zero Place at its start. It returns the log's number: the first is 0, the next 1, but that of one that was removed is given again.
func (f *Follower) Add(name string, opt Options, from *Place) int {
	t := &trail{number: len(f.trails), name: name, opt: opt}
	if n := len(f.free); n > 0 {
		t.number, f.free = f.free[n-1], f.free[:n-1]
		f.trails[t.number] = t
	} else {
		f.trails = append(f.trails, t)
	}
	if from == nil {
		t.known.Offset = -1
	} else {
		t.known = *from
	}
	f.mark(t, true)
	return t.number
}

// Remove follows a log no longer. Its number means nothing then.
func (f *Follower) Remove(log int) {
	t := f.trails[log]
	t.gone = true
	f.free = append(f.free, log)
	for _, g := range append(t.old, t.cur) {
		f.drop(g)
	}
	t.cur, t.old = nil, nil
	t.show()
	f.notice.forget(t)
}

// Gone tells whether there has been no file of a log's name for an hour, and what it held was read to its end.
func (f *Follower) Gone(log int, now time.Time) bool {
	t := f.trails[log]
	return t.cur == nil && len(t.old) == 0 && !t.missing.IsZero() && now.Sub(t.missing) >= goneRest
}

// Place tells how far a log was read. ok is false if nothing is known yet. While a rotated file has lines left, it is the
// place in the oldest of them.
func (f *Follower) Place(log int) (p Place, ok bool) {
	t := f.trails[log]
	for _, g := range t.old {
		if g.behind {
			return g.place(), true
		}
	}
	if t.cur != nil {
		p = t.cur.place()
		if n := len(t.old); p.Len == 0 && n > 0 {
			// Of a text of which nothing was read there is nothing by which to find it again, once it is rotated too.
			p = t.old[n-1].place()
		}
		return p, true
	}
	return t.known, t.known.Offset >= 0
}

// Polled tells of how many logs the system gives no notice, so that they are looked at by Tick.
func (f *Follower) Polled() (n int) {
	for _, t := range f.trails {
		if !t.gone && f.polls(t) {
			n++
		}
	}
	return n
}

// Strangers tells whether files appeared beside the logs that are none of them, since it was last asked.
func (f *Follower) Strangers() bool {
	s := f.strays
	f.strays = false
	return s
}

// Ready has a value when there is something to read.
func (f *Follower) Ready() <-chan struct{} { return f.ready }

// Wake makes Ready true and the next Read look at every log. It may be called from any goroutine.
func (f *Follower) Wake() {
	f.mu.Lock()
	for _, t := range f.trails {
		f.markLocked(t, true)
	}
	f.mu.Unlock()
	f.signal()
}

// Tick is to be called every second or so. It looks at what the system gives no notice of, and at a part of all others.
func (f *Follower) Tick(now time.Time) {
	share := max(1, int(float64(len(f.trails))*float64(time.Second)/float64(f.opt.Round)))
	for i, t := range f.trails {
		if t.gone {
			continue
		}
		inRound := (i-f.round+len(f.trails))%len(f.trails) < share
		if inRound || f.polls(t) || t.cur == nil {
			f.mark(t, true)
		} else if len(t.old) > 0 {
			f.mark(t, false)
		}
	}
	if n := len(f.trails); n > 0 {
		f.round = (f.round + share) % n
	}
}

func (f *Follower) polls(t *trail) bool { return f.notice == nil || t.polled }

func (f *Follower) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *Follower) mark(t *trail, moved bool) {
	f.mu.Lock()
	f.markLocked(t, moved)
	f.mu.Unlock()
	f.signal()
}

func (f *Follower) markLocked(t *trail, moved bool) {
	t.moved = t.moved || moved
	if !t.marked {
		t.marked = true
		f.dirty = append(f.dirty, t)
	}
}

// Read hands out what the logs hold that changed, a turn of each, and returns. Each of visits is called by one goroutine, and all may be
// called at once while there is much; the pieces of one log come in order, to one of them. more tells that there is more at once.
func (f *Follower) Read(now time.Time, visits ...func(*Piece)) (more bool) {
	if !f.behind {
		visits = visits[:1] // waking another takes longer than it would help
	}
	defer func() { f.behind = more }()
	f.notice.take()
	f.mu.Lock()
	list := f.dirty
	f.dirty = nil
	f.mu.Unlock()
	r := round{f: f, list: list}
	r.left.Store(int64(f.opt.all))
	var others sync.WaitGroup
	for i, visit := range visits[:max(1, min(len(visits), len(list)))] {
		if i == len(f.eyes) {
			f.eyes = append(f.eyes, &eye{Follower: f, buf: make([]byte, eyeBytes)})
		}
		e := f.eyes[i]
		e.now, e.visit = now, visit
		if i > 0 {
			others.Go(func() { r.look(e) })
		}
	}
	r.look(f.eyes[0])
	others.Wait()
	if rest := list[min(int(r.next.Load()), len(list)):]; len(rest) > 0 {
		f.mu.Lock()
		f.dirty = append(slices.Clone(rest), f.dirty...)
		f.mu.Unlock()
		f.signal()
		return true
	}
	return r.more.Load()
}

// round is one Read.
type round struct {
	f    *Follower
	list []*trail
	next atomic.Int64 // of list
	left atomic.Int64 // bytes
	more atomic.Bool
}

// look looks at one log after the other.
func (r *round) look(e *eye) {
	for r.left.Load() > 0 {
		i := int(r.next.Add(1)) - 1
		if i >= len(r.list) {
			return
		}
		t := r.list[i]
		r.f.mu.Lock()
		moved := t.moved
		t.marked, t.moved = false, false
		r.f.mu.Unlock()
		if t.gone {
			continue
		}
		e.left = r.f.opt.turn
		if e.look(t, moved) {
			r.more.Store(true)
			r.f.mark(t, false)
		}
		r.left.Add(int64(e.left - r.f.opt.turn))
	}
}

// look reads a turn of one log; more tells that it has more.
func (e *eye) look(t *trail, moved bool) (more bool) {
	if moved || t.cur == nil {
		e.settle(t)
	}
	for i := 0; i < len(t.old); i++ {
		g := t.old[i]
		if e.grow(t, g) {
			more = true
		} else if e.now.Sub(g.grew) >= e.opt.Linger {
			e.end(t, g)
			t.old = slices.Delete(t.old, i, i+1)
			t.show()
			i--
		}
	}
	if t.cur != nil && e.grow(t, t.cur) {
		more = true
	}
	return more
}

// trouble tells why a log cannot be read, once, and that it can.
func (f *Follower) trouble(t *trail, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why == t.why {
		return
	}
	t.why = why
	if f.opt.Trouble != nil {
		f.opt.Trouble(t.number, err)
	}
}

// settle finds which file has the log's name now, and opens it if it is another than before.
func (e *eye) settle(t *trail) {
	e.notice.folders(t)
	g, err := openGeneration(t.name, t.opt)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Between renaming and making anew there is no file of the name; the old one is read on.
		e.trouble(t, nil)
		if t.missing.IsZero() {
			t.missing = e.now
		}
		if t.known.Offset < 0 || t.known == (Place{}) {
			t.known = Place{At: e.now} // what comes is new from its start
		}
		e.abandon(t)
		return
	case err != nil:
		e.trouble(t, fault(t.name, err))
		return
	}
	e.trouble(t, nil)
	t.missing = time.Time{}
	if t.cur != nil && t.cur.same(g) {
		g.f.Close()
		return
	}
	e.adopt(t, g)
}

// goneRest is for how long a file that has lost its name is read on after it last grew: whoever deletes a log does not hide what
// its server still writes into it. Then its room on the disk is wanted back.
const goneRest = time.Hour

// abandon lets a file go that has had no name for long. What comes under its name begins where it ended.
func (e *eye) abandon(t *trail) {
	g := t.cur
	if g == nil || e.now.Sub(g.grew) < goneRest {
		return
	}
	if info, err := g.f.Stat(); err == nil && info.Size() > g.offset+g.known {
		return
	}
	t.leave(g)
	t.known = g.place()
	e.end(t, g)
	t.cur = nil
	t.show()
}

// Close gives all descriptors back.
func (f *Follower) Close() error {
	for _, t := range f.trails {
		if !t.gone {
			f.Remove(t.number)
		}
	}
	return f.notice.close()
}

// stray tells whether a name that appeared may be a new log: not an older piece of one.
func stray(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".bz2", ".xz", ".zst", ".tmp", ".swp":
		return false
	}
	return strings.Trim(filepath.Ext(name), ".0123456789-") != "" || filepath.Ext(name) == ""
}
