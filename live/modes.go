package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// Modes of the server and of a site.
const (
	Suggest = "suggest"
	Enforce = "enforce"
)

// Policy says where and when harm is acted upon. The zero value acts everywhere and always. It must not be changed once it
// was handed over.
type Policy struct {
	Suggest bool // the server's mode: only sites that enforce are defended
	Sites   []Site
	Windows []Window
	// Mutes are families and names of rules on which nothing is blocked while it is quiet, besides all rules that are
	// capped; nil: Mutes().
	Mutes []string
	// Quiet is the file in which the command quiet leaves a [Quiet]; "": nobody can ask for quiet.
	Quiet string
}

// Site is how some sites differ from the server. A site's is what all lines are about that speak for one reason against an
// address; what concerns several sites, or none, is the server's.
type Site struct {
	Names   []string // small letters; "*.example.com" is every name below it
	Mode    string   // Suggest, Enforce, or "" for the server's
	Off     []string // names of rules that do not count there
	Drivers []string // to block with; none: the server's
	Folder  string   // block for this site alone, by the folder that its server reads access rules from; "": everything
}

// Window is a time of the week in which less is blocked.
type Window struct {
	Days     [7]bool       // on which it begins, by time.Weekday
	From, To time.Duration // since midnight; a To that is not later is the next day's
	Zone     *time.Location
	Suggest  bool // nothing is blocked; else only what a deployment provokes is not
}

// Mutes are the families and names of rules that a deployment makes innocent visitors fit: haste, many requests, many
// connections, missing files. Logins, probes and injections are not among them.
func Mutes() []string {
	return []string{"volume", "flood", "conns", "slow", "missing-scripts-fast"}
}

// times calls found with the times of a window that end after since and begin by until. No window is longer than a day.
func (w *Window) times(since, until time.Time, found func(from, to time.Time)) {
	y, m, d := until.In(w.Zone).Date()
	for back := 0; ; back++ {
		day := time.Date(y, m, d-back, 12, 0, 0, 0, w.Zone)
		clock := func(add int, at time.Duration) time.Time {
			return time.Date(y, m, d-back+add, int(at/time.Hour), int(at/time.Minute%60), 0, 0, w.Zone)
		}
		next := 0
		if w.To <= w.From {
			next = 1
		}
		from, to := clock(0, w.From), clock(next, w.To)
		if w.Days[day.Weekday()] && !from.After(until) && to.After(since) {
			found(from, to)
		}
		if day.Before(since.Add(-3 * 24 * time.Hour)) {
			return
		}
	}
}

// site returns the policy of a site, nil where it is the server's.
func (p *Policy) site(name string) *Site {
	if name == "" {
		return nil
	}
	name = strings.ToLower(name)
	for i := range p.Sites {
		for _, n := range p.Sites[i].Names {
			if n == name || strings.HasPrefix(n, "*.") && strings.HasSuffix(name, n[1:]) {
				return &p.Sites[i]
			}
		}
	}
	return nil
}

// scope is what a block for the site denies.
func (s *Site) scope() connwarden.Scope {
	if s.Folder == "" {
		return connwarden.Scope{}
	}
	return connwarden.Scope{Kind: connwarden.ScopeSite, Detail: s.Folder}
}

// cmpDrivers are the site's drivers, or the server's where it names none.
func cmpDrivers(site, server []string) []string {
	if len(site) > 0 {
		return site
	}
	return server
}

// mutes tells whether nothing is blocked on evidence of this kind while it is quiet.
func (p *Policy) mutes(e *connwarden.Evidence) bool {
	list := p.Mutes
	if list == nil {
		list = Mutes()
	}
	return e.Capped || slices.Contains(list, e.Family) || slices.Contains(list, e.Rule)
}

// held says why evidence is not acted upon now, "" if it is. What was counted while it was quiet never is: quiet lasts for
// each rule until its window has passed.
func (p *Policy) held(e *connwarden.Evidence, site *Site, q *Quiet, now time.Time) (why string) {
	mode := ""
	if site != nil {
		mode = site.Mode
	}
	if mode == Suggest || mode == "" && p.Suggest {
		return "mode suggest"
	}
	muted := p.mutes(e)
	if muted && q != nil && q.Since.Before(now.Add(time.Second)) && now.Add(-e.Window).Before(q.Until) {
		return "quiet until " + q.Until.UTC().Format(time.RFC3339)
	}
	for i := range p.Windows {
		w := &p.Windows[i]
		since := now
		if !w.Suggest {
			if !muted {
				continue
			}
			since = now.Add(-e.Window)
		}
		w.times(since, now, func(_, to time.Time) {
			why = "maintenance until " + to.Format(time.RFC3339)
		})
		if why != "" {
			return why
		}
	}
	return ""
}

// stance is what is done about harm at a moment.
func (p *Policy) stance(q *Quiet, enforces bool, now time.Time) Mode {
	m := Mode{Mode: Enforce}
	if !enforces || p.Suggest {
		m.Mode = Suggest
	}
	if q.at(now) {
		m.Quiet, m.Until, m.Why = true, report.When(q.Until), report.Clean(q.Why)
	}
	for i := range p.Windows {
		p.Windows[i].times(now, now, func(_, to time.Time) {
			if p.Windows[i].Suggest {
				m.Mode = Suggest
			} else {
				m.Quiet = true
			}
			if m.Why = "maintenance"; m.Until == nil || m.Until.Before(to) {
				m.Until = report.When(to)
			}
		})
	}
	return m
}

