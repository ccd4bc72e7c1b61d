package cli

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/wire"
)

// member is this host as the fleet's agent sees it: a keeper of its own over the journal that all commands share, with the
// same guard.
type member struct {
	keeper  *daemon
	id      *fleet.Identity
	share   []fleet.Kind
	drivers []string
	why     string // nothing is held for the fleet, and the reason; "" where it is
	tell    func(any)
	telling sync.WaitGroup // of much, beside
	clock   func() time.Time
	daemon  *wire.Client // tells how the host is; nil: nobody does

	last   int64                            // change of the journal that own is of
	blocks map[placeKey]map[string]ownBlock // this host's own, by driver
	own    map[string]fleet.Decision        // by subject
	look   sync.Mutex                       // guards seen and looked
	seen   *report.Review
	looked time.Time
}

// ownBlock is what is to be known of a block that this host decided on.
type ownBlock struct {
	until time.Time
	by    connwarden.Origin
	why   string
	score int
}

// placeKey is a block's key without its driver.
type placeKey struct {
	target netip.Prefix
	scope  connwarden.Scope
}

func fromFleet(host string) connwarden.Origin {
	return connwarden.Origin{Kind: connwarden.ByFleet, Name: fleet.Name(host)}
}

// maxChanges is how many changes of the journal are followed one by one; of more, all is read anew.
const maxChanges = 500

// Own implements fleet.Host. It follows the journal's changes, so that it costs nothing where there are none.
func (m *member) Own(ctx context.Context) (map[string]fleet.Decision, error) {
	journal := m.keeper.w.keeper.Journal
	most := maxChanges
	if m.own != nil {
		most = 1
	}
	latest, err := journal.Changes(ctx, most)
	if err != nil {
		return nil, err
	}
	if m.own != nil && (len(latest) == 0 || latest[0].Number == m.last) {
		return m.own, nil
	}
	if m.own == nil {
		return m.own, m.read(ctx, latest)
	}
	if latest, err = journal.Changes(ctx, maxChanges); err != nil {
		return nil, err
	}
	if n := len(latest); n == maxChanges && latest[n-1].Number > m.last+1 {
		return m.own, m.read(ctx, latest)
	}
	for _, c := range slices.Backward(latest) {
		if c.Number <= m.last {
			continue
		}
		if c.By.Kind == connwarden.ByFleet && c.Verb == "block" { // by block below, about nothing of this host's own
			m.last = c.Number
			continue
		}
		whole, err := journal.Change(ctx, c.Number)
		if err != nil {
			return nil, err
		}
		m.follow(whole)
		m.last = c.Number
	}
	return m.own, nil
}

// read takes all there is in the journal; latest are its last changes, read before.
func (m *member) read(ctx context.Context, latest []block.Change) error {
	journal := m.keeper.w.keeper.Journal
	allows, err := journal.Allows(ctx)
	if err != nil {
		return err
	}
	pardons, err := journal.Pardons(ctx)
	if err != nil {
		return err
	}
	m.last, m.own, m.blocks = 0, map[string]fleet.Decision{}, map[placeKey]map[string]ownBlock{}
	if len(latest) > 0 {
		m.last = latest[0].Number
	}
	if err := m.readWishes(ctx, journal); err != nil {
		m.own = nil // to be read again
		return err
	}
	for i := range allows {
		m.allow(allows[i].Target, &allows[i])
	}
	for i := range pardons {
		m.pardon(pardons[i].Target, &pardons[i])
	}
	return nil
}

// readWishes takes this host's own, of which fleets have few: with their reasons they are asked for by target.
func (m *member) readWishes(ctx context.Context, journal block.Journal) error {
	const most = 1000
	var own []netip.Prefix
	take := func() error {
		if len(own) == 0 {
			return nil
		}
		list, err := journal.Wishes(ctx, own...)
		for i := range list {
			m.wish(list[i].BlockKey, &list[i])
		}
		own = own[:0]
		return err
	}
	err := block.EachWish(ctx, journal, func(w *block.Wish) error {
		if w.By.Kind == connwarden.ByFleet {
			return nil
		}
		if own = append(own, w.Target); len(own) < most {
			return nil
		}
		return take()
	})
	return errors.Join(err, take())
}

// follow takes one change.
func (m *member) follow(c *block.Change) {
	for _, s := range c.Wishes {
		m.wish(block.WishKey(s), s.After)
	}
	for _, s := range c.Allows {
		if s.After != nil {
			m.allow(s.After.Target, s.After)
		} else {
			m.allow(s.Before.Target, nil)
		}
	}
	for _, s := range c.Pardons {
		if s.After != nil {
			m.pardon(s.After.Target, s.After)
		} else {
			m.pardon(s.Before.Target, nil)
		}
	}
}

// wish notes that this host wants a block, or with nil does not any more. What is not confirmed yet is not shared.
func (m *member) wish(key connwarden.BlockKey, w *block.Wish) {
	if !fleet.Shareable(key.Scope) {
		return
	}
	where := placeKey{key.Target, key.Scope}
	if w != nil && w.By.Kind != connwarden.ByFleet && w.State != block.StateLifted && w.Confirm.IsZero() && !w.Expired(m.clock()) {
		b := ownBlock{until: w.Until, by: w.By, why: w.Why, score: 100}
		if b.by.Kind == connwarden.ByRule {
			b.score = scoreOf(w.Evidence)
		}
		if m.blocks[where] == nil {
			m.blocks[where] = map[string]ownBlock{}
		}
		m.blocks[where][key.Driver] = b
	} else if delete(m.blocks[where], key.Driver); len(m.blocks[where]) == 0 {
		delete(m.blocks, where)
	}
	k := m.key(fleet.KindBlock, key.Target)
	k.Scope = key.Scope
	delete(m.own, k.Subject())
	var longest *ownBlock // of several drivers
	for _, b := range m.blocks[where] {
		if longest == nil || b.until.IsZero() || !longest.until.IsZero() && b.until.After(longest.until) {
			longest = &b
		}
	}
	if longest != nil {
		m.put(fleet.Decision{Key: k, Until: longest.until, Score: longest.score, By: longest.by, Why: longest.why})
	}
}

