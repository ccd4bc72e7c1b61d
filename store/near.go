package store

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/block"
)

const (
	// allWishes is the beginning of every question for wishes.
	allWishes = "SELECT " + wishRead + " FROM "
	// asks is how many prefixes one statement asks for.
	asks = 256
	// lengths are those of the ranges among the wishes, each found from the one before.
	lengths = `WITH RECURSIVE some (n) AS (
		SELECT min(bits) FROM wish WHERE bits < 8 * (length(first) - 1)
		UNION ALL SELECT (SELECT min(bits) FROM wish WHERE bits < 8 * (length(first) - 1) AND bits > n) FROM some WHERE n IS NOT NULL
	) SELECT n FROM some WHERE n IS NOT NULL`
)

// Wishes returns the wishes that share addresses with one of the targets, or all.
func (s *Store) Wishes(ctx context.Context, overlapping ...netip.Prefix) ([]block.Wish, error) {
	if len(overlapping) == 0 {
		list, err := collect(ctx, s.db, scanWish, allWishes+"wish ORDER BY first, bits, scope, driver")
		return list, s.wrap("read", err)
	}
	list, err := s.near(ctx, overlapping)
	return list, s.wrap("read", err)
}

// Page returns some wishes of a driver.
func (s *Store) Page(ctx context.Context, driver string, after block.EntryKey, most int) ([]block.Wish, error) {
	begin, bits, scope := []byte{}, 0, ""
	if after.Target.IsValid() {
		begin, bits, scope = first(after.Target.Addr()), after.Target.Bits(), after.Scope.String()
	}
	// The plus keeps SQLite from reading by driver and sorting.
	list, err := collect(ctx, s.db, scanWish, "SELECT "+wishOutline+" FROM wish WHERE (first, bits, scope) > (?, ?, ?) AND +driver = ? ORDER BY first, bits, scope LIMIT ?",
		begin, bits, scope, driver, most)
	return list, s.wrap("read", err)
}

// Drivers returns the names of those that there are wishes of, each found from the one before.
func (s *Store) Drivers(ctx context.Context) ([]string, error) {
	const names = `WITH RECURSIVE some (d) AS (
		SELECT min(driver) FROM wish UNION ALL SELECT (SELECT min(driver) FROM wish WHERE driver > d) FROM some WHERE d IS NOT NULL
	) SELECT d FROM some WHERE d IS NOT NULL`
	list, err := collect(ctx, s.db, func(row scanner) (name string, err error) { return name, row.Scan(&name) }, names)
	return list, s.wrap("read", err)
}

// near returns the wishes that begin in one of the targets, and those of the ranges around them.
func (s *Store) near(ctx context.Context, targets []netip.Prefix) ([]block.Wish, error) {
	ranges, err := collect(ctx, s.db, func(row scanner) (n int, err error) { return n, row.Scan(&n) }, lengths)
	if err != nil {
		return nil, err
	}
	// The order of the tables is told, or SQLite might read all wishes.
	below, err := s.ask(ctx, "asked CROSS JOIN wish ON wish.first BETWEEN a AND b", targets, func(p netip.Prefix) (a, b any) { return first(p.Addr()), last(p) })
	if err != nil {
		return nil, err
	}
	var outer []netip.Prefix
	for _, p := range targets {
		for _, n := range ranges {
			if n < p.Bits() {
				outer = append(outer, netip.PrefixFrom(p.Addr(), n).Masked())
			}
		}
	}
	above, err := s.ask(ctx, "asked CROSS JOIN wish ON wish.first = a AND bits = b", outer, func(p netip.Prefix) (a, b any) { return first(p.Addr()), p.Bits() })
	if err != nil {
		return nil, err
	}
	list := append(below, above...)
	slices.SortFunc(list, func(a, b block.Wish) int { return a.BlockKey.Compare(b.BlockKey) })
	return slices.CompactFunc(list, func(a, b block.Wish) bool { return a.BlockKey == b.BlockKey }), nil
}

// ask reads the wishes that stand where each of the prefixes says, in the order in which they are stored.
func (s *Store) ask(ctx context.Context, where string, prefixes []netip.Prefix, bounds func(netip.Prefix) (a, b any)) (list []block.Wish, err error) {
	prefixes = slices.Clone(prefixes)
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	var stmt *sql.Stmt // for as many as are asked for at once
	for part := range slices.Chunk(slices.Compact(prefixes), asks) {
		if stmt == nil || len(part) < asks {
			values := strings.Repeat(",(?,?)", len(part))[1:]
			if stmt, err = s.db.PrepareContext(ctx, "WITH asked (a, b) AS (VALUES "+values+") "+allWishes+where); err != nil {
				return nil, err
			}
			defer stmt.Close()
		}
		args := make([]any, 0, 2*len(part))
		for _, p := range part {
			a, b := bounds(p)
			args = append(args, a, b)
		}
		found, err := collect(ctx, prepared{stmt}, scanWish, "", args...)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}
