package watch

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/tally"
)

// ReviewOptions say what a review looks at.
type ReviewOptions struct {
	Options
	Conns bool   // look at connections
	From  string // in this saved text instead of the kernel
	Logs  bool   // read logs
	Netns string // other network namespaces, as conns.Options has it
	Rules *rules.Set
	Want  []netip.Prefix // addresses that are told of whether or not they stand out
	Past  bool           // it is about a time that is over: what the machine says of itself now does not belong to it
	Identity
}

// portRows is how many services a review tells of; most machines have fewer.
const portRows = 8

// review is one review under way.
type review struct {
	opt  ReviewOptions
	p    gather.Problems
	doc  *report.Review
	now  time.Time
	host machine

	cells    *tally.Conns
	found    *conns.Result
	sources  *sources
	files    []report.File
	sum      *fold
	keys     tally.Keys
	paths    []judge.PathOutlier
	holders  []connwarden.Verdict
	crowds   []connwarden.Verdict // on paths
	second   *judge.Second
	claims   *bots.Claims
	own      map[netip.Addr]bool
	families map[string]string // of rules, for what is told once
}

// Review looks once: at connections, access logs and error logs, and judges the addresses in them.
func Review(ctx context.Context, opt ReviewOptions) (*report.Review, error) {
	r := &review{opt: opt, claims: &bots.Claims{}, doc: &report.Review{Schema: report.SchemaReview, Host: hostname(), Ports: []report.ConnRow{}}, now: opt.Clock()}
	if !opt.Now.IsZero() {
		r.now = opt.Now
	}
	seen := make(chan error, 1)
	go func() { seen <- r.look(ctx) }()
	var err error
	if opt.Logs {
		err = r.read(ctx)
	}
	if r.sources != nil {
		defer r.sources.Close()
	}
	if e := <-seen; err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	if err := r.again(ctx); err != nil {
		return nil, err
	}
	r.assemble(ctx)
	return r.doc, nil
}

// look reads the connections and what the machine says of itself. It runs beside read and has problems of its own.
func (r *review) look(ctx context.Context) error {
	live := !r.opt.Past && r.opt.From == "" && (r.opt.Conns || len(r.opt.Files) == 0)
	if live {
		r.host.begin(r.opt.Clock)
	}
	if !r.opt.Conns {
		return nil
	}
	o := r.connsOptions()
	var err error
	r.cells, r.found, err = look(ctx, &o, &r.host.p)
	if err != nil && r.opt.From == "" && ctx.Err() == nil {
		r.host.p.Say("connections", "%s", gather.Reason(err)) // the logs can still be reviewed
		return nil
	}
	return err
}

func (r *review) connsOptions() ConnsOptions {
	return ConnsOptions{
		From: r.opt.From, Stdin: r.opt.Stdin, Top: r.opt.Top, Clock: r.opt.Clock, By: tally.ConnByIP, Conns: conns.Options{Namespace: r.opt.Netns},
	}
}

// read reads the logs once.
func (r *review) read(ctx context.Context) error {
	var err error
	r.sources, err = open(ctx, &r.opt.Options.Options, func(logs.Kind) bool { return true }, &r.p)
	if err != nil {
		return err
	}
	r.keys, err = tally.ParseKeys("path")
	if err != nil {
		return err
	}
	judging := r.judging()
	folds, files, err := r.sources.read(ctx, connwarden.AllFields, func() *fold {
		return &fold{
			pages: tally.NewPages(r.keys, reviewPaths), ledgers: judge.New(judging),
			faults: faults.NewTable(faults.ByFault, faults.Options{Zone: r.opt.Zone}), quiet: true,
		}
	}, r.opt.Progress, &r.p)
	if err != nil {
		return err
	}
	r.files, r.sum = files, folds[0]
	for _, f := range folds[1:] {
		r.sum.pages.Merge(f.pages)
		r.sum.ledgers.Merge(f.ledgers)
		for k, n := range f.events {
			r.sum.events[k] += n
		}
		r.sum.heard = latest(r.sum.heard, &f.heard)
	}
	mergeFaults(folds)
	r.second = r.sum.ledgers.Second()
	if len(r.opt.Files) > 0 && r.opt.Now.IsZero() {
		if end := latest(latest(r.sum.pages.Last(), &r.sum.last), &r.sum.heard); !end.IsZero() {
			r.now = end
		}
	}
	return nil
}

