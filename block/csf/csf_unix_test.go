//go:build unix

package csf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
)

const testName = "connwarden-prod-dinner-1a2b" // "-p" and "-d in" are options for csf, anywhere in a comment

// newRoot is a machine with the stand-in for csf, and what its installer leaves.
func newRoot(t testing.TB, files map[string]string) csfProgram {
	t.Helper()
	c := csfProgram{t.TempDir()}
	all := map[string]string{
		confFile:               "# comment\nTESTING = \"0\"\nIPV6 = \"1\"\nDENY_IP_LIMIT = \"60\"\nDENY_TEMP_IP_LIMIT = \"50\"\n",
		denyFile:               "# Copyright\n# one IP address per line\n",
		"/etc/csf/csf.allow":   "172.16.0.0/12 # office\n",
		"/etc/csf/csf.ignore":  "127.0.0.1\n",
		"/var/lib/csf/csf.loc": "",
		"/own":                 "198.51.100.1\n",
		lfdFile:                "4242\n",
		"/proc/4242/stat":      "4242 (lfd)",
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		file := c.path(name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// lfd locks its file for as long as it runs.
	pid, err := os.Open(c.path(lfdFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pid.Close() })
	if err := syscall.Flock(int(pid.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.path("/usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(me, c.path("/usr/sbin/csf")); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c csfProgram) open(t testing.TB) *Driver {
	t.Helper()
	d, err := Open(Options{Name: testName, Root: c.root})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// holdings is all that csf and its firewall hold.
func (c csfProgram) holdings() string {
	text := ""
	for _, name := range []string{denyFile, tempFile, allowFile, rulesFile, "/etc/csf/csf.allow", "/etc/csf/csf.ignore"} {
		text += name + "\n" + strings.Join(c.lines(name), "\n") + "\n"
	}
	return text
}

// foreign are entries of others, some of which look like ours.
var foreign = map[string]string{
	denyFile: "# Copyright\n192.0.2.70 # lfd: (sshd) Failed SSH login - Sun Nov 22 08:04:29 2026\n" +
		"192.0.2.71 # connwarden_prod_dinner_1a2bc - Sun Nov 22 08:04:29 2026\n" +
		"192.0.2.72 # do not delete connwarden_prod_dinner_1a2b - Sun Nov 22 08:04:29 2026\n" +
		"tcp|in|d=22|s=192.0.2.7 # connwarden_prod_dinner_1a2b - x\nInclude /etc/csf/more.deny\n",
	tempFile: fmt.Sprintf("%d|192.0.2.73||in|9000|lfd - (pop3d) many\n%[1]d|192.0.2.7|22|in|9000|connwarden_prod_dinner_1a2b\n", time.Now().Unix()),
}

// TestContract runs the conformance suite against the stand-in.
func TestContract(t *testing.T) {
	var c csfProgram
	blocktest.Run(t, func(t testing.TB) block.Driver { return c.open(t) }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			c = newRoot(t, nil)
			c.holdings() // makes the files that csf makes when they are first needed
			done, stop := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case now := <-tick.C:
						c.lfd(now)
					case <-stop:
						return
					}
				}
			}()
			defer func() { close(stop); <-done }()
			test()
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			theirs := strings.ReplaceAll(foreign[tempFile], "192.0.2.7|", "192.0.2.74|")
			for name, text := range map[string]string{denyFile: foreign[denyFile], tempFile: theirs, rulesFile: "192.0.2.70\n192.0.2.71\n"} {
				if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := c.holdings()
			return func(t testing.TB) {
				rest := slices.DeleteFunc(strings.Split(c.holdings(), "\n"), func(line string) bool {
					return line == "192.0.2.7" || line == "192.0.2.8" ||
						strings.HasPrefix(line, "192.0.2.7 # connwarden_prod_dinner_1a2b - ") || strings.HasPrefix(line, "192.0.2.8 # connwarden_prod_dinner_1a2b - ")
				})
				if got := strings.Join(rest, "\n"); got != before {
					t.Errorf("what others put there has changed\nbefore:\n%s\nafter:\n%s", before, got)
				}
			}
		},
		Traces: func(testing.TB) string { return c.holdings() },
		Reopen: func(t testing.TB) block.Driver { return c.open(t) },
		Break: func(t testing.TB, _ block.Driver) func() {
			// An administrator allows, in the meantime, one of those that will be denied.
			if err := os.WriteFile(c.path("/etc/csf/csf.allow"), []byte("10.0.0.12 # me\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(c.path("/etc/csf/csf.allow")) }
		},
	})
}

func entry(target string, until time.Time) block.Entry {
	return block.Entry{Target: netip.MustParsePrefix(target), Until: until}
}

// TestRefusals is what csf refuses, with status 0: its words are the error.
func TestRefusals(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name  string
		files map[string]string
		entry block.Entry
		want  string
	}{
		{"our own address", nil, entry("198.51.100.1/32", time.Time{}), "one of this servers addresses"},
		{"our own address for a while", nil, entry("198.51.100.1/32", hour), "one of this servers addresses"},
		{"allowed", nil, entry("172.16.0.9/32", time.Time{}), "is in the allow file"},
		{"ignored", map[string]string{"/etc/csf/csf.ignore": "192.0.2.7\n"}, entry("192.0.2.7/32", time.Time{}), "is in the ignore file"},
		{"denied by others", foreign, entry("192.0.2.70/32", time.Time{}), "is in already in the deny file"},
		{"denied by others, for a while", foreign, entry("192.0.2.70/32", hour), "already permanently blocked"},
		{"denied by others for a while", foreign, entry("192.0.2.73/32", hour), "already temporarily blocked"},
		{"IPv6 that is off", map[string]string{confFile: "IPV6 = \"0\"\n"}, entry("2001:db8::7/128", time.Time{}), "it has no IPv6"},
		{"everything", nil, entry("0.0.0.0/0", time.Time{}), "whole internet"},
		{"a port", nil, block.Entry{Target: netip.MustParsePrefix("192.0.2.7/32"), Scope: connwarden.Ports(80)}, "it has no scope ports"},
	} {
		c := newRoot(t, tt.files)
		before := c.holdings()
		d := c.open(t)
		err := d.Apply(t.Context(), []block.Entry{tt.entry}, nil)
		var failed *block.Error
		if !errors.As(err, &failed) || failed.Target != tt.entry.Target.String() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
		if after := c.holdings(); after != before {
			t.Errorf("%s: something has changed\nbefore\n%s\nafter\n%s", tt.name, before, after)
		}
	}
}

// TestTheirs is an address that is ours and others' at once: csf could only lift both.
func TestTheirs(t *testing.T) {
	for name, file := range map[string]string{"a port denied": tempFile, "allowed": allowFile} {
		c := newRoot(t, nil)
		d := c.open(t)
		e := entry("192.0.2.7/32", time.Now().Add(time.Hour))
		if err := d.Apply(t.Context(), []block.Entry{e}, nil); err != nil {
			t.Fatal(err)
		}
		c.change(file, func(l []string) []string {
			return append(l, fmt.Sprintf("%d|192.0.2.7|22|in|9000|lfd: (sshd)", time.Now().Unix()))
		})
		before := c.holdings()
		for _, try := range []func() error{
			func() error { return d.Apply(t.Context(), nil, []block.Entry{e}) },
			func() error { return d.Flush(t.Context()) },
			func() error {
				return d.Apply(t.Context(), []block.Entry{entry("192.0.2.7/32", time.Now().Add(2*time.Hour))}, nil)
			},
		} {
			if err := try(); err == nil || !strings.Contains(err.Error(), "lfd: (sshd)") {
				t.Errorf("%s: %v; want the comment of the others' entry", name, err)
			}
		}
		if after := c.holdings(); after != before {
			t.Errorf("%s: something has changed\nbefore\n%s\nafter\n%s", name, before, after)
		}
	}
}

// TestRoom is a list in which others take most of the room: csf would drop the oldest entry to make some.
func TestRoom(t *testing.T) {
	c := newRoot(t, map[string]string{confFile: "DENY_IP_LIMIT = \"5\"\nDENY_TEMP_IP_LIMIT = \"0\"\nIPV6 = \"1\"\n", denyFile: foreign[denyFile]})
	d := c.open(t)
	if most := d.Properties().Most; most != 2 { // three lines count: not those that must not be deleted or include others
		t.Errorf("Most is %d, want 2", most)
	}
	fits := []block.Entry{entry("10.0.0.1/32", time.Time{}), entry("10.0.0.2/32", time.Time{})}
	if err := d.Apply(t.Context(), append(fits, entry("10.0.0.3/32", time.Time{})), nil); !errors.Is(err, connwarden.ErrUnsupported) {
		t.Errorf("three where two fit: %v", err)
	}
	if err := d.Apply(t.Context(), fits, nil); err != nil {
		t.Fatal(err)
	}
	if text := c.holdings(); !strings.Contains(text, "lfd: (sshd)") {
		t.Errorf("csf has dropped an entry of others:\n%s", text)
	}
	full := newRoot(t, map[string]string{confFile: "DENY_IP_LIMIT = \"2\"\n", denyFile: foreign[denyFile]}).open(t)
	if err := full.Apply(t.Context(), fits[:1], nil); !errors.Is(err, connwarden.ErrUnsupported) {
		t.Errorf("a list that is over-full: %v", err)
	}
	open := newRoot(t, map[string]string{confFile: "DENY_IP_LIMIT = \"0\"\nDENY_TEMP_IP_LIMIT = \"0\"\n"}).open(t)
	if most := open.Properties().Most; most != 0 {
		t.Errorf("without limits Most is %d", most)
	}
}

// TestWithoutLfd is a csf whose daemon does not run: nothing would end what is denied for a while.
func TestWithoutLfd(t *testing.T) {
	c := newRoot(t, map[string]string{lfdFile: "4243\n"})
	d := c.open(t)
	if p := d.Properties(); p.Expiry {
		t.Error("it claims to end entries without lfd")
	}
	e := entry("192.0.2.7/32", time.Now().Add(time.Hour))
	if err := d.Apply(t.Context(), []block.Entry{e}, nil); err != nil {
		t.Fatal(err)
	}
	if len(c.lines(tempFile)) != 0 || !c.denies("192.0.2.7/32") {
		t.Errorf("want an entry without end:\n%s", c.holdings())
	}
}

// TestStates are those in which csf denies nothing.
func TestStates(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"testing":  {map[string]string{confFile: "TESTING = \"1\"\n"}, "TESTING mode"},
		"disabled": {map[string]string{disableFile: ""}, "is disabled"},
	} {
		_, err := Open(Options{Name: testName, Root: newRoot(t, tt.files).root})
		if !errors.Is(err, connwarden.ErrUnsupported) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(Options{Name: testName, Root: t.TempDir()}); !errors.Is(err, connwarden.ErrUnsupported) || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("not installed: %v", err)
	}
	// csf -f empties its chains and leaves its lists.
	c := newRoot(t, nil)
	d := c.open(t)
	e := entry("192.0.2.7/32", time.Time{})
	if err := d.Apply(t.Context(), []block.Entry{e}, nil); err != nil {
		t.Fatal(err)
	}
	c.change(rulesFile, func([]string) []string { return nil })
	if seen, err := d.Prove(t.Context(), e); err == nil || !strings.Contains(err.Error(), "no rule") {
		t.Errorf("a csf that was stopped: %q, %v", seen, err)
	}
}

func TestPlan(t *testing.T) {
	c := newRoot(t, nil)
	d := c.open(t)
	old := []block.Entry{entry("192.0.2.7/32", time.Time{}), entry("192.0.2.8/32", time.Now().Add(time.Hour)), entry("192.0.2.9/32", time.Time{})}
	if err := d.Apply(t.Context(), old, nil); err != nil {
		t.Fatal(err)
	}
	// What had no end gets one, what had one loses it, one is lifted, one is new.
	got, err := d.Plan(t.Context(), []block.Entry{entry("192.0.2.7/32", time.Now().Add(time.Hour)), entry("192.0.2.8/32", time.Time{}),
		entry("2001:db8::/64", time.Now().Add(time.Minute))}, []block.Entry{old[2], entry("10.9.9.9/32", time.Time{})})
	want := []string{
		"csf -dr 192.0.2.9",
		"csf -dr 192.0.2.7", "csf -td 192.0.2.7 3600 connwarden_prod_dinner_1a2b",
		"csf -d 192.0.2.8 connwarden_prod_dinner_1a2b", "csf -tr 192.0.2.8",
		"csf -td 2001:db8::/64 60 connwarden_prod_dinner_1a2b",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
}
