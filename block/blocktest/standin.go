package blocktest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// StandIns are a folder with links to the test's own program, which stands for those of another machine, and what they
// keep, as JSON in one file. The package's TestMain calls StandFor before any test.
type StandIns[S any] struct {
	testing.TB
	Dir string
}

// kept is the name of the file with what the stand-ins keep.
const kept = "kept.json"

// NewStandIns makes a folder with stand-ins of these names. It goes when the test ends.
func NewStandIns[S any](t testing.TB, names ...string) StandIns[S] {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("stand-ins are links, which not everyone may make here")
	}
	m := StandIns[S]{t, t.TempDir()}
	me, err := os.Executable()
	Check(t, err)
	for _, name := range names {
		Check(t, os.Symlink(me, filepath.Join(m.Dir, name)))
	}
	return m
}

// StandFor runs stand, which must end the program, when the program was started by one of these names.
func StandFor(stand func(name, file string, args []string), names ...string) {
	if name := filepath.Base(os.Args[0]); slices.Contains(names, name) {
		stand(name, filepath.Join(filepath.Dir(os.Args[0]), kept), os.Args[1:])
	}
}

// Get reads what the stand-ins keep.
func (m StandIns[S]) Get() (s S) {
	m.Helper()
	text, err := os.ReadFile(filepath.Join(m.Dir, kept))
	Check(m, err)
	Check(m, json.Unmarshal(text, &s))
	return s
}

// Set writes what the stand-ins keep.
func (m StandIns[S]) Set(s S) {
	m.Helper()
	text, err := json.Marshal(s)
	Check(m, err)
	Check(m, os.WriteFile(filepath.Join(m.Dir, kept), text, 0o600))
}

// Change lets a customer, or the machine, change something.
func (m StandIns[S]) Change(f func(*S)) {
	m.Helper()
	s := m.Get()
	f(&s)
	m.Set(s)
}

// Check ends the test at an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
