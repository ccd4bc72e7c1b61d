package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestKernelFleet plays what a fleet is for, and what it must bear, on real firewalls.
func TestKernelFleet(t *testing.T) {
	begun := time.Now()
	g := build(t)
	t.Logf("it stands: %v", time.Since(begun).Round(time.Second/10))
	for _, part := range []struct {
		what string
		play func(*ground)
	}{
		{"an attacker of one is refused by all", (*ground).share},
		{"the node that leads is killed", (*ground).lose},
		{"a host is cut off and comes back", (*ground).cut},
		{"a stolen host", (*ground).steal},
	} {
		begun = time.Now()
		part.play(g)
		t.Logf("%s: %v", part.what, time.Since(begun).Round(time.Second/10))
	}
	for _, m := range slices.Concat(g.hosts[:], g.nodes[:]) {
		m.stop()
		if text := m.wrong.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			t.Errorf("%s said\n%s", m.name, text)
		}
	}
}

// refused waits until all servers drop what an address sends, and sees that the customer is let in.
func (g *ground) refused(from string, by ...*machine) {
	g.t.Helper()
	for _, m := range by {
		g.eventually(m.name+" drops "+from, func() bool { return g.drops(from, m) })
		if !g.lets(customer, m) {
			g.t.Errorf("%s does not let the customer in", m.name)
		}
	}
}

// share: who attacks one server is refused by the others, whose firewalls count what they drop.
func (g *ground) share() {
	for _, m := range g.hosts {
		if !g.lets(attacker(1), m) {
			g.t.Fatalf("%s lets nobody in", m.name)
		}
	}
	g.attack(attacker(1), g.hosts[0])
	g.refused(attacker(1), g.hosts[:]...)
	for i, m := range g.hosts {
		b := m.blocks()[attacker(1)]
		switch {
		case b == nil:
			g.t.Errorf("%s blocks %s and does not say so", m.name, attacker(1))
		case b.Hits == nil || b.Hits.Packets == 0:
			g.t.Errorf("the firewall of %s counts nothing", m.name)
		case i == 0 && b.By != "rule", i > 0 && (b.By != "fleet" || b.Who != g.hosts[0].name):
			g.t.Errorf("%s says that it was blocked by %s %s", m.name, b.By, b.Who)
		}
	}
}

// blockRow is a block of connwarden blocks --json.
type blockRow struct {
	Target, By, Who string
	Hits            *struct{ Packets uint64 }
}

// blocks are a host's, by their targets.
func (m *machine) blocks() map[string]*blockRow {
	m.g.t.Helper()
	var d struct{ Blocks []*blockRow }
	m.ask(&d, "blocks")
	all := map[string]*blockRow{}
	for _, b := range d.Blocks {
		all[strings.TrimSuffix(b.Target, "/32")] = b
	}
	return all
}

// lose: while servers are attacked the node that leads is killed. Each server goes on blocking, none of it is lost, and the
// node comes back.
func (g *ground) lose() {
	lost := g.leader(0)
	if lost == nil {
		g.t.Fatal("nobody leads")
	}
	const first, many = 10, 9
	for n := range many {
		if n == many/3 {
			lost.kill()
		}
		g.attack(attacker(first+n), g.hosts[n%len(g.hosts)])
		g.refused(attacker(first+n), g.hosts[n%len(g.hosts)])
	}
	for _, m := range g.hosts {
		g.eventually(m.name+" blocks them all", func() bool {
			all := m.blocks()
			for n := range many {
				if all[attacker(first+n)] == nil {
					return false
				}
			}
			return true
		})
	}
	for n := range len(g.hosts) { // of each server the last
		g.refused(attacker(first+many-1-n), g.hosts[:]...)
	}
	at := slices.Index(g.nodes[:], lost)
	lost.runNode(at)
	g.eventually("the node is back", func() bool { return g.leader(at) != nil })
}

