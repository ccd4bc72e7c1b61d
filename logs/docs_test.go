package logs

import (
	"os"
	"strings"
	"testing"
)

// The page of formats names each that there is.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append([]*Format{guessed}, accessFormats...) {
		if !strings.Contains(string(page), "`"+f.Name+"`") {
			t.Errorf("docs/formats.md does not name %s", f.Name)
		}
	}
}