// Quiet is a time in which nothing is blocked of what a deployment provokes. What was judged in it stays told.
type Quiet struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Why   string    `json:"why,omitempty"`
}

// at tells whether it is quiet; of nil it is not.
func (q *Quiet) at(now time.Time) bool {
	return q != nil && now.Before(q.Until) && q.Since.Before(now.Add(time.Second))
}

// maxQuiet bounds the file that says so.
const maxQuiet = 64 << 10

// LoadQuiet reads what SaveQuiet wrote; nil if nothing was ever written.
func LoadQuiet(name string) (*Quiet, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxQuiet {
		err = fmt.Errorf("longer than %d bytes", maxQuiet)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(name)
	}
	q := &Quiet{}
	if err == nil {
		err = json.Unmarshal(b, q)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return q, nil
}

// SaveQuiet leaves word for the daemon. A quiet that was ended early is written with its end, and not removed: what was
// counted in it is not acted upon later either.
func SaveQuiet(name string, q *Quiet) error {
	b, err := json.Marshal(q)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	if err == nil {
		err = os.WriteFile(name+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("quiet: %w", err)
	}
	return nil
}

// quietly looks at the file again if it was changed. It belongs to the goroutine that judges, as all of warden does; the
// actor is told.
func (w *warden) quietly() {
	name := w.opt.Policy.Quiet
	if name == "" {
		return
	}
	info, err := os.Stat(name)
	if err != nil {
		return // what was said holds
	}
	if at := info.ModTime(); at.Equal(w.quietAt) {
		return
	}
	w.quietAt = info.ModTime()
	q, err := LoadQuiet(name)
	if err != nil {
		w.problem("quiet", err.Error())
		return
	}
	w.quiet = q
	w.actor.hush(q)
}

// weighs tells whether what is proved of an address is enough to act on now. Sites are those of its evidence, nil while they
// were not looked at.
func (w *warden) weighs(v *judge.Judged, sites map[string]string) bool {
	kept := make([]connwarden.Evidence, 0, len(v.Proved))
	for i := range v.Proved {
		e := &v.Proved[i]
		if sites == nil && len(w.opt.Policy.Sites) > 0 || w.opt.Policy.held(e, w.opt.Policy.site(sites[e.Rule]), w.quiet, w.now) == "" {
			kept = append(kept, *e)
		}
	}
	return judge.ScoreOf(kept) >= connwarden.ScoreMalicious
}

// localize finds whose sites the evidence is about, once its samples are quoted, and drops what does not count there. It
// returns the sites by the names of rules.
func (w *warden) localize(v *judge.Judged) map[string]string {
	if len(w.opt.Policy.Sites) == 0 {
		return nil
	}
	sites := make(map[string]string, len(v.Evidence))
	for i := range v.Evidence {
		sites[v.Evidence[i].Rule] = w.siteOf(&v.Evidence[i])
	}
	off := func(e connwarden.Evidence) bool {
		s := w.opt.Policy.site(sites[e.Rule])
		return s != nil && slices.Contains(s.Off, e.Rule)
	}
	if !slices.ContainsFunc(v.Evidence, off) {
		return sites
	}
	v.Evidence, v.Proved = slices.DeleteFunc(slices.Clone(v.Evidence), off), slices.DeleteFunc(slices.Clone(v.Proved), off)
	v.Score = judge.ScoreOf(v.Evidence)
	v.ScoreNow = min(v.ScoreNow, v.Score)
	return sites
}

// siteOf is the site that all samples of evidence are about, "" if it is none or there are several.
func (w *warden) siteOf(e *connwarden.Evidence) (site string) {
	for i := range e.Samples {
		s := &e.Samples[i]
		n, ok := w.byName[s.From.Name]
		if !ok {
			return ""
		}
		f := w.feeds[n]
		one := f.source.Log.Site
		if one == "" && s.Text != "" {
			var h hostOf
			parser := f.from.Parser(f.source, connwarden.AllFields)
			parser.Parse(connwarden.Source{}, append([]byte(s.Text), '\n'), &h)
			parser.Flush(&h)
			one = h.name
		}
		if one == "" || i > 0 && !strings.EqualFold(one, site) {
			return ""
		}
		site = one
	}
	return site
}

// hostOf keeps the site of what it is given.
type hostOf struct{ name string }

func (h *hostOf) Conn(*connwarden.Conn)         {}
func (h *hostOf) Request(r *connwarden.Request) { h.name = string(r.Host) }
func (h *hostOf) Event(*connwarden.Event)       {}
func (h *hostOf) Fault(f *connwarden.Fault)     { h.name = string(f.Site) }

// Enforces tells whether any site enforces of its own.
func (p *Policy) Enforces() bool {
	return slices.ContainsFunc(p.Sites, func(s Site) bool { return s.Mode == Enforce })
}

// Drivers are those that sites name.
func (p *Policy) Drivers() (names []string) {
	for i := range p.Sites {
		names = append(names, p.Sites[i].Drivers...)
	}
	return names
}
