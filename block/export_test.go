package block

import (
	"net/netip"
	"time"
)

// Carve splits entries about exceptions as the allow list does.
func Carve(entries []Entry, except []netip.Prefix) []Entry {
	r := NewRules(nil, Limits{Widest4: 1, Widest6: 1})
	var allows []Allow
	for _, p := range except {
		allows = append(allows, Allow{Target: p})
	}
	r.allow(allows)
	var out []Entry
	for _, e := range entries {
		out = r.carve(out, e)
	}
	return out
}

// FactsOf reads facts of files in memory, for process 50.
func FactsOf(files map[string]string) []Spare {
	f := &facts{Machine: Machine{Root: "/nonexistent", PID: 50, Now: time.Unix(1763820000, 0)}, seen: map[Spare]bool{}}
	f.read = func(name string) []byte { return []byte(files[name]) }
	f.back = func(name string, take func([]byte, bool) (int, bool)) { take(f.read(name), true) }
	f.resolvers()
	f.system()
	return f.spares
}

// All tests read the journal by twos, so that most pages end within what belongs together.
func init() { pageRows = 2 }

// Rows has the journal read by so many until the test ends.
func Rows(t interface{ Cleanup(func()) }, n int) {
	before := pageRows
	t.Cleanup(func() { pageRows = before })
	pageRows = n
}
