package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/store"
)

func TestLogins(t *testing.T) {
	name := filepath.Join(t.TempDir(), "wtmp.db")
	now := time.Unix(1763820000, 0)
	if got, err := store.Logins(t.Context(), name, now); err != nil || len(got) > 0 {
		t.Errorf("no database: %v, %v", got, err)
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// The statement of wtmpdb's lib/sqlite.c.
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		kind       int
		user, host any
		ago        time.Duration
	}{
		{1, "reboot", "6.12.0", time.Hour}, {3, "root", "198.51.100.7", time.Hour}, {3, "root", "198.51.100.7", 2 * time.Hour},
		{3, "anna", "198.51.100.8", 3 * time.Hour}, {3, "root", nil, time.Hour}, {3, "root", "198.51.100.9", 8 * 24 * time.Hour},
	} {
		if _, err := db.Exec("INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost,Service) VALUES(?,?,?,'pts/0',?,'sshd')", row.kind, row.user, now.Add(-row.ago).UnixMicro(), row.host); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.Logins(t.Context(), name, now.AddDate(0, 0, -7))
	if want := []block.Login{{User: "root", Host: "198.51.100.7"}, {User: "anna", Host: "198.51.100.8"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if err := os.WriteFile(name+"x", []byte("this is no database, and longer than a header of one is, which has a hundred bytes; so here are some more of them"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Logins(t.Context(), name+"x", now); err == nil {
		t.Errorf("what is no database: %v", got)
	}
}