// prune forgets what of its own has ended.
func (m *member) prune() {
	now := m.clock()
	for where, list := range m.blocks {
		maps.DeleteFunc(list, func(_ string, b ownBlock) bool { return !b.until.IsZero() && !now.Before(b.until) })
		if len(list) == 0 {
			delete(m.blocks, where)
		}
	}
	maps.DeleteFunc(m.own, func(_ string, d fleet.Decision) bool { return !d.Until.IsZero() && !now.Before(d.Until) })
}

func (m *member) allow(target netip.Prefix, a *block.Allow) {
	k := m.key(fleet.KindAllow, target)
	delete(m.own, k.Subject())
	if a != nil && a.By.Kind != connwarden.ByFleet {
		m.put(fleet.Decision{Key: k, Score: 100, By: a.By, Why: a.Why})
	}
}

func (m *member) pardon(target netip.Prefix, p *block.Pardon) {
	k := m.key(fleet.KindPardon, target)
	delete(m.own, k.Subject())
	if p != nil && p.By.Kind != connwarden.ByFleet && p.Until.After(m.clock()) {
		m.put(fleet.Decision{Key: k, Until: p.Until, Score: 100, By: p.By})
	}
}

func (m *member) key(kind fleet.Kind, target netip.Prefix) fleet.Key {
	return fleet.Key{Group: m.id.Group, Host: m.id.Host, Kind: kind, Target: target}
}

func (m *member) put(d fleet.Decision) {
	if slices.Contains(m.share, d.Kind) {
		m.own[d.Subject()] = d
	}
}

// scoreOf is the highest score in the evidence of a verdict that led to a block, which is malicious at least.
func scoreOf(evidence string) int {
	score := connwarden.ScoreMalicious
	var list []report.Evidence
	if json.Unmarshal([]byte(evidence), &list) == nil {
		for _, e := range list {
			score = min(100, max(score, e.Score))
		}
	}
	return score
}

// Held implements fleet.Host.
func (m *member) Held(ctx context.Context) (list []fleet.Order, err error) {
	journal := m.keeper.w.keeper.Journal
	now := m.clock()
	err = block.EachWish(ctx, journal, func(w *block.Wish) error {
		if w.By.Kind == connwarden.ByFleet && w.Wanted(now) {
			list = append(list, fleet.Order{Kind: fleet.KindBlock, Target: w.Target, Scope: w.Scope, Until: w.Until})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	allows, err := journal.Allows(ctx)
	for _, a := range allows {
		if a.By.Kind == connwarden.ByFleet {
			list = append(list, fleet.Order{Kind: fleet.KindAllow, Target: a.Target})
		}
	}
	return list, err
}

func (m *member) problem(p connwarden.Problem) {
	m.tell(&live.Problem{Head: live.Head{Type: "problem", Time: m.clock()}, Problem: report.Problem{What: report.Clean(p.What), Why: report.Clean(p.Why)}})
}

// lookEvery is how often the daemon is asked how the host is: an answer costs it some milliseconds.
const lookEvery = 30 * time.Second

// Status implements fleet.Host with what was seen last; the next look is beside.
func (m *member) Status(ctx context.Context, s *fleet.Status) {
	m.prune()
	s.Program, s.Health, s.Blocks = Version, fleet.HealthUnknown, len(m.blocks)
	if m.daemon == nil {
		return
	}
	m.look.Lock()
	defer m.look.Unlock()
	if now := m.clock(); now.Sub(m.looked) >= lookEvery || now.Before(m.looked) {
		m.looked = now
		go func() {
			if doc, err := m.daemon.Review(ctx); err == nil {
				m.look.Lock()
				m.seen = doc
				m.look.Unlock()
			}
		}()
	}
	if m.seen != nil {
		statusOf(s, m.seen)
	}
}

// statusOf makes a status of a review.
func statusOf(s *fleet.Status, doc *report.Review) {
	s.Health = fleet.HealthOK
	for _, f := range doc.Findings {
		switch {
		case f.Level == "critical":
			s.Health = fleet.HealthCritical
		case s.Health == fleet.HealthOK:
			s.Health = fleet.HealthWarning
		}
	}
	s.Findings = len(doc.Findings)
	if doc.Load != nil {
		s.Load, s.Cores = doc.Load.One, doc.Load.Cores
	}
	if doc.Conns != nil {
		s.Open = int(doc.Conns.Total)
	}
	if n := len(doc.Rates); n > 1 { // the last one is not over
		s.Requests, s.Errors = doc.Rates[n-2].Requests, doc.Rates[n-2].Errors
	}
}

// review is the host's own, for operators of the fleet who ask.
func (m *member) review() ([]byte, error) {
	if m.daemon == nil {
		return nil, errors.New("its daemon answers nobody (daemon.socket)")
	}
	ctx, stop := context.WithTimeout(context.Background(), lookEvery)
	defer stop()
	doc, err := m.daemon.Review(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

var _ fleet.Host = (*member)(nil)
