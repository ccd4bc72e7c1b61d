package live

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func everyDay() [7]bool { return [7]bool{true, true, true, true, true, true, true} }

// A window is of the wall clock where it is, over midnight and over the changes of summer time.
func TestWindows(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones on this system: ", err)
	}
	night := Window{Days: everyDay(), From: 23 * time.Hour, To: 4*time.Hour + 30*time.Minute, Zone: berlin}
	sunday := Window{From: 2 * time.Hour, To: 4 * time.Hour, Zone: berlin}
	sunday.Days[time.Sunday] = true
	whole := Window{Days: everyDay(), Zone: time.UTC}
	for _, c := range []struct {
		w    *Window
		at   string
		want string // the end, in UTC; "" outside
	}{
		{&night, "2026-11-22T22:30:00+01:00", ""},
		{&night, "2026-11-22T23:00:00+01:00", "2026-11-23T03:30:00Z"},
		{&night, "2026-11-23T04:29:59+01:00", "2026-11-23T03:30:00Z"},
		{&night, "2026-11-23T04:30:00+01:00", ""},
		{&night, "2026-03-28T23:30:00+01:00", "2026-03-29T02:30:00Z"}, // an hour shorter
		{&night, "2026-10-24T23:30:00+02:00", "2026-10-25T03:30:00Z"}, // an hour longer
		{&sunday, "2026-11-22T03:00:00+01:00", "2026-11-22T03:00:00Z"},
		{&sunday, "2026-11-23T03:00:00+01:00", ""},
		{&sunday, "2026-11-22T01:30:00Z", "2026-11-22T03:00:00Z"},
		{&whole, "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		c.w.times(at, at, func(_, to time.Time) { got = to.UTC().Format(time.RFC3339) })
		if got != c.want {
			t.Errorf("%s: ends %q, want %q", c.at, got, c.want)
		}
	}
}