// again looks a second time at what the first look found worth it: who is behind the paths that are shown.
func (r *review) again(ctx context.Context) error {
	if r.sum == nil {
		return nil
	}
	access := r.sources.only(r.files, logs.Access)
	var rows []string
	r.doc.Pages, rows = pagesDocument(r.sum.pages, r.keys, r.opt.Top, access, r.opt.Zone)
	ranked := r.sum.pages.Top(rankedPaths)
	counts := make([]judge.PathCount, len(ranked))
	for i, row := range ranked {
		counts[i] = judge.PathCount{Path: row.Key, Count: row.Count}
	}
	r.sum.pages = nil // the second look needs its memory
	r.paths = judge.Paths(counts)
	crowded := r.paths
	if len(crowded) == 0 && len(counts) > 0 && 2*counts[0].Count > r.doc.Pages.Counted { // it has hardly a neighbour
		crowded = []judge.PathOutlier{{Path: counts[0].Path, Count: counts[0].Count}}
	}
	outlying := map[string]bool{}
	for _, o := range crowded {
		outlying[o.Path] = true
	}
	pair, err := tally.ParseKeys("path,ip")
	if err != nil {
		return err
	}
	var again gather.Problems // the first look has told them
	few := pair.Fields() | connwarden.FieldTime
	if len(outlying) > 0 {
		few |= connwarden.FieldReferer | connwarden.FieldAgent
	}
	fields := few
	if r.second != nil {
		fields = connwarden.AllFields
	}
	folds, _, err := r.sources.read(ctx, fields, func() *fold {
		f := &fold{distinct: tally.NewDistinct(r.keys, rows)}
		if r.second != nil {
			f.again = r.second.Table()
			f.brief = &brief{few, r.second.Wants}
		}
		if len(outlying) > 0 {
			f.holders, f.crowds, f.outlying = tally.NewPages(pair, holdersBound), tally.NewPages(pair, holdersBound), outlying
		}
		return f
	}, nil, &again)
	if err != nil {
		return err
	}
	sum := folds[0]
	for _, f := range folds[1:] {
		sum.distinct.Merge(f.distinct)
		if f.holders != nil {
			sum.holders.Merge(f.holders)
			sum.crowds.Merge(f.crowds)
		}
		if f.again != nil {
			sum.again.Merge(f.again)
		}
	}
	r.second = nil
	if sum.again != nil {
		if n := r.sum.ledgers.Adopt(sum.again); n > 0 {
			r.p.Say("error logs", "%d lines that a client can forge were not counted: no request agrees with them", n)
		}
	}
	addresses, lost := r.sum.ledgers.Evicted()
	if addresses > 0 {
		r.p.Say("addresses", "too many to keep: the %d that asked for least were let go", addresses)
	}
	if lost > 0 {
		r.p.Say("rules", "too many groups to keep: %d counts of those farthest from any bound were let go", lost)
	}
	for i, key := range rows {
		n, _ := sum.distinct.Count(key)
		r.doc.Pages.Rows[i].IPs = &n
	}
	if sum.holders == nil {
		return nil
	}
	shares, many := r.shares(sum.holders, holdersShown), r.shares(sum.crowds, holdersBound)
	for _, o := range crowded {
		crowd, members := r.sum.ledgers.Crowd(o, many[o.Path])
		r.crowds, r.holders = append(r.crowds, crowd...), append(r.holders, members...)
	}
	for _, o := range r.paths {
		r.holders = append(r.holders, judge.PathHolders(o, shares[o.Path])...)
	}
	return nil
}

// shares are the most requests to outlying paths, by path.
func (r *review) shares(of *tally.Pages, most int) map[string][]judge.PathShare {
	shares := map[string][]judge.PathShare{}
	for _, row := range of.Top(most) {
		if a, err := netip.ParseAddr(row.Parts[1]); err == nil {
			shares[row.Parts[0]] = append(shares[row.Parts[0]], judge.PathShare{Peer: r.sum.ledgers.Peer(a), Count: row.Count})
		}
	}
	return shares
}

const (
	// reviewPaths is how many paths a worker counts exactly: half of what the command pages does, since the ledgers of
	// addresses want memory too.
	reviewPaths  = tally.DefaultBound / 2
	rankedPaths  = 200     // paths that are compared with their neighbours
	holdersBound = 1 << 16 // pairs of outlying path and address that are counted exactly
	holdersShown = 1000
)

// assemble judges and writes the document.
func (r *review) assemble(ctx context.Context) {
	d := r.doc
	d.Time = r.now.In(r.opt.Zone)
	if r.sources != nil {
		d.Since = report.When(in(r.sources.Bounds.Since, r.opt.Zone))
	}
	var groups []connwarden.Verdict
	open, verdicts := r.opened(func(a netip.Addr) netip.Addr {
		if r.sum == nil {
			return a
		}
		return r.sum.ledgers.Peer(a).Addr
	})
	if table := r.table(); table != nil {
		var peers []connwarden.Verdict
		peers, groups = table.Verdicts(r.now)
		verdicts = append(append(verdicts, peers...), table.Talkers()...)
		table.Lighten() // the document needs its memory
	}
	if r.sum != nil {
		verdicts, groups = append(verdicts, r.holders...), append(groups, r.crowds...)
		over(verdicts, r.now)
		over(groups, r.now)
		slices.SortStableFunc(groups, func(a, b connwarden.Verdict) int { return cmp.Compare(b.Score, a.Score) })
		d.Events = r.events()
		d.Errors = errorsDocument(r.sum, faults.ByFault, r.opt.Top, r.sources.only(r.files, logs.Error), r.opt.Zone, &r.p)
	}
	r.own = r.ownAddresses()
	r.families = map[string]string{}
	for _, v := range verdicts {
		for _, e := range v.Evidence {
			r.families[e.Rule] = e.Family
		}
	}
	r.peers(ctx, judge.Combine(verdicts), open)
	r.groups(groups)
	r.host.end(r)
	r.blocked(ctx)
	r.findings()
	r.lines(ctx)
	r.p.Add(r.host.p...)
	if r.sources != nil && r.sources.Found == 0 {
		r.p.None("logs", "review", r.opt.Files)
	}
	d.Partial = r.p.Missed()
	d.Problems = told(r.p)
}

