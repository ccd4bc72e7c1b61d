package cpanel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/cpanel"
	"github.com/connwarden/connwarden/block/program"
)

// TestMain lets the test's own program stand for cPanel's.
func TestMain(m *testing.M) {
	blocktest.StandFor(standIn, "uapi", "cpapi2")
	os.Exit(m.Run())
}

// panel is what the stand-ins keep: each account's list.
type panel struct {
	Refusal string // what every call is answered with
	Garbage bool   // they print what is no JSON
	Takes   int    // how many targets may still be added; -1: any number
	Lists   map[string][]string
}

// standIn answers as the examples of UAPI and of API 2 do: status 0 of the program also where it refuses, prefixes with
// an escaped stroke.
func standIn(name, file string, args []string) {
	var s panel
	text, _ := os.ReadFile(file)
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	print := func(v any) {
		text, _ := json.Marshal(v)
		fmt.Println(string(text))
	}
	if s.Garbage {
		fmt.Println("Your license has expired")
		os.Exit(1)
	}
	user, found := strings.CutPrefix(args[1], "--user=")
	list, known := s.Lists[user]
	problem := s.Refusal
	if args[0] != "--output=json" || !found || !known {
		problem = fmt.Sprintf("Failed to load cPanel user file for %q", user)
	}
	switch call := strings.Join(args[2:min(4, len(args))], " "); {
	case name == "cpapi2" && call == "DenyIp listdenyips":
		if problem != "" {
			print(map[string]any{"cpanelresult": map[string]any{"error": problem, "event": map[string]any{"result": 0}}})
			break
		}
		data := []map[string]string{}
		for _, ip := range list {
			data = append(data, map[string]string{"ip": strings.ReplaceAll(ip, "/", "%2f"), "range": ip, "start": ip, "end": ip})
		}
		print(map[string]any{"cpanelresult": map[string]any{"apiversion": 2, "data": data, "event": map[string]any{"result": 1}}})
	case name == "uapi" && (call == "BlockIP add_ip" || call == "BlockIP remove_ip"):
		ip := strings.TrimPrefix(args[4], "ip=")
		at := slices.Index(list, ip)
		switch {
		case problem != "":
		case call == "BlockIP add_ip" && s.Takes == 0:
			problem = "Disk quota exceeded"
		case call == "BlockIP add_ip":
			s.Takes--
			list = append(list, ip)
		case at < 0:
			problem = "The IP address " + ip + " is not blocked"
		default:
			list = slices.Delete(list, at, at+1)
		}
		result := map[string]any{"data": []string{ip}, "errors": nil, "status": 1}
		if problem != "" {
			result = map[string]any{"data": nil, "errors": []string{problem}, "status": 0}
		} else {
			s.Lists[user] = list
		}
		print(map[string]any{"apiversion": 3, "module": "BlockIP", "result": result})
	default:
		panic(args)
	}
	text, _ = json.Marshal(s)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// machine is a folder with the stand-ins.
type machine struct{ blocktest.StandIns[panel] }

func newMachine(t testing.TB, s panel) *machine {
	t.Helper()
	m := &machine{blocktest.NewStandIns[panel](t, "uapi", "cpapi2")}
	if s.Takes == 0 {
		s.Takes = -1
	}
	if s.Lists == nil {
		s.Lists = map[string][]string{"shop": {}, "blog": {}}
	}
	m.Set(s)
	return m
}

func (m *machine) state() string { return filepath.Join(m.Dir, "state") }

func (m *machine) options() cpanel.Options {
	return cpanel.Options{
		Accounts: []cpanel.Account{{User: "shop", Dir: "/home/shop/public_html"}, {User: "blog", Dir: "/home/blog/public_html"}},
		State:    m.state(), Run: program.In(m.Dir),
	}
}

func (m *machine) open() *cpanel.Driver {
	m.Helper()
	d, err := cpanel.Open(m.options())
	blocktest.Check(m, err)
	return d
}

// traces are the lists and our own file.
func (m *machine) traces() string {
	s := m.Get()
	text, err := os.ReadFile(m.state())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.Fatal(err)
	}
	return fmt.Sprintf("shop %q\nblog %q\n%s", s.Lists["shop"], s.Lists["blog"], text)
}