// What is quiet is acted upon neither while it is nor while the rule's window reaches back to it; what no deployment
// provokes always is.
func TestHeld(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	q := &Quiet{Since: now.Add(-20 * time.Minute), Until: now}
	flood := &connwarden.Evidence{Rule: "page-storm", Family: "flood", Window: time.Minute}
	breadth := &connwarden.Evidence{Rule: "breadth", Family: "breadth", Capped: true, Window: 10 * time.Minute}
	login := &connwarden.Evidence{Rule: "wordpress-login-bruteforce", Family: "login", Window: 5 * time.Minute}
	inject := &connwarden.Evidence{Rule: "sql", Family: "injection"}
	noon := Window{Days: everyDay(), From: 11 * time.Hour, To: 12 * time.Hour, Zone: time.UTC}
	all := noon
	all.Suggest = true
	for _, c := range []struct {
		name string
		p    Policy
		site *Site
		q    *Quiet
		e    *connwarden.Evidence
		at   time.Duration // after now
		held bool
	}{
		{"no policy", Policy{}, nil, nil, flood, 0, false},
		{"quiet", Policy{}, nil, q, flood, -time.Minute, true},
		{"quiet in its window", Policy{}, nil, q, flood, 59 * time.Second, true},
		{"quiet is over", Policy{}, nil, q, flood, time.Minute, false},
		{"capped, in its window", Policy{}, nil, q, breadth, 9 * time.Minute, true},
		{"login while quiet", Policy{}, nil, q, login, -time.Minute, false},
		{"injection while quiet", Policy{}, nil, q, inject, -time.Minute, false},
		{"before quiet", Policy{}, nil, q, flood, -21 * time.Minute, false},
		{"own list", Policy{Mutes: []string{"login"}}, nil, q, login, -time.Minute, true},
		{"own list leaves", Policy{Mutes: []string{"login"}}, nil, q, flood, -time.Minute, false},
		{"maintenance", Policy{Windows: []Window{noon}}, nil, nil, flood, -time.Minute, true},
		{"after maintenance, in its window", Policy{Windows: []Window{noon}}, nil, nil, flood, 30 * time.Second, true},
		{"after maintenance", Policy{Windows: []Window{noon}}, nil, nil, flood, time.Minute, false},
		{"login in maintenance", Policy{Windows: []Window{noon}}, nil, nil, login, -time.Minute, false},
		{"nothing in maintenance", Policy{Windows: []Window{all}}, nil, nil, login, -time.Minute, true},
		{"after nothing", Policy{Windows: []Window{all}}, nil, nil, flood, 0, false},
		{"suggest", Policy{Suggest: true}, nil, nil, login, 0, true},
		{"site enforces", Policy{Suggest: true}, &Site{Mode: Enforce}, nil, login, 0, false},
		{"site suggests", Policy{}, &Site{Mode: Suggest}, nil, login, 0, true},
	} {
		if why := c.p.held(c.e, c.site, c.q, now.Add(c.at)); why != "" != c.held {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

func TestSiteNames(t *testing.T) {
	p := Policy{Sites: []Site{{Names: []string{"shop.example.com", "*.example.org"}}}}
	for name, want := range map[string]bool{"shop.example.com": true, "SHOP.example.com": true, "x.shop.example.com": false, "a.example.org": true, "example.org": false, "badexample.org": false, "": false} {
		if got := p.site(name) != nil; got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestQuietFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state", "quiet.json")
	if q, err := LoadQuiet(name); q != nil || err != nil {
		t.Errorf("%v %v", q, err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	if err := SaveQuiet(name, &Quiet{Since: now, Until: now.Add(time.Hour), Why: "x"}); err != nil {
		t.Fatal(err)
	}
	if q, err := LoadQuiet(name); err != nil || !q.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("%v %v", q, err)
	}
	if err := os.WriteFile(name, []byte(strings.Repeat(" ", maxQuiet+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadQuiet(name); err == nil {
		t.Error("a file without end was read")
	}
}

// FuzzQuiet: whatever stands in the file, it is read or refused.
func FuzzQuiet(f *testing.F) {
	f.Add([]byte(`{"since":"2026-11-22T12:00:00Z","until":"2026-11-22T13:00:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "quiet.json")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if q, err := LoadQuiet(name); err == nil {
			(&Policy{}).stance(q, true, time.Now())
		}
	})
}

// flood is n requests of someone in a hurry, in the last seconds: of one page with ever new parameters.
func flood(addr string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s - - [%s] \"GET /?a%d=%x HTTP/1.1\" 500 512 \"-\" \"Mozilla/5.0\"\n", addr, time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), i, i*7919)
	}
	return b.String()
}

// While it is quiet a flood is told and not blocked, and a login is blocked.
func TestQuiet(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, wall := keeper()
	opt.Keeper, opt.Drivers, opt.Policy.Quiet = k, []string{"wall"}, filepath.Join(dir, "quiet.json")
	r := start(t, opt)
	await[*Start](r)
	if err := SaveQuiet(opt.Policy.Quiet, &Quiet{Since: time.Now(), Until: time.Now().Add(time.Hour), Why: "release"}); err != nil {
		t.Fatal(err)
	}
	if m := await[*Mode](r); !m.Quiet || m.Until == nil || m.Why != "release" || m.Mode != Enforce {
		t.Errorf("%+v", m)
	}
	appendTo(t, log, flood("198.51.100.9", 400))
	if v := await[*Verdict](r); v.Addr != "198.51.100.9" || v.Verdict != connwarden.VerdictMalicious || !v.Proved || !strings.HasPrefix(v.Held, "quiet until ") || len(v.Next) != 1 {
		t.Errorf("%+v", v)
	}
	appendTo(t, log, attack("198.51.100.7", 12))
	if b := await[*Block](r); b.Target != "198.51.100.7/32" || b.Peer == nil || len(b.Peer.Evidence) == 0 {
		t.Errorf("%+v", b)
	}
	if err := SaveQuiet(opt.Policy.Quiet, &Quiet{Since: time.Now().Add(-2 * time.Hour), Until: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if m := await[*Mode](r); m.Quiet {
		t.Errorf("%+v", m)
	}
	appendTo(t, log, flood("198.51.100.9", 400)) // told as held before, it is told and blocked now
	if b := await[*Block](r); b.Target != "198.51.100.9/32" {
		t.Errorf("%+v", b)
	}
	r.end()
	if held, _ := wall.List(t.Context()); len(held) != 2 {
		t.Errorf("the firewall holds %v", held)
	}
}

// vhosted writes lines of a log of several sites.
func vhosted(site, text string) string {
	return strings.ReplaceAll(text, "198.51.100.", site+":443 198.51.100.")
}

// Each site is treated by its own policy, also where one log is of several.
func TestSites(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, vhosted("other.example.com", attack("198.51.100.1", 1)))
	opt := options(t, log)
	k, wall := keeper()
	opt.Keeper, opt.Drivers = k, []string{"wall"}
	opt.Policy.Sites = []Site{
		{Names: []string{"watched.example.com"}, Mode: Suggest},
		{Names: []string{"*.shop.example.com"}, Folder: "/var/www/shop"},
		{Names: []string{"odd.example.com"}, Off: []string{"joomla-login-bruteforce"}},
	}
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, vhosted("odd.example.com", attack("198.51.100.3", 12)))
	appendTo(t, log, vhosted("watched.example.com", attack("198.51.100.2", 12)))
	if v := await[*Verdict](r); v.Addr != "198.51.100.2" || !v.Proved || v.Held != "mode suggest" {
		t.Errorf("%+v", v)
	}
	appendTo(t, log, vhosted("de.shop.example.com", attack("198.51.100.4", 12)))
	if b := await[*Block](r); b.Target != "198.51.100.4/32" || b.Scope != "site:/var/www/shop" {
		t.Errorf("%+v", b)
	}
	appendTo(t, log, vhosted("other.example.com", attack("198.51.100.5", 12)))
	if b := await[*Block](r); b.Target != "198.51.100.5/32" || b.Scope != "all" {
		t.Errorf("%+v", b)
	}
	_, rest := r.end()
	for _, m := range rest {
		t.Errorf("%T %+v", m, m)
	}
	if held, _ := wall.List(t.Context()); len(held) != 2 {
		t.Errorf("the firewall holds %v", held)
	}
}

// When more are accused than the guard lets through in a minute there is one alarm, and who was let go is tried again.
func TestLimit(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, wall := keeper()
	k.Rules = block.NewRules(nil, block.Limits{PerMinute: 2})
	opt.Keeper, opt.Drivers = k, []string{"wall"}
	opt.Metrics = &Metrics{}
	r := start(t, opt)
	await[*Start](r)
	text := ""
	for i := range 5 {
		text += attack(fmt.Sprintf("198.51.100.%d", i+1), 12)
	}
	appendTo(t, log, text)
	p := await[*Problem](r)
	if !p.Alarm || p.What != "limit" || !strings.Contains(p.Why, "more than 2 automatic blocks in a minute") {
		t.Errorf("%+v", p)
	}
	if held, _ := wall.List(t.Context()); len(held) != 2 {
		t.Errorf("the firewall holds %v", held)
	}
	_, rest := r.end()
	for _, m := range rest {
		if p, ok := m.(*Problem); ok {
			t.Errorf("a second problem: %+v", p)
		}
	}
	if n := opt.Metrics.alarms.Load(); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

// Those whom the limit let go come again with the next minute, and are told once.
func TestLimitPasses(t *testing.T) {
	k, wall := keeper()
	k.Rules = block.NewRules(nil, block.Limits{PerMinute: 1})
	now := time.Now()
	k.Clock = func() time.Time { return now }
	var told []any
	opt := Options{Keeper: k, Drivers: []string{"wall"}, Metrics: &Metrics{}, Tell: func(m any) { told = append(told, m) }}
	opt.Clock, opt.Zone, opt.Local = k.Clock, time.UTC, true
	a := newActor(&opt, nil)
	accuse := func(addr string) accusation {
		one := accusation{at: now}
		one.judged.Addr = parse(addr)
		one.judged.Evidence = []connwarden.Evidence{{Rule: "r", Why: "w", Score: 90, Count: 1, Window: time.Hour, Last: now}}
		one.judged.Score = 90
		return one
	}
	a.act(t.Context(), []accusation{accuse("198.51.100.1"), accuse("198.51.100.2")})
	if held, _ := wall.List(t.Context()); len(held) != 1 {
		t.Fatalf("the firewall holds %v", held)
	}
	a.retry(t.Context())
	now = now.Add(61 * time.Second)
	a.retry(t.Context())
	if held, _ := wall.List(t.Context()); len(held) != 2 {
		t.Errorf("a minute later the firewall holds %v", held)
	}
	verdicts := 0
	for _, m := range told {
		if _, ok := m.(*Verdict); ok {
			verdicts++
		}
	}
	if verdicts != 2 {
		t.Errorf("%d verdicts were told", verdicts)
	}
}

func parse(s string) netip.Addr { return netip.MustParseAddr(s) }

// What others lift or block is noticed when the firewalls are compared, and what ends is told when it does.
func TestHolds(t *testing.T) {
	k, _ := keeper()
	now := time.Now()
	k.Clock = func() time.Time { return now }
	var told []any
	opt := Options{Keeper: k, Drivers: []string{"wall"}, Metrics: &Metrics{}, Tell: func(m any) { told = append(told, m) }}
	opt.Clock, opt.Zone = k.Clock, time.UTC
	a := newActor(&opt, nil)
	operator := connwarden.Origin{Name: "anna"}
	request := func(addr string, d time.Duration) block.Request {
		return block.Request{Target: block.Single(parse(addr)), Drivers: opt.Drivers, For: d, By: operator}
	}
	if _, err := k.Block(t.Context(), request("198.51.100.1", time.Hour), request("198.51.100.2", time.Minute), request("198.51.100.3", 0)); err != nil {
		t.Fatal(err)
	}
	a.sync(t.Context())
	force := func() float64 {
		return page(t, opt.Metrics)["connwarden_blocks_in_force"].samples[`connwarden_blocks_in_force{driver="wall",scope="all"}`]
	}
	if n := force(); n != 3 || len(told) != 0 {
		t.Errorf("%v in force; %v", n, told)
	}
	now = now.Add(2 * time.Minute)
	a.expire(t.Context())
	if n := force(); n != 2 || len(told) != 1 || told[0].(*Block).Type != "unblock" || told[0].(*Block).Target != "198.51.100.2/32" {
		t.Errorf("%v in force; %+v", n, told)
	}
	if _, err := k.Unblock(t.Context(), []netip.Prefix{block.Single(parse("198.51.100.1"))}, nil, operator); err != nil {
		t.Fatal(err)
	}
	a.sync(t.Context())
	if n := force(); n != 1 || len(told) != 2 || told[1].(*Block).Target != "198.51.100.1/32" {
		t.Errorf("%v in force; %+v", n, told)
	}
	now = now.Add(10 * time.Hour)
	a.expire(t.Context())
	if n := force(); n != 1 {
		t.Errorf("%v in force: a block without an end has ended", n)
	}
}
