package cphulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/cphulk"
	"github.com/connwarden/connwarden/block/program"
)

// TestMain lets the test's own program stand for whmapi1.
func TestMain(m *testing.M) {
	blocktest.StandFor(whmapi1, "whmapi1")
	os.Exit(m.Run())
}

// state is what the stand-in keeps: both lists, with comments by address.
type state struct {
	Disabled     bool
	Denied       bool // the account may not
	Garbage      bool // it prints what is no JSON
	Takes        int  // how many records may still be made; -1: any number
	Black, White map[string]string
}

// whmapi1 answers as the examples of WHM API 1 do: ranges become "first-last", IPv6 is in capitals, a target that is not
// taken is told beside those that were, and a refusal is an answer with status 0.
func whmapi1(_, file string, args []string) {
	var s state
	text, _ := os.ReadFile(file)
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	if len(args) < 2 || args[0] != "--output=json" {
		fmt.Fprintln(os.Stderr, "the stand-in knows no other output")
		os.Exit(1)
	}
	if s.Garbage {
		fmt.Println("info [whmapi1] upgrade in progress")
		os.Exit(0)
	}
	function := args[1]
	param := map[string]string{}
	var ips []string
	for _, a := range args[2:] {
		key, value, _ := strings.Cut(a, "=")
		if param[key] = value; key == "ip" || strings.HasPrefix(key, "ip-") {
			ips = append(ips, value)
		}
	}
	data, reason := map[string]any{}, ""
	list := s.Black
	if param["list_name"] == "white" {
		list = s.White
	}
	switch {
	case s.Denied:
		reason = "Access denied to " + function + "."
	case function == "cphulk_status":
		data["is_enabled"], data["service"] = 1, "cPHulk"
		if s.Disabled {
			data["is_enabled"] = 0
		}
	case s.Disabled && param["skip_enabled_check"] != "1":
		reason = "cPHulk is disabled on the server."
	case param["list_name"] != "black" && param["list_name"] != "white":
		reason = "Invalid list name."
	case function == "read_cphulk_records":
		data["ips_in_list"] = list
	case function == "create_cphulk_record":
		failed, added := map[string]string{}, []string{}
		for _, ip := range ips {
			stored := written(ip)
			if stored == "" || s.Takes == 0 {
				failed[ip] = fmt.Sprintf("Invalid IP address or range: %q", ip)
				continue
			}
			s.Takes--
			list[stored] = param["comment"]
			added = append(added, stored)
		}
		data["ips_added"], data["ips_failed"], data["comment"] = added, failed, param["comment"]
	case function == "delete_cphulk_record":
		removed := []string{}
		for _, ip := range ips {
			if _, ok := list[ip]; ok {
				delete(list, ip)
				removed = append(removed, ip)
			}
		}
		data["ips_removed"], data["ips_failed"] = removed, []string{}
	default:
		reason = "Unknown app requested for this version of the API: " + function
	}
	meta := map[string]any{"command": function, "version": 1, "result": 1, "reason": "OK"}
	if reason != "" {
		meta["result"], meta["reason"] = 0, reason
	}
	text, _ = json.Marshal(s)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		panic(err)
	}
	text, _ = json.Marshal(map[string]any{"data": data, "metadata": meta})
	fmt.Println(string(text))
	os.Exit(0)
}

// written is a target as the lists hold it.
func written(ip string) string {
	if a, err := netip.ParseAddr(ip); err == nil {
		return strings.ToUpper(a.String())
	}
	p, err := netip.ParsePrefix(ip)
	if err != nil {
		return ""
	}
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(last); i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	end, _ := netip.AddrFromSlice(last)
	return strings.ToUpper(p.Masked().Addr().String() + "-" + end.String())
}

// machine is a folder with the stand-in and its state.
type machine struct{ blocktest.StandIns[state] }

func newMachine(t testing.TB, s state) *machine {
	t.Helper()
	m := &machine{blocktest.NewStandIns[state](t, "whmapi1")}
	if s.Takes == 0 {
		s.Takes = -1
	}
	if s.Black == nil {
		s.Black = map[string]string{}
	}
	if s.White == nil {
		s.White = map[string]string{}
	}
	m.Set(s)
	return m
}

func (m *machine) open() *cphulk.Driver {
	m.Helper()
	d, err := cphulk.Open(cphulk.Options{Run: program.In(m.Dir)})
	blocktest.Check(m, err)
	return d
}

