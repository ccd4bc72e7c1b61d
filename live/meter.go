package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// Batch is what was counted in a minute or so. Numbers rise; a batch that is handed over twice has the same number and the
// same rates.
type Batch struct {
	Number uint64              `json:"number"`
	Rates  []report.SiteMinute `json:"rates"`
}

// Recorder keeps what was counted. It is called from one goroutine, after the state that says so was saved: a batch comes
// again if the process ended before it was known to be kept.
type Recorder interface {
	Record(ctx context.Context, b Batch) error
}

// Counted is the part of a State that was not handed to the recorder yet: what was counted up to the state's places.
type Counted struct {
	Last   uint64              `json:"last"` // number of the last batch that was closed
	Open   []report.SiteMinute `json:"open,omitempty"`
	Closed []Batch             `json:"closed,omitempty"`
}

const (
	closeEvery = time.Minute
	// maxCells bounds the rates that are counted at once: those of a minute under an attack with ever new names of sites. What
	// comes beyond is counted as of otherSites.
	maxCells   = 2048
	otherSites = "(others)"
	maxSite    = 255
	// maxClosed bounds the batches that wait while they cannot be kept: ten minutes. The oldest are given up first.
	maxClosed = 10
	// oldest is how old a line may be that is still counted by its minute: those of a log that is read whole for the first time
	// are older.
	oldest = 25 * time.Hour
	// ringMinutes is how long the present reaches back.
	ringMinutes = 60
	// maxAccused bounds the addresses whose requests are told apart; 24 bytes each.
	maxAccused = 1 << 16
	// faultRows bounds the different faults that are remembered for the present.
	faultRows = 512
)

// meter stands before the judge's table and counts what passes, by minute and site. Like the table it belongs to the
// goroutine that judges.
type meter struct {
	table   *judge.Table
	now     *time.Time // the warden's
	cells   map[cellKey]*report.SiteMinute
	site    string // of the request before, as are
	minute  int64
	cell    *report.SiteMinute
	ring    [ringMinutes]report.SiteMinute // of all sites, by the number of the minute
	accused map[[16]byte]mark
	closed  []Batch
	last    uint64
	kept    atomic.Uint64 // number of the last batch that the recorder has
	since   time.Time     // when the open batch began
	lost    uint64        // batches that were given up

	// The faults of the last half hour to hour: a younger table and an older one.
	young, old         *faults.Table
	turned             time.Time
	youngSpan, oldSpan [2]time.Time
	events             [2][connwarden.NumEventKinds]uint64
	zone               *time.Location
}

type cellKey struct {
	minute int64
	site   string
}

// mark says what was thought of an address, and when that was told.
type mark struct {
	malicious bool
	at        int64
}

func newMeter(t *judge.Table, now *time.Time, zone *time.Location) *meter {
	m := &meter{table: t, now: now, since: *now, turned: *now, zone: zone, cells: map[cellKey]*report.SiteMinute{}, accused: map[[16]byte]mark{}}
	m.young, m.old = m.newFaults(), m.newFaults()
	return m
}

func (m *meter) newFaults() *faults.Table {
	return faults.NewTable(faults.ByFault, faults.Options{Zone: m.zone, Bound: faultRows})
}

// Conn takes nothing: connections are counted apart.
func (m *meter) Conn(*connwarden.Conn) {}

// Request counts a request and hands it on.
func (m *meter) Request(r *connwarden.Request) {
	one := rate{at: r.Time, site: r.Host}
	one.add(r)
	if c := m.rate(&one); c != nil {
		m.accuses(c, accusedKey(r.Client))
	}
	m.table.Request(r)
}

// rate is what requests were, in one minute to one site, that were read in a row.
type rate struct {
	at   time.Time // of the first
	site []byte
	sum  report.SiteMinute
}

// of tells whether a request is one of them.
func (one *rate) of(r *connwarden.Request) bool {
	return one.at.Unix()/60 == r.Time.Unix()/60 && bytes.Equal(one.site, r.Host)
}

func (one *rate) add(r *connwarden.Request) {
	one.sum.Requests++
	one.sum.Bytes += uint64(max(r.Size, 0))
	if class := r.Status / 100; class < 6 {
		one.sum.Class[class]++
	}
}

