package block_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// login is a record of utmp(5) of a size.
func login(size int, user string, a string, when time.Time) string {
	b := make([]byte, size)
	binary.NativeEndian.PutUint16(b, 7)
	binary.NativeEndian.PutUint32(b[4:], 4711)
	copy(b[8:40], "pts/0")
	copy(b[40:44], "ts/0")
	copy(b[44:76], user)
	copy(b[76:332], a)
	if size == 400 {
		binary.NativeEndian.PutUint64(b[344:], uint64(when.Unix()))
		copy(b[360:], netip.MustParseAddr(a).AsSlice())
	} else {
		binary.NativeEndian.PutUint32(b[340:], uint32(when.Unix()))
		copy(b[348:], netip.MustParseAddr(a).AsSlice())
	}
	return string(b)
}

func factsOf(t *testing.T, root string, m block.Machine) (got, problems []string) {
	t.Helper()
	m.Root, m.PID, m.Getenv = root, 50, func(string) string { return "" }
	list, told := block.Facts(m)
	for _, p := range told {
		problems = append(problems, p.What+": "+p.Why)
	}
	return spared(list), problems
}

// TestTornLogins reads files of which a part is no record: that costs itself and no more.
func TestTornLogins(t *testing.T) {
	for _, size := range []int{384, 400} {
		one, two, three := login(size, "root", "198.51.100.1", epoch), login(size, "root", "198.51.100.2", epoch), login(size, "root", "2001:db8:1:2::7", epoch)
		dirty := []byte(two)
		dirty[75] = 1 // behind the end of the name
		four := strings.Repeat(three, 40)
		for name, c := range map[string]struct {
			text, want string
			junk       bool
		}{
			"whole":                      {one + two + three, "1 2 7", false},
			"something at the end":       {one + two + four + strings.Repeat("x", 100), "1 2 7", false},
			"something at the beginning": {"x" + one + two + four, "1 2 7", false},
			"something between":          {one + strings.Repeat("\xff", 100) + two + four, "1 2 7", false},
			"zeros between":              {one + strings.Repeat("\x00", 1001) + two + four, "1 2 7", false},
			"a record of nonsense":       {one + strings.Repeat("z", size) + two + four, "1 2 7", false},
			"cut short early":            {one + two[:30] + two[:100] + four, "1 7", false},
			"cut short late":             {one + two[:370] + four, "1 7", false},
			"cut short at its end":       {one + two[:size-20] + four, "1 7", false},
			"cut at the end":             {one + four + two[:200], "1 7", false},
			"something behind a name":    {one + string(dirty) + three, "1 2 7", false},
			"mostly nonsense":            {one + strings.Repeat("not a record\n", 100), "1", true},
			"nonsense":                   {strings.Repeat("not a record\n", 100), "", true},
		} {
			for _, file := range []string{"run/utmp", "var/log/wtmp"} {
				t.Run(fmt.Sprint(size, " ", name, " ", file), func(t *testing.T) {
					got, problems := factsOf(t, tree(t, map[string]string{file: c.text}), block.Machine{Now: epoch})
					var want []string
					for _, last := range strings.Fields(c.want) {
						where := "198.51.100." + last + "/32"
						if last == "7" {
							where = "2001:db8:1:2::/64"
						}
						how := "is logged in from (utmp)"
						if file != "run/utmp" {
							how = "logged in from within a week (wtmp)"
						}
						want = append(want, where+" where the administrator root "+how)
					}
					if !slices.Equal(got, want) || len(problems) > 0 != c.junk || c.junk && !strings.Contains(problems[0], "are no records of logins") {
						t.Errorf("problems %v\n got %s\nwant %s", problems, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
					}
				})
			}
		}
	}
}

// TestFilledLogs reads logs that others filled after an administrator was here.
func TestFilledLogs(t *testing.T) {
	const line = `198.51.100.%d - %s [%s] "GET /%s HTTP/1.1" 200 0 "-" "Mozilla/5.0" "s" "-" 2087` + "\n"
	form := "01/02/2006:15:04:05 -0700"
	day := 24 * time.Hour
	late, old := epoch.Add(-day).UTC().Format(form), epoch.Add(-8*day).UTC().Format(form)
	file := func(text ...string) string { return strings.Join(text, "") }
	root := tree(t, map[string]string{
		"var/log/wtmp": file(login(384, "root", "198.51.100.1", epoch.Add(-6*day)), "torn", strings.Repeat(login(384, "carl", "198.51.100.9", epoch.Add(-day)), 9000)),
		"usr/local/cpanel/logs/access_log": file(
			strings.Repeat(fmt.Sprintf(line, 3, "root", old, ""), 30000), // too long ago
			fmt.Sprintf(line, 2, "root", late, ""), fmt.Sprintf(line, 9, "carl", late, strings.Repeat("x", 5<<20)), strings.Repeat(fmt.Sprintf(line, 9, "carl", late, "y"), 30000)),
	})
	want := []string{"198.51.100.1/32 where the administrator root logged in from within a week (wtmp)",
		"198.51.100.2/32 where the administrator root used WHM from within a week (cPanel's access_log)"}
	got, problems := factsOf(t, root, block.Machine{Now: epoch})
	if !slices.Equal(got, want) || len(problems) > 0 {
		t.Errorf("problems %v\n got %s\nwant %s", problems, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	// A log that was put aside.
	for _, name := range []string{"wtmp.1", "wtmp-20251119"} {
		aside := tree(t, map[string]string{"var/log/wtmp": login(384, "carl", "198.51.100.9", epoch.Add(-day)), "var/log/wtmp-20251019": login(384, "root", "198.51.100.8", epoch.Add(-5*day)),
			"var/log/" + name: login(384, "root", "198.51.100.9", epoch.Add(-9*day)) + login(384, "root", "198.51.100.1", epoch.Add(-6*day))})
		if name == "wtmp.1" {
			if err := os.Remove(filepath.Join(aside, "var/log/wtmp-20251019")); err != nil {
				t.Fatal(err)
			}
		}
		if got, problems := factsOf(t, aside, block.Machine{Now: epoch}); !slices.Equal(got, want[:1]) || len(problems) > 0 {
			t.Errorf("%s: problems %v, got %s", name, problems, got)
		}
	}
	// There is an end to what is read, which is told.
	name := filepath.Join(root, "usr/local/cpanel/logs/access_log")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 70 {
		if _, err := f.WriteString(strings.Repeat(fmt.Sprintf(line, 9, "carl", late, strings.Repeat("z", 10000)), 104)); err != nil {
			t.Fatal(err)
		}
	}
	got, problems = factsOf(t, root, block.Machine{Now: epoch})
	if !slices.Equal(got, want[:1]) || len(problems) != 1 || !strings.Contains(problems[0], "only its last 64 MiB were read") {
		t.Errorf("problems %v, got %s", problems, got)
	}
}
