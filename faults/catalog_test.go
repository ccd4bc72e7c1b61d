package faults_test

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/logs"
)

// found takes the faults of a sample.
type found struct{ kinds []*faults.Kind }

func (s *found) Conn(*connwarden.Conn)       {}
func (s *found) Request(*connwarden.Request) {}
func (s *found) Event(*connwarden.Event)     {}
func (s *found) Fault(f *connwarden.Fault)   { s.kinds = append(s.kinds, faults.Find(f)) }

// TestCatalog reads each entry's sample as its daemon's log is read, and wants it to find the entry.
func TestCatalog(t *testing.T) {
	kinds := faults.Kinds()
	if len(kinds) < 120 {
		t.Errorf("%d known faults, want at least 120", len(kinds))
	}
	names := map[string]bool{}
	for _, k := range kinds {
		t.Run(k.Name, func(t *testing.T) {
			if names[k.Name] {
				t.Error("the name is taken")
			}
			names[k.Name] = true
			format, err := logs.Lookup(k.Format)
			if err != nil {
				t.Fatal(err)
			}
			var s found
			p := format.NewParser(logs.Options{})
			stats := p.Parse(connwarden.Source{Name: "x"}, []byte(k.Sample), &s)
			p.Flush(&s)
			if stats.Unparsed > 0 || len(s.kinds) != 1 {
				t.Fatalf("the sample gives %d faults, %+v", len(s.kinds), stats)
			}
			if got := s.kinds[0]; got != k {
				name := "nothing"
				if got != nil {
					name = got.Name
				}
				t.Errorf("the sample finds %s", name)
			}
			for what, text := range map[string]string{"meaning": k.Meaning, "remedy": k.Remedy} {
				if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ";") && !strings.HasSuffix(text, ")") && what == "meaning" {
					t.Errorf("the %s is no sentence: %q", what, text)
				}
			}
		})
	}
}