// rate counts what was counted beside, and returns where; nil for what is too old.
func (m *meter) rate(one *rate) *report.SiteMinute {
	c := m.at(one.at, one.site)
	if c != nil {
		c.Add(&one.sum)
	}
	return c
}

// accuses counts a request of an address if it was accused.
func (m *meter) accuses(c *report.SiteMinute, addr [16]byte) {
	if a, ok := m.accused[addr]; !ok {
	} else if a.malicious {
		c.Malicious++
	} else {
		c.Suspicious++
	}
}

// Rates takes what was counted of requests beside; rated tells of each of them which of the rates it is in.
func (m *meter) Rates(rates []rate, rated []uint16, of *judge.Findings) {
	var to []*report.SiteMinute
	for i := range rates {
		c := m.rate(&rates[i])
		if len(m.accused) > 0 {
			to = append(to, c)
		}
	}
	if to == nil {
		return
	}
	for i, n := range rated {
		if c := to[n]; c != nil {
			m.accuses(c, peerKey(of.Client(i)))
		}
	}
}

// Event counts an event that speaks against somebody, and hands all on.
func (m *meter) Event(e *connwarden.Event) {
	if e.Kind.Hostile() {
		if c := m.at(e.Time, nil); c != nil {
			c.Events++
		}
	}
	m.events[0][e.Kind]++
	m.table.Event(e)
}

// Fault counts an entry of an error log and hands it on.
func (m *meter) Fault(f *connwarden.Fault) {
	if c := m.at(f.Time, f.Site); c != nil {
		c.Errors++
		if !faults.News(f) {
			m.young.Fault(f)
			if !f.Time.IsZero() {
				m.youngSpan = widened(m.youngSpan, f.Time)
			}
		}
	}
	m.table.Fault(f)
}

func widened(s [2]time.Time, t time.Time) [2]time.Time {
	if s[0].IsZero() || t.Before(s[0]) {
		s[0] = t
	}
	if t.After(s[1]) {
		s[1] = t
	}
	return s
}

// at returns where something is counted; nil for what is too old.
func (m *meter) at(t time.Time, site []byte) *report.SiteMinute {
	minute := t.Unix() / 60
	if m.cell != nil && minute == m.minute && string(site) == m.site {
		return m.cell
	}
	if m.cell != nil && minute == m.minute && len(site) > maxSite && m.site == otherSites {
		return m.cell
	}
	return m.find(t, minute, site)
}

func (m *meter) find(t time.Time, minute int64, site []byte) *report.SiteMinute {
	now := m.now.Unix() / 60
	switch {
	case t.IsZero() || minute > now:
		minute = now // a log without times, or a clock that is ahead
	case m.now.Sub(t) > oldest:
		return nil
	}
	name := otherSites
	if len(site) <= maxSite {
		name = string(bytes.ToLower(site))
	}
	c := m.cells[cellKey{minute, name}]
	if c == nil && len(m.cells) >= maxCells && name != "" {
		name = otherSites
		c = m.cells[cellKey{minute, name}]
	}
	if c == nil {
		c = &report.SiteMinute{At: minute * 60, Site: name}
		m.cells[cellKey{minute, name}] = c
	}
	if t.Unix()/60 == minute { // what was clamped is found anew
		m.minute, m.site, m.cell = minute, string(site[:min(len(site), maxSite+1)]), c
		if name == otherSites {
			m.site = otherSites
		}
	}
	return c
}

// look counts the connections that are open.
func (m *meter) look(open uint64) {
	if c := m.find(*m.now, m.now.Unix()/60, nil); c != nil {
		c.Open = max(c.Open, open)
	}
}

func accusedKey(a netip.Addr) [16]byte { return peerKey(a.As16()) }

// peerKey is what a peer is known by: an IPv4 address, or a /64 that translates none.
func peerKey(a [16]byte) [16]byte {
	if !netip.AddrFrom16(a).Is4In6() && !connwarden.Translated(binary.BigEndian.Uint64(a[:8])) {
		clear(a[8:])
	}
	return a
}

