package live

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/gather"
)

// stateEnded is the state by which rules speak of connections that ended within the last minute.
const stateEnded = "ended"

const (
	endsParts = 6                // that the minute is counted in
	endsPart  = 10 * time.Second // each
	// endsMost bounds the peers that are told apart in a part: about 2 MB in all. Whoever is beyond them is one of a flood of
	// so many that a single one does not matter.
	endsMost = 1 << 13
)

// brief is who opened connections to which port of ours.
type brief struct {
	addr netip.Addr
	port uint16
}

// ends counts connections that ended, by the parts of a minute. Its zero value is ready; it may be used from several goroutines.
type ends struct {
	mu    sync.Mutex
	parts [endsParts]map[brief]uint32
	at    int64 // number of the newest part
	lost  uint64
}

// turn makes room for the part that now is in.
func (e *ends) turn(now time.Time) {
	at := now.UnixNano() / int64(endsPart)
	if at < e.at || at-e.at >= endsParts {
		e.parts, e.at = [endsParts]map[brief]uint32{}, at // the clock was set, or nothing ended for a minute
	}
	for ; e.at < at; e.at++ {
		e.parts[(e.at+1)%endsParts] = nil
	}
}

// end counts one.
func (e *ends) end(c *connwarden.Conn, now time.Time) {
	if !c.Remote.IsValid() || c.Remote.Addr().IsLoopback() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn(now)
	part := &e.parts[e.at%endsParts]
	if *part == nil {
		*part = map[brief]uint32{}
	}
	key := brief{c.Remote.Addr(), c.Local.Port()}
	if n, ok := (*part)[key]; ok || len(*part) < endsMost {
		(*part)[key] = n + 1
	}
}

// minute returns how many ended within the last minute, by who had opened them.
func (e *ends) minute(now time.Time) map[brief]uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn(now)
	sum := map[brief]uint32{}
	for _, part := range e.parts {
		for key, n := range part {
			sum[key] += n
		}
	}
	return sum
}

// hear counts the connections that end until ctx is done.
func (w *warden) hear(ctx context.Context) {
	err := conns.Ends(ctx, func(c *connwarden.Conn) { w.ends.end(c, time.Now()) }, func() {
		w.ends.mu.Lock()
		w.ends.lost++
		w.ends.mu.Unlock()
	})
	if err == nil {
		return
	}
	select {
	case w.conns <- &snapshot{deaf: gather.Reason(err)}:
	case <-ctx.Done():
	}
}
