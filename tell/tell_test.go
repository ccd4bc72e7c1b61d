package tell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// place keeps what it is sent, or fails.
type place struct {
	mu   sync.Mutex
	got  []*Message
	at   []time.Time
	fail func(try int) error
	try  int
	hang bool
}

func (p *place) Send(ctx context.Context, m *Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.try++
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.fail != nil {
		if err := p.fail(p.try); err != nil {
			return err
		}
	}
	p.got = append(p.got, m)
	p.at = append(p.at, time.Now())
	return nil
}

func blocked(n int) Note {
	return Note{Kind: Blocked, Target: fmt.Sprintf("192.0.2.%d", n%250), Why: "x", Undo: fmt.Sprintf("connwarden unblock 192.0.2.%d", n%250)}
}

// journal is a log that can be read.
func journal() (*bytes.Buffer, *slog.Logger) {
	var b bytes.Buffer
	return &b, slog.New(slog.NewTextHandler(&b, nil))
}

// What comes within a moment is one message; what is too much for it is counted.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "p", Sender: p}})
		begin := time.Now()
		for i := range 500 {
			teller.Tell(blocked(i))
		}
		teller.Tell(Note{Kind: Problem, Why: "is not asked for"})
		pass(time.Minute)
		synctest.Wait()
		if len(p.got) != 1 || len(p.got[0].Notes) != maxNotes || p.got[0].More[Blocked] != 480 || p.at[0].Sub(begin) != group {
			t.Fatalf("%d messages, the first %+v after %v", len(p.got), p.got[0], p.at[0].Sub(begin))
		}
		if s := teller.Stats()[0]; s.Sent != 1 || s.Suppressed != 480 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		if text := p.got[0].Text(64<<10, plain); !strings.Contains(text, "Besides, not shown here: 480 addresses blocked.") || !strings.Contains(text, "to undo: connwarden unblock 192.0.2.3\n") {
			t.Error(text)
		}
		teller.Close(t.Context())
	})
}

// No more messages than the rate allows, and nothing is lost but the details.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "p", Sender: p, PerHour: 6, Burst: 2, Group: time.Second}})
		for i := range 3600 {
			teller.Tell(blocked(i))
			pass(time.Second)
		}
		synctest.Wait()
		if n := len(p.got); n < 7 || n > 8 { // two at once and one in ten minutes
			t.Errorf("%d messages in an hour", n)
		}
		told := teller.Stats()[0].Waiting
		for _, m := range p.got {
			told += len(m.Notes) + m.More[Blocked]
		}
		if more := teller.Stats()[0].Suppressed; told > 3600 || told < 3600-int(more) {
			t.Errorf("%d of 3600 told", told)
		}
		teller.Close(t.Context())
		told = 0
		for _, m := range p.got {
			told += len(m.Notes) + m.More[Blocked]
		}
		if told != 3600 {
			t.Errorf("%d of 3600 told or counted at the end", told)
		}
	})
}

// An alarm does not wait for more, and finds room.
func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "p", Sender: p, Group: time.Hour}})
		for i := range 100 {
			teller.Tell(blocked(i))
		}
		teller.Tell(Note{Kind: Alarm, Why: "the limit is reached"})
		synctest.Wait()
		if len(p.got) != 1 || p.got[0].count(Alarm) != 1 || !p.got[0].Urgent() || !strings.HasPrefix(p.got[0].Title(), "web3: 1 ALARM, 19 addresses blocked") {
			t.Errorf("%d messages; %v", len(p.got), p.got)
		}
		teller.Close(t.Context())
	})
}

// It tries again with longer rests, and gives up with a line in the log; the next message tells what was lost.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{fail: func(try int) error {
			if try <= 7 {
				return errors.New("connection refused\x1b[31m")
			}
			return nil
		}}
		text, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "p", Sender: p}})
		teller.Tell(blocked(1))
		pass(20 * time.Minute)
		synctest.Wait()
		if p.try != 5 || teller.Stats()[0].Failed != 1 || !strings.Contains(text.String(), "notification given up") || strings.Contains(text.String(), "\x1b") {
			t.Errorf("%d tries, %+v\n%s", p.try, teller.Stats(), text)
		}
		teller.Tell(blocked(2))
		pass(20 * time.Minute)
		synctest.Wait()
		if len(p.got) != 1 || p.got[0].Notes[0].Target != "192.0.2.2" || p.got[0].More[Blocked] != 1 {
			t.Errorf("%+v", p.got)
		}
		teller.Close(t.Context())
	})
}

// What cannot get better is not tried again, and who says when is waited for.
func TestPermanentAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := &place{fail: func(int) error { return &Permanent{errors.New("no such chat")} }}
		later := &place{fail: func(try int) error {
			if try == 1 {
				return &Later{errors.New("too many"), 5 * time.Minute}
			}
			return nil
		}}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "never", Sender: never}, {Name: "later", Sender: later}})
		begin := time.Now()
		teller.Tell(blocked(1))
		pass(time.Hour)
		synctest.Wait()
		if never.try != 1 || len(later.got) != 1 || later.at[0].Sub(begin) != group+5*time.Minute {
			t.Errorf("%d tries; %v", never.try, later.at)
		}
		teller.Close(t.Context())
	})
}

// A dead place holds up neither the others nor the end.
func TestDeadPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, good := &place{hang: true}, &place{}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "dead", Sender: dead}, {Name: "good", Sender: good}})
		for i := range 100_000 {
			teller.Tell(blocked(i))
		}
		pass(time.Minute)
		synctest.Wait()
		if len(good.got) != 1 {
			t.Errorf("%d messages", len(good.got))
		}
		teller.Tell(blocked(7))
		begin := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		teller.Close(ctx)
		if took := time.Since(begin); took > 5*time.Second || len(good.got) != 2 {
			t.Errorf("the end took %v; %d messages", took, len(good.got))
		}
		teller.Tell(blocked(8)) // nobody minds
	})
}

// A reload replaces channels without losing what they hold.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh, gone := &place{}, &place{}, &place{}
		_, log := journal()
		teller := New("web3", time.UTC, log)
		teller.Set([]Channel{{Name: "a", Sender: old}, {Name: "b", Sender: gone}})
		teller.Tell(blocked(1))
		synctest.Wait()
		teller.Set([]Channel{{Name: "a", Sender: fresh, On: []Kind{Problem}}})
		synctest.Wait()
		if len(gone.got) != 1 {
			t.Errorf("what is no channel any more sent %d messages, want what it held", len(gone.got))
		}
		teller.Tell(blocked(2))
		teller.Tell(Note{Kind: Problem, Why: "x"})
		pass(time.Minute)
		synctest.Wait()
		if len(old.got) != 0 || len(fresh.got) != 1 || len(fresh.got[0].Notes) != 2 || fresh.got[0].Notes[1].Kind != Problem {
			t.Errorf("%v %v", old.got, fresh.got)
		}
		teller.Close(t.Context())
	})
}

// pass lets synthetic time pass.
func pass(d time.Duration) { <-time.After(d) }
