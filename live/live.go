// Package live is the daemon's pipeline: it follows the logs and the journal, looks at the connections, judges while it
// reads, and tells or acts.
//
// A few workers read, parse and find out which rules requests fit, each log one at a time, and one goroutine counts and judges what they hand
// over in batches; it waits until all that was read was judged before it looks at anything else, so that places and counts agree. Accusations go to another one,
// the actor, which owns the firewalls; name servers are asked beside it. Neither waits for who is told. What was
// read is remembered by place, so that after a stop or a crash no line is missed and none counts twice; what was
// read before is read again for the longest window, muted.
//
// It runs on every system; where one tells of no changes in files they are looked at every second.
package live

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/tail"
)

// Keeper brings blocks into force; *block.Keeper does. It is called from one goroutine.
type Keeper interface {
	Block(ctx context.Context, requests ...block.Request) (*block.Outcome, error)
	Sync(ctx context.Context, drivers ...string) (*block.Outcome, []block.Synced, error)
}

// Options say what is followed and what is done. Clock, Host, Zone, Rules and Tell must be set.
type Options struct {
	gather.Options
	Rules    *rules.Set
	Networks geo.Networks
	Bots     *bots.Set
	Resolver *bots.Resolver // nil: no name server is asked
	Conns    bool           // look at connections
	Once     bool           // read what is there, and end
	History  History        // nil: nothing is remembered
	Keeper   Keeper         // nil: nothing is blocked
	Drivers  []string       // to block with
	// Behind tells whether a driver refuses who comes through a trusted proxy; nil: none does, all see the proxy in its place.
	Behind func(driver string) bool
	Sync   time.Duration // how often the firewalls are compared with what is wanted; 0: every ten minutes
	// Local acts on what local accounts may have written too.
	Local  bool
	Policy Policy
	// Reload, if not nil, asks for the configuration to be read anew each time something comes from it. Renew reads it, on a
	// goroutine of its own, never two at once; its error says what is wrong and leaves all as it was. Of what it returns
	// these are taken over: Zone, Proxies, CDN, Extra, Rules, Networks, Bots, Resolver, Keeper, Drivers, Sync, Local, Policy.
	Reload <-chan struct{}
	Renew  func(ctx context.Context) (*Options, error)
	// Taken, of what Renew returned, is called once: with true when nothing of what was before is used any more, with false
	// when it is itself not used.
	Taken func(bool)
	// Recorder, if not nil and there is a History, is given what was counted, every minute. Past, if not nil, is what it knows
	// of the last hour.
	Recorder Recorder
	Past     *report.History
	// Asks brings those who want to know what is known now. What comes must have room for the answer.
	Asks <-chan chan<- *Present
	// Metrics, if not nil, is filled.
	Metrics *Metrics
	// Tell is given the messages, *Start first and *End last, from one goroutine at a time. It must not keep them.
	Tell func(message any)
	// Ease, if not nil, is called when much that was needed is needed no more: following has begun, what was before was read,
	// logs fell quiet, or very many blocks were compared; from any goroutine.
	Ease func()
	// Beat, if not nil, is called every second while all is well, and once with ready when following has begun.
	Beat func(ready bool)

	quiet *Quiet // the actor's

	pace time.Duration // tests set it: between two rounds of what is done by the clock, and how often the state is saved
}

// Bounds of time.
const (
	saveEvery     = 5 * time.Second
	discoverEvery = 5 * time.Minute
	// strangersRest is how soon new files are looked at: a panel makes many logs at once.
	strangersRest = 10 * time.Second
	ageEvery      = time.Minute
	syncEvery     = 10 * time.Minute
	// sayAgain is after how long an address that goes on is accused anew: its block may be over.
	sayAgain = 10 * time.Minute
)

