package truth_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/lab/truth"
)

// The goals of the verdicts. bench/truth.md has the figures of a thousand worlds.
const (
	seen      = 0.99  // of the attacking addresses, as suspicious or worse
	precision = 0.995 // of those called malicious
)

// TestGoals: a few worlds of a fixed seed hold the goals, and nobody innocent is called malicious.
func TestGoals(t *testing.T) {
	court, err := truth.NewCourt()
	if err != nil {
		t.Fatal(err)
	}
	table := truth.NewTable()
	for seed := range uint64(6) {
		found, err := court.Judge(t.Context(), truth.New(7000+seed, truth.Cast{Attacks: 24, Plays: 2, Innocents: 1}), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		table.Add(found)
	}
	recall, _ := table.Recall()
	innocents, crawlers := table.Accused()
	if recall < seen || table.Precision() < precision || innocents > 0 || crawlers > 0 {
		var text bytes.Buffer
		table.Print(&text)
		table.PrintOdd(&text)
		t.Errorf("seen %.4f, want %.4f; precision %.4f, want %.4f; %d innocents malicious, %d crawlers suspected\n%s",
			recall, seen, table.Precision(), precision, innocents, crawlers, &text)
	}
}

// TestKinds: every kind comes when it is called, and whoever came has left a line by which it can be judged.
func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for _, k := range truth.Kinds() {
		if names[k.Name] {
			t.Errorf("two kinds are called %s", k.Name)
		}
		names[k.Name] = true
		if k.Role != truth.Attack {
			continue
		}
		w := truth.New(1, truth.Cast{Attacks: 1, Plays: 1, Only: k.Name})
		came := 0
		for addr, kind := range w.Truth() {
			if kind.Name != k.Name {
				t.Errorf("%s: %s is %s", k.Name, addr, kind.Name)
			}
			if addr.Is4() && len(w.Lines(addr, 1)) == 0 {
				t.Errorf("%s: %s left no line", k.Name, addr)
			}
			if came++; came == 20 {
				break
			}
		}
		if came == 0 {
			t.Errorf("%s: nobody came", k.Name)
		}
	}
}

// TestAgain: a seed makes the same world again.
func TestAgain(t *testing.T) {
	cast := truth.Cast{Attacks: 4, Plays: 1, Innocents: 1}
	var logs [2]map[string]string
	for i := range logs {
		logs[i] = map[string]string{}
		files, err := truth.New(5, cast).Write(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			logs[i][filepath.Base(name)] = string(text)
		}
	}
	if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
		t.Error(diff[:min(len(diff), 2000)])
	}
}
