package fleet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// redial connects, however long it takes. Later losses are mended by the connection itself, but where the hub shuts us out.
func (a *agent) redial(ctx context.Context, dialed chan<- *nats.Conn) {
	event := func(err error) {
		select {
		case a.state <- err:
		case <-ctx.Done():
		}
	}
	for wait := time.Second; ; wait = min(2*wait, redialMost) {
		nc, err := a.id.dial(
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil {
					event(err)
				}
			}),
			nats.ReconnectHandler(func(*nats.Conn) { event(nil) }),
			nats.ClosedHandler(func(*nats.Conn) { event(nats.ErrConnectionClosed) }),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { a.fail(err) }),
		)
		if err == nil {
			if err = a.subscribe(nc); err == nil {
				select {
				case dialed <- nc:
				case <-ctx.Done():
					nc.Close()
				}
				return
			}
			nc.Close()
		}
		a.fail(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// fail tells of an error that something else met; where too many wait to be told, it is one of them.
func (a *agent) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// subscribe listens for hints, for what the engine says to our writing, and for those who ask for our review.
func (a *agent) subscribe(nc *nats.Conn) error {
	if _, err := nc.Subscribe(AllHints, func(m *nats.Msg) {
		n, err := strconv.ParseUint(m.Header.Get(headSequence), 10, 64)
		if err != nil {
			return
		}
		for { // the highest one waits
			select {
			case a.hints <- n:
				return
			case other := <-a.hints:
				n = max(n, other)
			}
		}
	}); err != nil {
		return err
	}
	if _, err := nc.Subscribe(a.ack(), func(m *nats.Msg) {
		if _, err := parseStored(m.Data); err != nil {
			a.fail(fmt.Errorf("share a decision: %w", err))
		}
	}); err != nil {
		return err
	}
	if a.opt.Review != nil {
		if _, err := nc.Subscribe(AskSubject+a.id.Host, a.answer); err != nil {
			return err
		}
	}
	return nc.FlushTimeout(fetchLimit)
}
