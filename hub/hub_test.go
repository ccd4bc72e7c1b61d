package hub

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/fleet"
)

// patience is how long anything may take; what is waited for is looked at again and again.
const patience = 60 * time.Second

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// start starts a hub on the loopback address.
func start(t *testing.T, dir, listen string) *Hub {
	t.Helper()
	h, err := Start(context.Background(), Options{
		State: dir, Listen: listen, Names: []string{"127.0.0.1", "localhost"}, Log: slog.New(slog.NewTextHandler(&testLog{t: t}, nil)), Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// testLog shows what the hub says if the test fails. What comes after its end is dropped.
type testLog struct {
	mu sync.Mutex
	t  *testing.T
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// command runs connwarden-hub and returns what it prints.
func command(t *testing.T, want int, dir string, args ...string) string {
	t.Helper()
	var out, err bytes.Buffer
	if got := Main(t.Context(), append(args, "--state", dir), &out, &err, func(string) string { return "" }); got != want {
		t.Fatalf("connwarden-hub %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, want, &out, &err)
	}
	return out.String() + err.String()
}

// join makes a host a member.
func join(t *testing.T, h *Hub, name string, args ...string) *fleet.Identity {
	t.Helper()
	token := command(t, 0, h.opt.State, append([]string{"token"}, args...)...)
	id, err := fleet.Join(t.Context(), h.Address(), token, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Save(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return id
}

// host is a machine whose firewall is a map.
type host struct {
	id    *fleet.Identity
	skew  time.Duration
	nudge chan struct{}
	stop  func()

	mu       sync.Mutex // guards the rest
	own      map[string]fleet.Decision
	held     map[netip.Prefix]fleet.Order
	against  string // reason why nothing is blocked
	problems []string
	refused  []fleet.Refusal
	orders   int
}

// run lets a host take part until the test ends or it is stopped. What it holds stays when it is started again.
func run(t *testing.T, id *fleet.Identity, old *host, policy fleet.Policy) *host {
	t.Helper()
	h := &host{id: id, nudge: make(chan struct{}, 1), own: map[string]fleet.Decision{}, held: map[netip.Prefix]fleet.Order{}}
	if old != nil {
		h.own, h.held, h.skew = old.own, old.held, old.skew
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- fleet.Run(ctx, fleet.Options{
			Identity: id, Host: h, Policy: policy, Clock: func() time.Time { return time.Now().Add(h.skew) }, Nudge: h.nudge, Every: 20 * time.Millisecond,
			Problem: func(p connwarden.Problem) { h.mu.Lock(); h.problems = append(h.problems, p.Why); h.mu.Unlock() },
			Refused: func(r fleet.Refusal) { h.mu.Lock(); h.refused = append(h.refused, r); h.mu.Unlock() },
			Review:  func() ([]byte, error) { return []byte(`{"host":"` + id.Host + `"}`), nil },
		})
	}()
	h.stop = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

func (h *host) Own(context.Context) (map[string]fleet.Decision, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.own), nil
}

func (h *host) Held(context.Context) (list []fleet.Order, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.held {
		list = append(list, o)
	}
	return list, nil
}

func (h *host) Apply(_ context.Context, orders []fleet.Order) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	why := make([]string, len(orders))
	for i, o := range orders {
		h.orders++
		switch {
		case o.Lift:
			delete(h.held, o.Target)
		case h.against != "":
			why[i] = h.against
		default:
			h.held[o.Target] = o
		}
	}
	return why, nil
}

func (h *host) Status(_ context.Context, s *fleet.Status) {
	s.Health, s.Program = fleet.HealthOK, "test"
}

// decide has the host decide something, for a time or with 0 until it is taken back.
func (h *host) decide(kind fleet.Kind, target string, life time.Duration) fleet.Decision {
	d := fleet.Decision{
		Key:   fleet.Key{Group: h.id.Group, Host: h.id.Host, Kind: kind, Target: netip.MustParsePrefix(target)},
		Score: 95, By: connwarden.Origin{Kind: connwarden.ByRule, Name: "ssh-bruteforce"}, Why: "many failures",
	}
	if life > 0 {
		d.Until = time.Now().Add(h.skew + life)
	}
	h.mu.Lock()
	h.own[d.Subject()] = d
	h.mu.Unlock()
	h.poke()
	return d
}

// takeBack ends what the host decided.
func (h *host) takeBack(d fleet.Decision) {
	h.mu.Lock()
	delete(h.own, d.Subject())
	h.mu.Unlock()
	h.poke()
}

func (h *host) poke() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

// holds tells whether the host holds a target for the fleet.
func (h *host) holds(target string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.held[netip.MustParsePrefix(target)]
	return ok
}

func (h *host) order(target string) fleet.Order {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[netip.MustParsePrefix(target)]
}

// heard tells whether the host was told of a problem or a refusal that has a text in it.
func (h *host) heard(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.problems {
		if strings.Contains(p, text) {
			return true
		}
	}
	for _, r := range h.refused {
		if strings.Contains(r.Why, text) {
			return true
		}
	}
	return false
}

const (
	attacker = "203.0.113.7/32"
	other    = "203.0.113.8/32"
)

// What one host decides the others hold, and let go of when it does.
func TestShare(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	a := run(t, join(t, h, "a.example.net"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	c := run(t, join(t, h, "c"), nil, fleet.Policy{})
	d := a.decide(fleet.KindBlock, attacker, time.Hour)
	eventually(t, "the others hold it", func() bool { return b.holds(attacker) && c.holds(attacker) })
	o := b.order(attacker)
	if left := time.Until(o.Until); left > time.Hour || left < 50*time.Minute {
		t.Errorf("it ends in %v, want an hour", left)
	}
	if o.From != "a_example_net" || o.By.Name != "ssh-bruteforce" || o.Why != "many failures" {
		t.Errorf("the order is %+v", o)
	}
	c.decide(fleet.KindAllow, "198.51.100.0/28", 0)
	c.decide(fleet.KindBlock, "2001:db8:7::/64", 0)
	eventually(t, "allow and IPv6", func() bool { return a.holds("198.51.100.0/28") && b.holds("2001:db8:7::/64") })
	a.takeBack(d)
	eventually(t, "the others let go", func() bool { return !b.holds(attacker) && !c.holds(attacker) })
	a.mu.Lock()
	if a.orders != 2 { // of c's
		t.Errorf("%d orders came to the host that decided, want 2: none of its own", a.orders)
	}
	a.mu.Unlock()

	b.decide(fleet.KindPardon, other, time.Hour)
	a.decide(fleet.KindBlock, other, time.Hour)
	a.decide(fleet.KindBlock, "203.0.113.9/32", time.Hour)
	eventually(t, "what is pardoned is let go, whichever came first", func() bool { return c.holds("203.0.113.9/32") && !c.holds(other) })
}

// One screen shows all of it.
func TestLook(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	a := run(t, join(t, h, "a", "--operator", "--group", "web"), nil, fleet.Policy{})
	b := run(t, join(t, h, "b"), nil, fleet.Policy{})
	a.decide(fleet.KindBlock, attacker, time.Hour)
	b.decide(fleet.KindBlock, attacker, time.Hour)
	b.decide(fleet.KindBlock, other, time.Hour)
	var v *fleet.View
	eventually(t, "all of it is seen", func() bool {
		var err error
		if v, err = a.id.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(v.Hosts) == 2 && len(v.Blocked) == 2 && len(v.Blocked[0].Hosts) == 2
	})
	if one := v.Blocked[0]; one.Target.String() != attacker || len(one.Hosts) != 2 || one.Until.IsZero() {
		t.Errorf("the attacker of two hosts is %+v", one)
	}
	if v.Hosts[0].Host != "a" || v.Hosts[0].Group != "web" || v.Hosts[1].Health != fleet.HealthOK || v.Hosts[0].Program != "test" {
		t.Errorf("the hosts are %+v", v.Hosts)
	}
	text, err := a.id.Review(t.Context(), "b")
	if err != nil || string(text) != `{"host":"b"}` {
		t.Errorf("the review of b is %s, %v", text, err)
	}
	if _, err := b.id.Review(t.Context(), "a"); err == nil {
		t.Error("who is no operator sees another host's review")
	}
	if _, err := a.id.Review(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the review of nobody: %v", err)
	}
	b.stop()
	eventually(t, "b is stopped", func() bool {
		v, err := a.id.Look(t.Context())
		return err == nil && v.Hosts[1].Health == fleet.HealthStopped
	})
}

// A token is for one host, once, and of one hub.
func TestJoin(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	token := command(t, 0, dir, "token", "--group", "web", "--may", "block")
	id, err := fleet.Join(t.Context(), "tls://"+h.Address(), token, "Web1.Example.net")
	if err != nil {
		t.Fatal(err)
	}
	if id.Host != "web1_example_net" || id.Group != "web" || len(id.Kinds) != 1 || id.Operator {
		t.Errorf("the identity is %+v", id)
	}
	wants := func(what, text string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", what, err, text)
		}
	}
	_, err = fleet.Join(t.Context(), h.Address(), token, "web2")
	wants("a token used twice", "used already", err)
	token = command(t, 0, dir, "token")
	_, err = fleet.Join(t.Context(), h.Address(), token, "web1.example.net")
	wants("a name that is taken", "there is a host", err)
	if _, err = fleet.Join(t.Context(), h.Address(), token, "web2"); err != nil {
		t.Errorf("the token was used up by what was refused: %v", err)
	}
	stranger := start(t, t.TempDir(), "127.0.0.1:0")
	_, err = fleet.Join(t.Context(), stranger.Address(), command(t, 0, dir, "token"), "web3")
	wants("another hub", "fingerprint", err)
	_, err = fleet.Join(t.Context(), strings.Replace(h.Address(), "127.0.0.1", "127.0.0.2", 1), token, "web3")
	if err == nil {
		t.Error("a name that the certificate does not have is believed")
	}
	_, err = fleet.Join(t.Context(), h.Address(), "cwjoin_e30", "web3")
	wants("no token", "version", err)
	if text := command(t, 0, dir, "hosts"); !strings.Contains(text, "web1.example.net") || !strings.Contains(text, "web2") {
		t.Errorf("hosts prints\n%s", text)
	}
	if text := command(t, 0, dir, "hosts", "--json"); !strings.Contains(text, `"host":"web1.example.net","group":"web","may":["block"]`) {
		t.Errorf("hosts --json prints\n%s", text)
	}
}

// Of many who come with one token at once, one joins.
func TestJoinRace(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	token := command(t, 0, dir, "token")
	joined := make(chan bool)
	const many = 8
	for i := range many {
		go func() {
			_, err := fleet.Join(t.Context(), h.Address(), token, "host"+string(rune('a'+i)))
			joined <- err == nil
		}()
	}
	n := 0
	for range many {
		if <-joined {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d hosts joined with one token", n)
	}
}

// Who is revoked is cut off, and all that it decided is void; with a new token it may come back.
func TestRevoke(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	boss := run(t, join(t, h, "boss", "--operator"), nil, fleet.Policy{})
	bad := run(t, join(t, h, "bad"), nil, fleet.Policy{})
	good := run(t, join(t, h, "good"), nil, fleet.Policy{})
	bad.decide(fleet.KindBlock, attacker, time.Hour)
	good.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "both are held", func() bool { return boss.holds(attacker) && boss.holds(other) })
	if err := good.id.Revoke(t.Context(), "bad"); err == nil {
		t.Error("any host may revoke")
	}
	if err := boss.id.Revoke(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what it decided is void", func() bool { return !boss.holds(attacker) && !good.holds(attacker) })
	eventually(t, "it is cut off", func() bool {
		_, err := bad.id.Look(t.Context())
		return err != nil
	})
	if !boss.holds(other) {
		t.Error("another host's decision is void too")
	}
	if err := boss.id.Revoke(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "there is no host") {
		t.Errorf("revoking nobody: %v", err)
	}
	if text := command(t, 0, dir, "hosts"); !strings.Contains(text, "revoked by boss") {
		t.Errorf("hosts prints\n%s", text)
	}
	bad.stop()
	bad = run(t, join(t, h, "bad"), bad, fleet.Policy{})
	eventually(t, "it is back", func() bool { return boss.holds(attacker) })
	if err := good.id.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the host that left decided is void", func() bool { return !boss.holds(other) && !bad.holds(other) })
	command(t, 0, dir, "revoke", "bad")
	eventually(t, "the hub's own command revokes", func() bool { return !boss.holds(attacker) })
}
