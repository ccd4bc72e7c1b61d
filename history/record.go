package history

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/connwarden/connwarden/report"
)

// Batch is what one minute or so brought. Batches are numbered in the order in which they were counted: one that is in
// already is not taken twice, so that whoever counts may hand it in again after a crash.
type Batch struct {
	Number    uint64
	Rates     []report.SiteMinute
	Sightings []report.Sighting
	Acts      []report.PastBlock
	Left      uint64 // verdicts that were left out before
}

// Record writes a batch in one transaction. After an error nothing of it is written, unless the error is a *Replaced: then
// it is written, to a new file.
func (b *Book) Record(ctx context.Context, batch *Batch) error {
	err := b.record(ctx, batch)
	if !damaged(err) {
		return wrap("write", b.name, err)
	}
	if e := b.putAside(); e != nil {
		return wrap("put aside", b.name, e)
	}
	if e := b.record(ctx, batch); e != nil {
		return wrap("write", b.name, e)
	}
	return &Replaced{Aside: b.Aside(), Err: err}
}

// Replaced tells that the file was damaged and a new one was begun.
type Replaced struct {
	Aside string // where the damaged one is now
	Err   error
}

// Error says what happened and where the old file is.
func (r *Replaced) Error() string {
	return fmt.Sprintf("the history was damaged (%v): a new one was begun, the old one is %s", r.Err, r.Aside)
}

// Unwrap returns SQLite's error.
func (r *Replaced) Unwrap() error { return r.Err }

func wrap(act, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w%s", act, name, err, hint(err))
}

// putAside makes room for a new file.
func (b *Book) putAside() error {
	b.Close() // of a damaged file
	for _, end := range []string{"-wal", "-shm"} {
		os.Remove(b.name + end) // they belong to the damaged file, and need not be there
	}
	return os.Rename(b.name, b.Aside())
}

func (b *Book) record(ctx context.Context, batch *Batch) error {
	if b.db == nil {
		if err := b.open(ctx); err != nil {
			return err
		}
	}
	if err := b.prune(ctx); err != nil {
		return err
	}
	err := b.write(ctx, batch)
	if code(err) == sqlite3.SQLITE_FULL { // the file, or the disk: the first can be helped
		if e := b.drop(ctx); e != nil {
			return err
		}
		err = b.write(ctx, batch)
	}
	return err
}

func (b *Book) write(ctx context.Context, batch *Batch) error {
	return transact(ctx, b.db, func(tx *sql.Tx) error {
		var last uint64
		if err := tx.QueryRowContext(ctx, "SELECT number FROM batch").Scan(&last); err != nil {
			return err
		}
		if batch.Number <= last {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "UPDATE batch SET number = ?", int64(batch.Number)); err != nil {
			return err
		}
		if err := writeRates(ctx, tx, batch.Rates); err != nil {
			return err
		}
		left, err := writeSightings(ctx, tx, batch.Sightings)
		if err != nil {
			return err
		}
		if left += batch.Left; left > 0 {
			at := b.clock().Unix() / minute * minute
			const add = "INSERT INTO unwritten VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
			if _, err := tx.ExecContext(ctx, add, at, int64(left)); err != nil {
				return err
			}
		}
		return writeActs(ctx, tx, batch.Acts)
	})
}