// cut: a server whose cable is out blocks on, catches up when it is back, and takes nothing that ended meanwhile.
func (g *ground) cut() {
	away, here := g.hosts[2], g.hosts[0]
	g.ip(g.sw, "link", "set", away.port, "down")
	here.do("block", attacker(21), "--for", brief)
	g.eventually("the brief block arrives", func() bool { return g.hosts[1].told("block", attacker(21)) })
	here.do("block", attacker(22), "--for", "1h")
	away.do("block", attacker(23), "--for", "1h")
	g.refused(attacker(22), here, g.hosts[1])
	g.eventually("the short block ends", func() bool { return g.lets(attacker(21), here) && g.lets(attacker(21), g.hosts[1]) })
	g.ip(g.sw, "link", "set", away.port, "up")
	g.refused(attacker(22), g.hosts[:]...)
	g.refused(attacker(23), g.hosts[:]...)
	if !g.lets(attacker(21), away) { // it was decided before the one that is held
		g.t.Errorf("%s blocks who was blocked and let go while it was away", away.name)
	}
	if away.told("block", attacker(21)) {
		g.t.Errorf("%s blocked who was let go before it was back", away.name)
	}
}

// brief is a block that ends while a server is cut off, and not before the others have it.
const brief = "10s"

// told tells whether a server's daemon said something of an address.
func (m *machine) told(what, addr string) bool {
	for line := range strings.Lines(m.out.String()) {
		if strings.HasPrefix(line, `{"type":"`+what+`"`) && strings.Contains(line, `"`+addr+`/32"`) {
			return true
		}
	}
	return false
}

// thief speaks with a member's credentials and without its manners.
type thief struct {
	*nats.Conn
	g    *ground
	name string

	mu     sync.Mutex // guards denied; leaf
	denied []string
}

func (m *machine) thief() *thief {
	th := &thief{g: m.g, name: m.name}
	dir := filepath.Join(m.state, "fleet")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	m.g.check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	netnstest.In(m.g.t, m.space, func() (err error) {
		th.Conn, err = nats.Connect("tls://"+nodeAddr(1)+":4222", nats.UserCredentials(filepath.Join(dir, "user.creds")), nats.Secure(&tls.Config{RootCAs: pool}),
			nats.CustomInboxPrefix(fleet.Inbox(m.name)), nats.NoReconnect(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				th.mu.Lock()
				defer th.mu.Unlock()
				th.denied = append(th.denied, err.Error())
			}))
		return err
	})
	m.g.t.Cleanup(th.Close)
	return th
}

// wasDenied tells whether the engine refused to let it write to a subject.
func (th *thief) wasDenied(subject string) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	return slices.ContainsFunc(th.denied, func(s string) bool {
		return strings.Contains(strings.ToLower(s), "permissions violation") && strings.Contains(s, `"`+subject+`"`)
	})
}

func (th *thief) block(target string) string {
	k := fleet.Key{Group: "default", Host: th.name, Kind: fleet.KindBlock, Target: netip.MustParsePrefix(target)}
	return k.Subject()
}