// warden is a run of the pipeline. All fields belong to the goroutine that judges; while logs are read, workers look at them, and it changes
// none that they need: see [warden.read].
type warden struct {
	opt     Options
	table   *judge.Table
	claims  bots.Claims
	tail    *tail.Follower
	workers []*worker
	visits  []func(*tail.Piece) // theirs
	batches chan *batch
	taken   []*batch      // from there, to be judged
	turns   chan struct{} // when nothing is read any more
	reading bool          // which is not yet so
	halting atomic.Bool   // no other turn is to begin
	turn    time.Time     // when the present one began; the readers'
	feeds   []*feed       // by their numbers; nil: the log is followed no more
	byPath  map[string]*feed
	byName  map[string]int    // numbers of feeds, by the names that readings bear
	sources []*gather.Sources // they hold the files of the feeds
	actor   *actor
	said    map[netip.Addr]said
	groups  map[connwarden.Subject]said
	now     time.Time
	lines   uint64
	bad     uint64
	cursor  string // of the journal
	changed bool   // something was read since the state was saved
	missed  bool   // a log that the user named could not be read
	saving  chan error
	filled  chan *judge.Table
	journal chan *journalBlock
	conns   chan *snapshot
	ends    ends // of connections, counted as they are heard of

	meter *meter
	notes *notes
	began time.Time

	metrics   *Metrics
	sink      *counter
	journaled bool // the journal is followed
	quiet     *Quiet
	quietAt   time.Time // when its file was written
	renewed   chan renewal
	renewing  bool
	again     bool // another reload is asked for
	renewals  int
	filling   bool // backfill reads

	rested   time.Time        // from when on it may judge again
	unjudged <-chan time.Time // comes then; nil: all was judged
}

// said is what was told of an address or group.
type said struct {
	word   string
	proved bool
	at     time.Time
}

// ErrMissed is what Run ends with if a log that the user named could not be read, and all else was, once.
var ErrMissed = errors.New("a log that was named could not be read")

// Run follows until ctx is done, or with Once until all was read. The error is ErrMissed, about the options, or of the
// history.
func Run(ctx context.Context, opt Options) error {
	notes := &notes{peers: map[string]*note{}, groups: map[string]*note{}}
	opt.Tell = notes.telling(opt.Tell)
	w := &warden{
		opt: opt, byPath: map[string]*feed{}, byName: map[string]int{}, said: map[netip.Addr]said{}, groups: map[connwarden.Subject]said{}, now: opt.Clock(),
		saving: make(chan error, 1), filled: make(chan *judge.Table, 1), journal: make(chan *journalBlock), conns: make(chan *snapshot),
		renewed: make(chan renewal), notes: notes,
	}
	w.began = w.now
	if w.opt.Metrics == nil {
		w.opt.Metrics = &Metrics{}
	}
	w.metrics = w.opt.Metrics
	w.metrics.reloaded.Store(w.now.Unix())
	w.saving <- nil
	w.table = w.newTable()
	w.meter = newMeter(w.table, &w.now, w.opt.Zone)
	w.sink = &counter{w.meter, w.metrics}
	w.employ()
	actors := w.opt // a reload changes each by its own goroutine
	w.actor = newActor(&actors, &w.claims)
	var err error
	w.tail, err = tail.NewFollower(tail.FollowOptions{Trouble: w.trouble})
	if err != nil {
		return err
	}
	defer w.tail.Close()
	state := &State{}
	if opt.History != nil {
		if state, err = opt.History.Load(ctx); err != nil {
			return err
		}
	}
	w.remember(opt.Past)
	w.meter.restore(state.Counted)
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	w.actor.start(inner)
	if err := w.begin(ctx, inner, state); err != nil {
		w.actor.stop()
		return err
	}
	defer func() {
		for _, s := range w.sources {
			s.Close()
		}
	}()
	if opt.Once {
		w.once()
	} else {
		w.loop(ctx)
	}
	w.actor.stop()
	stop()
	if err = w.save(context.WithoutCancel(ctx), true); err == nil && opt.Once && w.missed {
		err = ErrMissed
	}
	w.opt.Tell(&End{Head: head("end", w.opt.Clock()), Lines: w.lines, Unparsed: w.bad, Verdicts: w.actor.verdicts, Blocks: w.actor.blocks})
	return err
}

