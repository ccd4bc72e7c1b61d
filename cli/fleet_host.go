package cli

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"path/filepath"
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
	wishes, err := journal.Wishes(ctx)
	if err != nil {
		return err
	}
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
	for i := range wishes {
		m.wish(wishes[i].BlockKey, &wishes[i])
	}
	for i := range allows {
		m.allow(allows[i].Target, &allows[i])
	}
	for i := range pardons {
		m.pardon(pardons[i].Target, &pardons[i])
	}
	return nil
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
	wishes, err := journal.Wishes(ctx)
	if err != nil {
		return nil, err
	}
	for i := range wishes {
		if w := &wishes[i]; w.By.Kind == connwarden.ByFleet && w.Wanted(m.clock()) {
			list = append(list, fleet.Order{Kind: fleet.KindBlock, Target: w.Target, Scope: w.Scope, Until: w.Until})
		}
	}
	allows, err := journal.Allows(ctx)
	for _, a := range allows {
		if a.By.Kind == connwarden.ByFleet {
			list = append(list, fleet.Order{Kind: fleet.KindAllow, Target: a.Target})
		}
	}
	return list, err
}

// Apply implements fleet.Host: all goes through the keeper, whose guard refuses what must not be blocked here.
func (m *member) Apply(ctx context.Context, orders []fleet.Order) ([]string, error) {
	why := make([]string, len(orders))
	if m.why != "" {
		for i := range why {
			why[i] = m.why
		}
		return why, nil
	}
	w := m.keeper.w
	if err := w.hold(ctx, filepath.Join(w.plan.StateDir, "lock")); err != nil {
		return nil, err
	}
	defer m.keeper.release()
	if _, err := m.Own(ctx); err != nil { // whom this host blocks itself, as long as the lock is held
		return nil, err
	}
	m.prune()
	if err := m.lift(ctx, orders); err != nil {
		return nil, err
	}
	if err := m.allows(ctx, orders, why); err != nil {
		return nil, err
	}
	return why, m.block(ctx, orders, why)
}

// lift takes back what other hosts took back. What an operator or a rule of this host wants stays.
func (m *member) lift(ctx context.Context, orders []fleet.Order) error {
	var blocks, allows []netip.Prefix
	known, err := m.keeper.w.keeper.Journal.Allows(ctx)
	if err != nil {
		return err
	}
	for i := range orders {
		o := &orders[i]
		switch {
		case !o.Lift:
		case o.Kind == fleet.KindBlock:
			blocks = append(blocks, o.Target)
		case slices.ContainsFunc(known, func(a block.Allow) bool { return a.Target == o.Target && a.By.Kind == connwarden.ByFleet }):
			allows = append(allows, o.Target)
		}
	}
	if len(blocks) > 0 {
		if err := m.did(m.keeper.w.keeper.Unblock(ctx, blocks, nil, connwarden.Origin{Kind: connwarden.ByFleet})); err != nil {
			return err
		}
	}
	if len(allows) > 0 {
		return m.did(m.keeper.w.keeper.Disallow(ctx, allows, connwarden.Origin{Kind: connwarden.ByFleet}))
	}
	return nil
}

// allows allows what other hosts allow, but for what an operator of this host blocks.
func (m *member) allows(ctx context.Context, orders []fleet.Order, why []string) error {
	known, err := m.keeper.w.keeper.Journal.Allows(ctx)
	if err != nil {
		return err
	}
	byHost := map[connwarden.Origin][]netip.Prefix{}
	reasons := map[connwarden.Origin]string{}
	for i := range orders {
		o := &orders[i]
		if o.Lift || o.Kind != fleet.KindAllow {
			continue
		}
		if slices.ContainsFunc(known, func(a block.Allow) bool { return a.Target == o.Target }) {
			continue
		}
		for where, list := range m.blocks {
			for _, b := range list {
				if where.target.Overlaps(o.Target) && b.by.Kind == connwarden.ByOperator {
					why[i] = "an operator of this host blocks " + block.Show(where.target)
				}
			}
		}
		if why[i] == "" {
			by := fromFleet(o.From)
			byHost[by], reasons[by] = append(byHost[by], o.Target), o.Why
		}
	}
	for by, targets := range byHost {
		if err := m.did(m.keeper.w.keeper.Allow(ctx, targets, by, reasons[by])); err != nil {
			return err
		}
	}
	return nil
}

// block blocks what other hosts block.
func (m *member) block(ctx context.Context, orders []fleet.Order, why []string) error {
	requests := make([]block.Request, 0, len(orders))
	now := m.clock()
	for i := range orders {
		o := &orders[i]
		if o.Lift || o.Kind != fleet.KindBlock {
			continue
		}
		if len(m.blocks[placeKey{o.Target, o.Scope}]) > 0 {
			why[i] = fleet.Ours
			continue
		}
		r := block.Request{Target: o.Target, Scope: o.Scope, Drivers: m.drivers, For: o.Until.Sub(now), By: fromFleet(o.From), Why: o.Why}
		if o.Again {
			var err error
			if r.Why, err = m.before(ctx, &r); err != nil {
				return err
			}
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil
	}
	out, err := m.keeper.w.keeper.Block(ctx, requests...)
	if out == nil {
		return err
	}
	refused(out, orders, why)
	if out.Change == 0 {
		return err
	}
	return m.did(out, err) // what a firewall did not take stays wanted, and the daemon's sync tries again
}

// before is why the same host had the same blocked here the last time: the agent keeps no reason of what this host held.
func (m *member) before(ctx context.Context, r *block.Request) (why string, err error) {
	const most = 100
	past, err := m.keeper.w.keeper.Journal.Past(ctx, block.Automatic(r.Target), most)
	for _, p := range past {
		if p.Target == block.Automatic(r.Target) && p.Scope == r.Scope && p.By == r.By {
			return p.Why, nil
		}
	}
	return "", err
}

// refused notes why orders of blocks were not followed by any firewall.
func refused(out *block.Outcome, orders []fleet.Order, why []string) {
	if len(out.Refused) == 0 {
		return
	}
	reasons := make(map[netip.Prefix]string, len(out.Refused))
	for _, r := range out.Refused {
		reasons[r.Target] = r.Why
	}
	for i := range out.Blocks {
		delete(reasons, out.Blocks[i].Target) // by another firewall it is
	}
	for i := range orders {
		if o := &orders[i]; why[i] == "" && !o.Lift && o.Kind == fleet.KindBlock {
			why[i] = reasons[block.Automatic(o.Target)]
		}
	}
}

// did tells what an act did. The error is returned only where nothing was written down.
func (m *member) did(out *block.Outcome, err error) error {
	if out == nil {
		return err
	}
	now := m.clock()
	if err != nil {
		m.problem(connwarden.Problem{What: "fleet", Why: err.Error()})
	}
	for _, p := range out.Problems {
		m.problem(p)
	}
	for i := range out.Blocks {
		m.tell(&live.Block{Head: live.Head{Type: "block", Time: now}, Block: fleetRow(&out.Blocks[i], out.Blocks[i].State.String()), Undo: "connwarden unblock " + block.Show(out.Blocks[i].Target)})
	}
	for i := range out.Lifted {
		m.tell(&live.Block{Head: live.Head{Type: "unblock", Time: now}, Block: fleetRow(&out.Lifted[i], block.StateLifted.String())})
	}
	return nil
}

func fleetRow(w *block.Wish, state string) report.Block {
	var rows []report.Block
	add(&rows, block.Held{Wish: *w}, false)
	rows[0].State = state
	return rows[0]
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
