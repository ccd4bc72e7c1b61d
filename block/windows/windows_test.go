package windows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/program"
	"github.com/connwarden/connwarden/block/windows"
)

// machine is a folder with the stand-ins.
type machine struct{ blocktest.StandIns[firewall] }

func newMachine(t testing.TB, f firewall, programs ...string) *machine {
	t.Helper()
	if programs == nil {
		programs = []string{"powershell", "netsh"}
	}
	m := &machine{blocktest.NewStandIns[firewall](t, programs...)}
	if f.Changes == 0 {
		f.Changes = -1
	}
	m.Set(f)
	return m
}

func (m *machine) open(netsh bool) *windows.Driver {
	m.Helper()
	d, err := windows.Open(windows.Options{Netsh: netsh, Run: program.In(m.Dir)})
	blocktest.Check(m, err)
	return d
}

func (m *machine) traces() string { return fmt.Sprintf("%+v", m.Get().Rules) }

// others are rules that are not ours, whatever they are named.
var others = []rule{
	{Name: "Core Networking - DHCP", Group: "Core Networking", Enabled: true},
	{Name: "connwarden", Enabled: true, Addresses: []string{"192.0.2.200"}},
	{Name: "connwarden-office", Enabled: true, Addresses: []string{"192.0.2.7"}},
	{Name: "my connwarden-all-1", Group: "connwarden", Enabled: true, Addresses: []string{"192.0.2.8"}},
}

func TestConformance(t *testing.T) {
	for _, netsh := range []bool{false, true} {
		t.Run(map[bool]string{false: "powershell", true: "netsh"}[netsh], func(t *testing.T) {
			var m *machine
			blocktest.Run(t, func(testing.TB) block.Driver { return m.open(netsh) }, blocktest.Options{
				Around: func(t testing.TB, test func()) {
					m = newMachine(t, firewall{})
					test()
				},
				Foreign: func(t testing.TB) func(testing.TB) {
					m.Change(func(f *firewall) { f.Rules = slices.Clone(others) })
					return func(t testing.TB) {
						if got := fmt.Sprintf("%+v", m.Get().Rules[:len(others)]); got != fmt.Sprintf("%+v", others) {
							t.Errorf("the others' rules are %s", got)
						}
					}
				},
				Traces: func(testing.TB) string { return m.traces() },
				Break: func(testing.TB, block.Driver) func() {
					m.Change(func(f *firewall) { f.Changes = 0 })
					return func() { m.Change(func(f *firewall) { f.Changes = -1 }) }
				},
				Reopen: func(testing.TB) block.Driver { return m.open(netsh) },
				Many:   2_000,
			})
		})
	}
}

var all connwarden.Scope

