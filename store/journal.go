package store

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// readEach is up to how many rows for each target all rows are read and compared instead of asking for each.
const readEach = 10

// worth tells whether reading all rows of a table is less work than asking for each of so many targets.
func (s *Store) worth(ctx context.Context, table string, targets int) (worth bool, err error) {
	var rows int
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT ?)", readEach*targets+1).Scan(&rows)
	return rows <= readEach*targets, err
}

// each asks for the rows that share addresses with each target, by statements that are made once, and hands them to take.
func each[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query, tail string, targets []netip.Prefix, take func(netip.Prefix, []T), more ...any) error {
	made := map[int]*sql.Stmt{} // by the length of the target
	defer func() {
		for _, stmt := range made {
			stmt.Close()
		}
	}()
	for _, p := range targets {
		where, args := overlap(p)
		stmt := made[p.Bits()]
		if stmt == nil {
			var err error
			if stmt, err = s.db.PrepareContext(ctx, query+where+tail); err != nil {
				return err
			}
			made[p.Bits()] = stmt
		}
		list, err := collect(ctx, prepared{stmt}, scan, "", append(args, more...)...)
		if err != nil {
			return err
		}
		take(p, list)
	}
	return nil
}

// prepared is a statement as collect asks it.
type prepared struct{ *sql.Stmt }

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.Stmt.QueryContext(ctx, args...)
}

// overlap is the condition for rows that share addresses with p: those that begin in it, and those whose target is one
// of the prefixes above it.
func overlap(p netip.Prefix) (where string, args []any) {
	var b strings.Builder
	b.WriteString(" WHERE first BETWEEN ? AND ?")
	args = append(args, first(p.Addr()), last(p))
	if p.Bits() > 0 {
		b.WriteString(" OR (first, bits) IN (VALUES ")
		for bits := range p.Bits() {
			if bits > 0 {
				b.WriteByte(',')
			}
			b.WriteString("(?,?)")
			above := netip.PrefixFrom(p.Addr(), bits).Masked()
			args = append(args, first(above.Addr()), bits)
		}
		b.WriteByte(')')
	}
	return b.String(), args
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if len(list) == cap(list) {
			list = slices.Grow(list, len(list)+64) // by twice: rows are large, and may be many
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// Allows returns all that is allowed.
func (s *Store) Allows(ctx context.Context) ([]block.Allow, error) {
	list, err := collect(ctx, s.db, func(row scanner) (a block.Allow, err error) {
		var address []byte
		var bits int
		var since int64
		var origin string
		err = row.Scan(&address, &bits, &since, &origin, &a.Why, &a.Revision, &a.Restores)
		a.Target, a.Since, a.By = target(address, bits), instant(since), connwarden.ParseOrigin(origin)
		return a, err
	}, "SELECT first, bits, since, origin, why, revision, restores FROM allow ORDER BY first, bits")
	return list, s.wrap("read", err)
}

// Pardons returns all pardons.
func (s *Store) Pardons(ctx context.Context) ([]block.Pardon, error) {
	list, err := collect(ctx, s.db, func(row scanner) (p block.Pardon, err error) {
		var address []byte
		var bits int
		var since, until int64
		var origin string
		err = row.Scan(&address, &bits, &since, &until, &origin, &p.Revision)
		p.Target, p.Since, p.Until, p.By = target(address, bits), instant(since), instant(until), connwarden.ParseOrigin(origin)
		return p, err
	}, "SELECT first, bits, since, until, origin, revision FROM pardon ORDER BY first, bits")
	return list, s.wrap("read", err)
}

// Past returns blocks that ended, latest first.
func (s *Store) Past(ctx context.Context, target netip.Prefix, most int) ([]block.Past, error) {
	where, args := overlap(target)
	list, err := collect(ctx, s.db, scanPast, "SELECT "+pastColumns+" FROM past"+where+" ORDER BY ended DESC, rowid DESC LIMIT ?", append(args, most)...)
	return list, s.wrap("read", err)
}

// Pasts returns blocks of many targets that ended, latest first.
func (s *Store) Pasts(ctx context.Context, targets []netip.Prefix, most int) (map[netip.Prefix][]block.Past, error) {
	const all, latest = "SELECT " + pastColumns + " FROM past", " ORDER BY ended DESC, rowid DESC"
	found := map[netip.Prefix][]block.Past{}
	worth, err := s.worth(ctx, "past", len(targets))
	if err != nil {
		return nil, s.wrap("read", err)
	}
	if !worth {
		err := each(ctx, s, scanPast, all, latest+" LIMIT ?", targets, func(p netip.Prefix, list []block.Past) {
			if len(list) > 0 {
				found[p] = list
			}
		}, most)
		return found, s.wrap("read", err)
	}
	list, err := collect(ctx, s.db, scanPast, all+latest)
	for _, p := range targets {
		for i := range list {
			if list[i].Target.Overlaps(p) && len(found[p]) < most {
				found[p] = append(found[p], list[i])
			}
		}
	}
	return found, s.wrap("read", err)
}

// bury copies wishes that are over or lifted to the past; its arguments are the time, twice.
const bury = `INSERT INTO past (` + pastColumns + `)
	SELECT first, bits, scope, driver, since, until, origin, why, forced, revision, CASE WHEN until <> 0 AND until < ? THEN until ELSE ? END FROM wish`

// Record brings a change about.
func (s *Store) Record(ctx context.Context, c *block.Change) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "INSERT INTO change (at, origin, verb, undoes, undone, swaps) VALUES (?, ?, ?, ?, 0, '')",
			milli(c.At), c.By.String(), c.Verb, c.Undoes)
		if err != nil {
			return err
		}
		if c.Number, err = result.LastInsertId(); err != nil {
			return err
		}
		if err := recordWishes(ctx, tx, c); err != nil {
			return err
		}
		if err := recordLists(ctx, tx, c); err != nil {
			return err
		}
		text, err := encode(c) // with the revisions that were just given
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE change SET swaps = ? WHERE number = ?", text, c.Number); err != nil {
			return err
		}
		if c.Undoes != 0 {
			_, err = tx.ExecContext(ctx, "UPDATE change SET undone = ? WHERE number = ?", c.Number, c.Undoes)
		}
		return err
	})
	if err == nil {
		s.fresh.Store(freshOf(c))
	}
	return s.wrap("write", err)
}

