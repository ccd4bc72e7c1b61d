package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/connwarden/connwarden"
)

// Host is this machine. All methods are called from one goroutine.
type Host interface {
	// Own returns by subject what this host decided itself, would share and is in force. It must not be changed.
	Own(ctx context.Context) (map[string]Decision, error)
	// Held returns what it holds because of the fleet.
	Held(ctx context.Context) ([]Order, error)
	// Apply does what is ordered, through the host's own guard. why has for each order the reason against it, or nothing.
	// With an error nothing is known to have been done.
	Apply(ctx context.Context, orders []Order) (why []string, err error)
	// Status fills in how the host is. It must not wait long.
	Status(ctx context.Context, s *Status)
}

// Options of an agent. Identity, Host and Clock must be set.
type Options struct {
	Identity *Identity
	Host     Host
	Policy   Policy
	Clock    func() time.Time
	Nudge    <-chan struct{}               // something was decided here
	Problem  func(connwarden.Problem)      // told what cannot be seen or done; the same one perhaps often
	Refused  func(Refusal)                 // told what was not taken
	Review   func() (json []byte, _ error) // answers who may ask for it; nil: nobody gets one. On a goroutine of its own
	Ease     func()                        // much was taken over at once, of which memory is left; nil: nothing is done
	Every    time.Duration                 // between two rounds by the clock; 0: a second
}

// agent shares and receives. All fields belong to its goroutine.
type agent struct {
	opt     Options
	id      *Identity
	t       *table
	nc      *nats.Conn
	ahead   time.Duration
	last    uint64 // sequence that was read
	born    string // which bucket it is of
	ready   bool   // the bucket was read whole
	same    bool   // it is the one that was read before
	hint    uint64 // what there is to read
	tries   int
	again   <-chan time.Time
	sent    map[string]time.Time // what was written and not read back yet
	resend  <-chan time.Time     // when it is looked at
	minute  time.Time
	count   int // written in that minute
	rest    time.Time
	told    time.Time // when the status was
	looked  time.Time
	aged    time.Time
	recent  []StatusRefusal
	refused int
	left    int // refused and unreadable, when the status was told
	unknown int // how often in a row it was told that how this host is is unknown

	telling bool // the status is under way
	synced  bool // the clocks were compared
	swollen bool // much was read, and memory is left of it

	parts <-chan part        // of the bucket, while it is read whole
	stop  context.CancelFunc // ends that
	more  <-chan struct{}    // closed: there is more to do at once

	compared chan comparison
	hints    chan uint64
	state    chan error // nil: connected; else why not any more
	failed   chan error // what others than its goroutine met
}

// comparison is what came of telling the status.
type comparison struct {
	ahead time.Duration
	err   error
}

const (
	statusEvery = 10 * time.Second
	// soonEvery is how soon the others see what was not taken, or how a host is that could not tell at once.
	soonEvery = time.Second
	// unknownMost is how often in a row a host tells so soon that it cannot: perhaps nobody there knows.
	unknownMost = 10
	// lookEvery is how often the bucket is read without a hint, for those that got lost.
	lookEvery = 15 * time.Second
	// sentLimit is when what was not read back is written again: a bucket whose leader died says nothing, for up to two
	// seconds.
	sentLimit = time.Second
	ageEvery  = 5 * time.Second
	// pace is what is shared in a minute: a little less than others take.
	pace = PerMinute - 100
	// renewEvery is how often what lasts is shared again.
	renewEvery = 24 * time.Hour
	// ordersAtOnce are what the host is asked for in one change: each needs some 3 KB until it is done.
	ordersAtOnce = 4096
	applyRest    = 5 * time.Second
	redialMost   = 30 * time.Second
)