// lists are both lists as text.
func (m *machine) lists() string {
	s := m.Get()
	var lines []string
	for _, list := range []map[string]string{s.Black, s.White} {
		for _, ip := range slices.Sorted(maps.Keys(list)) {
			lines = append(lines, ip+" "+list[ip])
		}
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n")
}

func logins(targets ...string) []block.Entry {
	var list []block.Entry
	for _, t := range targets {
		list = append(list, block.Entry{Target: netip.MustParsePrefix(t), Scope: connwarden.Scope{Kind: connwarden.ScopeLogins}})
	}
	return list
}

func TestConformance(t *testing.T) {
	var m *machine
	blocktest.Run(t, func(testing.TB) block.Driver { return m.open() }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			m = newMachine(t, state{})
			test()
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			s := m.Get()
			s.Black["192.0.2.200"], s.Black["192.0.2.100-192.0.2.110"], s.White["2001:DB8::1"] = "by hand", "", "office"
			m.Set(s)
			return func(t testing.TB) {
				s := m.Get()
				if s.Black["192.0.2.200"] != "by hand" || len(s.White) != 1 {
					t.Errorf("the lists are\n%s", m.lists())
				}
				if _, ok := s.Black["192.0.2.100-192.0.2.110"]; !ok {
					t.Errorf("the range is gone:\n%s", m.lists())
				}
			}
		},
		Traces: func(testing.TB) string { return m.lists() },
		Break: func(testing.TB, block.Driver) func() {
			s := m.Get()
			s.Takes = 70
			m.Set(s)
			return func() {
				s := m.Get()
				s.Takes = -1
				m.Set(s)
			}
		},
		Reopen: func(testing.TB) block.Driver { return m.open() },
		Many:   300,
	})
}

func TestWhatSomebodyElseDeniedStaysHis(t *testing.T) {
	m := newMachine(t, state{Black: map[string]string{"192.0.2.7": "by hand"}})
	d := m.open()
	before := m.lists()
	blocktest.Check(t, d.Apply(t.Context(), logins("192.0.2.7/32"), nil))
	blocktest.Check(t, d.Apply(t.Context(), nil, logins("192.0.2.7/32")))
	if after := m.lists(); after != before {
		t.Errorf("the lists are\n%s", after)
	}
}

func TestTheWhiteListWins(t *testing.T) {
	m := newMachine(t, state{White: map[string]string{"192.0.2.1-192.0.2.9": "office", "2001:DB8::/32": ""}})
	d := m.open()
	all := logins("192.0.2.7/32", "192.0.2.10/32", "192.0.2.0/24", "2001:db8:1::/64", "2001:db9::/64")
	blocktest.Check(t, d.Apply(t.Context(), all, nil))
	for i, inForce := range []bool{false, true, false, false, true} {
		seen, err := d.Prove(t.Context(), all[i])
		if (err == nil) != inForce || err != nil && !strings.Contains(err.Error(), "white list, which wins") {
			t.Errorf("%s: %q, %v", all[i].Target, seen, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	one := logins("192.0.2.7/32")
	for _, c := range []struct {
		name string
		s    state
		says string
		is   error
	}{
		{"disabled", state{Disabled: true}, "cPHulk is disabled on the server", connwarden.ErrUnsupported},
		{"no right", state{Denied: true}, "Access denied", connwarden.ErrDenied},
		{"no JSON", state{Garbage: true}, "upgrade in progress", nil},
	} {
		m := newMachine(t, c.s)
		err := m.open().Apply(t.Context(), one, nil)
		var e *block.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		if ok, why := cphulk.Detect(t.Context(), cphulk.Options{Run: program.In(m.Dir)}); ok || why == "" {
			t.Errorf("%s: detect says %t %s", c.name, ok, why)
		}
	}
	d, _ := cphulk.Open(cphulk.Options{Run: program.In(t.TempDir())})
	if err := d.Apply(t.Context(), one, nil); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("not installed: %v", err)
	}
	if ok, why := cphulk.Detect(t.Context(), cphulk.Options{Run: program.In(t.TempDir())}); ok || why != "program whmapi1 is not installed" {
		t.Errorf("not installed: %t %s", ok, why)
	}
	m := newMachine(t, state{})
	if ok, why := cphulk.Detect(t.Context(), cphulk.Options{Run: program.In(m.Dir)}); !ok {
		t.Errorf("enabled: %s", why)
	}
}

func TestLiftingWorksWhileDisabled(t *testing.T) {
	m := newMachine(t, state{Disabled: true, Black: map[string]string{"192.0.2.7": "connwarden"}})
	blocktest.Check(t, m.open().Flush(t.Context()))
	if got := m.Get().Black; len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}
