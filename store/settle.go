package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/connwarden/connwarden/block"
)

// fresh is a change that put so many wishes of one driver, and did nothing else to wishes, that it is settled as a whole.
type fresh struct {
	driver  string
	number  int64
	soonest int64 // end among them; 0: none ends
}

// freshFrom is how many wishes such a change puts.
var freshFrom = 256 // a variable for tests

// freshOf returns what is known of a change that was recorded, or nil.
func freshOf(c *block.Change) *fresh {
	if len(c.Wishes) < freshFrom || len(c.Wishes) == 0 {
		return nil
	}
	f := &fresh{driver: block.WishKey(c.Wishes[0]).Driver, number: c.Number}
	for _, s := range c.Wishes {
		w := s.After
		if w == nil || w.State != block.StateWanted || w.Driver != f.driver {
			return nil
		}
		if end := milli(w.Until); end != 0 && (f.soonest == 0 || end < f.soonest) {
			f.soonest = end
		}
	}
	return f
}

// settles tells whether a settlement finds all wishes of the change as they were put, to be in force.
func (f *fresh) settles(st *block.Settlement) bool {
	return f != nil && st.Number == f.number && st.Driver == f.driver && len(st.Open) == 0 && (f.soonest == 0 || f.soonest > milli(st.Now))
}

// marked tells of a row of wish whether the change that put it was settled as a whole.
const marked = "EXISTS (SELECT 1 FROM settled WHERE settled.driver = wish.driver AND settled.revision = wish.revision)"

// Settle marks what a driver holds.
func (s *Store) Settle(ctx context.Context, st block.Settlement) error {
	if s.fresh.Load().settles(&st) {
		_, err := s.db.ExecContext(ctx, "INSERT OR IGNORE INTO settled (driver, revision) VALUES (?, ?)", st.Driver, st.Number)
		return s.wrap("write", err)
	}
	now := milli(st.Now)
	ours, args := " WHERE driver = ?", []any{st.Driver}
	if st.Number != 0 {
		ours, args = ours+" AND revision = ?", append(args, st.Number)
	}
	const gone = " AND (state = 2 OR until <> 0 AND until <= ?)"
	return s.wrap("write", s.transact(ctx, func(tx *sql.Tx) error {
		set, err := affected(tx.ExecContext(ctx, "UPDATE wish SET state = 1"+ours+" AND state = 0 AND (until = 0 OR until > ?) AND NOT "+marked, append(slices.Clone(args), now)...))
		if err != nil {
			return err
		}
		var all int64 // counted in the index alone: as a rule a change adds blocks, and no row need be looked at for what is gone
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM wish"+ours, args...).Scan(&all); err != nil {
			return err
		}
		if set < all {
			n, err := affected(tx.ExecContext(ctx, bury+ours+gone, append(append([]any{now, now}, args...), now)...))
			if err == nil && n > 0 {
				_, err = tx.ExecContext(ctx, "DELETE FROM wish"+ours+gone, append(slices.Clone(args), now)...)
			}
			if err != nil {
				return err
			}
		}
		return reopen(ctx, tx, &st, ours, args)
	}))
}

// reopen notes what is wanted and not in force. Where that is of a change that was settled as a whole, each of its other wishes is
// settled by itself from then on.
func reopen(ctx context.Context, tx *sql.Tx, st *block.Settlement, ours string, args []any) error {
	for _, k := range st.Open {
		one := append(slices.Clone(args), first(k.Target.Addr()), k.Target.Bits(), k.Scope.String())
		const key = " AND first = ? AND bits = ? AND scope = ?"
		var revision int64
		err := tx.QueryRowContext(ctx, "SELECT coalesce(max(revision), 0) FROM wish"+ours+key+" AND "+marked, one...).Scan(&revision)
		if err != nil {
			return err
		}
		if revision != 0 {
			for _, act := range []string{"UPDATE wish SET state = 1 WHERE driver = ? AND revision = ? AND state = 0", "DELETE FROM settled WHERE driver = ? AND revision = ?"} {
				if _, err := tx.ExecContext(ctx, act, st.Driver, revision); err != nil {
					return err
				}
			}
		}
		if _, err := tx.ExecContext(ctx, "UPDATE wish SET state = 0"+ours+key, one...); err != nil {
			return err
		}
	}
	return nil
}

// affected is how many rows a statement changed.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