// rowsAtOnce is how many wishes one statement writes: more are hardly faster.
const rowsAtOnce = 32

// recordWishes writes what is new many at a time, which costs a third; where something stands there, one by one.
func recordWishes(ctx context.Context, tx *sql.Tx, c *block.Change) error {
	w := writer{ctx: ctx, tx: tx, at: milli(c.At), number: c.Number}
	defer w.close()
	var fresh []*block.Wish
	for _, s := range c.Wishes {
		if s.After != nil {
			s.After.Revision = c.Number
		}
		if s.After == nil || s.Before != nil {
			if err := w.replace(s); err != nil {
				return err
			}
			continue
		}
		if len(fresh) == rowsAtOnce {
			if err := w.insert(fresh); err != nil {
				return err
			}
			fresh = fresh[:0]
		}
		fresh = append(fresh, s.After)
	}
	return w.insert(fresh)
}

// writer brings the wishes of one change about.
type writer struct {
	ctx        context.Context
	tx         *sql.Tx
	at, number int64
	kept       map[string]*sql.Stmt
}

func (w *writer) exec(text string, args ...any) error {
	stmt := w.kept[text]
	if stmt == nil {
		var err error
		if stmt, err = w.tx.PrepareContext(w.ctx, text); err != nil {
			return err
		}
		if w.kept == nil {
			w.kept = map[string]*sql.Stmt{}
		}
		w.kept[text] = stmt
	}
	_, err := stmt.ExecContext(w.ctx, args...)
	return err
}

func (w *writer) close() {
	for _, stmt := range w.kept {
		stmt.Close()
	}
}

const (
	putWish = " INTO wish (" + wishColumns + ") VALUES "
	wishRow = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	// In these ten wishes of one act are alike as a rule; bound once for all rows they cost half.
	alikeWishes = " INTO wish (first, bits, until, origin, why, scope, driver, since, forced, revision, state, evidence, confirm, later, restores)" +
		" SELECT column1, column2, column3, column4, column5, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM (VALUES "
	alikeRow = "(?, ?, ?, ?, ?)"
	theWish  = " WHERE first = ? AND bits = ? AND scope = ? AND driver = ?"
)

// insert writes wishes where nothing stands. A statement that fails did nothing; then they are put one by one.
func (w *writer) insert(fresh []*block.Wish) error {
	if len(fresh) == 0 {
		return nil
	}
	text, args := together(fresh)
	err := w.exec(text, args...)
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_CONSTRAINT {
		return err
	}
	for _, one := range fresh {
		if err := w.replace(block.Swap[block.Wish]{After: one}); err != nil {
			return err
		}
	}
	return nil
}

// together is the statement that puts wishes, and its arguments.
func together(list []*block.Wish) (text string, args []any) {
	w := list[0]
	if slices.ContainsFunc(list, func(o *block.Wish) bool { return !alike(o, w) }) {
		args = make([]any, 0, len(list)*strings.Count(wishRow, "?"))
		for _, one := range list {
			args = append(args, wishValues(one)...)
		}
		return "INSERT" + putWish + wishRow + strings.Repeat(", "+wishRow, len(list)-1), args
	}
	args = make([]any, 0, 10+len(list)*strings.Count(alikeRow, "?"))
	args = append(args, w.Scope.String(), w.Driver, milli(w.Since), w.Forced, w.Revision, w.State, w.Evidence, milli(w.Confirm), milli(w.Then), w.Restores)
	for _, one := range list {
		args = append(args, first(one.Target.Addr()), one.Target.Bits(), milli(one.Until), one.By.String(), one.Why)
	}
	return "INSERT" + alikeWishes + alikeRow + strings.Repeat(", "+alikeRow, len(list)-1) + ")", args
}

