package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Words for a host's health.
const (
	HealthOK       = "ok"
	HealthWarning  = "warning"
	HealthCritical = "critical"
	HealthStopped  = "stopped" // its daemon was ended
	HealthUnknown  = "unknown" // its daemon is there and sees nothing of the machine
)

const (
	statusVersion = 1
	maxRecent     = 10
	maxStatus     = 16 << 10
	maxProgram    = 64 // bytes of a version
)

// Status is how a host is, as it says itself. Text in it is hostile: the host may be stolen.
type Status struct {
	Version  int         `json:"v"`
	Host     string      `json:"host"`
	Group    string      `json:"group"`
	Time     time.Time   `json:"time"`
	Program  string      `json:"version"`
	Health   string      `json:"health"`
	Load     float64     `json:"load"` // of a minute
	Cores    int         `json:"cores"`
	Open     int         `json:"open"`     // connections
	Requests uint64      `json:"requests"` // in the last whole minute
	Errors   uint64      `json:"errors"`   // likewise
	Findings int         `json:"findings"`
	Blocks   int         `json:"blocks"` // in force, whoever wanted them
	Fleet    StatusFleet `json:"fleet"`
}

// StatusFleet is what became of others' decisions at a host, since its daemon began.
type StatusFleet struct {
	Held       int             `json:"held"`   // because of the fleet
	Known      int             `json:"known"`  // decisions of others that it knows of
	Shared     int             `json:"shared"` // its own
	Refused    int             `json:"refused"`
	Unreadable int             `json:"unreadable"`
	Recent     []StatusRefusal `json:"recent"`
	ClockAhead float64         `json:"clock_ahead"` // seconds, of the engine's
}

// StatusRefusal is one of the last decisions that a host did not take.
type StatusRefusal struct {
	Kind   string    `json:"kind"`
	Target string    `json:"target"`
	From   string    `json:"from"`
	Why    string    `json:"why"`
	Time   time.Time `json:"time"`
}

func (s *Status) encode() ([]byte, error) {
	b, err := json.Marshal(s)
	if err == nil && len(b) > maxStatus {
		s.Fleet.Recent = nil
		b, err = json.Marshal(s)
	}
	return b, err
}

// decodeStatus reads a status; the engine vouches for host and group, which stand in the subject, and for the time.
func decodeStatus(m *Message) (*Status, error) {
	words := strings.Split(strings.TrimPrefix(m.Subject, hostsPrefix), ".")
	if len(words) != 2 || !isWord(words[0]) || !isWord(words[1]) {
		return nil, errors.New("it is no host's")
	}
	if len(m.Data) > maxStatus {
		return nil, errors.New("it is too long")
	}
	s := &Status{}
	if err := json.Unmarshal(m.Data, s); err != nil {
		return nil, errors.New("it is no JSON of ours")
	}
	if s.Version != statusVersion {
		return nil, fmt.Errorf("it has the version %d", s.Version)
	}
	s.Group, s.Host, s.Time = words[0], Name(words[1]), m.Time
	s.Program = clip(s.Program, maxProgram)
	if !slices.Contains([]string{HealthOK, HealthWarning, HealthCritical, HealthStopped}, s.Health) {
		s.Health = HealthUnknown
	}
	s.Fleet.Recent = s.Fleet.Recent[:min(len(s.Fleet.Recent), maxRecent)]
	return s, nil
}

// Look reads the whole fleet once.
func (id *Identity) Look(ctx context.Context) (*View, error) {
	w := id.Window()
	defer w.Close()
	return w.Look(ctx)
}

// A review is sent in pieces that the engine takes, the last one with this header; there are fewer than a host may send.
const (
	piece       = 512 << 10
	maxPieces   = 32
	headEnd     = "Connwarden-End"
	reviewLimit = 20 * time.Second
)

// answer sends our review to who asks, one at a time: nc's goroutine for this subject waits.
func (a *agent) answer(m *nats.Msg) {
	text, err := a.opt.Review()
	var packed bytes.Buffer
	if err == nil {
		w := gzip.NewWriter(&packed)
		_, err = w.Write(text)
		err = errors.Join(err, w.Close())
	}
	end := ""
	if err == nil && packed.Len() > piece*maxPieces {
		err = errors.New("the review is too long")
	}
	if err != nil {
		packed.Reset()
		end = clip(err.Error(), maxWhy)
	}
	for packed.Len() > 0 {
		if err := m.Respond(packed.Next(piece)); err != nil {
			a.fail(err)
			return
		}
	}
	if err := m.RespondMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header{headEnd: {end}}}); err != nil {
		a.fail(err)
	}
}

// Review asks another host for its review, which is the JSON that connwarden review prints there.
func (id *Identity) Review(ctx context.Context, name string) ([]byte, error) {
	host, err := Word(name)
	if err != nil {
		return nil, err
	}
	if !id.Operator {
		return nil, errors.New("this host may not ask others: it joined with a token that was made without --operator")
	}
	nc, err := id.dial(nats.NoReconnect())
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	if err := nc.PublishRequest(AskSubject+host, inbox, nil); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, reviewLimit)
	defer stop()
	var packed bytes.Buffer
	for range maxPieces + 1 {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) || err == nil && m.Header.Get(headStatus) == "503" {
			return nil, fmt.Errorf("%s does not answer: its daemon does not run, or is not connected", Name(host))
		}
		if err != nil {
			return nil, err
		}
		if end, ok := m.Header[headEnd]; ok {
			if end[0] != "" {
				return nil, fmt.Errorf("%s: %s", Name(host), clip(end[0], maxWhy))
			}
			return unpack(&packed)
		}
		packed.Write(m.Data)
	}
	return nil, fmt.Errorf("%s sends no end", Name(host))
}

// maxReview bounds what a review may unpack to: a stolen host may send a bomb.
const maxReview = 16 << 20

func unpack(r io.Reader) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("its review: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxReview+1))
	if err != nil {
		return nil, fmt.Errorf("its review: %w", err)
	}
	if len(b) > maxReview {
		return nil, errors.New("its review is too long")
	}
	return b, nil
}
