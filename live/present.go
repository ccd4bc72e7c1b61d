package live

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// Present is what the daemon knows at a moment: of what the last hour brought, without reading anything again. It is a copy.
type Present struct {
	Time, Since time.Time           // Since is an hour back, or when the daemon began
	Logs        int                 // that are followed
	Rates       []report.SiteMinute // of all sites, one a minute that had anything
	Events      [connwarden.NumEventKinds]uint64
	Faults      *faults.Table // of half an hour to an hour
	FirstFault  time.Time
	LastFault   time.Time
	Peers       []report.Peer // who was accused within the hour, the latest evidence of the gravest
	Groups      []report.Peer
	Busiest     []judge.Peer // by requests
	Claims      *bots.Claims // what the numbers of Busiest's claims mean
}

const (
	presentSpan = time.Hour
	// maxNotes bounds the accused that are remembered, at some 2 KiB each; the oldest of the least grave go first.
	maxNotes = 4096
	// freshNotes is how many of the gravest get their evidence anew each time somebody asks.
	freshNotes = 200
	// busiestRows is how many addresses are told of besides.
	busiestRows = 100
)

// notes are what was told of peers and groups within the hour.
type notes struct {
	mu     sync.Mutex // guards the rest; leaf
	peers  map[string]*note
	groups map[string]*note
}

type note struct {
	at   time.Time
	peer report.Peer
}

// telling remembers what passes on its way to tell.
func (n *notes) telling(tell func(any)) func(any) {
	return func(m any) {
		if v, ok := m.(*Verdict); ok {
			n.note(v.Time, &v.Peer)
		}
		tell(m)
	}
}

func (n *notes) note(at time.Time, p *report.Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.peers
	if p.Kind != "" {
		to = n.groups
	}
	name := p.Kind + " " + p.Addr
	if to[name] == nil && len(to) >= maxNotes {
		thin(to)
	}
	to[name] = &note{at, *p}
}

// thin drops a quarter: the least grave, of these the oldest.
func thin(m map[string]*note) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := m[a], m[b]
		if grave(&x.peer) != grave(&y.peer) {
			return grave(&x.peer) - grave(&y.peer)
		}
		return x.at.Compare(y.at)
	})
	for _, name := range names[:len(names)/4] {
		delete(m, name)
	}
}

func grave(p *report.Peer) int {
	if p.Verdict == connwarden.VerdictMalicious {
		return 1
	}
	return 0
}

// list returns what was told within the span, worst first.
func (n *notes) list(since time.Time) (peers, groups []report.Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range []struct {
		from map[string]*note
		to   *[]report.Peer
	}{{n.peers, &peers}, {n.groups, &groups}} {
		for name, p := range one.from {
			if p.at.Before(since) {
				delete(one.from, name)
				continue
			}
			*one.to = append(*one.to, p.peer)
		}
		slices.SortFunc(*one.to, func(a, b report.Peer) int {
			if a.Score != b.Score {
				return b.Score - a.Score
			}
			return int(min(b.Requests, 1<<40)) - int(min(a.Requests, 1<<40))
		})
	}
	return peers, groups
}

// present answers who asks. It is called from the goroutine that judges and takes a few milliseconds at most, however many
// addresses there are.
func (w *warden) present() *Present {
	p := &Present{Time: w.now, Since: w.now.Add(-presentSpan), Logs: len(w.byPath), Rates: w.meter.hour(), Claims: &w.claims, Events: w.meter.events[0]}
	for i, n := range w.meter.events[1] {
		p.Events[i] += n
	}
	if p.Since.Before(w.began) {
		p.Since = w.began
		if len(p.Rates) > 0 { // of the run before
			if first := time.Unix(p.Rates[0].At, 0); first.Before(p.Since) {
				p.Since = first
			}
		}
	}
	p.Faults, p.FirstFault, p.LastFault = w.meter.faults()
	p.Peers, p.Groups = w.notes.list(w.now.Add(-presentSpan))
	for i := range p.Peers {
		w.renewNote(&p.Peers[i], i < freshNotes)
	}
	for i := range p.Groups {
		p.Groups[i].LevelNow = levelNow(&p.Groups[i], w.now)
	}
	p.Busiest = w.table.Busiest(busiestRows)
	return p
}

// renewNote brings what was told of a peer up to now: its counts, and its evidence if that is wanted.
func (w *warden) renewNote(p *report.Peer, evidence bool) {
	a, err := netip.ParseAddr(p.Addr)
	if err != nil {
		return
	}
	if now := w.table.Peer(a); now.Requests > 0 {
		p.Requests, p.Bytes, p.Status = now.Requests, now.Bytes, report.Classes(now.ByClass)
		p.First, p.Last = report.When(w.in(now.First)), report.When(w.in(now.Last))
	}
	if evidence {
		if v, ok := w.table.Verdict(a, w.now); ok {
			p.Evidence = slices.Clone(p.Evidence)
			for i := range p.Evidence {
				for _, e := range v.Evidence {
					if e.Rule == p.Evidence[i].Rule {
						old := &p.Evidence[i]
						old.Why, old.Score, old.Count, old.Last = report.Clean(e.Why), e.Score, e.Count, report.When(w.in(e.Last))
					}
				}
			}
		}
	}
	p.LevelNow = levelNow(p, w.now)
}

func (w *warden) in(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(w.opt.Zone)
}

// levelNow is the verdict while the window of any reason reaches to now, and normal afterwards.
func levelNow(p *report.Peer, now time.Time) string {
	for i := range p.Evidence {
		e := &p.Evidence[i]
		window := max(time.Duration(e.Window*float64(time.Second)), time.Minute)
		if e.Last == nil || now.Sub(*e.Last) <= window {
			return p.Verdict
		}
	}
	return connwarden.VerdictNormal
}

// remember takes up what a history tells of the hour before, so that the present reaches back beyond a restart.
func (w *warden) remember(past *report.History) {
	if past == nil {
		return
	}
	for i := len(past.Verdicts) - 1; i >= 0; i-- { // the latest last
		v := &past.Verdicts[i]
		w.notes.note(v.Time, &v.Peer)
		if a, err := netip.ParseAddr(v.Addr); err == nil && v.Kind == "" {
			w.meter.accuse(a, v.Verdict)
		}
	}
	for _, r := range past.Rates {
		if past.Step != 60 {
			break
		}
		at := r.Start.Unix()
		to := &w.meter.ring[at/60%ringMinutes]
		*to = report.SiteMinute{At: at, Requests: r.Requests, Bytes: r.Bytes, Malicious: r.Malicious, Suspicious: r.Suspicious, Errors: r.Errors, Events: r.Events, Open: r.Open}
		to.Class = [6]uint64{r.Status["none"], r.Status["1xx"], r.Status["2xx"], r.Status["3xx"], r.Status["4xx"], r.Status["5xx"]}
	}
}
