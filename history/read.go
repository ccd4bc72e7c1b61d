package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/connwarden/connwarden/report"
)

// ErrNone is what Read returns where no daemon has written anything down.
var ErrNone = errors.New("there is no history: connwarden watch writes it")

// Query says what is wanted. From is taken in, Until is not.
type Query struct {
	From, Until time.Time
	Zone        *time.Location // of the times in the answer; nil: UTC
	Target      netip.Prefix   // verdicts and blocks that share addresses with it alone; the zero prefix: all
	Rows        int            // most verdicts, and most blocks; 0: 200
	Bars        int            // most rows of rates; steps become as long as needed; 0: 400
}

// Bounds of an answer.
const (
	defaultRows = 200
	maxRows     = 5000
	defaultBars = 400
	siteRows    = 20
)

// steps are the lengths of a row of rates, in seconds.
var steps = [...]int64{60, 300, 900, 3600, 4 * 3600, 24 * 3600}

// Exists tells whether a state folder has a history, or may have one that cannot be seen.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, Name))
	return !errors.Is(err, fs.ErrNotExist)
}

// Read answers a query from the file of a state folder, which may be written meanwhile. Where there is none the error is
// ErrNone.
func Read(ctx context.Context, dir string, q Query) (*report.History, error) {
	name := filepath.Join(dir, Name)
	if !Exists(dir) {
		return nil, ErrNone
	}
	if f, err := os.Open(name); err != nil { // SQLite would not say why
		return nil, wrap("read", name, err)
	} else {
		f.Close()
	}
	db, err := sql.Open("sqlite", address(name, url.Values{
		"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "trusted_schema(off)", "query_only(on)"},
	}))
	if err != nil {
		return nil, wrap("read", name, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	r := reader{ctx: ctx, db: db, q: q}
	d, err := r.answer()
	if err != nil {
		if damaged(err) {
			return nil, fmt.Errorf("read %s: %w; it is damaged: a running connwarden watch begins a new one", name, err)
		}
		return nil, wrap("read", name, err)
	}
	return d, nil
}

type reader struct {
	ctx context.Context
	db  *sql.DB
	q   Query
}

func (r *reader) answer() (*report.History, error) {
	q := &r.q
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	if q.Rows <= 0 {
		q.Rows = defaultRows
	}
	q.Rows = min(q.Rows, maxRows)
	if q.Bars <= 0 {
		q.Bars = defaultBars
	}
	var have int
	if err := r.db.QueryRowContext(r.ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return nil, err
	}
	if have > version {
		return nil, fmt.Errorf("it was written by a newer version (schema %d, this one knows %d)", have, version)
	}
	d := &report.History{
		Schema: report.SchemaHistory, From: q.From.In(q.Zone), Until: q.Until.In(q.Zone), Step: minute, Rates: []report.Rate{}, Sites: []report.SiteRate{},
		Verdicts: []report.Sighting{}, Blocks: []report.PastBlock{}, Problems: []report.Problem{},
	}
	if have == 0 {
		return d, nil
	}
	for _, read := range []func(*report.History) error{r.reach, r.rates, r.sites, r.sightings, r.acts} {
		if err := read(d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (r *reader) at(sec int64) time.Time { return time.Unix(sec, 0).In(r.q.Zone) }

// reach finds from when to when anything is kept.
func (r *reader) reach(d *report.History) error {
	var first, last, left sql.NullInt64
	if err := r.db.QueryRowContext(r.ctx, "SELECT min(at), max(at + width) FROM rate").Scan(&first, &last); err != nil {
		return err
	}
	if first.Valid {
		a, b := r.at(first.Int64), r.at(last.Int64)
		d.Begins, d.Ends = &a, &b
	}
	err := r.db.QueryRowContext(r.ctx, "SELECT sum(count) FROM unwritten WHERE at >= ? AND at < ?", r.q.From.Unix(), r.q.Until.Unix()).Scan(&left)
	d.Unwritten = uint64(left.Int64)
	return err
}

// inside is the condition for rates of the stretch. Hours that reach into it are in it.
const inside = " WHERE at + width > ? AND at < ?"

const sums = "sum(requests), sum(bytes), sum(c0), sum(c1), sum(c2), sum(c3), sum(c4), sum(c5), sum(malicious), sum(suspicious), sum(errors), sum(events), max(open)"

type counts struct {
	requests, bytes, malicious, suspicious, errors, events, open uint64
	class                                                        [6]uint64
}

func (c *counts) fields() []any {
	return []any{&c.requests, &c.bytes, &c.class[0], &c.class[1], &c.class[2], &c.class[3], &c.class[4], &c.class[5], &c.malicious, &c.suspicious, &c.errors, &c.events, &c.open}
}

func (r *reader) rates(d *report.History) error {
	from, until := r.q.From.Unix(), r.q.Until.Unix()
	var widest sql.NullInt64
	if err := r.db.QueryRowContext(r.ctx, "SELECT max(width) FROM rate"+inside, from, until).Scan(&widest); err != nil {
		return err
	}
	step := steps[len(steps)-1]
	for _, s := range slices.Backward(steps[:]) {
		if s >= widest.Int64 && (until-from)/s <= int64(r.q.Bars) {
			step = s
		}
	}
	d.Step = float64(step)
	rows, err := r.db.QueryContext(r.ctx, "SELECT at / ?1 * ?1, "+sums+" FROM rate WHERE at + width > ?2 AND at < ?3 GROUP BY at / ?1 ORDER BY at / ?1", step, from, until)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var c counts
		if err := rows.Scan(append([]any{&at}, c.fields()...)...); err != nil {
			return err
		}
		d.Rates = append(d.Rates, report.Rate{
			Start: r.at(at), Requests: c.requests, Bytes: c.bytes, Status: report.Classes(c.class), Malicious: c.malicious, Suspicious: c.suspicious,
			Errors: c.errors, Events: c.events, Open: c.open,
		})
	}
	return rows.Err()
}

func (r *reader) sites(d *report.History) error {
	rows, err := r.db.QueryContext(r.ctx, "SELECT name, "+sums+" FROM rate JOIN site ON site.id = rate.site"+inside+
		" GROUP BY site.id HAVING sum(requests) + sum(errors) > 0 ORDER BY sum(requests) DESC, name LIMIT ?", r.q.From.Unix(), r.q.Until.Unix(), siteRows)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c counts
		var s report.SiteRate
		if err := rows.Scan(append([]any{&s.Site}, c.fields()...)...); err != nil {
			return err
		}
		s.Site = report.Clean(s.Site)
		s.Requests, s.Bytes, s.Status, s.Errors = c.requests, c.bytes, report.Classes(c.class), c.errors
		d.Sites = append(d.Sites, s)
	}
	return rows.Err()
}

func (r *reader) sightings(d *report.History) error {
	where, args := " WHERE at >= ? AND at < ?", []any{r.q.From.Unix(), r.q.Until.Unix()}
	if r.q.Target.IsValid() {
		where += " AND addr BETWEEN ? AND ?"
		args = append(args, key(r.q.Target.Masked().Addr()), key(lastOf(r.q.Target)))
	}
	var all int64
	if err := r.db.QueryRowContext(r.ctx, "SELECT count(*) FROM sighting"+where, args...).Scan(&all); err != nil {
		return err
	}
	// Most of what can be shown is the gravest; it is told in the order of time.
	rows, err := r.db.QueryContext(r.ctx, "SELECT at, doc FROM (SELECT id, at, doc FROM sighting"+where+" ORDER BY score DESC, id DESC LIMIT ?) ORDER BY at DESC, id DESC", append(args, r.q.Rows)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var doc []byte
		if err := rows.Scan(&at, &doc); err != nil {
			return err
		}
		s := report.Sighting{Time: r.at(at)}
		if err := json.Unmarshal(doc, &s.Peer); err != nil {
			d.Problems = append(d.Problems, report.Problem{What: "history", Why: "a verdict cannot be read: " + report.Clean(err.Error())})
			continue
		}
		r.mend(&s.Peer)
		d.Verdicts = append(d.Verdicts, s)
	}
	d.More = uint64(max(all-int64(len(d.Verdicts)), 0))
	return rows.Err()
}

// mend makes of what was kept a peer as documents have it: no list is null, all text is clean, times are in the zone.
func (r *reader) mend(p *report.Peer) {
	if p.Status == nil {
		p.Status = map[string]uint64{}
	}
	if p.Evidence == nil {
		p.Evidence = []report.Evidence{}
	}
	p.Addr, p.Name, p.Exempt, p.Next = report.Clean(p.Addr), report.Clean(p.Name), report.Clean(p.Exempt), []string{}
	for i := range p.Evidence {
		e := &p.Evidence[i]
		e.Why = report.Clean(e.Why)
		e.First, e.Last = r.in(e.First), r.in(e.Last)
		if e.Samples == nil {
			e.Samples = []report.Sample{}
		}
	}
	p.First, p.Last = r.in(p.First), r.in(p.Last)
}

func (r *reader) in(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return report.When(t.In(r.q.Zone))
}

func (r *reader) acts(d *report.History) error {
	where, args := " WHERE at >= ? AND at < ?", []any{r.q.From.Unix(), r.q.Until.Unix()}
	if r.q.Target.IsValid() {
		where += " AND first <= ? AND last >= ? AND length(first) = ?"
		first := key(r.q.Target.Masked().Addr())
		args = append(args, key(lastOf(r.q.Target)), first, len(first))
	}
	rows, err := r.db.QueryContext(r.ctx, "SELECT at, type, doc FROM act"+where+" ORDER BY at DESC, id DESC LIMIT ?", append(args, r.q.Rows)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var doc []byte
		var b report.PastBlock
		if err := rows.Scan(&at, &b.Type, &doc); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &b.Block); err != nil {
			d.Problems = append(d.Problems, report.Problem{What: "history", Why: "a block cannot be read: " + report.Clean(err.Error())})
			continue
		}
		b.Time = r.at(at)
		b.Why, b.Since, b.Until = report.Clean(b.Why), r.in(b.Since), r.in(b.Until)
		d.Blocks = append(d.Blocks, b)
	}
	return rows.Err()
}
