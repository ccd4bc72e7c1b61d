package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/host"
)

// TestSiteDir: a site goes by its host name or its folder; what is neither is told with the name most like it.
func TestSiteDir(t *testing.T) {
	dir := resolved(t.TempDir())
	file := filepath.Join(dir, "index.php")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := machine{found: func() []host.Site {
		return []host.Site{{Name: "blog.example.com", Dir: "/nowhere"}, {Name: "shop.example.com", Dir: dir}, {Dir: dir}}
	}}
	for _, name := range []string{"shop.example.com", "SHOP.example.com", dir} {
		if got, err := m.siteDir(name); got != dir || err != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, dir)
		}
	}
	for _, name := range []string{"shop.exampel.com", file, filepath.Join(dir, "gone")} {
		got, err := m.siteDir(name)
		if err == nil || !strings.Contains(err.Error(), "neither a site of the web server's configuration nor a folder") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := m.siteDir("shop.exampel.com"); !strings.Contains(hintFor(err), "did you mean shop.example.com?") {
		t.Errorf("the hint is %q", hintFor(err))
	}
}