// Run shares and receives until ctx is done. It returns earlier only if the identity cannot be used.
func Run(ctx context.Context, opt Options) error {
	a := &agent{
		opt: opt, id: opt.Identity, sent: map[string]time.Time{}, hints: make(chan uint64, 1), compared: make(chan comparison, 1), state: make(chan error, 8), failed: make(chan error, 8),
	}
	a.t = newTable(opt.Policy, a.id.Group, a.id.Host)
	a.t.tell, a.t.bad = a.refuse, func(subject string, err error) {
		a.problem(fmt.Sprintf("a decision is left out, %s: %v", clip(subject, 200), err))
	}
	held, err := opt.Host.Held(ctx)
	if err != nil {
		return err
	}
	for _, o := range held {
		if o.Until.IsZero() {
			o.Until = opt.Clock().Add(Lease) // by when its host has renewed it
		}
		a.t.done(&o, "", opt.Clock())
	}
	if b, err := os.ReadFile(filepath.Join(a.id.dir, bornFile)); err == nil {
		a.born = string(b)
	}
	tick := time.NewTicker(cmp.Or(opt.Every, time.Second))
	defer tick.Stop()
	dialed := make(chan *nats.Conn, 1)
	go a.redial(ctx, dialed)
	defer func() {
		if a.nc != nil {
			a.nc.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			a.farewell()
			return nil
		case a.nc = <-dialed:
			a.connected(ctx)
		case err := <-a.state:
			switch {
			case err == nil:
				a.connected(ctx)
			case errors.Is(err, nats.ErrConnectionClosed):
				a.nc = nil
				go a.redial(ctx, dialed)
			default:
				a.problem("the connection to the hub is lost, blocking goes on without: " + err.Error())
			}
		case c := <-a.compared:
			a.telling = false
			if c.err != nil {
				if ctx.Err() == nil {
					a.problem(c.err.Error())
				}
				continue
			}
			first := !a.synced
			a.ahead, a.synced, a.told = c.ahead, true, opt.Clock()
			if first {
				a.read(ctx)
			}
		case p := <-a.parts:
			a.part(ctx, p)
		case <-a.more:
			a.takeParts(ctx)
		case n := <-a.hints:
			a.hint, a.tries = max(a.hint, n), 0
			a.read(ctx)
		case <-a.again:
			a.again = nil
			a.read(ctx)
		case <-a.resend:
			a.resend = nil
			a.share(ctx)
		case err := <-a.failed:
			a.problem(err.Error())
		case <-opt.Nudge:
			a.share(ctx)
		case <-tick.C:
			a.tick(ctx)
		}
		a.act(ctx)
	}
}

func (a *agent) problem(why string) {
	if a.opt.Problem != nil {
		a.opt.Problem(connwarden.Problem{What: "fleet", Why: why})
	}
}

// refuse counts what was not taken, and keeps the last of it for the others to see, each once: it is asked for every minute.
func (a *agent) refuse(r Refusal) {
	one := StatusRefusal{Kind: r.Kind.String(), Target: r.Target.String(), From: Name(r.From), Why: clip(r.Why, maxWhy), Time: a.opt.Clock().UTC()}
	again := slices.IndexFunc(a.recent, func(o StatusRefusal) bool { return o.Kind == one.Kind && o.Target == one.Target && o.From == one.From })
	switch {
	case again >= 0:
		a.recent = slices.Delete(a.recent, again, again+1)
	case len(a.recent) == maxRecent:
		a.recent = a.recent[1:]
		fallthrough
	default:
		a.refused++
	}
	a.recent = append(a.recent, one)
	if a.opt.Refused != nil {
		a.opt.Refused(r)
	}
}

func (a *agent) ack() string { return Inbox(a.id.Host) + ".stored" }

// connected learns what happened while we were away.
func (a *agent) connected(ctx context.Context) {
	a.abandon()
	a.ready, a.hint, a.told, a.looked = false, 0, time.Time{}, time.Time{}
	clear(a.sent)
	a.tick(ctx)
}

