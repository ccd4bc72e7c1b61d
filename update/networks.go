package update

import (
	"fmt"
	"io"
	"time"

	"github.com/connwarden/connwarden/geo"
)

const tableFile = geo.File

// mostCSV bounds a file of networks; the largest of 2026 had 24 MB.
const mostCSV = 128 << 20

// networks refreshes the table of networks and countries.
func (r *run) networks(f *fetcher, out *Outcome) error {
	old, _ := geo.Load(r.Dir) // a damaged one is replaced
	inForce := func(t *geo.Table) {
		v4, v6 := t.Ranges()
		out.Entries, out.Date = v4+v6, t.Date()
	}
	inForce(old)
	out.Before = out.Entries
	table, err := r.fetchTable(f)
	if err != nil {
		return err
	}
	if err := table.Verify(); err != nil {
		return err
	}
	if now := r.Clock(); table.Date().After(now.Add(24 * time.Hour)) {
		return fmt.Errorf("it is of %s, which is still to come: refused", table.Date().Format(time.DateOnly))
	}
	was4, was6 := old.Ranges()
	is4, is6 := table.Ranges()
	if 2*is4 < was4 || 2*is6 < was6 {
		return fmt.Errorf("it has %d ranges of IPv4 and %d of IPv6 where there were %d and %d: less than half of it came, refused", is4, is6, was4, was6)
	}
	if table.Same(old) || !table.Date().After(old.Date()) {
		out.State = Unchanged // of what is older than ours we have no use
		return nil
	}
	err = replace(r.Dir, tableFile, func(w io.Writer) error {
		_, err := table.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the table of networks: %w", err)
	}
	out.State = Updated
	inForce(table)
	return nil
}

// fetchTable takes a table from a mirror, or makes one of what is published. It is as old as its oldest part.
func (r *run) fetchTable(f *fetcher) (table *geo.Table, err error) {
	var b geo.Builder
	date := r.Clock()
	err = f.each(mostCSV, func(p part, c content) (err error) {
		if r.From != "" {
			if table, err = geo.Read(c); err != nil {
				err = fmt.Errorf("%s: %w", p.shown(), err)
			}
			return err
		}
		if !c.modified.IsZero() && c.modified.Before(date) {
			date = c.modified
		}
		return b.ReadCSV(p.shown(), c)
	})
	if err != nil || table != nil {
		return table, err
	}
	return b.Build(date)
}
