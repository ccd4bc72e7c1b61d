package firewalld

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestRealContract runs the conformance suite against one firewalld with two active zones.
func TestRealContract(t *testing.T) {
	needs(t)
	m := newMachine(t, netnstest.Named(t))
	netnstest.Command(t, "ip", "-n", m.ns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
	m.start()
	m.tell(zone+".changeZoneOfInterface", "public", "eth0")
	m.tell(zone+".changeZoneOfInterface", "internal", "eth1")
	// Theirs look like ours in all but one thing each.
	mine := rule(priority("connwarden-1a2b3c4d"), netip.MustParsePrefix("192.0.2.7/32"))
	theirs := []string{
		strings.Replace(mine, "drop", "reject", 1),
		strings.Replace(rule(priority("another"), netip.MustParsePrefix("192.0.2.7/32")), "drop", "accept", 1),
		rule(priority("another"), netip.MustParsePrefix("198.51.100.7/32")),
		`rule family="ipv4" source address="198.51.100.7/32" drop`,
	}
	blocktest.Run(t, func(testing.TB) block.Driver { return m.mustOpen() }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			d := m.mustOpen()
			defer d.Close()
			if err := d.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			test()
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			for _, name := range []string{"public", "internal", "office"} {
				for _, text := range theirs {
					m.tell(zone+".addRichRule", name, text, int32(0))
				}
			}
			before := m.holdings(t)
			return func(t testing.TB) {
				var rest strings.Builder
				for line := range strings.Lines(m.holdings(t)) {
					if !ours(line) {
						rest.WriteString(line)
					}
				}
				if rest.String() != before {
					t.Errorf("what others put there has changed\nbefore:\n%s\nafter:\n%s", before, rest.String())
				}
			}
		},
		Traces: m.holdings,
		Reopen: func(testing.TB) block.Driver { return m.mustOpen() },
		Many:   50, // each takes firewalld 20 ms a zone
	})
}

// ours tells lines of the suite's own entries, in firewalld's words and in the kernel's.
func ours(line string) bool {
	line = strings.TrimSpace(line)
	_, mine := parseRule(line, priority("connwarden-1a2b3c4d"))
	return mine || line == "ip saddr 192.0.2.7 drop" || line == "ip saddr 192.0.2.8 drop"
}

// TestRealHalf is a change that is stopped in its midst: what was done stands, and the error says so.
func TestRealHalf(t *testing.T) {
	needs(t)
	m := newMachine(t, netnstest.Named(t))
	m.start()
	d := m.mustOpen()
	defer d.Close()
	conn, err := dbus.Connect(m.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(zone), dbus.WithMatchMember("RichRuleAdded")); err != nil {
		t.Fatal(err)
	}
	signals := make(chan *dbus.Signal, Most)
	conn.Signal(signals)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for s := range signals {
			if s.Name == zone+".RichRuleAdded" {
				stop() // at the first of them; it takes firewalld seconds to do all
			}
		}
	}()
	var list []block.Entry
	for i := range 150 {
		list = append(list, blocktest.Entries(connwarden.Scope{}, fmt.Sprintf("192.0.2.%d", i))...)
	}
	err = d.Apply(ctx, list, nil)
	var failed *block.Error
	if !errors.As(err, &failed) || failed.Op != "add" || failed.Target == "" || !errors.Is(err, connwarden.ErrPartial) {
		t.Fatalf("apply: %v; want that it was stopped at a target, done in part", err)
	}
	if got, err := d.List(t.Context()); err != nil || len(got) == 0 || len(got) == len(list) {
		t.Errorf("%d entries stand, %v; want some of %d", len(got), err, len(list))
	}
	if err := d.Apply(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := d.List(t.Context()); err != nil || len(got) != len(list) {
		t.Errorf("%d entries, %v; want %d", len(got), err, len(list))
	}
}

// TestRealTraffic blocks an attacker while a customer goes on, and holds firewalld to what About says of it.
func TestRealTraffic(t *testing.T) {
	needs(t)
	s := netnstest.NewScene(t)
	m := newMachine(t, s.Server)
	m.start()
	m.tell(zone+".addPort", "public", "80", "tcp", int32(0))
	s.Publish() // after firewalld has started: it empties the tables of iptables then
	ports := []int{80, 22}
	s.Reaches(s.Attacker, netnstest.Attackers, append(ports, 8080)...)
	s.Reaches(s.Customer, netnstest.Customers, ports...)
	var before []net.Conn
	for _, addr := range netnstest.Attackers {
		c, err := s.Dial(s.Attacker, addr, 80, netnstest.Certain)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		before = append(before, c)
	}
	d := m.mustOpen()
	defer d.Close()
	denied := blocktest.Entries(connwarden.Scope{}, netnstest.Attackers...)
	if err := d.Apply(t.Context(), denied, nil); err != nil {
		t.Fatal(err)
	}
	s.Fails(s.Attacker, netnstest.Attackers, ports...)
	s.Reaches(s.Customer, netnstest.Customers, append(ports, 8080)...)
	for i, c := range before {
		if !netnstest.Answers(c, netnstest.Certain) {
			t.Errorf("open connection %d of the attacker fell silent; About says that it goes on", i)
		}
	}
	s.Reaches(s.Attacker, netnstest.Attackers, 8080) // as About says: a container's published port goes on
	for _, e := range denied {
		if seen, err := d.Prove(t.Context(), e); err != nil || !strings.Contains(seen, "zones public") {
			t.Errorf("prove %s: %q, %v", e.Target, seen, err)
		}
	}
	if err := d.Apply(t.Context(), nil, denied); err != nil {
		t.Fatal(err)
	}
	s.Reaches(s.Attacker, netnstest.Attackers, ports...)
}

