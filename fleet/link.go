package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of the engine.
const (
	headSubject   = "Nats-Subject"
	headSequence  = "Nats-Sequence"
	headTime      = "Nats-Time-Stamp"
	headPending   = "Nats-Num-Pending"
	headLast      = "Nats-Last-Sequence"
	headOperation = "KV-Operation"
	headTTL       = "Nats-TTL"
	headStatus    = "Status"
)

const (
	// batch is how many messages are asked for at once: some 2 MB.
	batch = 4096
	// fetchLimit is how long the engine may be silent while it answers.
	fetchLimit = 5 * time.Second
)

// errSilent is the error where nothing answers for a stream.
var errSilent = errors.New("the engine does not answer: it may be electing a leader, or have no bucket of ours")

// anything is the filter of subjects that all fit. Engines of 2.11 find nothing where the first number is gone, unless they are
// asked by subject. This one costs nothing; a narrower one, even if all fits, costs the engine milliseconds.
const anything = ">"

// fetch reads what a stream has of some subjects, from a sequence on, and hands it over in order. It returns the last
// sequence that is known to have been looked at, at least from-1.
func fetch(ctx context.Context, nc *nats.Conn, get, filter string, from uint64, each func(*Message)) (last uint64, err error) {
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return from - 1, err
	}
	end := func() { _ = sub.Unsubscribe() } // or its connection is gone, and it too
	defer end()
	defer context.AfterFunc(ctx, end)()
	if err := sub.SetPendingLimits(-1, -1); err != nil { // what we asked for is bounded
		return from - 1, err
	}
	last = from - 1
	for {
		question, err := json.Marshal(map[string]any{"seq": last + 1, "batch": batch, "next_by_subj": filter})
		if err != nil {
			return last, err
		}
		if err := nc.PublishRequest(get, inbox, question); err != nil {
			return last, err
		}
		more, err := receive(ctx, sub, &last, each)
		if err != nil || !more {
			return last, err
		}
	}
}

// receive reads the answer to one question.
func receive(ctx context.Context, sub *nats.Subscription, last *uint64, each func(*Message)) (more bool, err error) {
	for {
		m, err := sub.NextMsg(fetchLimit)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return false, ctx.Err()
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders):
			return false, errSilent
		default:
			return false, err
		}
		switch status := m.Header.Get(headStatus); status {
		case "":
			one, err := parseMessage(m)
			if err != nil {
				return false, err
			}
			*last = max(*last, one.Seq)
			each(one)
		case "404":
			return false, nil // there is nothing from here on
		case "204":
			left, _ := strconv.ParseUint(m.Header.Get(headPending), 10, 64) // none is none left
			return left > 0, nil
		case "503":
			return false, errSilent
		default:
			return false, fmt.Errorf("the engine answers %s %s", clip(status, 10), clip(m.Header.Get("Description"), 100))
		}
	}
}

// parseMessage reads a stored message as the engine hands it out.
func parseMessage(m *nats.Msg) (*Message, error) {
	seq, err := strconv.ParseUint(m.Header.Get(headSequence), 10, 64)
	if err != nil {
		return nil, errors.New("the engine's answer has no sequence")
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(headTime))
	if err != nil {
		return nil, errors.New("the engine's answer has no time")
	}
	op := m.Header.Get(headOperation)
	return &Message{Seq: seq, Time: at, Subject: m.Header.Get(headSubject), Deleted: op == "DEL" || op == "PURGE", Data: m.Data}, nil
}

// latest reads the last message of one subject; nil if there is none.
func latest(ctx context.Context, nc *nats.Conn, get, subject string) (*Message, error) {
	return one(ctx, nc, get, map[string]any{"last_by_subj": subject})
}

// one reads a single message; nil if there is none.
func one(ctx context.Context, nc *nats.Conn, get string, what map[string]any) (*Message, error) {
	question, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, fetchLimit)
	defer stop()
	m, err := nc.RequestWithContext(ctx, get, question)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded):
		return nil, errSilent
	case err != nil:
		return nil, err
	case m.Header.Get(headStatus) == "404":
		return nil, nil
	case m.Header.Get(headStatus) != "":
		return nil, fmt.Errorf("the engine answers %s", clip(m.Header.Get(headStatus), 10))
	}
	return parseMessage(m)
}

// stored is what the engine says to a message that it took, or did not.
type stored struct {
	Seq   uint64 `json:"seq"`
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
}

func parseStored(b []byte) (seq uint64, err error) {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return 0, errors.New("the engine's answer is no JSON")
	}
	if s.Error != nil {
		return 0, fmt.Errorf("the engine did not take it: %s", clip(s.Error.Description, 200))
	}
	return s.Seq, nil
}

// tellStatus writes how this host is, and learns by it how far the engine's clock is ahead of ours.
func tellStatus(ctx context.Context, nc *nats.Conn, subject string, status []byte, clock func() time.Time) (ahead time.Duration, err error) {
	ctx, stop := context.WithTimeout(ctx, fetchLimit)
	defer stop()
	asked := clock()
	m, err := nc.RequestWithContext(ctx, subject, status)
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		return 0, errSilent
	}
	if err != nil {
		return 0, err
	}
	answered := clock()
	seq, err := parseStored(m.Data)
	if err != nil {
		return 0, err
	}
	for range 10 {
		kept, err := latest(ctx, nc, GetHosts, subject)
		if err != nil {
			return 0, err
		}
		if kept != nil && kept.Seq >= seq {
			return kept.Time.Sub(asked.Add(answered.Sub(asked) / 2)), nil
		}
		select { // another node answered, which is behind
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return 0, errSilent
}
