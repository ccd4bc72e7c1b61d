// Package store keeps the journal of blocks in an SQLite database: what is wanted, what was, who is allowed and pardoned,
// and every change with all that is needed to undo it.
//
// The database is in write-ahead mode with synchronous NORMAL: a transaction survives the death of the process, and a
// loss of power costs at most the last ones, which the firewall of the kernel loses with them. Only one process should
// change it at a time; a second one waits. It runs on every system.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // registers the driver as well
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/connwarden/connwarden/block"
)

// Name is the database's name in the state folder.
const Name = "connwarden.db"

// patience is how long a transaction waits for another process.
const patience = 2 * time.Second

// pages are how many KB of the database a connection keeps: the kernel has the others at hand.
const pages = 512

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a database. It is a block.Journal.
type Store struct {
	name  string
	db    *sql.DB
	fresh atomic.Pointer[fresh] // what was recorded last, if it is such; nil: it is not
}

var _ block.Journal = (*Store)(nil)

// Exists tells whether a state folder has a database, or may have one that cannot be seen.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, Name))
	return !errors.Is(err, fs.ErrNotExist)
}

// Open opens the database of a state folder and makes both if they are missing, readable by their owner alone. A
// database of a newer version is left as it is. Errors wrap block.ErrJournal.
func Open(ctx context.Context, dir string) (*Store, error) {
	s := &Store{name: filepath.Join(dir, Name)}
	if err := s.open(ctx, dir); err != nil {
		if s.db != nil {
			s.db.Close()
		}
		return nil, s.wrap("open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// SQLite gives its other files the mode of the database.
	f, err := os.OpenFile(s.name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	query := url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "journal_mode(wal)", "synchronous(normal)", "trusted_schema(off)", fmt.Sprintf("cache_size(-%d)", pages)},
		"_txlock": {"immediate"},
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(s.name)}).EscapedPath(), RawQuery: query.Encode()}
	if s.db, err = sql.Open("sqlite", u.String()); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1) // one goroutine, one transaction at a time
	return s.migrate(ctx)
}

// migrate brings the schema to that of this version; its number is the database's user_version.
func (s *Store) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(names) {
		return fmt.Errorf("it was written by a newer version (schema %d, this one knows %d); use that, or move the file away: what is in force will be taken in again", version, len(names))
	}
	for version < len(names) {
		err := s.transact(ctx, func(tx *sql.Tx) error {
			// Another process may have been faster.
			if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version >= len(names) {
				return err
			}
			text, err := migrations.ReadFile(names[version])
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", names[version], err)
			}
			version++
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Keep has as much of the database kept in memory, in KB, as much work is about to need; with 0 as little as at first, and what is more
// is given back.
func (s *Store) Keep(ctx context.Context, kb int) error {
	_, err := s.db.ExecContext(ctx, fmt.Sprintf("PRAGMA cache_size = -%d; PRAGMA shrink_memory", cmp.Or(kb, pages)))
	return s.wrap("tune", err)
}

// Close moves the write-ahead log into the database, which waits for the disk. A process that is in a hurry may end
// without it.
func (s *Store) Close() error { return s.wrap("close", s.db.Close()) }

// transact runs act in one transaction.
func (s *Store) transact(ctx context.Context, act func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := act(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone forgives a rollback that SQLite did by itself, as it does when the disk is full.
func ignoreDone(err error) error {
	if err == nil || errors.Is(err, sql.ErrTxDone) || strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return err
}

// wrap makes an error one of the journal and says what to do about the common ones.
func (s *Store) wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	hint := ""
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff { // the primary code; the rest is detail
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			hint = "; another program holds it for longer than " + patience.String()
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			hint = "; it is damaged: move it away, what is in force will be taken in again"
		case sqlite3.SQLITE_FULL:
			hint = "; the disk is full"
		}
	}
	return fmt.Errorf("%w: %s %s: %w%s", block.ErrJournal, act, s.name, err, hint)
}
