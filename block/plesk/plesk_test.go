package plesk

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

// answers is a runner that gives one answer a program.
func answers(said map[string]error, out string) program.Runner {
	return func(_ context.Context, name string, _ ...string) ([]byte, error) { return []byte(out), said[name] }
}

func TestDetect(t *testing.T) {
	missing := &program.Error{Name: "x", Code: -1, Err: connwarden.ErrNotFound}
	noJail := &program.Error{Name: client, Code: 255, Said: "2026-11-22 08:38:04,137 fail2ban [15772]: ERROR NOK: ('connwarden',)"}
	for _, c := range []struct {
		said map[string]error
		out  string
		ok   bool
		why  string
	}{
		{map[string]error{"plesk": missing}, "", false, "Plesk: not installed"},
		{map[string]error{client: noJail}, "Sorry but the jail 'connwarden' does not exist\n", false, JailFile},
		{map[string]error{client: errors.New("fail2ban-client: Failed to access socket path")}, "", false, "socket path"},
		{nil, "600\n", false, "set bantime = -1"},
		{nil, "oops", false, `answers "oops"`},
		{nil, "-1\n", true, "jail connwarden"},
	} {
		ok, why := Detect(t.Context(), Options{Run: answers(c.said, c.out)})
		if ok != c.ok || !strings.Contains(why, c.why) {
			t.Errorf("%t %q, want %t %q", ok, why, c.ok, c.why)
		}
	}
}

func TestPlanIsWhatAnOperatorWouldType(t *testing.T) {
	d, _ := Open(Options{Run: answers(nil, "")})
	entry := func(target string) block.Entry { return block.Entry{Target: netip.MustParsePrefix(target)} }
	lines, err := d.Plan(t.Context(), []block.Entry{entry("192.0.2.7/32"), entry("2001:db8::/64")}, []block.Entry{entry("198.51.100.0/24")})
	want := "fail2ban-client set connwarden unbanip 198.51.100.0/24\nfail2ban-client set connwarden banip 192.0.2.7 2001:db8::/64"
	if got := strings.Join(lines, "\n"); err != nil || got != want {
		t.Errorf("got\n%s, %v\nwant\n%s", got, err, want)
	}
}

// FuzzParse holds that whatever stands in the jail is read as masked targets, which are written as they are read.
func FuzzParse(f *testing.F) {
	f.Add("192.0.2.7 198.51.100.0/24\t2001:db8::7\n2001:db8:1::/64 nonsense fe80::1%x ::ffff:1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range parse(text) {
			again := parse(block.Show(p))
			if p != p.Masked() || len(again) != 1 || again[0] != p {
				t.Errorf("%s is read again as %v", p, again)
			}
		}
	})
}
