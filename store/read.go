package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
)

// Read opens the database of a state folder that cannot be written, as on a disk that is mounted read-only, to see what it says. It
// makes and changes nothing. Errors wrap block.ErrJournal.
func Read(ctx context.Context, dir string) (*Store, error) {
	s := &Store{name: filepath.Join(dir, Name)}
	var errs []error
	// Without the files beside it, which a reader makes where it can, SQLite reads the database alone if it is told that nobody writes.
	for _, immutable := range []string{"0", "1"} {
		err := s.look(ctx, immutable)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, s.wrap("read", errors.Join(errs...))
}

func (s *Store) look(ctx context.Context, immutable string) error {
	query := url.Values{"mode": {"ro"}, "immutable": {immutable}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "trusted_schema(off)"}}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(s.name)}).EscapedPath(), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err == nil {
		var version int
		if err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err == nil && version != len(names) {
			err = fmt.Errorf("it was written by another version (schema %d, this one knows %d)", version, len(names))
		}
	}
	if err == nil {
		s.db = db
		_, err = s.Allows(ctx)
	}
	if err != nil {
		db.Close()
	}
	return err
}
