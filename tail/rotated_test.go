package tail

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestRotated(t *testing.T) {
	for _, c := range []struct {
		base string
		want []string // newest first
		not  []string
	}{
		{"access.log",
			[]string{"access.log.1", "access.log.2.gz", "access.log.3.xz", "access.log.10.zst", "access.log.11.bz2"},
			[]string{"access.log", "access.log.gz", "access.log.1.bak", "access.log.1.gz.tmp", "access.logs.1", "error.log.1", "xaccess.log.1", "access.log.old", "access.log.", "access.log.1x", "access.log-", "access.log.1.2"}},
		{"access.log",
			[]string{"access.log-2026112114", "access.log-20261121", "access.log-2026-11-20.gz", "access.log-20261119-0300", "access.log-20261118.gz"},
			[]string{"access.log-20261399", "access.log-2026", "access.log-00000000", "access.log-2026112"}},
		{"access_log",
			[]string{"access_log-2026-11-21", "access_log-2026-11-20", "access_log.2026-11-19"},
			[]string{"access_log_x", "access_log-ssl"}},
		{"access.log", // logrotate's "extension .log"
			[]string{"access.1.log", "access.2.log.gz", "access-20261121.log", "access-20261120.log.gz"},
			[]string{"access-ssl.log", "access-2026.log", "access..log"}},
		{"access.log", // rotatelogs
			[]string{"access.log.1790000000", "access.log.1789913600"}, nil},
		{"example.com", // cPanel's archive
			[]string{"example.com-Nov-2026.gz", "example.com-Oct-2026.gz", "example.com-Dec-2025.gz"},
			[]string{"example.com-ssl_log", "example.com-bytes_log", "example.com-ssl_log-Nov-2026.gz", "example.com.offset", "example.com.bkup", "example.com-Noo-2026.gz", "example.com.au"}},
		{"access_log", // Plesk
			[]string{"access_log.processed", "access_log.processed.1.gz", "access_log.processed.2.gz"},
			[]string{"access_log.processed.x", "access_log.processed1"}},
	} {
		dir := t.TempDir()
		for _, name := range slices.Concat(c.want, c.not) {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		os.Mkdir(filepath.Join(dir, c.base+".7"), 0o700)
		os.Symlink(filepath.Join(dir, c.want[0]), filepath.Join(dir, c.base+".8"))
		var want []string
		for _, name := range c.want {
			want = append(want, filepath.Join(dir, name))
		}
		if got := Rotated(filepath.Join(dir, c.base)); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.base, got, want)
		}
		t.Chdir(dir)
		if got := Rotated(c.base); !slices.Equal(got, c.want) {
			t.Errorf("%s without a folder:\ngot  %q\nwant %q", c.base, got, c.want)
		}
	}
	if got := Rotated("/nowhere/access.log"); got != nil {
		t.Errorf("got %q", got)
	}
}

func FuzzRotated(f *testing.F) {
	f.Add("access.log", "access.log.1.gz")
	f.Add("access.log", "access-20261121.log")
	f.Add("a", "a-Nov-2026")
	f.Add("", ".1")
	f.Fuzz(func(t *testing.T, base, name string) {
		if _, ok := rotatedAge(base, name); ok && base == name {
			t.Errorf("%q is a neighbour of itself", base)
		}
	})
}