// tick does what is done by the clock.
func (a *agent) tick(ctx context.Context) {
	now := a.opt.Clock()
	if now.Sub(a.aged) >= ageEvery || now.Before(a.aged) {
		a.aged = now
		a.t.age(now)
	}
	if a.nc == nil || !a.nc.IsConnected() {
		return
	}
	if !a.telling && a.tellsAt(now) {
		a.left = a.refused + a.t.poisoned
		a.tell(ctx, now)
	}
	if !a.ready || now.Sub(a.looked) >= lookEvery || now.Before(a.looked) {
		a.read(ctx)
	}
	a.share(ctx)
}

// tellsAt tells whether the status is due.
func (a *agent) tellsAt(now time.Time) bool {
	since := now.Sub(a.told)
	news := a.refused+a.t.poisoned != a.left || a.unknown > 0 && a.unknown <= unknownMost
	return since >= statusEvery || since < 0 || news && since >= soonEvery
}

// tell writes the status, beside: an engine that elects a leader answers late. It also compares the clocks.
func (a *agent) tell(ctx context.Context, now time.Time) {
	s := Status{Version: statusVersion, Host: Name(a.id.Host), Group: a.id.Group, Time: now.UTC()}
	a.opt.Host.Status(ctx, &s)
	if a.unknown++; s.Health != HealthUnknown {
		a.unknown = 0
	}
	s.Blocks += a.t.blocks()
	s.Fleet = StatusFleet{Held: a.t.held, Known: a.t.known, Shared: len(a.t.own), Refused: a.refused, Unreadable: a.t.poisoned, Recent: a.recent, ClockAhead: (-a.ahead).Seconds()}
	b, err := s.encode()
	if err != nil {
		a.problem(err.Error())
		return
	}
	a.telling = true
	nc := a.nc
	go func() {
		ahead, err := tellStatus(ctx, nc, StatusSubject(a.id.Group, a.id.Host), b, a.opt.Clock)
		a.compared <- comparison{ahead, err} // there is room: one is under way
	}()
}

// read takes what is new in the bucket.
func (a *agent) read(ctx context.Context) {
	if a.nc == nil || !a.nc.IsConnected() || !a.synced || a.parts != nil { // without the clocks compared no end is known
		return
	}
	if !a.ready {
		if a.bucket(ctx) {
			a.readWhole(ctx)
		}
		return
	}
	now := a.opt.Clock()
	if a.hint == a.last+1 {
		// The usual case, and a thousand hosts ask at once: one message costs the engine a fraction of what a batch does.
		if m, err := one(ctx, a.nc, GetDecisions, map[string]any{"seq": a.hint}); err == nil && m != nil && m.Seq == a.hint {
			delete(a.sent, m.Subject)
			a.t.take(m, a.ahead, now)
			a.last, a.hint, a.tries = m.Seq, 0, 0
			return
		}
	}
	last, err := fetch(ctx, a.nc, GetDecisions, anything, a.last+1, func(m *Message) {
		delete(a.sent, m.Subject)
		a.t.take(m, a.ahead, now)
	})
	a.last = max(a.last, last)
	a.wasRead(ctx, err, now)
}

// wasRead looks whether what was read is all that was hinted at.
func (a *agent) wasRead(ctx context.Context, err error, now time.Time) {
	if err != nil {
		if ctx.Err() == nil {
			a.problem("read decisions: " + err.Error())
		}
		return
	}
	a.looked = now
	// Of several nodes one may answer that is behind the one which hinted. A hint may also be a lie, or its key gone again.
	const most = 12
	if a.last >= a.hint || a.tries == most {
		a.hint, a.tries = 0, 0
		return
	}
	a.again = time.After(time.Millisecond << a.tries)
	a.tries++
}