// writeRates adds rows to what is there of the same minute: lines may come late. Of each minute the busiest sites have
// rows of their own.
func writeRates(ctx context.Context, tx *sql.Tx, rates []report.SiteMinute) error {
	list := bounded(rates)
	sites := map[string]int64{}
	for i := range list {
		r := &list[i]
		id, known := sites[r.Site]
		if !known {
			name := r.Site[:min(len(r.Site), maxName)]
			const find = "INSERT INTO site (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING id"
			if err := tx.QueryRowContext(ctx, find, report.Clean(name)).Scan(&id); err != nil {
				return err
			}
			sites[r.Site] = id
		}
		const add = `INSERT INTO rate VALUES (?, ?, 60, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			requests = requests + excluded.requests, bytes = bytes + excluded.bytes, c0 = c0 + excluded.c0, c1 = c1 + excluded.c1, c2 = c2 + excluded.c2,
			c3 = c3 + excluded.c3, c4 = c4 + excluded.c4, c5 = c5 + excluded.c5, malicious = malicious + excluded.malicious,
			suspicious = suspicious + excluded.suspicious, errors = errors + excluded.errors, events = events + excluded.events, open = max(open, excluded.open)`
		_, err := tx.ExecContext(
			ctx, add, r.At, id, int64(r.Requests), int64(r.Bytes), int64(r.Class[0]), int64(r.Class[1]), int64(r.Class[2]), int64(r.Class[3]), int64(r.Class[4]), int64(r.Class[5]),
			int64(r.Malicious), int64(r.Suspicious), int64(r.Errors), int64(r.Events), int64(r.Open),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// bounded joins the quiet sites of each minute to one. The site "" stays, which stands for the machine too.
func bounded(rates []report.SiteMinute) []report.SiteMinute {
	list := slices.Clone(rates)
	slices.SortStableFunc(list, func(a, b report.SiteMinute) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(notEmpty(a.Site), notEmpty(b.Site)), cmp.Compare(b.Requests+b.Errors, a.Requests+a.Errors), cmp.Compare(a.Site, b.Site))
	})
	var out []report.SiteMinute
	n := 0
	for i := range list {
		if i == 0 || list[i].At != list[i-1].At {
			n = 0
		}
		if n++; n <= MaxSites {
			out = append(out, list[i])
			continue
		}
		if n == MaxSites+1 {
			out = append(out, report.SiteMinute{At: list[i].At, Site: Others})
		}
		out[len(out)-1].Add(&list[i])
	}
	return out
}

func notEmpty(s string) int { return min(len(s), 1) }

// writeSightings writes the gravest, and tells how many were too many.
func writeSightings(ctx context.Context, tx *sql.Tx, list []report.Sighting) (left uint64, err error) {
	if len(list) > MaxSightings {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b report.Sighting) int { return cmp.Compare(b.Score, a.Score) })
		left = uint64(len(list) - MaxSightings)
		list = list[:MaxSightings]
	}
	for i := range list {
		s := &list[i]
		doc, err := fit(&s.Peer)
		if err != nil {
			return left, err
		}
		var addr []byte
		if a, err := netip.ParseAddr(s.Addr); err == nil && s.Kind == "" {
			addr = key(a)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO sighting (at, addr, score, doc) VALUES (?, ?, ?, ?)", s.Time.Unix(), addr, s.Score, doc); err != nil {
			return left, err
		}
	}
	return left, nil
}

// fit writes a peer as JSON of bounded length: with all that proves it, with one short line each, or with the reasons alone.
func fit(p *report.Peer) (string, error) {
	one := *p
	for _, room := range []int{maxDoc, 300, 0} {
		one.Evidence = slices.Clone(p.Evidence[:min(len(p.Evidence), 8)])
		for i := range one.Evidence {
			var kept []report.Sample
			for _, s := range one.Evidence[i].Samples[:min(len(one.Evidence[i].Samples), 3)] {
				if room > 0 && (room == maxDoc || len(kept) == 0) {
					s.Text = cut(s.Text, room)
					kept = append(kept, s)
				}
			}
			one.Evidence[i].Samples = append([]report.Sample{}, kept...)
			if room == 0 {
				one.Evidence[i].Why = cut(one.Evidence[i].Why, 200)
			}
		}
		text, err := json.Marshal(&one)
		if err != nil {
			return "", err
		}
		if len(text) <= maxDoc || room == 0 {
			return string(text), nil
		}
	}
	return "", nil // not reached
}

// cut shortens clean text at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

func writeActs(ctx context.Context, tx *sql.Tx, list []report.PastBlock) error {
	for _, a := range list[:min(len(list), MaxActs)] {
		p, err := prefix(a.Target)
		if err != nil {
			continue // a block of something else than addresses has no place here
		}
		a.Block.Why = cut(a.Block.Why, 1<<10)
		doc, err := json.Marshal(&a.Block)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO act (at, type, first, last, doc) VALUES (?, ?, ?, ?, ?)", a.Time.Unix(), a.Type, key(p.Addr()), key(lastOf(p)), string(doc)); err != nil {
			return err
		}
	}
	return nil
}