func entries(user string, targets ...string) []block.Entry {
	return blocktest.Entries(connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/home/" + user + "/public_html"}, targets...)
}

func TestConformance(t *testing.T) {
	var m *machine
	blocktest.Run(t, func(testing.TB) block.Driver { return m.open() }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			m = newMachine(t, panel{})
			test()
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			m.Change(func(s *panel) {
				s.Lists["shop"] = []string{"192.0.2.200", "198.51.100.1-198.51.100.9", "bad.example.com"}
				s.Lists["blog"] = []string{"192.0.2.7"}
			})
			return func(t testing.TB) {
				s := m.Get()
				if !slices.Equal(s.Lists["shop"][:3], []string{"192.0.2.200", "198.51.100.1-198.51.100.9", "bad.example.com"}) ||
					!slices.Equal(s.Lists["blog"], []string{"192.0.2.7"}) {
					t.Errorf("the customers' lists are %v", s.Lists)
				}
			}
		},
		Traces: func(testing.TB) string { return m.traces() },
		Break: func(testing.TB, block.Driver) func() {
			m.Change(func(s *panel) { s.Takes = 20 })
			return func() { m.Change(func(s *panel) { s.Takes = -1 }) }
		},
		Reopen: func(testing.TB) block.Driver { return m.open() },
		Site:   func(testing.TB) string { return "/home/shop/public_html" },
		Many:   60,
	})
}

