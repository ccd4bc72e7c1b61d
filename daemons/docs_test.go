package daemons

import (
	"os"
	"strings"
	"testing"
)

// The page of services names each that is read, and each format of a log of its own.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, s := range services {
		want[s.name] = true
	}
	for _, f := range Formats {
		want[f.Name] = true
	}
	delete(want, "") // who accuses nobody
	for name := range want {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/services.md does not name %s", name)
		}
	}
}
