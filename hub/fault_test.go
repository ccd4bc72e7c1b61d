package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/connwarden/connwarden/fleet"
)

// What is decided while the engine is away is shared when it is back, and what was held stays held.
func TestEngineAway(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	at := h.Address()
	a := run(t, join(t, h, "a"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	first := a.decide(fleet.KindBlock, attacker, time.Hour)
	eventually(t, "it is held", func() bool { return b.holds(attacker) })
	h.Close()
	eventually(t, "the loss is told", func() bool { return b.heard("connection") })
	a.takeBack(first)
	a.decide(fleet.KindBlock, other, time.Hour)
	if !b.holds(attacker) {
		t.Error("without the engine what was held is let go")
	}
	start(t, dir, at)
	eventually(t, "both changes arrive", func() bool { return b.holds(other) && !b.holds(attacker) })
}

// A bucket that was lost says nothing by its silence: what is held stays, and each host writes anew what it decided.
func TestBucketLost(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	at := h.Address()
	a := run(t, join(t, h, "a"), nil, fleet.Policy{})
	gone := run(t, join(t, h, "gone"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	a.decide(fleet.KindBlock, attacker, time.Hour)
	gone.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "both are held", func() bool { return b.holds(attacker) && b.holds(other) })
	gone.stop()
	h.Close()
	if err := os.RemoveAll(filepath.Join(dir, "engine")); err != nil {
		t.Fatal(err)
	}
	start(t, dir, at)
	c := run(t, b.id, nil, fleet.Policy{}) // learns from the new bucket alone
	eventually(t, "a wrote anew", func() bool { return c.holds(attacker) })
	if !b.holds(attacker) || !b.holds(other) {
		t.Error("what a lost bucket does not have was let go")
	}
}

// A host that was away learns what was taken back, and what was decided.
func TestBack(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	a := run(t, join(t, h, "a"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	first := a.decide(fleet.KindBlock, attacker, time.Hour)
	allow := a.decide(fleet.KindAllow, "198.51.100.0/28", 0)
	eventually(t, "it is held", func() bool { return b.holds(attacker) && b.holds("198.51.100.0/28") })
	b.stop()
	a.takeBack(first)
	a.takeBack(allow)
	a.decide(fleet.KindBlock, other, time.Hour)
	b = run(t, b.id, b, fleet.Policy{})
	eventually(t, "all of it is learned", func() bool { return b.holds(other) && !b.holds(attacker) && !b.holds("198.51.100.0/28") })
}

// Clocks that are wrong by hours shorten nothing and lengthen nothing.
func TestClockSkew(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	ids := map[time.Duration]*fleet.Identity{-5 * time.Hour: join(t, h, "behind"), 0: join(t, h, "right"), 5 * time.Hour: join(t, h, "ahead")}
	var hosts []*host
	for skew, id := range ids {
		hosts = append(hosts, run(t, id, &host{skew: skew, own: map[string]fleet.Decision{}, held: map[netip.Prefix]fleet.Order{}}, fleet.Policy{}))
	}
	for i, a := range hosts {
		target := fmt.Sprintf("203.0.113.%d/32", i+1)
		a.decide(fleet.KindBlock, target, time.Hour)
		for j, b := range hosts {
			if i == j {
				continue
			}
			eventually(t, "it is held", func() bool { return b.holds(target) })
			if left := b.order(target).Until.Sub(time.Now().Add(b.skew)); left > time.Hour+time.Second || left < time.Hour-patience {
				t.Errorf("from a clock off by %v to one off by %v: an hour became %v", a.skew, b.skew, left)
			}
		}
	}
}

// raw connects with a host's credentials and without its manners.
func raw(t *testing.T, h *Hub, host string, r *rights) *nats.Conn {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	text, err := h.keys.hostJWT(host, public(pair), r)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(h.keys.ca)
	nc, err := nats.Connect("tls://"+h.Address(), nats.UserJWT(func() (string, error) { return text, nil }, pair.Sign), nats.Secure(&tls.Config{RootCAs: pool}),
		nats.CustomInboxPrefix(fleet.Inbox(host)), nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

var all = []string{"block", "pardon", "allow"}

// A stolen host speaks for nobody else, whatever it tries.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	victim := run(t, join(t, h, "victim"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	kept := victim.decide(fleet.KindBlock, attacker, time.Hour)
	eventually(t, "it is held", func() bool { return b.holds(attacker) })
	evil := raw(t, h, "evil", &rights{Group: "default", Kinds: []string{"block"}})
	mine := fleet.Key{Group: "default", Host: "evil", Kind: fleet.KindBlock, Target: netip.MustParsePrefix("198.51.100.7/32")}
	forged := kept.Key
	forged.Target = netip.MustParsePrefix("198.51.100.99/32")
	good := []byte(`{"v":1,"for":3600,"score":100,"by":"operator:root"}`)
	publish := func(subject, reply string, body []byte, head nats.Header) {
		t.Helper()
		if err := evil.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: body, Header: head}); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := evil.Request(mine.Subject(), good, patience)
	if err != nil || !strings.Contains(string(taken.Data), `"seq"`) {
		t.Fatalf("its own key: %v", err)
	}
	// Under another name, of another group, of a kind that its token does not have, as the hub.
	elsewhere, allow := mine, mine
	elsewhere.Group, allow.Kind = "web", fleet.KindAllow
	for _, subject := range []string{forged.Subject(), elsewhere.Subject(), allow.Subject(), fleet.GoneSubject("default", "victim"), fleet.BornSubject, "$KV.fleet.host.evil", fleet.StatusSubject("default", "victim")} {
		publish(subject, "", good, nil)
	}
	// By having the engine answer there: with the word that it stored something, or with a message of its own choice.
	for _, subject := range []string{forged.Subject(), kept.Subject(), fleet.GoneSubject("default", "victim")} {
		publish(mine.Subject(), subject, good, nil)
		publish(fleet.GetDecisions, subject, []byte(`{"last_by_subj":"`+mine.Subject()+`"}`), nil)
		publish(fleet.GetDecisions, subject, []byte(`{"seq":1,"batch":100,"next_by_subj":"`+fleet.AllDecisions+`"}`), nil)
	}
	// With headers that wipe the bucket, and by the engine's own calls.
	publish(mine.Subject(), "", good, nats.Header{"Nats-Rollup": {"all"}})
	for _, api := range []string{"STREAM.PURGE", "STREAM.DELETE", "STREAM.INFO", "CONSUMER.LIST"} {
		if m, err := evil.Request("$JS.API."+api+"."+fleet.DecisionsStream, nil, time.Second/4); err == nil {
			t.Errorf("the engine answers %s with %s", api, m.Data)
		}
	}
	// Forged hints, of which one says that there is more than ever will be.
	for _, n := range []string{"1", "18446744073709551615", "x"} {
		publish(fleet.GetDecisions, "fleet.hint.default.victim.block", []byte(`{"last_by_subj":"`+mine.Subject()+`"}`), nats.Header{"Nats-Sequence": {n}})
	}
	for _, subject := range []string{fleet.Inbox("victim") + ".>", fleet.AskSubject + "victim", ">"} {
		if sub, err := evil.SubscribeSync(subject); err == nil {
			evil.Flush()
			if _, err := sub.NextMsg(patience); !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("listening to %s: %v", subject, err)
			}
		}
	}
	last := victim.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "the fleet goes on", func() bool { return b.holds(other) && b.holds(mine.Target.String()) })
	if b.holds(forged.Target.String()) || !b.holds(attacker) {
		t.Error("it spoke for another")
	}
	js, _ := jetstream.New(h.nc)
	s, err := js.Stream(t.Context(), fleet.DecisionsStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{fleet.BornSubject: true, kept.Subject(): true, mine.Subject(): true, last.Subject(): true}
	for subject := range info.State.Subjects {
		if !want[subject] {
			t.Errorf("the bucket has %s", subject)
		}
	}
	if len(info.State.Subjects) != len(want) {
		t.Errorf("the bucket has %v", info.State.Subjects)
	}
	for _, k := range []fleet.Key{kept.Key, last.Key} {
		m, err := s.GetLastMsgForSubject(t.Context(), k.Subject())
		if err != nil || !strings.Contains(string(m.Data), "ssh-bruteforce") {
			t.Errorf("%s is %s, %v", k.Subject(), m.Data, err)
		}
	}
}

// What cannot be read, or asks for too much, is left out, counted and told, and nothing else is lost.
func TestPoisoned(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	b := run(t, join(t, h, "b", "--operator"), nil, fleet.Policy{})
	evil := raw(t, h, "evil", &rights{Group: "default", Kinds: all})
	key := func(target string) string {
		k := fleet.Key{Group: "default", Host: "evil", Kind: fleet.KindBlock, Target: netip.MustParsePrefix(target)}
		return k.Subject()
	}
	for subject, body := range map[string]string{
		key("198.51.100.1/32"):                               "garbage",
		key("198.51.100.2/32"):                               `{"v":2,"for":60}`,
		key("198.51.100.3/32"):                               `{"v":1,"for":99999999,"score":1}`,
		key("198.51.100.4/32"):                               `{"v":1,"for":60,"score":101}`,
		key("198.51.100.5/32"):                               `{"v":1,"for":60,"why":"` + strings.Repeat("x", 1000) + `"}`,
		key("0.0.0.0/1"):                                     `{"v":1,"for":60,"score":100,"by":"operator"}`,
		"$KV.decisions.default.evil.block.everybody.all":     `{"v":1,"for":60}`,
		"$KV.decisions.default.evil.block.C6336401-32.all":   `{"v":1,"for":60}`,
		"$KV.decisions.default.evil.block.c6336401-32.site":  `{"v":1,"for":60}`,
		"$KV.decisions.default.evil.block.c6336401-32.ports": `{"v":1,"for":60}`,
	} {
		if err := evil.Publish(subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := evil.Publish(fleet.StatusSubject("default", "evil"), []byte("\x1b[2J")); err != nil {
		t.Fatal(err)
	}
	if _, err := evil.Request(key(attacker), []byte(`{"v":1,"for":60,"score":100,"by":"operator","later":"field"}`), patience); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the good one is held", func() bool { return b.holds(attacker) })
	if !b.heard("no JSON of ours") || !b.heard("the version 2") || !b.heard("wider than /24") || !b.heard("no address") {
		t.Errorf("it was not told: %q %v", b.problems, b.refused)
	}
	if len(b.held) != 1 {
		t.Errorf("it holds %v", b.held)
	}
	eventually(t, "it is seen by all", func() bool {
		v, err := b.id.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v.Unread >= 10 && len(v.Hosts) == 1 && v.Hosts[0].Fleet.Unreadable == 9 && v.Hosts[0].Fleet.Refused == 1 && v.Hosts[0].Fleet.Recent[0].Target == "0.0.0.0/1"
	})
}

// A refusal of the host's own guard is seen by all, and the block is asked for again later.
func TestRefusal(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	a := run(t, join(t, h, "a"), nil, fleet.Policy{})
	old := &host{own: map[string]fleet.Decision{}, held: map[netip.Prefix]fleet.Order{}}
	b := run(t, join(t, h, "b"), old, fleet.Policy{})
	b.mu.Lock()
	b.against = "it is the gateway of eth0"
	b.mu.Unlock()
	a.decide(fleet.KindBlock, attacker, time.Hour)
	eventually(t, "a sees that b refused", func() bool {
		v, err := a.id.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := len(v.Hosts) - 1
		if v.Hosts[i].Fleet.Refused == 0 {
			return false
		}
		r := v.Hosts[i].Fleet.Recent[0]
		return r.Why == "it is the gateway of eth0" && r.From == "a" && r.Target == attacker && r.Kind == "block"
	})
	if b.holds(attacker) {
		t.Error("what was refused is held")
	}
}

// Who floods the bucket is shut out, and what it wrote is void.
func TestFlood(t *testing.T) {
	dir := t.TempDir()
	h, err := Start(context.Background(), Options{
		State: dir, Listen: "127.0.0.1:0", Names: []string{"127.0.0.1"}, Log: start(t, t.TempDir(), "127.0.0.1:0").opt.Log, Clock: time.Now, floods: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	b := run(t, join(t, h, "b"), nil, fleet.Policy{PerMinute: 10})
	good := run(t, join(t, h, "good"), nil, fleet.Policy{})
	good.decide(fleet.KindBlock, attacker, time.Hour)
	id := join(t, h, "evil")
	evil := raw(t, h, "evil", &rights{Group: "default", Kinds: all})
	k := fleet.Key{Group: "default", Host: "evil", Kind: fleet.KindBlock}
	addr := netip.MustParseAddr("198.18.0.0")
	for range 3 * maxRate {
		addr = addr.Next()
		k.Target = netip.PrefixFrom(addr, 32)
		if err := evil.Publish(k.Subject(), []byte(`{"v":1,"for":3600,"score":100,"by":"operator"}`)); err != nil {
			break // it is shut out already
		}
	}
	eventually(t, "it is shut out", func() bool { return strings.Contains(command(t, 0, dir, "hosts"), "too many decisions") })
	eventually(t, "its key is refused", func() bool {
		_, err := id.Look(t.Context())
		return err != nil
	})
	eventually(t, "what it wrote is void, what others wrote is not", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.held) == 1
	})
	if !b.heard("more than 10 decisions of one host in a minute") {
		t.Error("the host's own bound did not hold")
	}

	// A node that hears late who was shut out may have stored something of his behind that.
	k.Target = netip.MustParsePrefix("192.0.2.99/32")
	if _, err := h.js.Publish(t.Context(), k.Subject(), []byte(`{"v":1,"for":3600,"score":100,"by":"operator"}`)); err != nil {
		t.Fatal(err)
	}
	decisions, err := h.js.Stream(t.Context(), fleet.DecisionsStream)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was stored late is void, too", func() bool {
		_, err := decisions.GetLastMsgForSubject(t.Context(), k.Subject())
		return errors.Is(err, jetstream.ErrMsgNotFound)
	})
}

// Without TLS nobody is served.
func TestPlain(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	_, err := nats.Connect("nats://" + h.Address())
	if err == nil {
		t.Fatal("a connection without TLS is served")
	}
	token := command(t, 0, h.opt.State, "token")
	pt, err := fleet.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.DecodeUserClaims(pt.JWT); err != nil {
		t.Fatal(err)
	}
	// A server in the middle that speaks no TLS gets no credentials.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Write([]byte(`INFO {"server_id":"X","version":"2.15.2","proto":1,"headers":true,"max_payload":1048576,"nonce":"abc"}` + "\r\n"))
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		got <- string(b[:n])
	}()
	if _, err := fleet.Join(t.Context(), l.Addr().String(), token, "web1"); err == nil {
		t.Error("a host joins a hub without TLS")
	}
	if text := <-got; strings.Contains(text, "jwt") {
		t.Errorf("it was sent %s", text)
	}
}
