// Package tell brings what the daemon did and saw to people: by mail, to chats, to programs.
//
// A [Teller] takes notes without ever waiting. Each channel has a goroutine of its own, which gathers what comes within a
// moment into one message, keeps to its rate, tries again with longer and longer rests, and gives up with a line in the
// log. What found no room in a message is counted by kind and said in the next one that gets through. A channel that is
// dead holds up neither the others nor the end of the program.
//
// All text in notes is taken for an attacker's: each medium escapes it in its own way, and neither markup nor mentions,
// header lines nor links come through. Secrets are never part of an error or of a log.
package tell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden/report"
)

// Channel is one way to tell, and how much of it.
type Channel struct {
	Name   string // for the log and the figures
	Sender Sender
	On     []Kind        // what is told; none: Usual()
	Group  time.Duration // how long is waited for more; 0: 10 s
	// PerHour and Burst are those of a token bucket: so many messages in an hour, so many at once; 0: 20 and 5.
	PerHour, Burst int
}

// Sender brings one message to its place. It is called from one goroutine at a time and must end soon after ctx does. An
// error that trying again does not help against is a [Permanent].
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// Permanent is an error that will be the same next time: a refused password, an address that is not there.
type Permanent struct{ Err error }

// Error is the cause's.
func (p *Permanent) Error() string { return p.Err.Error() }

// Unwrap returns the cause.
func (p *Permanent) Unwrap() error { return p.Err }

// Later is an error of a server that says when to try again.
type Later struct {
	Err   error
	After time.Duration
}

// Error is the cause's.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns the cause.
func (l *Later) Unwrap() error { return l.Err }

// Partial is an error of a message that got through, but not to all.
type Partial struct{ Err error }

// Error is the cause's.
func (p *Partial) Error() string { return p.Err.Error() }

// Unwrap returns the cause.
func (p *Partial) Unwrap() error { return p.Err }

// Bounds. A message holds so many notes that a person still reads it; the rests between tries add up to some eleven
// minutes, in which a mail server is restarted.
const (
	group      = 10 * time.Second
	perHour    = 20
	burst      = 5
	maxNotes   = 20
	sendTime   = 30 * time.Second
	longestGap = 15 * time.Minute
)

// rests are the times between tries, so that there is one try more than there are rests.
var rests = [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 8 * time.Minute}

// Teller hands notes to its channels. All methods may be called concurrently.
type Teller struct {
	host string
	zone *time.Location
	log  *slog.Logger

	mu    sync.Mutex // guards the rest
	lines []*line
	shut  bool
}

// New returns a teller without channels. Host is what the machine is called in messages, zone that of their times.
func New(host string, zone *time.Location, log *slog.Logger) *Teller {
	return &Teller{host: report.Clean(host), zone: zone, log: log}
}

// line is a channel at work.
type line struct {
	t    *Teller
	wake chan struct{} // has room for one
	done chan struct{}
	ctx  context.Context // ends with patience
	stop context.CancelFunc

	mu      sync.Mutex // guards the rest; leaf
	channel Channel
	notes   []Note
	more    map[Kind]int // that found no room
	urgent  bool
	closing bool
	tokens  float64
	filled  time.Time
	stats   Stats
}

// Stats are the figures of a channel.
type Stats struct {
	Name       string
	Sent       uint64 // messages
	Failed     uint64 // messages given up
	Suppressed uint64 // notes that were only counted
	Waiting    int    // notes
}

// Set puts channels in the place of those before. One of the same name goes on with what it holds.
func (t *Teller) Set(channels []Channel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return
	}
	old := t.lines
	t.lines = nil
	for _, c := range channels {
		i := slices.IndexFunc(old, func(l *line) bool { return l.name() == c.Name })
		if i < 0 {
			t.lines = append(t.lines, t.start(c))
			continue
		}
		old[i].mu.Lock()
		old[i].channel = c
		old[i].mu.Unlock()
		t.lines = append(t.lines, old[i])
		old = slices.Delete(slices.Clone(old), i, i+1)
	}
	for _, l := range old {
		l.close()
	}
}

func (t *Teller) start(c Channel) *line {
	l := &line{t: t, channel: c, wake: make(chan struct{}, 1), done: make(chan struct{}), tokens: float64(cmp.Or(c.Burst, burst)), filled: time.Now()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	go l.run()
	return l
}

// Tell hands a note to all channels that want its kind, and returns at once.
func (t *Teller) Tell(n Note) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		l.add(n)
	}
}

// Stats returns the figures of all channels.
func (t *Teller) Stats() []Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Stats, len(t.lines))
	for i, l := range t.lines {
		l.mu.Lock()
		list[i] = l.stats
		list[i].Name, list[i].Waiting = l.channel.Name, len(l.notes)
		l.mu.Unlock()
	}
	return list
}

// Close sends what is held, once, and waits for that until ctx is done. Nothing is taken afterwards.
func (t *Teller) Close(ctx context.Context) {
	t.mu.Lock()
	lines := t.lines
	t.lines, t.shut = nil, true
	t.mu.Unlock()
	for _, l := range lines {
		l.close()
	}
	for _, l := range lines {
		select {
		case <-l.done:
			continue
		case <-ctx.Done():
		}
		l.stop()
		select {
		case <-l.done:
		case <-time.After(time.Second): // a sender that does not mind its context
		}
	}
}

func (l *line) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.channel.Name
}

// close makes the channel end after what it holds is sent. It does not wait.
func (l *line) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.rouse()
}

