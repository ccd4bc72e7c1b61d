package hub

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"sync"

	"github.com/connwarden/connwarden/fleet"
)

// logger hands what the server says to a slog.Logger. What users try and may not is counted instead: a stolen host can try a
// million times a minute.
type logger struct {
	log *slog.Logger

	mu     sync.Mutex // guards denied; leaf
	denied map[string]*denial
}

// denial is what one user tried, who is known by its public key.
type denial struct {
	times int
	last  string
}

const (
	// maxDenied bounds how many users are told apart; more than there are hosts.
	maxDenied = 100_000
	maxTried  = 300 // bytes of what was tried last
)

// violation finds the user and what was tried in the server's words.
var violation = regexp.MustCompile(`\bjwt:(U[A-Z2-7]{55})\b.* - ((?:Publish|Subscription) Violation.*)`)

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l *logger) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

func (l *logger) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	said := violation.FindStringSubmatch(text)
	if said == nil {
		l.log.Error(text)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.denied[said[1]]
	if d == nil {
		if len(l.denied) == maxDenied {
			return
		}
		d = &denial{}
		l.denied[said[1]] = d
	}
	d.times++
	d.last = said[2][:min(len(said[2]), maxTried)]
}

// take returns what was counted, and begins anew.
func (l *logger) take() map[string]*denial {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.denied
	l.denied = map[string]*denial{}
	return all
}

// tellDenied says which hosts tried what they may not.
func (h *Hub) tellDenied(ctx context.Context) {
	denied := h.log.take()
	if len(denied) == 0 {
		return
	}
	members, err := (&admin{list: h.list}).members(ctx)
	if err != nil {
		h.opt.Log.Warn("the list of hosts cannot be read", "err", err) // they are told of by their keys
	}
	names := map[string]string{}
	for _, m := range members {
		names[m.Key] = fleet.Name(m.Host)
	}
	for key, d := range denied {
		h.opt.Log.Error("a host tries what it may not: it is stolen, or of another version", "host", cmp.Or(names[key], key), "times", d.times, "last", d.last)
	}
}
