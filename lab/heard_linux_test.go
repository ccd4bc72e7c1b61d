package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
	"github.com/google/go-cmp/cmp"
)

// forged is the address that forgeries name. Nobody ever comes from there.
const forged = "198.51.100.66"

// line is what explain says of a line, as far as it is looked at here.
type line struct {
	Line    int
	Format  string
	Reading string
	Time    string
	Client  string
	Service string
	Kind    string
	Hostile bool
	User    string
}

// built is the real program, built once for all tests of daemons.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = filepath.Join(dir, "connwarden")
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// ask runs the real program on the machine's files, from outside of the machine, and returns what it prints.
func ask(t *testing.T, l *lab.Lab, command string, args ...string) string {
	t.Helper()
	if _, err := os.Stat(built); err != nil {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", built, "github.com/connwarden/connwarden/cmd/connwarden")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build connwarden: %v\n%s", err, out)
		}
	}
	r := l.RunOutside(nil, built, append([]string{command, "--json", "--no-dns"}, args...)...)
	if r.Code != 0 {
		t.Fatalf("%s %q: exit code %d\n%s%s", command, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// explain asks how each line of a log is read. It fails the test unless
//   - every line has a format and, where it says anything, a time,
//   - every line that names somebody who comes from the world is an event or a fault of his, but for those that a text of quiet stands in,
//   - no line is anybody else's.
//
// In these tests a line names one peer, apart from what is forged.
func explain(t *testing.T, l *lab.Lab, name, format string, quiet ...string) []line {
	t.Helper()
	// A copy, for the daemon may say more meanwhile.
	text := l.Read(name)
	seen := filepath.Join("opt/seen", name)
	l.Write(seen, text)
	texts := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var list []line
	d := json.NewDecoder(strings.NewReader(ask(t, l, "explain", filepath.Join(l.Root, seen))))
	for d.More() {
		var one line
		if err := d.Decode(&one); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	if len(list) != len(texts) {
		t.Fatalf("%s has %d lines; explain tells of %d", name, len(texts), len(list))
	}
	for i, one := range list {
		if one.Format != format || one.Reading != "none" && one.Time == "" {
			t.Errorf("%s: format %q (want %q), time %q: %s", name, one.Format, format, one.Time, texts[i])
		}
		client := named(texts[i])
		if client == "" || one.Client == "" && one.Reading != "event" && holdsAny(texts[i], quiet) {
			if one.Client != "" {
				t.Errorf("%s: client %s, who is not named: %s", name, one.Client, texts[i])
			}
			continue
		}
		if one.Client != client || one.Reading == "none" {
			t.Errorf("%s: read as %s of %q, want an event of %s: %s", name, one.Reading, one.Client, client, texts[i])
		}
	}
	return list
}

func holdsAny(s string, texts []string) bool {
	for _, text := range texts {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// worldly finds the addresses of the world, and what else looks like one of a client.
var worldly = regexp.MustCompile(`198\.51\.100\.\d+|203\.0\.113\.\d+|2001:db8:1:[0-9a-f:]*[0-9a-f]`)

// named is the one peer that a line names, but for who is forged.
func named(text string) (client string) {
	for _, a := range worldly.FindAllString(text, -1) {
		if a != forged {
			client = a
		}
	}
	return client
}

// accused counts what the lines say against whom: "CLIENT KIND SERVICE".
func accused(list []line) map[string]int {
	m := map[string]int{}
	for _, one := range list {
		if one.Hostile {
			m[one.Client+" "+one.Kind+" "+one.Service]++
		}
	}
	return m
}

// passed counts who logged in: "CLIENT SERVICE USER".
func passed(list []line) map[string]int {
	m := map[string]int{}
	for _, one := range list {
		if one.Kind == "auth_passed" {
			m[one.Client+" "+one.Service+" "+one.User]++
		}
	}
	return m
}

// wantSame fails the test unless both counts are the same.
func wantSame(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantInnocent fails the test if a review of logs says anything against a customer, or knows who is only forged.
func wantInnocent(t *testing.T, l *lab.Lab, names ...string) {
	t.Helper()
	args := []string{"--top", "0"}
	for _, name := range names {
		args = append(args, filepath.Join(l.Root, name))
	}
	var r review
	if err := json.Unmarshal([]byte(ask(t, l, "review", args...)), &r); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Peers {
		if p.Addr == forged || strings.HasPrefix(p.Addr, "203.0.113.") && p.Verdict != "normal" {
			t.Errorf("%s: %s is %s: %+v", names, p.Addr, p.Verdict, p.Evidence)
		}
	}
}