func (w *warden) newTable() *judge.Table {
	t := judge.New(w.judging())
	t.Follow()
	return t
}

// once reads all there is.
func (w *warden) once() {
	w.read()
	w.drain()
	w.flush()
	w.judge()
}

func (w *warden) loop(ctx context.Context) {
	tick := time.NewTicker(cmp.Or(w.opt.pace, time.Second))
	defer tick.Stop()
	saved, aged, discovered := w.now, w.now, w.now
	strangers := false
	w.ease() // finding and recognising took more than following does
	if w.opt.Beat != nil {
		w.opt.Beat(true)
	}
	for {
		ready := w.tail.Ready()
		if w.reading {
			ready = nil
			w.expect()
		}
		select {
		case b := <-w.batches:
			w.take(b)
			w.judgeSoon()
		case <-w.turns:
			w.reading = false
			w.drain()
			w.judgeSoon()
		case <-w.unjudged:
			w.unjudged = nil
			w.judgeSoon()
		case <-ready:
			w.read()
		case <-ctx.Done():
			if w.halt(); w.unjudged != nil {
				w.judge()
			}
			return
		case b := <-w.journal:
			w.now = w.opt.Clock()
			w.entries(b)
			w.judgeSoon()
		case s := <-w.conns:
			w.now = w.opt.Clock()
			w.fold(s)
			w.judgeSoon()
		case to := <-w.opt.Asks:
			w.now = w.opt.Clock()
			to <- w.present()
		case <-w.opt.Reload:
			w.halt()
			w.reload(ctx)
		case r := <-w.renewed:
			w.halt()
			w.renew(ctx, r)
		case t := <-w.filled:
			w.halt()
			if w.renewals > 0 {
				t.Renew(w.judging())
			}
			w.table.Merge(t)
			w.filling = false
			w.ease()
		case <-tick.C:
			w.halt()
			w.tail.Tick(w.now)
			w.quietly()
			w.actor.tick()
			w.gauge()
			strangers = w.tail.Strangers() || strangers
			if rest := w.now.Sub(discovered); rest >= discoverEvery || strangers && rest >= strangersRest {
				strangers, discovered = false, w.now
				w.discover(ctx)
			}
			if w.now.Sub(aged) >= ageEvery {
				aged = w.now
				w.age()
			}
			if w.now.Sub(saved) >= cmp.Or(w.opt.pace, saveEvery) {
				saved = w.now
				if err := w.save(ctx, false); err != nil {
					w.problem("history", err.Error())
				}
			}
			if w.opt.Beat != nil {
				w.opt.Beat(false)
			}
		}
	}
}

// halt waits until all that is being read was judged, and looks at the clock.
func (w *warden) halt() {
	w.pause()
	w.now = w.opt.Clock()
}

func (w *warden) ease() {
	if w.opt.Ease != nil {
		w.opt.Ease()
	}
}

func (w *warden) age() {
	w.table.Age(w.now)
	w.meter.age()
	w.forgetGone()
	if w.rest() {
		w.ease()
	}
	for a, s := range w.said {
		if w.now.Sub(s.at) >= sayAgain {
			delete(w.said, a)
		}
	}
	for g, s := range w.groups {
		if w.now.Sub(s.at) >= sayAgain {
			delete(w.groups, g)
		}
	}
}

func (w *warden) problem(what, why string) { w.actor.problem(what, why) }

// trouble is told why a log cannot be read.
func (w *warden) trouble(log int, err error) {
	if err != nil && !errors.Is(err, connwarden.ErrNotFound) {
		w.problem(w.feeds[log].source.Log.Shown, gather.Reason(err))
	}
}

