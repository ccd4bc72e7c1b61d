package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "rewrite the man pages and completions in docs")

// TestDocs tells when the man pages and completions that are checked in are not those of the command table.
func TestDocs(t *testing.T) {
	want := t.TempDir()
	root := (&command{env: System()}).root()
	root.Version = "" // pages must not change with every build
	root.DisableAutoGenTag = true
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	man := filepath.Join(want, "man")
	completion := filepath.Join(want, "completion")
	for _, dir := range []string{man, completion} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := doc.GenManTree(root, &doc.GenManHeader{Title: "CONNWARDEN", Section: "1", Date: &day, Source: "connwarden", Manual: "connwarden"}, man); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(string) error{
		"connwarden.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"connwarden.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
		"_connwarden":     root.GenZshCompletionFile,
		"connwarden.ps1":  root.GenPowerShellCompletionFileWithDesc,
	} {
		if err := write(filepath.Join(completion, name)); err != nil {
			t.Fatal(err)
		}
	}
	docs := filepath.Join("..", "docs")
	if *update {
		for _, dir := range []string{"man", "completion"} {
			if err := os.RemoveAll(filepath.Join(docs, dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(filepath.Join(docs, dir), os.DirFS(filepath.Join(want, dir))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dir := range []string{"man", "completion"} {
		made, err := os.ReadDir(filepath.Join(want, dir))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadDir(filepath.Join(docs, dir))
		if err != nil {
			t.Fatalf("%v; go test ./cli -run TestDocs -update makes them", err)
		}
		if len(made) != len(kept) {
			t.Errorf("docs/%s has %d files, want %d; go test ./cli -run TestDocs -update", dir, len(kept), len(made))
		}
		for _, e := range made {
			a, err := os.ReadFile(filepath.Join(want, dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := os.ReadFile(filepath.Join(docs, dir, e.Name()))
			if !bytes.Equal(a, b) {
				t.Errorf("docs/%s/%s is stale; go test ./cli -run TestDocs -update", dir, e.Name())
			}
		}
	}
}
