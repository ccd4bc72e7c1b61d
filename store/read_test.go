package store_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/store"
)

// TestRead sees what another process wrote, and changes nothing.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := store.Read(t.Context(), dir); !errors.Is(err, block.ErrJournal) {
		t.Errorf("of no database: %v; want ErrJournal", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("reading made %v", left)
	}
	record(t, open(t, dir), "192.0.2.7/32")
	s, err := store.Read(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if all, err := s.Wishes(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d wishes, %v; want one", len(all), err)
	}
	if err := s.Record(t.Context(), &block.Change{At: time.Now(), Verb: "block"}); !errors.Is(err, block.ErrJournal) {
		t.Errorf("written: %v; want ErrJournal", err)
	}
}