func (l *line) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *line) add(n Note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	on := l.channel.On
	if len(on) == 0 {
		on = Usual()
	}
	if n.Kind != Test && !slices.Contains(on, n.Kind) {
		return
	}
	if len(l.notes) < maxNotes || n.Kind == Alarm && l.drop() {
		l.notes = append(l.notes, n.clean())
	} else {
		l.miss(n.Kind, 1)
	}
	l.urgent = l.urgent || n.Kind == Alarm || n.Kind == Test
	l.rouse()
}

// drop makes room for what is more important; it tells whether there was something less so.
func (l *line) drop() bool {
	for i := range l.notes {
		if k := l.notes[i].Kind; k != Alarm {
			l.miss(k, 1)
			l.notes = slices.Delete(l.notes, i, i+1)
			return true
		}
	}
	return false
}

func (l *line) miss(k Kind, n int) {
	if l.more == nil {
		l.more = map[Kind]int{}
	}
	l.more[k] += n
	l.stats.Suppressed += uint64(n)
}

// run is the goroutine of a channel.
func (l *line) run() {
	defer close(l.done)
	defer l.stop()
	for {
		if !l.gather() {
			return
		}
		m, sender := l.take()
		if m == nil {
			continue
		}
		err := l.send(sender, m)
		if some := (*Partial)(nil); errors.As(err, &some) {
			l.t.log.Warn("notification refused for some", "channel", l.name(), "error", said(err))
			err = nil
		}
		if err != nil {
			l.giveUp(m, err)
		} else {
			l.mu.Lock()
			l.stats.Sent++
			l.mu.Unlock()
			l.t.log.Debug("notification sent", "channel", l.name(), "title", m.Title())
		}
	}
}

// gather waits until a message is due: something is there, more was waited for, and the rate allows it. It is false when
// the channel ends and holds nothing.
func (l *line) gather() bool {
	var due time.Time
	for {
		l.mu.Lock()
		empty, closing, urgent := len(l.notes) == 0, l.closing, l.urgent
		now := time.Now()
		if !empty && due.IsZero() {
			due = now.Add(cmp.Or(l.channel.Group, group))
		}
		free := l.refill(now)
		l.mu.Unlock()
		rest := max(free, due.Sub(now))
		switch {
		case empty && closing:
			return false
		case !empty && closing:
			return true
		case empty:
			rest = time.Hour * 24
		case urgent:
			rest = free
		}
		if !empty && rest <= 0 {
			return true
		}
		timer := time.NewTimer(rest)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-l.ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// refill adds the tokens of the time that has passed, and tells how long it is until there is one.
func (l *line) refill(now time.Time) time.Duration {
	rate := float64(cmp.Or(l.channel.PerHour, perHour)) / float64(time.Hour)
	most := float64(cmp.Or(l.channel.Burst, burst))
	l.tokens = min(most, l.tokens+rate*float64(now.Sub(l.filled)))
	l.filled = now
	if l.tokens >= 1-1e-9 {
		return 0
	}
	return time.Duration((1-l.tokens)/rate) + time.Millisecond
}

// take makes a message of what is held.
func (l *line) take() (*Message, Sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.notes) == 0 {
		return nil, nil
	}
	l.tokens = max(0, l.tokens-1)
	m := &Message{Schema: Schema, Host: l.t.host, Time: time.Now().In(l.t.zone), Notes: l.notes, More: l.more}
	l.notes, l.more, l.urgent = nil, nil, false
	return m, l.channel.Sender
}

// send tries until it is done, is of no use, or was tried often enough; when the channel ends, once.
func (l *line) send(s Sender, m *Message) error {
	for try := 0; ; try++ {
		ctx, stop := context.WithTimeout(l.ctx, sendTime)
		err := s.Send(ctx, m)
		stop()
		var never *Permanent
		var some *Partial
		if err == nil || errors.As(err, &never) || errors.As(err, &some) || try == len(rests) || l.ctx.Err() != nil {
			return err
		}
		rest := rests[try]
		var later *Later
		if errors.As(err, &later) {
			rest = min(max(rest, later.After), longestGap)
		}
		l.t.log.Warn("notification delayed", "channel", l.name(), "try", try+1, "again_in", rest.String(), "error", said(err))
		timer := time.NewTimer(rest)
	wait:
		for {
			select {
			case <-timer.C:
				break wait
			case <-l.ctx.Done():
				timer.Stop()
				return err
			case <-l.wake:
				l.mu.Lock()
				closing := l.closing
				s = l.channel.Sender // it may have been mended meanwhile
				l.mu.Unlock()
				if closing {
					timer.Stop()
					l.rouse()
					return err
				}
			}
		}
	}
}

// giveUp logs a message that was not sent, and keeps the number of what was in it for the next one.
func (l *line) giveUp(m *Message, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Failed++
	for _, n := range m.Notes {
		l.miss(n.Kind, 1)
	}
	for k, n := range m.More {
		l.more[k] += n
	}
	l.t.log.Error("notification given up", "channel", l.channel.Name, "title", m.Title(), "error", said(err))
}

// said is an error fit for a log.
func said(err error) string {
	const most = 500
	s := report.Clean(err.Error())
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// TestAll sends a test message over each channel, one try each, and returns what came of it in the order of the channels.
func TestAll(ctx context.Context, host string, now time.Time, channels []Channel) []error {
	errs := make([]error, len(channels))
	var wait sync.WaitGroup
	for i, c := range channels {
		wait.Go(func() {
			ctx, stop := context.WithTimeout(ctx, sendTime)
			defer stop()
			m := &Message{Schema: Schema, Host: report.Clean(host), Time: now, Notes: []Note{Example(now)}}
			if err := c.Sender.Send(ctx, m); err != nil {
				errs[i] = fmt.Errorf("%s: %s", c.Name, said(err))
			}
		})
	}
	wait.Wait()
	return errs
}