// TestRealReload is a firewalld that forgets: what was in force comes back, what was lifted does not, whoever lifted it.
func TestRealReload(t *testing.T) {
	needs(t)
	m := newMachine(t, netnstest.Named(t))
	m.start()
	d := m.mustOpen()
	defer d.Close()
	ctx := t.Context()
	if err := d.Apply(ctx, blocktest.Entries(connwarden.Scope{}, "192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8::7"), nil); err != nil {
		t.Fatal(err)
	}
	other := m.mustOpen()
	if err := other.Apply(ctx, blocktest.Entries(connwarden.Scope{}, "192.0.2.10"), blocktest.Entries(connwarden.Scope{}, "192.0.2.8")); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(ctx, nil, blocktest.Entries(connwarden.Scope{}, "192.0.2.9")); err != nil {
		t.Fatal(err)
	}
	lie(t, m, d)
	want := blocktest.Entries(connwarden.Scope{}, "192.0.2.7", "192.0.2.10", "2001:db8::7")
	whole := func() error {
		got, err := d.List(ctx)
		if err != nil || len(got) < len(want) {
			return fmt.Errorf("%v, %w", got, err)
		}
		return nil
	}
	for _, forget := range []func(){
		func() { m.tell(service + ".reload") },
		func() { m.tell(service + ".completeReload") },
		func() { m.end(m.daemon); m.start() },
	} {
		forget()
		m.await("what was in force", whole)
		d.mu.Lock() // what is being put back, is back
		got, err := d.List(ctx)
		d.mu.Unlock()
		held := map[netip.Prefix]bool{}
		for _, e := range got {
			held[e.Target] = true
		}
		for _, e := range want {
			if !held[e.Target] {
				t.Errorf("%s did not come back", e.Target)
			}
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("in force: %v, %v; want %v", got, err, want)
		}
	}
}

// lie sends the driver signals that are not firewalld's: it must not believe them.
func lie(t *testing.T, m *machine, d *Driver) {
	t.Helper()
	conn, err := dbus.Connect(m.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for member, target := range map[string]string{"RichRuleAdded": "192.0.2.66/32", "RichRuleRemoved": "192.0.2.7/32"} {
		msg := &dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(d.bus.conn.Names()[0]),
			dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath(path)),
			dbus.FieldInterface:   dbus.MakeVariant(zone),
			dbus.FieldMember:      dbus.MakeVariant(member),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf("", "")),
		}, Body: []any{"public", rule(d.priority, netip.MustParsePrefix(target))}}
		if call := conn.Send(msg, nil); call != nil && call.Err != nil {
			t.Fatal(call.Err)
		}
	}
	// The bus keeps the order of messages: when this is answered, the lies have been sent on.
	if err := conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
}

// TestRealStopped is a firewalld that an operator has stopped: it must not be started by asking for it.
func TestRealStopped(t *testing.T) {
	needs(t)
	m := newMachine(t, netnstest.Named(t))
	if _, err := m.open(); !errors.Is(err, connwarden.ErrUnsupported) || !strings.Contains(err.Error(), "not running") {
		t.Errorf("open: %v; want that firewalld is not running", err)
	}
	m.start()
	d := m.mustOpen()
	defer d.Close()
	m.end(m.daemon)
	err := d.Apply(t.Context(), blocktest.Entries(connwarden.Scope{}, "192.0.2.7"), nil)
	if !errors.Is(err, connwarden.ErrUnsupported) {
		t.Errorf("apply: %v; want that firewalld is not running", err)
	}
	if _, err := os.Stat(filepath.Join(m.dir, "started")); err == nil {
		t.Error("the bus was made to start firewalld")
	}
}

// TestRealClose leaves no goroutine behind.
func TestRealClose(t *testing.T) {
	needs(t)
	m := newMachine(t, netnstest.Named(t))
	m.start()
	before := goleak.IgnoreCurrent()
	d := m.mustOpen()
	if err := d.Apply(t.Context(), blocktest.Entries(connwarden.Scope{}, "192.0.2.7"), nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