func alike(a, b *block.Wish) bool {
	return a.Scope == b.Scope && a.Driver == b.Driver && a.Since.Equal(b.Since) && a.Forced == b.Forced && a.Revision == b.Revision && a.State == b.State &&
		a.Evidence == b.Evidence && a.Confirm.Equal(b.Confirm) && a.Then.Equal(b.Then) && a.Restores == b.Restores
}

// replace lifts what stands at a key, or puts something in its place.
func (w *writer) replace(s block.Swap[block.Wish]) error {
	k := block.WishKey(s)
	row := []any{first(k.Target.Addr()), k.Target.Bits(), k.Scope.String(), k.Driver}
	if s.After == nil {
		return w.exec("UPDATE wish SET state = 2, revision = ?"+theWish, append([]any{w.number}, row...)...)
	}
	if err := w.exec(bury+theWish+" AND (state = 2 OR until <> 0 AND until <= ?)", append(append([]any{w.at, w.at}, row...), w.at)...); err != nil {
		return err
	}
	return w.exec("INSERT OR REPLACE"+putWish+wishRow, wishValues(s.After)...)
}

func recordLists(ctx context.Context, tx *sql.Tx, c *block.Change) error {
	for _, s := range c.Allows {
		if a := s.Before; a != nil {
			if _, err := tx.ExecContext(ctx, "DELETE FROM allow WHERE first = ? AND bits = ?", first(a.Target.Addr()), a.Target.Bits()); err != nil {
				return err
			}
		}
		if a := s.After; a != nil {
			a.Revision = c.Number
			_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO allow (first, bits, since, origin, why, revision, restores) VALUES (?, ?, ?, ?, ?, ?, ?)",
				first(a.Target.Addr()), a.Target.Bits(), milli(a.Since), a.By.String(), a.Why, a.Revision, a.Restores)
			if err != nil {
				return err
			}
		}
	}
	for _, s := range c.Pardons {
		if p := s.Before; p != nil {
			if _, err := tx.ExecContext(ctx, "DELETE FROM pardon WHERE first = ? AND bits = ?", first(p.Target.Addr()), p.Target.Bits()); err != nil {
				return err
			}
		}
		if p := s.After; p != nil {
			p.Revision = c.Number
			_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO pardon (first, bits, since, until, origin, revision) VALUES (?, ?, ?, ?, ?, ?)",
				first(p.Target.Addr()), p.Target.Bits(), milli(p.Since), milli(p.Until), p.By.String(), p.Revision)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const changeColumns = "number, at, origin, verb, undoes, undone"

func scanChange(row scanner, more ...any) (c block.Change, err error) {
	var at int64
	var origin string
	err = row.Scan(append([]any{&c.Number, &at, &origin, &c.Verb, &c.Undoes, &c.Undone}, more...)...)
	c.At, c.By = instant(at), connwarden.ParseOrigin(origin)
	return c, err
}

// Change returns change n, or the last that undo takes back.
func (s *Store) Change(ctx context.Context, n int64) (*block.Change, error) {
	const all = "SELECT " + changeColumns + ", swaps FROM change"
	var row *sql.Row
	if n != 0 {
		row = s.db.QueryRowContext(ctx, all+" WHERE number = ?", n)
	} else {
		operator := connwarden.Origin{Kind: connwarden.ByOperator}.String()
		row = s.db.QueryRowContext(ctx, all+" WHERE undone = 0 AND verb NOT IN (?, ?) AND (origin = ? OR origin LIKE ?) ORDER BY number DESC LIMIT 1",
			block.VerbUndo, block.VerbAdopt, operator, operator+":%")
	}
	var text []byte
	c, err := scanChange(row, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, block.NoChange(n)
	case err == nil:
		err = decode(text, &c)
	}
	return &c, s.wrap("read", err)
}

// Changes returns the last changes without what they swapped.
func (s *Store) Changes(ctx context.Context, most int) ([]block.Change, error) {
	list, err := collect(ctx, s.db, func(row scanner) (block.Change, error) { return scanChange(row) },
		"SELECT "+changeColumns+" FROM change ORDER BY number DESC LIMIT ?", most)
	return list, s.wrap("read", err)
}

// Prune forgets. Numbers of changes never come again.
func (s *Store) Prune(ctx context.Context, before, now time.Time) error {
	return s.wrap("write", s.transact(ctx, func(tx *sql.Tx) error {
		for _, act := range []struct {
			text string
			at   time.Time
		}{
			{"DELETE FROM past WHERE ended < ?", before},
			{"DELETE FROM change WHERE at < ?", before},
			{"DELETE FROM pardon WHERE until <= ?", now},
		} {
			if _, err := tx.ExecContext(ctx, act.text, milli(act.at)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM settled WHERE NOT EXISTS (SELECT 1 FROM wish WHERE wish.driver = settled.driver AND wish.revision = settled.revision)")
		return err
	}))
}