// settled tells whether nothing could be said of an address now that was not said lately.
func (w *warden) settled(a netip.Addr) bool {
	s, ok := w.said[a]
	return ok && s.word == connwarden.VerdictMalicious && s.proved && w.now.Sub(s.at) < sayAgain
}

// judgeSoon judges, at once or when it has rested: in a flood each look at everybody who was touched is long, and reading must go on. It
// rests three times as long as it looked, four times as long while that is short enough for nobody to notice, and seven times as long after a
// long look: then all that can be spared is needed for reading.
func (w *warden) judgeSoon() {
	w.now = w.opt.Clock()
	if wait := time.Until(w.rested); wait > 0 {
		if w.unjudged == nil {
			w.unjudged = time.After(wait)
		}
		return
	}
	w.unjudged = nil
	took := w.judge()
	rest := max(3*took, min(4*took, shortRest))
	if took >= longLook {
		rest = 7 * took
	}
	w.rested = time.Now().Add(rest)
}

const (
	// shortRest is not noticed beside what it takes to block somebody.
	shortRest = 10 * time.Millisecond
	// longLook is what some thousands of addresses take, of which something else is to be said.
	longLook = 15 * time.Millisecond
)

// judge accuses whom the rules speak against since it last did. It tells how long it looked, without what was read meanwhile.
func (w *warden) judge() (took time.Duration) {
	began := time.Now()
	peers, groups := w.table.Touched(w.now, w.settled)
	words := make([]said, 0, len(peers)) // what is to be said of those that stay
	peers = slices.DeleteFunc(peers, func(v judge.Judged) bool {
		s, news := w.news(&v)
		if news {
			words = append(words, s)
		}
		return !news
	})
	groups = slices.DeleteFunc(groups, func(v judge.Judged) bool {
		word := connwarden.Word(v.Score)
		old, ok := w.groups[v.Subject]
		return word == connwarden.VerdictNormal || ok && w.now.Sub(old.at) < sayAgain && (old.word == connwarden.VerdictMalicious || old.word == word)
	})
	if len(peers) > 0 && len(w.opt.Policy.Sites) > 0 { // those who read change what tells the site of a line
		took = time.Since(began)
		w.pause()
		began = time.Now()
	}
	for i := range peers {
		v, s := &peers[i], words[i]
		w.quote(v)
		sites := w.localize(v)
		if sites != nil {
			s.word, s.proved = connwarden.Word(v.Score), w.weighs(v, sites)
			if old, ok := w.said[v.Addr]; ok && old.word == s.word && old.proved == s.proved && w.now.Sub(old.at) < sayAgain {
				continue
			}
		}
		w.said[v.Addr] = s
		w.meter.accuse(v.Addr, s.word)
		w.actor.accuse(accusation{judged: *v, peer: w.table.Peer(v.Addr), sites: sites, at: w.now})
	}
	for _, addr := range w.table.Claimed() {
		if _, ok := w.said[addr]; !ok {
			w.actor.accuse(accusation{judged: judge.Judged{Verdict: connwarden.Verdict{Addr: addr}}, peer: w.table.Peer(addr), at: w.now})
		}
	}
	for i := range groups {
		v := &groups[i]
		w.groups[v.Subject] = said{word: connwarden.Word(v.Score), at: w.now}
		w.quote(v)
		w.actor.accuse(accusation{judged: *v})
	}
	w.actor.wake()
	return took + time.Since(began)
}

// news is what is to be said of an address, and whether it was not said lately.
func (w *warden) news(v *judge.Judged) (s said, news bool) {
	word := connwarden.Word(v.Score)
	if word == connwarden.VerdictNormal && v.Score < worthAsking {
		return s, false
	}
	s = said{word, w.weighs(v, nil), w.now}
	old, ok := w.said[v.Addr]
	return s, !ok || w.now.Sub(old.at) >= sayAgain || old.word != connwarden.VerdictMalicious && old.word != word || !old.proved && s.proved
}

// worthAsking is the score from which an address that claims to be a crawler may be worth a look: an impostor's rises.
const worthAsking = 30
