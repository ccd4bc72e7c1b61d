package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/connwarden/connwarden/block"
)

// Wtmpdb is where pam_wtmpdb notes logins (wtmpdb(8)), on systems that have no wtmp: Debian 13, SUSE.
const Wtmpdb = "/var/lib/wtmpdb/wtmp.db"

// maxLogins bounds what is read of them.
const maxLogins = 1000

// Logins returns the newest logins since a time, each user and host once, of a database of pam_wtmpdb; none if it is not there.
// It only reads. The table is that of wtmpdb's lib/sqlite.c: times are in microseconds, and a user's login has type 3
// (USER_PROCESS of include/wtmpdb.h).
func Logins(ctx context.Context, name string, since time.Time) (logins []block.Login, err error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(name)}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(200)&_pragma=trusted_schema(off)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT User, RemoteHost FROM wtmp WHERE Type = 3 AND Login >= ? AND RemoteHost > '' GROUP BY User, RemoteHost ORDER BY max(Login) DESC LIMIT ?",
		since.UnixMicro(), maxLogins)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l block.Login
		if err := rows.Scan(&l.User, &l.Host); err != nil {
			return nil, err
		}
		logins = append(logins, l)
	}
	return logins, rows.Err()
}