func TestWhatTheCustomerDeniedStaysHis(t *testing.T) {
	m := newMachine(t, panel{Lists: map[string][]string{"shop": {"192.0.2.7", "192.0.2.0/25"}, "blog": {}}})
	d := m.open()
	before := m.traces()
	all := entries("shop", "192.0.2.7/32", "192.0.2.0/25")
	blocktest.Check(t, d.Apply(t.Context(), all, nil))
	blocktest.Check(t, d.Apply(t.Context(), nil, all))
	blocktest.Check(t, d.Flush(t.Context()))
	if after := m.traces(); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

// TestTheCustomerTakesAwayWhatWeAdded, and later denies the same target himself: then it is his.
func TestTheCustomerTakesAwayWhatWeAdded(t *testing.T) {
	m := newMachine(t, panel{})
	d := m.open()
	one := entries("shop", "192.0.2.7/32")
	blocktest.Check(t, d.Apply(t.Context(), one, nil))
	m.Change(func(s *panel) { s.Lists["shop"] = nil })
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	blocktest.Check(t, d.Apply(t.Context(), nil, one))
	m.Change(func(s *panel) { s.Lists["shop"] = []string{"192.0.2.7"} })
	blocktest.Check(t, d.Apply(t.Context(), nil, one))
	blocktest.Check(t, d.Flush(t.Context()))
	if got := m.Get().Lists["shop"]; len(got) != 1 {
		t.Errorf("the customer's list is %v", got)
	}
}

// TestACrashBetweenTheRecordAndTheCall leaves a record of what is not on the list.
func TestACrashBetweenTheRecordAndTheCall(t *testing.T) {
	m := newMachine(t, panel{})
	m.Change(func(s *panel) { s.Refusal = "killed" })
	d := m.open()
	one := entries("blog", "192.0.2.7/32")
	if err := d.Apply(t.Context(), one, nil); err == nil {
		t.Fatal("no error")
	}
	m.Change(func(s *panel) { s.Refusal = "" })
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	blocktest.Check(t, d.Apply(t.Context(), one, nil))
	if list, err := d.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestAnAccountThatIsNotKnownAnyMoreKeepsItsRecord(t *testing.T) {
	m := newMachine(t, panel{})
	blocktest.Check(t, m.open().Apply(t.Context(), append(entries("shop", "192.0.2.7/32"), entries("blog", "192.0.2.8/32")...), nil))
	opt := m.options()
	opt.Accounts = opt.Accounts[:1]
	d, err := cpanel.Open(opt)
	blocktest.Check(t, err)
	blocktest.Check(t, d.Flush(t.Context()))
	if text, err := os.ReadFile(m.state()); err != nil || !strings.Contains(string(text), "blog 192.0.2.8\n") || strings.Contains(string(text), "shop") {
		t.Errorf("the record is %q, %v", text, err)
	}
}

func TestRefusals(t *testing.T) {
	one := entries("shop", "192.0.2.7/32")
	for _, c := range []struct {
		name string
		s    panel
		says string
		is   error
	}{
		{"the role is off", panel{Refusal: `The "DenyIp" module is disabled: WebServer role`}, "WebServer role", connwarden.ErrUnsupported},
		{"the feature is off", panel{Refusal: `You do not have the feature "ipdeny".`}, "ipdeny", connwarden.ErrUnsupported},
		{"no right", panel{Refusal: "Permission denied"}, "Permission denied", connwarden.ErrDenied},
		{"no JSON", panel{Garbage: true}, "license has expired", nil},
		{"no such account", panel{Lists: map[string][]string{"other": nil}}, "Failed to load", nil},
	} {
		m := newMachine(t, c.s)
		err := m.open().Apply(t.Context(), one, nil)
		var e *block.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		if ok, why := cpanel.Detect(t.Context(), m.options()); ok || !strings.Contains(why, c.says) {
			t.Errorf("%s: detect says %t %s", c.name, ok, why)
		}
		if _, err := os.Stat(m.state()); err == nil {
			t.Errorf("%s: something was written down", c.name)
		}
	}
	m := newMachine(t, panel{})
	if ok, why := cpanel.Detect(t.Context(), m.options()); !ok {
		t.Error(why)
	}
	opt := m.options()
	opt.Run = program.In(t.TempDir())
	if ok, why := cpanel.Detect(t.Context(), opt); ok || why != "program cpapi2 is not installed" {
		t.Errorf("%t %s", ok, why)
	}
	if err := m.open().Apply(t.Context(), entries("nobody", "192.0.2.7/32"), nil); !errors.Is(err, connwarden.ErrUnsupported) {
		t.Errorf("an unknown account: %v", err)
	}
	if err := m.open().Apply(t.Context(), nil, entries("nobody", "192.0.2.7/32")); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("lifting from an unknown account: %v", err)
	}
}

func TestOpenRefusesWhatIsNoAccount(t *testing.T) {
	for _, opt := range []cpanel.Options{
		{State: "state"},
		{State: "/s", Accounts: []cpanel.Account{{User: "--output=xml", Dir: "/a"}}},
		{State: "/s", Accounts: []cpanel.Account{{User: "a b", Dir: "/a"}}},
		{State: "/s", Accounts: []cpanel.Account{{User: "shop", Dir: "a"}}},
		{State: "/s", Accounts: []cpanel.Account{{User: "shop", Dir: "/a"}, {User: "shop", Dir: "/b"}}},
	} {
		if _, err := cpanel.Open(opt); err == nil {
			t.Errorf("%+v is taken", opt)
		}
	}
}

func TestARecordThatIsDamagedStopsEverything(t *testing.T) {
	m := newMachine(t, panel{})
	blocktest.Check(t, os.WriteFile(m.state(), []byte("shop 192.0.2.7\nshop 192.0.2.\n"), 0o600))
	err := m.open().Apply(t.Context(), entries("shop", "192.0.2.9/32"), nil)
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
	if len(m.Get().Lists["shop"]) != 0 {
		t.Error("something was added")
	}
}