// TestRulesAreFewAndNeverEmpty fills rules, empties one and fills the gap.
func TestRulesAreFewAndNeverEmpty(t *testing.T) {
	m := newMachine(t, firewall{})
	d := m.open(false)
	var many []block.Entry
	for i := range 401 {
		many = append(many, blocktest.Entries(all, fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:%x:ffff/128", i+0x1000))...)
	}
	blocktest.Check(t, d.Apply(t.Context(), many, nil))
	m.sizes("connwarden-all-1:200 connwarden-all-2:200 connwarden-all-3:1")
	blocktest.Check(t, d.Apply(t.Context(), nil, many[200:400]))
	m.sizes("connwarden-all-1:200 connwarden-all-3:1")
	blocktest.Check(t, d.Apply(t.Context(), blocktest.Entries(all, "192.0.2.7/32"), nil))
	m.sizes("connwarden-all-1:200 connwarden-all-2:1 connwarden-all-3:1")
	blocktest.Check(t, d.Apply(t.Context(), blocktest.Entries(connwarden.Ports(443, 80), "192.0.2.7/32"), nil))
	m.sizes("connwarden-80_443-1-tcp:1 connwarden-80_443-1-udp:1 connwarden-all-1:200 connwarden-all-2:1 connwarden-all-3:1")
}

// sizes fails unless the rules have so many addresses each.
func (m *machine) sizes(want string) {
	m.Helper()
	var got []string
	for _, r := range m.Get().Rules {
		if len(r.Addresses) == 0 {
			m.Errorf("rule %s blocks everyone", r.Name)
		}
		got = append(got, fmt.Sprintf("%s:%d", r.Name, len(r.Addresses)))
	}
	slices.Sort(got)
	if text := strings.Join(got, " "); text != want {
		m.Errorf("the rules are %s, want %s", text, want)
	}
}

// TestWhatHandsDidToOurRules is mended by the next change.
func TestWhatHandsDidToOurRules(t *testing.T) {
	ports := connwarden.Ports(80)
	for _, c := range []struct {
		name string
		rule string
		do   func(r *rule)
	}{
		{"switched off", "connwarden-all-1", func(r *rule) { r.Enabled = false }},
		{"emptied, so that it blocks everyone", "connwarden-all-1", func(r *rule) { r.Addresses = nil }},
		{"half of two renamed", "connwarden-80-1-tcp", func(r *rule) { r.Name = "connwarden-80-1-tcp (copy)" }},
		{"half of two changed", "connwarden-80-1-udp", func(r *rule) { r.Addresses = []string{"192.0.2.99"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, firewall{})
			d := m.open(false)
			wish := append(blocktest.Entries(all, "192.0.2.7/32"), blocktest.Entries(ports, "192.0.2.8/32")...)
			blocktest.Check(t, d.Apply(t.Context(), wish, nil))
			whole := m.names()
			m.Change(func(f *firewall) { c.do(&f.Rules[f.find(c.rule)[0]]) })
			if list, err := d.List(t.Context()); err != nil || len(list) != 1 {
				t.Errorf("list: %v, %v", list, err)
			}
			blocktest.Check(t, d.Apply(t.Context(), wish, nil))
			if list, err := d.List(t.Context()); err != nil || len(list) != 2 {
				t.Errorf("after the next change: %v, %v", list, err)
			}
			if got := m.names(); got != whole {
				t.Errorf("the rules are %s, were %s", got, whole)
			}
		})
	}
}

// names are our rules with what they hold.
func (m *machine) names() string {
	var list []string
	for _, r := range m.Get().Rules {
		if !strings.Contains(r.Name, "copy") {
			list = append(list, fmt.Sprint(r.Name, r.Enabled, r.Addresses))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestNetshTakesOverWhereCmdletsAreMissing(t *testing.T) {
	for _, m := range []*machine{newMachine(t, firewall{NoCmdlets: true}), newMachine(t, firewall{}, "netsh")} {
		d := m.open(false)
		blocktest.Check(t, d.Apply(t.Context(), blocktest.Entries(all, "192.0.2.7/32"), nil))
		if list, err := d.List(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("list: %v, %v", list, err)
		}
		if ok, why := windows.Detect(t.Context(), windows.Options{Run: program.In(m.Dir)}); !ok || !strings.Contains(why, "netsh answers") {
			t.Errorf("%t %s", ok, why)
		}
	}
}

// TestEitherProgramFindsTheRulesOfTheOther after an upgrade of Windows.
func TestEitherProgramFindsTheRulesOfTheOther(t *testing.T) {
	m := newMachine(t, firewall{})
	blocktest.Check(t, m.open(true).Apply(t.Context(), blocktest.Entries(all, "192.0.2.7/32", "2001:db8::/64"), nil))
	blocktest.Check(t, m.open(false).Apply(t.Context(), blocktest.Entries(all, "192.0.2.0/25"), blocktest.Entries(all, "192.0.2.7/32")))
	list, err := m.open(true).List(t.Context())
	if err != nil || len(list) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestRefusals(t *testing.T) {
	one := blocktest.Entries(all, "192.0.2.7/32")
	for _, netsh := range []bool{false, true} {
		m := newMachine(t, firewall{NoRights: true})
		err := m.open(netsh).Apply(t.Context(), one, nil)
		var e *block.Error
		if !errors.As(err, &e) || !errors.Is(err, connwarden.ErrDenied) {
			t.Errorf("without rights: %v", err)
		}
	}
	m := newMachine(t, firewall{})
	for _, target := range []string{"0.0.0.0/0", "::/0"} {
		if err := m.open(false).Apply(t.Context(), append(blocktest.Entries(all, target), one...), nil); !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%s: %v", target, err)
		}
	}
	if len(m.Get().Rules) != 0 {
		t.Error("something was changed")
	}
	d, _ := windows.Open(windows.Options{Run: program.In(t.TempDir())})
	if err := d.Apply(t.Context(), one, nil); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("nothing installed: %v", err)
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		f   firewall
		ok  bool
		why string
	}{
		{firewall{}, true, "the firewall is on, and powershell answers"},
		{firewall{Off: []string{"Public"}}, true, "but for the profile Public"},
		{firewall{Off: []string{"Domain", "Private", "Public"}}, false, "off for all profiles"},
	} {
		m := newMachine(t, c.f)
		if ok, why := windows.Detect(t.Context(), windows.Options{Run: program.In(m.Dir)}); ok != c.ok || !strings.Contains(why, c.why) {
			t.Errorf("%+v: %t %s", c.f, ok, why)
		}
	}
	if ok, why := windows.Detect(t.Context(), windows.Options{Run: program.In(t.TempDir())}); ok || !strings.Contains(why, "neither") {
		t.Errorf("%t %s", ok, why)
	}
}

func TestPlanIsWhatAnAdministratorWouldType(t *testing.T) {
	m := newMachine(t, firewall{})
	add := append(blocktest.Entries(all, "192.0.2.7/32", "2001:db8::/64"), blocktest.Entries(connwarden.Ports(80, 443), "192.0.2.0/24")...)
	for netsh, want := range map[bool]string{
		true: "netsh advfirewall firewall add rule name=connwarden-80_443-1-tcp dir=in action=block enable=yes profile=any remoteip=192.0.2.0/24 protocol=TCP localport=80,443\n" +
			"netsh advfirewall firewall add rule name=connwarden-80_443-1-udp dir=in action=block enable=yes profile=any remoteip=192.0.2.0/24 protocol=UDP localport=80,443\n" +
			"netsh advfirewall firewall add rule name=connwarden-all-1 dir=in action=block enable=yes profile=any remoteip=192.0.2.7,2001:db8::/64",
		false: "powershell -NoProfile -NonInteractive -Command $ErrorActionPreference = 'Stop'; New-NetFirewallRule -DisplayName 'connwarden-80_443-1-tcp' " +
			"-Group 'connwarden' -Direction Inbound -Action Block -Profile Any -Protocol TCP -LocalPort 80,443 -RemoteAddress '192.0.2.0/24' | Out-Null",
	} {
		lines, err := m.open(netsh).Plan(t.Context(), add, nil)
		if got := strings.Join(lines, "\n"); err != nil || len(lines) != 3 || !strings.HasPrefix(got, want) {
			t.Errorf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
}