// steal: whoever has a member's key cannot have the others block who must not be blocked, nor speak for another, nor
// flood them. That it tried is seen.
func (g *ground) steal() {
	th := g.stolen.thief()
	body := []byte(`{"v":1,"for":3600,"score":100,"by":"operator:root","why":"because"}`)

	// Each server's own guard, and its policy.
	spared := map[string]string{
		operator + "/32": "logged in from", gateway + "/32": "the gateway of eth0", hostAddr(0) + "/32": "own address", nodeAddr(0) + "/32": "the hub",
		"0.0.0.0/0": "wider than /24", "10.77.0.0/24": "own address", "::/0": "wider than /48",
	}
	for target := range spared {
		g.stored(th.Request(th.block(target), body, patience))
	}
	g.stored(th.Request(th.block(customer+"/32"), body, patience)) // nothing speaks against that
	g.refusedAll(customer)
	var h *hostStatus
	defer func() { g.t.Logf("of %s the fleet said last %+v", g.hosts[0].name, h) }()
	g.eventually("all that was refused is seen by all", func() bool {
		h = g.hosts[1].status(g.hosts[0].name)
		if h == nil {
			return false
		}
		for target, why := range spared {
			if !slices.ContainsFunc(h.Recent, func(r struct{ Kind, Target, From, Why string }) bool {
				return r.Target == target && r.From == th.name && r.Kind == "block" && strings.Contains(r.Why, why)
			}) {
				return false
			}
		}
		return h.Refused >= len(spared)
	})
	for i, m := range g.hosts {
		if !g.lets(operator, m) {
			g.t.Errorf("%s refuses its operator", m.name)
		}
		if m.blocks()[hostAddr(i)] != nil {
			g.t.Errorf("%s blocks itself", m.name)
		}
	}

	// Another's name, another kind of message, the engine's own calls.
	forged := fleet.Key{Group: "default", Host: g.hosts[0].name, Kind: fleet.KindBlock, Target: netip.MustParsePrefix(attacker(40) + "/32")}
	subjects := []string{
		forged.Subject(), fleet.GoneSubject("default", g.hosts[0].name), fleet.BornSubject, fleet.StatusSubject("default", g.hosts[0].name),
		fleet.LeaveSubject + "default." + g.hosts[0].name, "$JS.API.STREAM.PURGE." + fleet.DecisionsStream, "$JS.API.STREAM.DELETE." + fleet.DecisionsStream,
	}
	for _, s := range subjects {
		g.check(th.Publish(s, body))
	}
	g.eventually("the engine refused all of it", func() bool {
		return !slices.ContainsFunc(subjects, func(s string) bool { return !th.wasDenied(s) })
	})
	g.hosts[1].do("block", attacker(41), "--for", "1h")
	g.refusedAll(attacker(41))
	if !g.lets(attacker(40), g.hosts[0]) || !g.lets(attacker(40), g.hosts[1]) {
		g.t.Error("a forged block is held")
	}

	// More than others take of one host in a minute; the least that the hub would shut it out for is tested in room hub.
	addr := netip.MustParseAddr("198.18.0.0")
	for range flood {
		addr = addr.Next()
		g.check(th.Publish(th.block(addr.String()+"/32"), body))
	}
	g.eventually("the flood is seen", func() bool {
		h = g.hosts[1].status(g.hosts[0].name)
		return h != nil && strings.Contains(h.lastWhy(), "decisions of one host in a minute")
	})
	if h.Health == "stopped" || h.Held > 3*perMinute {
		g.t.Errorf("after the flood the fleet says %+v", h)
	}

	// An operator at another server shuts it out, and all that it decided is void.
	g.hosts[0].do("revoke", th.name)
	g.eventually("its connection is ended", th.IsClosed)
	if _, err := g.stolen.try("connwarden", "fleet", "--config", "config.toml"); err == nil {
		g.t.Error("its key is still good")
	}
	g.eventually("the hub tells what it tried", func() bool {
		return strings.Contains(g.nodes[1].wrong.String(), "a host tries what it may not") && strings.Contains(g.nodes[1].wrong.String(), "host="+th.name+" ")
	})
	for _, m := range g.hosts {
		g.eventually(m.name+" lets the customer in again", func() bool { return g.lets(customer, m) })
		g.refused(attacker(1), m)
	}
}

// flood is several times what the others take of one host.
const flood = 1000

func (h *hostStatus) lastWhy() string {
	if len(h.Recent) == 0 {
		return ""
	}
	return h.Recent[len(h.Recent)-1].Why
}

// stored checks what the engine said to a message that it had to take.
func (g *ground) stored(m *nats.Msg, err error) {
	g.t.Helper()
	g.check(err)
	var d struct{ Seq uint64 }
	if err := json.Unmarshal(m.Data, &d); err != nil || d.Seq == 0 {
		g.t.Fatalf("the engine says %s", m.Data)
	}
}

// refusedAll waits until all servers drop what an address sends.
func (g *ground) refusedAll(from string) {
	g.t.Helper()
	for _, m := range g.hosts {
		g.eventually(m.name+" drops "+from, func() bool { return g.drops(from, m) })
	}
}