// act has this host hold what it is to hold.
func (a *agent) act(ctx context.Context) {
	now := a.opt.Clock()
	if a.more = nil; now.Before(a.rest) {
		return
	}
	for changes := 0; ctx.Err() == nil; changes++ {
		orders := a.t.orders(now, a.ready, ordersAtOnce)
		if len(orders) == 0 {
			if swollen := changes > 1 || a.swollen; swollen && a.parts == nil {
				if a.swollen = false; a.opt.Ease != nil {
					a.opt.Ease()
				}
			}
			return
		}
		why, err := a.opt.Host.Apply(ctx, orders)
		for i := range orders {
			o := &orders[i]
			switch {
			case err != nil:
				a.t.again(o)
			case why[i] != "":
				a.t.done(o, why[i], now)
				if why[i] == Ours {
					continue
				}
				a.refuse(Refusal{o.Kind, o.Target, o.From, why[i]})
			default:
				a.t.done(o, "", now)
			}
		}
		if err != nil {
			a.problem("hold what other hosts decided: " + err.Error())
			a.rest = now.Add(applyRest)
			return
		}
		if a.parts != nil {
			a.more = soon // once what was read meanwhile is taken
			return
		}
	}
}

// share brings the bucket to what this host decided.
func (a *agent) share(ctx context.Context) {
	if a.nc == nil || !a.nc.IsConnected() || !a.ready {
		return
	}
	own, err := a.opt.Host.Own(ctx)
	if err != nil {
		if ctx.Err() == nil {
			a.problem("what this host decided: " + err.Error())
		}
		return
	}
	now := a.opt.Clock()
	if d := now.Sub(a.t.expelled); d >= 0 && d < expelledRest {
		return
	}
	if now.Sub(a.minute) >= time.Minute || now.Before(a.minute) {
		a.minute, a.count = now, 0
	}
	for subject := range a.t.own {
		if _, ok := own[subject]; !ok && a.turn(subject, now) {
			a.write(subject, nil, MarkerTTL)
		}
	}
	for subject, d := range own {
		if !slices.Contains(a.id.Kinds, d.Kind.String()) {
			continue
		}
		if d.For = Lease; !d.Until.IsZero() {
			d.For = min(d.Until.Sub(now).Truncate(time.Second), Lease)
		}
		m, ok := a.t.own[subject]
		same := ok && m.until.UnixMilli() == d.Until.UnixMilli() && (d.For < Lease-renewEvery || now.Sub(m.at) < renewEvery)
		if same || d.For < time.Second || !a.turn(subject, now) {
			continue
		}
		b, err := d.encode()
		if err != nil {
			a.problem(err.Error())
			continue
		}
		a.write(subject, b, strconv.Itoa(int(d.For/time.Second))+"s")
	}
}

// expelledRest is for how long a host shares nothing that has read that it is gone: within seconds every node lets go of its
// connection, and what it wrote until then would stand behind the word.
const expelledRest = time.Minute

// turn tells whether a key may be written now, and counts it.
func (a *agent) turn(subject string, now time.Time) bool {
	if at, ok := a.sent[subject]; ok && now.Sub(at) < sentLimit && !now.Before(at) || a.count >= pace {
		return false
	}
	a.sent[subject] = now
	a.count++
	if a.resend == nil {
		a.resend = time.After(sentLimit)
	}
	return true
}

// write sends a key, or without a value its end. Whether it was stored is seen when it is read back.
func (a *agent) write(subject string, value []byte, ttl string) {
	m := &nats.Msg{Subject: subject, Reply: a.ack(), Data: value, Header: nats.Header{headTTL: {ttl}}}
	if value == nil {
		m.Header.Set(headOperation, "DEL")
	}
	if err := a.nc.PublishMsg(m); err != nil {
		a.problem("share a decision: " + err.Error())
	}
}

// farewellLimit is how long the end waits for the status to be told.
const farewellLimit = time.Second

// farewell tells that this host does not look any more.
func (a *agent) farewell() {
	if a.nc == nil || !a.nc.IsConnected() {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), farewellLimit)
	defer stop()
	s := Status{Version: statusVersion, Host: Name(a.id.Host), Group: a.id.Group, Time: a.opt.Clock().UTC(), Health: HealthStopped}
	if b, err := json.Marshal(&s); err == nil {
		// It is gone either way, and the others see since when.
		_, _ = tellStatus(ctx, a.nc, StatusSubject(a.id.Group, a.id.Host), b, a.opt.Clock)
	}
}