// accuse remembers whose requests are told apart from now on.
func (m *meter) accuse(a netip.Addr, word string) {
	if word != connwarden.VerdictMalicious && word != connwarden.VerdictSuspicious || !a.IsValid() {
		return
	}
	k := accusedKey(a)
	if _, ok := m.accused[k]; !ok && len(m.accused) >= maxAccused {
		return
	}
	m.accused[k] = mark{word == connwarden.VerdictMalicious, m.now.Unix()}
}

// age forgets who was not accused for an hour, and turns the tables of faults every half hour.
func (m *meter) age() {
	m.look(0) // a minute in which nothing came is one that was looked at
	for k, a := range m.accused {
		if m.now.Unix()-a.at > int64(time.Hour/time.Second) {
			delete(m.accused, k)
		}
	}
	if m.now.Sub(m.turned) >= time.Hour/2 {
		m.turned = *m.now
		m.young, m.old = m.newFaults(), m.young
		m.youngSpan, m.oldSpan = [2]time.Time{}, m.youngSpan
		m.events[0], m.events[1] = [connwarden.NumEventKinds]uint64{}, m.events[0]
	}
}

// due tells whether the open batch is to be closed.
func (m *meter) due() bool { return len(m.cells) > 0 && m.now.Sub(m.since) >= closeEvery }

// state closes the open batch if its minute is over, or at the end, and returns what is to be saved with the places of the
// logs. It is a copy.
func (m *meter) state(end bool) *Counted {
	for len(m.closed) > 0 && m.closed[0].Number <= m.kept.Load() {
		m.closed = m.closed[1:]
	}
	if (m.now.Sub(m.since) >= closeEvery || len(m.cells) >= maxCells || end) && len(m.cells) > 0 {
		m.last = max(m.last+1, uint64(max(m.now.Unix(), 0)))
		m.closed = append(m.closed, Batch{Number: m.last, Rates: m.rates()})
		for _, c := range m.cells {
			r := &m.ring[c.At/60%ringMinutes]
			if r.At < c.At {
				*r = report.SiteMinute{At: c.At}
			}
			if r.At == c.At {
				r.Add(c)
			}
		}
		clear(m.cells)
		m.cell, m.since = nil, *m.now
	}
	if over := len(m.closed) - maxClosed; over > 0 {
		m.closed, m.lost = m.closed[over:], m.lost+uint64(over)
	}
	return &Counted{Last: m.last, Open: m.rates(), Closed: append([]Batch(nil), m.closed...)}
}

func (m *meter) rates() []report.SiteMinute {
	list := make([]report.SiteMinute, 0, len(m.cells))
	for _, c := range m.cells {
		list = append(list, *c)
	}
	return list
}

// restore goes on where a state left off.
func (m *meter) restore(s *Counted) {
	if s == nil {
		return
	}
	m.last, m.closed = s.Last, append([]Batch(nil), s.Closed[max(len(s.Closed)-maxClosed, 0):]...)
	for _, r := range s.Open[:min(len(s.Open), maxCells)] {
		m.cells[cellKey{r.At / 60, r.Site}] = &r
	}
}

// hour is what was counted in each minute of the last hour, the oldest first.
func (m *meter) hour() []report.SiteMinute {
	var all [ringMinutes]report.SiteMinute
	now := m.now.Unix() / 60
	put := func(r *report.SiteMinute) {
		if back := now - r.At/60; r.At > 0 && back >= 0 && back < ringMinutes {
			to := &all[ringMinutes-1-back]
			to.At = r.At
			to.Add(r)
		}
	}
	for i := range m.ring {
		put(&m.ring[i])
	}
	for _, c := range m.cells {
		put(c)
	}
	var list []report.SiteMinute
	for i := range all {
		if all[i].At > 0 {
			all[i].Site = ""
			list = append(list, all[i])
		}
	}
	return list
}

// faults are those of the last half hour to hour, in a table of their own, and from when to when they were.
func (m *meter) faults() (t *faults.Table, first, last time.Time) {
	t = m.newFaults()
	span := m.youngSpan
	for _, one := range []*faults.Table{m.young, m.old} {
		t.Merge(one)
	}
	for _, at := range m.oldSpan {
		if !at.IsZero() {
			span = widened(span, at)
		}
	}
	return t, span[0], span[1]
}
