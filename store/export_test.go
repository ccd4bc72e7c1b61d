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

// SettleWhole has changes of any size settled as a whole.
func SettleWhole(t testing.TB) {
	from := freshFrom
	freshFrom = 1
	t.Cleanup(func() { freshFrom = from })
}

// Marks is how many changes are settled as a whole.
func (s *Store) Marks(t testing.TB) (n int) {
	if err := s.db.QueryRow("SELECT count(*) FROM settled").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
