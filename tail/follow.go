package tail

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Follower hands out what is appended to any number of logs, through rotation by renaming, copying and truncating,
// compressing or deletion, and through names that come and go. It has one goroutine and one buffer for all of them; a
// log costs a descriptor and some hundred bytes.
//
// Where the system tells of changes (inotify) it is told; file systems that others change too (NFS, CIFS, FUSE), and all
// where there is no inotify, are looked at by [Follower.Tick]. What a notice missed, a slow round of all logs finds.
//
// All methods but Wake belong to one goroutine.
type Follower struct {
	opt    FollowOptions
	trails []*trail
	buf    []byte
	ready  chan struct{}
	notice *notices // nil: the system tells of nothing
	round  int      // where the slow round stands
	strays bool
	again  []*trail // have more than one turn reads

	mu    sync.Mutex // guards dirty, the marks of trails, and nothing else
	dirty []*trail
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
	// Trouble is told, from Read and Tick, why a log cannot be read, once for each reason, and nil when it can again.
	Trouble func(log int, err error)

	turn int // bytes that one log may hand out before the next has its turn; tests lower it
}

// turnBytes is how much of one log is handed out before the others have their turn: some 5,000 lines, 3 ms of judging.
const turnBytes = 1 << 20

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
	why     string // the trouble that was told
	target  string // where a link leads; "" when it is none

	// Guarded by Follower.mu.
	marked bool // in dirty
	moved  bool // the name may mean another file
}

// NewFollower returns a Follower of no log. Close it.
func NewFollower(opt FollowOptions) (*Follower, error) {
	opt.Round, opt.Linger = cmp.Or(opt.Round, time.Minute), cmp.Or(opt.Linger, time.Minute)
	opt.turn = cmp.Or(opt.turn, turnBytes)
	f := &Follower{opt: opt, ready: make(chan struct{}, 1), buf: make([]byte, usual.block)}
	if opt.Blind {
		return f, nil
	}
	var err error
	f.notice, err = newNotices(f)
	return f, err
}

// Add follows a log, which need not be there yet. from is how far it was read before; nil begins at its present end,
// the zero Place at its start. It returns the log's number: the first is 0.
func (f *Follower) Add(name string, opt Options, from *Place) int {
	t := &trail{number: len(f.trails), name: name, opt: opt}
	f.trails = append(f.trails, t)
	if from == nil {
		t.known.Offset = -1
	} else {
		t.known = *from
	}
	f.mark(t, true)
	return t.number
}

// Remove follows a log no longer.
func (f *Follower) Remove(log int) {
	t := f.trails[log]
	t.gone = true
	for _, g := range append(t.old, t.cur) {
		f.drop(g)
	}
	t.cur, t.old = nil, nil
	f.notice.forget(t)
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

// Read hands out what the logs hold that changed, a turn of each, and returns. more tells that there is more at once.
func (f *Follower) Read(now time.Time, visit func(*Piece)) (more bool) {
	f.notice.take()
	f.mu.Lock()
	list := append(f.dirty, f.again...)
	f.dirty, f.again = nil, nil
	f.mu.Unlock()
	for _, t := range list {
		f.mu.Lock()
		moved := t.moved
		t.marked, t.moved = false, false
		f.mu.Unlock()
		if !t.gone && f.look(t, moved, now, visit) {
			f.again = append(f.again, t)
		}
	}
	if len(f.again) > 0 {
		f.signal()
	}
	return len(f.again) > 0
}

// look reads a turn of one log; more tells that it has more.
func (f *Follower) look(t *trail, moved bool, now time.Time, visit func(*Piece)) (more bool) {
	if moved || t.cur == nil {
		f.settle(t, now, visit)
	}
	left := f.opt.turn
	for i := 0; i < len(t.old); i++ {
		g := t.old[i]
		if f.grow(t, g, &left, now, visit) {
			more = true
		} else if now.Sub(g.grew) >= f.opt.Linger {
			f.end(t, g, visit)
			t.old = slices.Delete(t.old, i, i+1)
			i--
		}
	}
	if t.cur != nil && f.grow(t, t.cur, &left, now, visit) {
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
func (f *Follower) settle(t *trail, now time.Time, visit func(*Piece)) {
	f.notice.folders(t)
	g, err := openGeneration(t.name, t.opt)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Between renaming and making anew there is no file of the name; the old one is read on.
		f.trouble(t, nil)
		if t.known.Offset < 0 || t.known == (Place{}) {
			t.known = Place{At: now} // what comes is new from its start
		}
		f.abandon(t, now, visit)
		return
	case err != nil:
		f.trouble(t, fault(t.name, err))
		return
	}
	f.trouble(t, nil)
	if t.cur != nil && t.cur.same(g) {
		g.f.Close()
		return
	}
	f.adopt(t, g, now, visit)
}

// goneRest is for how long a file that has lost its name is read on after it last grew: whoever deletes a log does not hide what
// its server still writes into it. Then its room on the disk is wanted back.
const goneRest = time.Hour

// abandon lets a file go that has had no name for long. What comes under its name begins where it ended.
func (f *Follower) abandon(t *trail, now time.Time, visit func(*Piece)) {
	g := t.cur
	if g == nil || now.Sub(g.grew) < goneRest {
		return
	}
	if info, err := g.f.Stat(); err == nil && info.Size() > g.offset+g.known {
		return
	}
	t.leave(g)
	t.known = g.place()
	f.end(t, g, visit)
	t.cur = nil
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
