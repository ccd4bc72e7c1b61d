package hub

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// A host that floods the bucket is shut out: what it wrote is void, and an operator may let it join again. Hosts pace
// themselves far below these bounds.
const (
	floodEvery = 10 * time.Second
	// maxRate is how many keys a host may write in floodEvery; it keeps to fleet.PerMinute in a minute of its own, and two
	// of those may meet in one round.
	maxRate = 3 * fleet.PerMinute
	// maxKeys is how many it may have: more than any other host takes of it.
	maxKeys = 3 * fleet.MostOfHost
	// worthCounting is from how many in a round its keys are counted, which takes the engine a while.
	worthCounting = 500
)

// floods counts what hosts write, by what the engine stored.
type floods struct {
	hub *Hub
	sub *nats.Subscription

	mu     sync.Mutex // guards counts
	counts map[string]int
}

func newFloods(h *Hub) *floods {
	f := &floods{hub: h, counts: map[string]int{}}
	var err error
	f.sub, err = h.nc.Subscribe(fleet.AllHints, func(m *nats.Msg) {
		words := strings.SplitN(m.Subject, ".", 5)
		if len(words) < 5 || words[4] == "gone" { // the hub's own word
			return
		}
		f.mu.Lock()
		f.counts[words[2]+"."+words[3]]++
		f.mu.Unlock()
	})
	if err != nil {
		h.opt.Log.Error("floods are not watched for", "err", err)
	}
	return f
}

func (f *floods) stop() {
	if f.sub != nil {
		_ = f.sub.Unsubscribe() // or its connection is gone, and it too
	}
}

// look shuts out who wrote too much since it last did. What somebody wrote who was shut out, before each node knew of
// that, is made void like all that he wrote before.
func (f *floods) look(ctx context.Context) {
	f.mu.Lock()
	counts := f.counts
	f.counts = map[string]int{}
	f.mu.Unlock()
	for who, n := range counts {
		if f.hub.gone[who] == nil && n < worthCounting {
			continue
		}
		group, host, _ := strings.Cut(who, ".")
		m, err := f.hub.listed(ctx, host) // what was noted may be older: it joined again, or has just gone
		if err != nil {
			f.hub.opt.Log.Error("whether a host is a member is not known", "host", host, "err", err)
			if !errors.Is(err, jetstream.ErrKeyNotFound) {
				f.again(who, n)
			}
			continue
		}
		if !m.Gone.IsZero() || m.Group != group {
			m.Group = group
			if err := f.hub.void(ctx, m); err != nil {
				f.hub.opt.Log.Error("what a host wrote that was shut out stands", "host", host, "err", err)
				f.again(who, n)
			}
			continue
		}
		if n < worthCounting {
			continue
		}
		why := ""
		if n > maxRate {
			why = "it wrote too many decisions at once"
		} else if keys, err := f.keys(ctx, group, host); err != nil {
			f.hub.opt.Log.Warn("a host's keys cannot be counted", "host", host, "err", err)
		} else if keys > maxKeys {
			why = "it wrote too many decisions"
		}
		if why == "" {
			continue
		}
		if err := f.hub.expel(ctx, host, why); err != nil {
			f.hub.opt.Log.Error("a host floods and cannot be shut out", "host", host, "err", err)
			continue
		}
		f.hub.gone[who] = m
	}
}

// again counts what was counted once more.
func (f *floods) again(who string, n int) {
	f.mu.Lock()
	f.counts[who] += n
	f.mu.Unlock()
}

func (f *floods) keys(ctx context.Context, group, host string) (int, error) {
	s, err := f.hub.js.Stream(ctx, fleet.DecisionsStream)
	if err != nil {
		return 0, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(fleet.HostDecisions(group, host)))
	if err != nil {
		return 0, err
	}
	return len(info.State.Subjects), nil
}