func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// key is an address as the schema has it: in order, the two families apart.
func key(a netip.Addr) []byte {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return append([]byte{4}, b[:]...)
	}
	b := a.As16()
	return append([]byte{6}, b[:]...)
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// prune folds old minutes into hours once a day, and makes room when seven eighths of the bound are in use.
func (b *Book) prune(ctx context.Context) error {
	now := b.clock()
	if now.Sub(b.folded) >= 24*time.Hour || now.Before(b.folded) {
		b.folded = now
		if err := b.fold(ctx, now.Unix()-foldBehind); err != nil {
			return err
		}
	}
	for range 8 {
		used, most, err := b.used(ctx)
		if err != nil {
			return err
		}
		if used <= most/8*7 {
			return nil
		}
		if err := b.drop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// used is how many pages hold something, and how many may.
func (b *Book) used(ctx context.Context) (used, most int64, err error) {
	var all, free int64
	for query, to := range map[string]*int64{"PRAGMA page_count": &all, "PRAGMA freelist_count": &free, "PRAGMA max_page_count": &most} {
		if err := b.db.QueryRowContext(ctx, query).Scan(to); err != nil {
			return 0, 0, err
		}
	}
	// A file that is larger than the bound, which was lowered, raises what SQLite calls the most.
	return all - free, min(most, b.bound/pageSize*15/16), nil
}

// fold makes hours of the minutes before a time.
func (b *Book) fold(ctx context.Context, before int64) error {
	before = before / hour * hour
	return transact(ctx, b.db, func(tx *sql.Tx) error {
		const add = `INSERT INTO rate SELECT at / 3600 * 3600, site, 3600, sum(requests), sum(bytes), sum(c0), sum(c1), sum(c2), sum(c3), sum(c4), sum(c5),
			sum(malicious), sum(suspicious), sum(errors), sum(events), max(open) FROM rate WHERE width = 60 AND at < ? GROUP BY at / 3600, site
			ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes, c0 = c0 + excluded.c0, c1 = c1 + excluded.c1,
			c2 = c2 + excluded.c2, c3 = c3 + excluded.c3, c4 = c4 + excluded.c4, c5 = c5 + excluded.c5, malicious = malicious + excluded.malicious,
			suspicious = suspicious + excluded.suspicious, errors = errors + excluded.errors, events = events + excluded.events, open = max(open, excluded.open)`
		if _, err := tx.ExecContext(ctx, add, before); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM rate WHERE width = 60 AND at < ?", before)
		return err
	})
}

// drop removes the oldest: a tenth of the verdicts and of the blocks, and where these are few a tenth of the rates.
func (b *Book) drop(ctx context.Context) error {
	err := transact(ctx, b.db, func(tx *sql.Tx) error {
		few := true
		for _, table := range []string{"sighting", "act"} {
			var first, last sql.NullInt64
			if err := tx.QueryRowContext(ctx, "SELECT min(id), max(id) FROM "+table).Scan(&first, &last); err != nil {
				return err
			}
			n := last.Int64 - first.Int64 + 1
			if !first.Valid || n < MaxSightings {
				continue
			}
			few = false
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE id <= ?", first.Int64+n/10); err != nil {
				return err
			}
		}
		if few {
			var first, last sql.NullInt64
			if err := tx.QueryRowContext(ctx, "SELECT min(at), max(at) FROM rate").Scan(&first, &last); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM rate WHERE at <= ?", first.Int64+(last.Int64-first.Int64)/10); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM site WHERE id NOT IN (SELECT site FROM rate)"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM unwritten WHERE at < (SELECT min(at) FROM rate)")
		return err
	})
	if err != nil {
		return err
	}
	for _, pragma := range []string{"PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(truncate)"} {
		if _, err := b.db.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	return nil
}
