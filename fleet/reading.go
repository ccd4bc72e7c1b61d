package fleet

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
)

// part is some of the bucket, read whole: first what is foretold, then what follows on what was handed over before.
type part struct {
	foretold []netip.Prefix // targets of all pardons and of all that is allowed
	news     []news
	end      bool   // there is nothing behind it,
	last     uint64 // all up to this sequence was looked at,
	err      error  // or the rest could not be read
}

// readWhole begins to read the bucket beside, so that what was read is brought about meanwhile. Parts come until one is the end.
// What was read waits: the engine is asked for more once most of it was taken.
func (a *agent) readWhole(ctx context.Context) {
	ctx, a.stop = context.WithCancel(ctx)
	parts, nc, from := make(chan part, 1), a.nc, a.last+1
	a.parts, a.t.reading, a.swollen = parts, true, true
	hand := func(p part) {
		select {
		case parts <- p:
		case <-ctx.Done():
		}
	}
	go func() {
		foretold := everything // who was away for a while has little to read, and a thousand may come back at once
		if from == 1 {
			var err error
			if foretold, err = foretell(ctx, nc); err != nil {
				hand(part{end: true, err: err})
				return
			}
		}
		hand(part{foretold: foretold})
		var list []news
		last, err := fetch(ctx, nc, GetDecisions, anything, from, func(m *Message) {
			if list = append(list, understand(m)); len(list) == ordersAtOnce {
				hand(part{news: list})
				list = make([]news, 0, ordersAtOnce)
			}
		})
		hand(part{news: list, end: true, last: last, err: err})
	}()
}

// maxForetold is how many targets a block is compared with before the bucket was read.
const maxForetold = 1000

// foretell reads what may be against blocks that stand before it in the bucket. If that is too much for it, it is against all.
func foretell(ctx context.Context, nc *nats.Conn) (list []netip.Prefix, err error) {
	for _, kind := range []Kind{KindPardon, KindAllow} {
		_, err := fetch(ctx, nc, GetDecisions, DecisionSubjects("*", "*", kind), 1, func(m *Message) {
			if k, err := parseKey(m.Subject); err == nil && !m.Deleted && len(list) < maxForetold {
				list = append(list, k.Target)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if len(list) == maxForetold {
		return everything, nil
	}
	return list, nil
}

// everything has all blocks wait.
var everything = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// takeParts takes what was read meanwhile: reading goes on at its own pace, whatever there is to do.
func (a *agent) takeParts(ctx context.Context) {
	for {
		select {
		case p := <-a.parts:
			a.part(ctx, p)
		default:
			return
		}
	}
}

// part takes a part of the bucket.
func (a *agent) part(ctx context.Context, p part) {
	now := a.opt.Clock()
	if p.foretold != nil {
		a.t.foretold = p.foretold
	}
	for i := range p.news {
		n := &p.news[i]
		delete(a.sent, n.subject)
		a.t.hear(n, a.ahead, now)
		a.last = max(a.last, n.seq)
	}
	if !p.end {
		return
	}
	a.abandon()
	a.last = max(a.last, p.last)
	if a.wasRead(ctx, p.err, now); p.err != nil {
		return
	}
	a.ready = true
	a.t.whole(a.same)
	a.share(ctx)
}

// abandon ends the reading of the whole bucket.
func (a *agent) abandon() {
	if a.stop != nil {
		a.stop()
	}
	a.parts, a.stop, a.t.reading = nil, nil, false
}

// bucket finds out whether the bucket is the one that was read last. If not all is read anew, and what it does not have
// was not taken back: a.same is false. It tells whether that is known.
func (a *agent) bucket(ctx context.Context) bool {
	m, err := latest(ctx, a.nc, GetDecisions, BornSubject)
	if err != nil {
		if ctx.Err() == nil {
			a.problem(err.Error())
		}
		return false
	}
	born := ""
	if m != nil {
		born = clip(string(m.Data), maxWord)
	}
	same := born == a.born
	if !same || born == "" || a.last == 0 {
		a.last = 0
		a.t.forget()
	}
	if !same {
		if err := os.WriteFile(filepath.Join(a.id.dir, bornFile), []byte(born), 0o600); err != nil {
			a.problem(err.Error())
		}
		a.born = born
	}
	a.same = same && born != ""
	return true
}

// soon is over already.
var soon = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
