package store

import "testing"

// How changes are written and read.
var (
	EncodeNew = encodeNew
	EncodeAny = encodeAny
	Decode    = decode
)

// Limit lets the database grow no more, as on a full disk.
func (s *Store) Limit(t testing.TB) {
	if _, err := s.db.Exec("PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
}
