package host

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// listing is all that a tree says, without what a checkout does not keep: times, inodes, places on the disk.
func listing(t *testing.T, root string) string {
	t.Helper()
	h := New(root)
	var b strings.Builder
	files, problems := h.Logs(context.Background())
	for _, f := range files {
		fmt.Fprintf(&b, "%s\n\t%s %s, trust %s", f.Shown, f.Service, f.Kind, f.Trust)
		for _, part := range [][2]string{{"site", f.Site}, {"only", f.Only}, {"twin of", f.Twin}, {"escape", f.Escape}} {
			if part[1] != "" {
				fmt.Fprintf(&b, ", %s %s", part[0], part[1])
			}
		}
		fmt.Fprintf(&b, "\n\tfrom %s\n", f.From)
		if f.Format != "" {
			fmt.Fprintf(&b, "\tformat %s %s\n", f.FormatNick, f.Format)
		}
		if !strings.HasPrefix(f.Path, h.base()+string(filepath.Separator)) {
			t.Errorf("%s is opened as %s, outside of %s", f.Shown, f.Path, h.base())
		}
		if info, err := os.Lstat(f.Path); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is opened as %s: not a regular file (%v)", f.Shown, f.Path, err)
		}
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "problem %s\n\t%s\n", p.What, p.Why)
	}
	servers, _ := h.Servers()
	for _, s := range servers {
		fmt.Fprintf(&b, "server %s %s\n\t%s\n", s.Name, s.Version, s.Evidence)
		for _, c := range s.ConfigFiles {
			fmt.Fprintf(&b, "\t%s\n", c)
		}
	}
	pools, _ := h.Pools()
	for _, p := range pools {
		fmt.Fprintf(&b, "pool %+v\n", p)
	}
	for _, v := range h.Settings() {
		fmt.Fprintf(&b, "setting %s %s = %s, %s:%d %s\n", v.Service, v.Name, v.Value, v.File, v.Line, v.About)
	}
	for _, p := range h.Probes(context.Background()) {
		if p.Area == "panel" && p.Answer == No || p.Area == "privilege" || p.Area == "source" {
			continue
		}
		fmt.Fprintf(&b, "probe %s %s: %s, %s\n", p.Area, p.Name, p.Answer, p.Why)
	}
	return b.String()
}

func TestTrees(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the trees hold links, which a checkout on Windows does not keep")
	}
	dirs, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 10 {
		t.Fatalf("%d golden files, want 10 or more", len(dirs))
	}
	for _, golden := range dirs {
		name := strings.TrimSuffix(filepath.Base(golden), ".golden")
		t.Run(name, func(t *testing.T) {
			got := listing(t, filepath.Join("testdata", name))
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", golden, diff)
			}
			if again := listing(t, filepath.Join("testdata", name)); again != got {
				t.Errorf("a second look differs:\n%s", cmp.Diff(got, again))
			}
		})
	}
}