// thumbNow is for how long after its last request a rule of thumb says what an address does now.
const thumbNow = 10 * time.Minute

// over notes of what rules of thumb say, which have no window, that it is over.
func over(verdicts []connwarden.Verdict, now time.Time) {
	for i := range verdicts {
		if v := &verdicts[i]; len(v.Evidence) == 1 && v.Evidence[0].Thumb && now.Sub(v.Evidence[0].Last) > thumbNow {
			v.ScoreNow = 0
		}
	}
}

// table is what judges by rules, the connections that came in among what it counts; nil where nothing was looked at.
func (r *review) table() *judge.Table {
	if r.sum == nil && r.cells == nil {
		return nil
	}
	table, known := judge.New(r.judging()), false
	if r.sum != nil {
		table, known = r.sum.ledgers, r.sources.Found > 0
	}
	if r.cells != nil {
		r.cells.Each(func(remote netip.Addr, state connwarden.State, dir connwarden.Direction, port uint16, count uint64) {
			if dir == connwarden.DirIn && !remote.IsLoopback() {
				table.Conns(remote, state.String(), dir.String(), port, count, known)
			}
		})
	}
	return table
}

// opened writes the connections, and tells how many each address has and who stands out by them; those of an IPv6 /64 are
// one, by the address by which it is known.
func (r *review) opened(known func(netip.Addr) netip.Addr) (open map[netip.Addr]uint64, holders []connwarden.Verdict) {
	open = map[netip.Addr]uint64{}
	if r.cells == nil {
		return open, nil
	}
	o := r.connsOptions()
	r.doc.Conns = connsDocument(r.cells, r.found, &o, r.doc.Time)
	r.doc.Conns.Problems = []report.Problem{}
	ports := r.cells.By(tally.ConnByPort, portRows)
	r.doc.Ports = connRows(&ports, tally.ConnByPort, false)
	in := map[netip.Addr]uint64{}
	rows := r.cells.By(tally.ConnByIP, 0).Rows
	lowest := map[string]netip.Addr{} // of each /64
	for _, row := range rows {
		if judged := report.Judged(row.Addr); judged != "" && (!lowest[judged].IsValid() || row.Addr.Less(lowest[judged])) {
			lowest[judged] = row.Addr
		}
	}
	for _, row := range rows {
		if !row.Addr.IsValid() {
			continue
		}
		a := row.Addr
		if judged := report.Judged(a); judged != "" {
			a = known(lowest[judged])
		}
		open[a] += row.Count
		if row.In > 0 && !a.IsLoopback() {
			in[a] += row.In
		}
	}
	incoming := make([]judge.Open, 0, len(in))
	for a, n := range in {
		incoming = append(incoming, judge.Open{Addr: a, Count: n})
	}
	slices.SortFunc(incoming, func(a, b judge.Open) int { return a.Addr.Compare(b.Addr) })
	return open, judge.Holders(incoming)
}

// events counts what the logs say of peers besides requests.
func (r *review) events() *report.Events {
	d := &report.Events{Kinds: map[string]uint64{}}
	for k, n := range r.sum.events {
		if n > 0 {
			d.Counted += n
			d.Kinds[connwarden.EventKind(k).String()] = n
		}
	}
	return d
}

func in(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

// lines fills the texts of all samples in.
func (r *review) lines(ctx context.Context) {
	if r.sources == nil {
		return
	}
	wanted := errorSamples(r.doc.Errors)
	for _, list := range [...][]report.Peer{r.doc.Peers, r.doc.Groups} {
		for i := range list {
			for j := range list[i].Evidence {
				samples := list[i].Evidence[j].Samples
				for k := range samples {
					wanted = append(wanted, &samples[k])
				}
			}
		}
	}
	r.sources.samples(ctx, wanted, &r.p)
}

func evidence(list []connwarden.Evidence, zone *time.Location) []report.Evidence {
	out := make([]report.Evidence, len(list))
	for i, e := range list {
		out[i] = report.Evidence{
			Rule: e.Rule, Why: report.Clean(e.Why), Score: e.Score, Count: e.Count, Window: e.Window.Seconds(),
			First: report.When(in(e.First, zone)), Last: report.When(in(e.Last, zone)), Samples: make([]report.Sample, len(e.Samples)),
		}
		for j, s := range e.Samples {
			out[i].Samples[j] = report.Sample{File: report.Clean(s.From.Name), Offset: s.From.Offset}
			if n := s.From.Line; n > 0 {
				out[i].Samples[j].Line = &n
			}
		}
	}
	return out
}
