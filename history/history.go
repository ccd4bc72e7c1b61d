// Package history keeps what a daemon saw, minute by minute, in an SQLite database of its own: how much came and what it
// was answered, in all and by site; who was accused and why; what was blocked and what ended.
//
// The file is bounded: when it is nearly full, minutes are folded into hours and the oldest is removed. Whatever happens to
// it, the daemon goes on: a damaged file is put aside and a new one begun, a locked or full one is tried again a minute
// later. It is never the journal of blocks, which lives elsewhere and is not touched here. A [Book] belongs to one goroutine;
// reading opens the file anew and may be done by other processes meanwhile. It runs on every system.
package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite" // registers the driver as well
	sqlite3 "modernc.org/sqlite/lib"
)

// Name is the database's name in the state folder.
const Name = "history.db"

const (
	// DefaultBound is the size of the file in bytes: a month of a busy server with some attacks a day.
	DefaultBound = 256 << 20
	// LeastBound is the smallest that works: a minute under attack takes up to 2 MiB.
	LeastBound = 8 << 20

	pageSize = 4096
	// patience is how long a transaction waits for another process.
	patience = 2 * time.Second
	// cacheKiB bounds SQLite's cache: a minute touches few pages.
	cacheKiB = 512

	minute     = 60
	hour       = 3600
	foldBehind = 2 * 24 * hour // seconds after which minutes are folded into hours
)

// Bounds of one minute: an attack from a million addresses must not push everything else out.
const (
	MaxSightings = 500 // verdicts; beyond them the least are left out and counted
	MaxActs      = 500 // blocks and ends of blocks, which the journal has all
	MaxSites     = 64  // the others are one row, Others
	maxDoc       = 4 << 10
	maxName      = 255
)

// Others is the name of all sites beyond the busiest MaxSites of a minute.
const Others = "(others)"

// Book is the database as the daemon writes it. Make it with [New].
type Book struct {
	name   string
	bound  int64
	clock  func() time.Time
	db     *sql.DB       // nil until something is written, and after trouble
	wait   time.Duration // for other processes; tests shorten it
	folded time.Time
}

// New returns the book of a state folder, which must exist by the time something is written. bound is in bytes; 0 is
// DefaultBound.
func New(dir string, bound int64, clock func() time.Time) *Book {
	if bound == 0 {
		bound = DefaultBound
	}
	return &Book{name: filepath.Join(dir, Name), bound: max(bound, LeastBound), clock: clock, wait: patience}
}

// Aside is where a damaged file is put, in the place of one that was put there before.
func (b *Book) Aside() string { return b.name + ".damaged" }

const schema = `
CREATE TABLE site (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- at: Unix seconds; width: seconds that the row is about, 60 or 3600
CREATE TABLE rate (
  at INTEGER NOT NULL, site INTEGER NOT NULL, width INTEGER NOT NULL, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
  c0 INTEGER NOT NULL, c1 INTEGER NOT NULL, c2 INTEGER NOT NULL, c3 INTEGER NOT NULL, c4 INTEGER NOT NULL, c5 INTEGER NOT NULL,
  malicious INTEGER NOT NULL, suspicious INTEGER NOT NULL, errors INTEGER NOT NULL, events INTEGER NOT NULL, open INTEGER NOT NULL,
  PRIMARY KEY (at, site, width)
) STRICT, WITHOUT ROWID;
-- addr: 4 or 6 and the bytes of the address; NULL for a group. doc: the peer as JSON
CREATE TABLE sighting (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, addr BLOB, score INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX sighting_at ON sighting (at);
CREATE INDEX sighting_addr ON sighting (addr, at) WHERE addr IS NOT NULL;
-- first and last: the target's addresses likewise. doc: the block as JSON
CREATE TABLE act (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, first BLOB NOT NULL, last BLOB NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX act_at ON act (at);
-- minutes in which verdicts were too many, and how many were left out
CREATE TABLE unwritten (at INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
-- the number of the last batch: what was counted before it is in here
CREATE TABLE batch (number INTEGER NOT NULL) STRICT;
INSERT INTO batch VALUES (0);
`

// version is the schema's; it is the database's user_version.
const version = 1

func address(name string, query url.Values) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(name)}).EscapedPath(), RawQuery: query.Encode()}
	return u.String()
}

// open makes the file if it is missing, readable by its owner alone.
func (b *Book) open(ctx context.Context) error {
	f, err := os.OpenFile(b.name, os.O_CREATE|os.O_RDWR, 0o600) // SQLite gives its other files the same mode
	if err != nil {
		return err
	}
	f.Close()
	pages := b.bound / pageSize * 15 / 16 // the rest is for the write-ahead log
	db, err := sql.Open("sqlite", address(b.name, url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", b.wait.Milliseconds()), "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(normal)", "trusted_schema(off)",
			fmt.Sprintf("cache_size(-%d)", cacheKiB), fmt.Sprintf("max_page_count(%d)", pages), fmt.Sprintf("wal_autocheckpoint(%d)", max(min(pages/32, 1000), 16)),
			fmt.Sprintf("journal_size_limit(%d)", b.bound/32),
		},
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return errors.Join(err, db.Close())
	}
	switch {
	case have > version:
		return errors.Join(fmt.Errorf("it was written by a newer version (schema %d, this one knows %d); move it away to begin a new one", have, version), db.Close())
	case have == 0:
		if err := transact(ctx, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d", version))
			return err
		}); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	b.db = db
	return nil
}

// Close ends the writing.
func (b *Book) Close() error {
	if b.db == nil {
		return nil
	}
	err := b.db.Close()
	b.db = nil
	return err
}

func transact(ctx context.Context, db *sql.DB, act func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := act(tx); err != nil {
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) && !strings.Contains(e.Error(), "no transaction is active") {
			err = errors.Join(err, e) // a full disk makes SQLite roll back by itself
		}
		return err
	}
	return tx.Commit()
}

// code is SQLite's primary code of an error; 0 when it is none of SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func damaged(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

// hint says what to do about the common errors.
func hint(err error) string {
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "; another program holds it for longer than " + patience.String()
	case sqlite3.SQLITE_FULL:
		return "; the disk or the file is full"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "; it is damaged"
	}
	if errors.Is(err, fs.ErrPermission) {
		return "; root can read it"
	}
	return ""
}
