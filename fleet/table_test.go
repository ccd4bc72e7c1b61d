package fleet

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// told is a message of another host.
func told(t *testing.T, group, host string, kind Kind, target string, life time.Duration, score int) *Message {
	t.Helper()
	d := Decision{Key: Key{Group: group, Host: host, Kind: kind, Target: netip.MustParsePrefix(target)}, For: life, Score: score, By: connwarden.Origin{Kind: connwarden.ByRule, Name: "r"}, Why: "why"}
	b, err := d.encode()
	if err != nil {
		t.Fatal(err)
	}
	return &Message{Time: noon, Subject: d.Subject(), Data: b}
}

// hold has a table's orders done, and returns them in words.
func hold(tab *table, now time.Time) string {
	var words []string
	for _, o := range tab.orders(now, true, 100) {
		word := fmt.Sprintf("+%s %s %v", o.Kind, o.Target, o.Until.Sub(now).Truncate(time.Second))
		if o.Lift {
			word = fmt.Sprintf("-%s %s", o.Kind, o.Target)
		}
		words = append(words, word)
		tab.done(&o, "", now)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

const peer1, peer2 = "203.0.113.1/32", "203.0.113.2/32"

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		in     func(t *testing.T) []*Message
		want   string
	}{
		{"all", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "b", KindAllow, peer2, time.Hour, 0)}
		}, "+allow 203.0.113.2/32 1h0m0s, +block 203.0.113.1/32 1h0m0s"},
		{"own", Policy{}, func(t *testing.T) []*Message { return []*Message{told(t, "g", "me", KindBlock, peer1, time.Hour, 80)} }, ""},
		{"of the same name in another group", Policy{}, func(t *testing.T) []*Message { return []*Message{told(t, "h", "me", KindBlock, peer1, time.Hour, 80)} }, "+block 203.0.113.1/32 1h0m0s"},
		{"kinds", Policy{Kinds: []Kind{KindBlock}}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "b", KindAllow, peer2, time.Hour, 0)}
		}, "+block 203.0.113.1/32 1h0m0s"},
		{"groups", Policy{Groups: []string{"web"}}, func(t *testing.T) []*Message {
			return []*Message{told(t, "web", "a", KindBlock, peer1, time.Hour, 80), told(t, "mail", "b", KindBlock, peer2, time.Hour, 80)}
		}, "+block 203.0.113.1/32 1h0m0s"},
		{"score", Policy{Score: 90}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 89), told(t, "g", "b", KindBlock, peer2, time.Hour, 90)}
		}, "+block 203.0.113.2/32 1h0m0s"},
		{"one where two must agree", Policy{Agree: 2}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "a", KindBlock, peer1, time.Hour, 80)}
		}, ""},
		{"two agree, as long as both", Policy{Agree: 2}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, 2*time.Hour, 80), told(t, "g", "b", KindBlock, peer1, time.Hour, 80)}
		}, "+block 203.0.113.1/32 1h0m0s"},
		{"the longest of several", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "b", KindBlock, peer1, 2*time.Hour, 80)}
		}, "+block 203.0.113.1/32 2h0m0s"},
		{"the last word of a host", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, 2*time.Hour, 80), told(t, "g", "a", KindBlock, peer1, time.Hour, 80)}
		}, "+block 203.0.113.1/32 1h0m0s"},
		{"a minute's limit", Policy{PerMinute: 1}, func(t *testing.T) []*Message {
			later := told(t, "g", "a", KindBlock, "203.0.113.3/32", time.Hour, 80)
			later.Time = noon.Add(time.Minute)
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "a", KindBlock, peer2, time.Hour, 80), told(t, "g", "b", KindBlock, "203.0.113.4/32", time.Hour, 80), later}
		}, "+block 203.0.113.1/32 1h0m0s, +block 203.0.113.3/32 1h0m0s, +block 203.0.113.4/32 1h0m0s"},
		{"most of one host", Policy{Most: 1}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "a", KindBlock, peer2, time.Hour, 80)}
		}, "+block 203.0.113.1/32 1h0m0s"},
		{"everybody", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, "0.0.0.0/0", time.Hour, 100), told(t, "g", "a", KindBlock, "10.0.0.0/23", time.Hour, 100), told(t, "g", "a", KindBlock, "2001:db8::/32", time.Hour, 100)}
		}, ""},
		{"a pardon before and after", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindPardon, peer1, time.Hour, 0), told(t, "g", "b", KindBlock, peer1, time.Hour, 80), told(t, "g", "b", KindBlock, peer2, time.Hour, 80), told(t, "g", "c", KindPardon, peer2, time.Hour, 0)}
		}, ""},
		{"taken back", Policy{}, func(t *testing.T) []*Message {
			m := told(t, "g", "a", KindBlock, peer1, time.Hour, 80)
			return []*Message{m, {Time: noon, Subject: m.Subject, Deleted: true}}
		}, ""},
		{"a host that is gone", Policy{}, func(t *testing.T) []*Message {
			return []*Message{told(t, "g", "a", KindBlock, peer1, time.Hour, 80), told(t, "g", "b", KindBlock, peer1, time.Minute, 80), {Time: noon, Subject: GoneSubject("g", "a")}}
		}, "+block 203.0.113.1/32 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTable(c.policy, "g", "me")
			for i, m := range c.in(t) {
				m.Seq = uint64(i + 1)
				tab.take(m, 0, noon)
				tab.take(m, 0, noon) // delivered twice is as once
			}
			if got := hold(tab, noon); got != c.want {
				t.Errorf("orders %q, want %q", got, c.want)
			}
			if got := hold(tab, noon); got != "" {
				t.Errorf("then orders %q", got)
			}
		})
	}
}

// Clocks that disagree, and a message that waited, never make a block longer than was asked for.
func TestNeverLonger(t *testing.T) {
	for _, c := range []struct {
		stored, ahead, want time.Duration // from now by our clock
	}{
		{0, 0, time.Hour},
		{-20 * time.Minute, 0, 40 * time.Minute},
		{5 * time.Hour, 5 * time.Hour, time.Hour},
		{-5*time.Hour - 10*time.Minute, -5 * time.Hour, 50 * time.Minute},
		{5 * time.Hour, 0, time.Hour}, // an estimate that is wrong
		{-2 * time.Hour, 0, 0},        // a host back after long
	} {
		tab := newTable(Policy{}, "g", "me")
		m := told(t, "g", "a", KindBlock, peer1, time.Hour, 80)
		m.Seq, m.Time = 1, noon.Add(c.stored)
		tab.take(m, c.ahead, noon)
		want := ""
		if c.want > 0 {
			want = "+block " + peer1 + " " + c.want.String()
		}
		if got := hold(tab, noon); got != want {
			t.Errorf("stored %v from now, the engine's clock %v ahead: %q, want %q", c.stored, c.ahead, got, want)
		}
	}
}

// What ends is let go of, or ends by itself; what was refused is asked for again.
func TestAge(t *testing.T) {
	tab := newTable(Policy{}, "g", "me")
	seq := uint64(0)
	take := func(m *Message) {
		seq++
		m.Seq = seq
		tab.take(m, 0, noon)
	}
	take(told(t, "g", "a", KindBlock, peer1, time.Hour, 80))
	take(told(t, "g", "a", KindAllow, peer2, time.Hour, 80))
	hold(tab, noon)
	later := noon.Add(time.Hour)
	tab.age(later)
	if got := hold(tab, later); got != "-allow 203.0.113.2/32" || tab.held != 0 || tab.known != 0 || tab.places.len() != 0 {
		t.Errorf("after the end %q, and it holds %v", got, tab.places)
	}
	take(told(t, "g", "a", KindBlock, peer1, 2*time.Hour, 80))
	o := tab.orders(noon, true, 10)
	tab.done(&o[0], "it is spared", noon)
	tab.age(noon.Add(time.Second))
	if got := hold(tab, noon.Add(time.Second)); got != "" {
		t.Errorf("at once again: %q", got)
	}
	tab.age(noon.Add(refusedRest))
	if got := hold(tab, noon.Add(refusedRest)); !strings.HasPrefix(got, "+block "+peer1) {
		t.Errorf("a minute later: %q", got)
	}
}

// What this host holds it has written down, and the table keeps no second copy of it; of what it does not hold it keeps all.
func TestSaidOnce(t *testing.T) {
	tab := newTable(Policy{}, "g", "me")
	seq := uint64(0)
	take := func(m *Message) {
		seq++
		m.Seq = seq
		tab.take(m, 0, noon)
	}
	only := func() Order {
		t.Helper()
		list := tab.orders(noon, true, 10)
		if len(list) != 1 {
			t.Fatalf("%d orders, want 1", len(list))
		}
		return list[0]
	}
	take(told(t, "g", "a", KindBlock, peer1, time.Hour, 80))
	o := only()
	if o.Why != "why" || o.By.Name != "r" || o.Score != 80 || o.Again {
		t.Errorf("the order is %+v", o)
	}
	tab.done(&o, "it is spared", noon)
	tab.age(noon.Add(refusedRest))
	if o = only(); o.Why != "why" || o.Again {
		t.Errorf("refused, and ordered again: %+v", o)
	}
	tab.done(&o, "", noon)
	if len(tab.sayings.list) != 0 {
		t.Errorf("it holds it, and %d reasons are kept", len(tab.sayings.list))
	}
	pardon := told(t, "g", "b", KindPardon, peer1, time.Minute, 0)
	take(pardon)
	o = only()
	tab.done(&o, "", noon)
	if !o.Lift || tab.held != 0 {
		t.Errorf("pardoned: %+v", o)
	}
	take(&Message{Time: noon, Subject: pardon.Subject, Deleted: true})
	if o = only(); o.Lift || !o.Again || o.Why != "" {
		t.Errorf("the pardon was taken back: %+v", o)
	}
}

// TestOrder is that of a journal, in which neighbours stand beside each other; and nobody is blocked before who is never to be.
func TestOrder(t *testing.T) {
	tab := newTable(Policy{}, "g", "me")
	for i, target := range []string{"198.51.100.7/32", "2001:db8::/64", "192.0.2.9/32", "192.0.2.0/24", "203.0.113.1/32"} {
		kind := KindBlock
		if i == 4 {
			kind = KindAllow
		}
		m := told(t, "g", "a", kind, target, time.Hour, 80)
		m.Seq = uint64(i + 1)
		tab.take(m, 0, noon)
	}
	var words []string
	for len(words) < 5 {
		list := tab.orders(noon, true, 2)
		if len(list) == 0 {
			break
		}
		for _, o := range list {
			words = append(words, o.Kind.String()+" "+o.Target.String())
			tab.done(&o, "", noon)
		}
	}
	if got := strings.Join(words, ", "); got != "allow 203.0.113.1/32, block 192.0.2.0/24, block 192.0.2.9/32, block 198.51.100.7/32, block 2001:db8::/64" {
		t.Errorf("ordered are %s", got)
	}
}

// TestRoom takes over 50,000 decisions with reasons of 60 bytes: once they are held, each has room for what tells it apart.
func TestRoom(t *testing.T) {
	const many, most = 50_000, 70 // bytes; 35 are used
	messages := make([]*Message, many)
	for i := range messages {
		target := fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255)
		m := told(t, "g", fmt.Sprint("host", i%100), KindBlock, target, time.Hour, 80)
		m.Seq, m.Time = uint64(i+1), noon
		m.Data = fmt.Appendf(nil, `{"v":1,"for":3600,"score":95,"by":"rule:x","why":"%060d"}`, i)
		messages[i] = m
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first only marked
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	tab := newTable(Policy{}, "g", "me")
	for _, m := range messages {
		tab.take(m, 0, noon)
	}
	for tab.held < many {
		list := tab.orders(noon, true, 4096)
		if len(list) == 0 {
			t.Fatalf("%d are held, want %d", tab.held, many)
		}
		for i := range list {
			tab.done(&list[i], "", noon)
		}
	}
	if list := tab.orders(noon, true, 1); len(list) != 0 {
		t.Fatalf("then it orders %+v", list)
	}
	if after := heap(); after > before+many*most {
		t.Errorf("%d bytes for each, want at most %d", (after-before)/many, most)
	} else {
		t.Logf("%d bytes for each", (int64(after)-int64(before))/many)
	}
	runtime.KeepAlive(tab)
	runtime.KeepAlive(messages)
}

func TestKeys(t *testing.T) {
	for _, k := range []Key{
		{Group: "default", Host: "web1_example_net", Target: netip.MustParsePrefix("192.0.2.7/32")},
		{Group: "g", Host: "h", Kind: KindPardon, Target: netip.MustParsePrefix("2001:db8::/48")},
		{Group: "g", Host: "h", Kind: KindAllow, Target: netip.MustParsePrefix("192.0.2.0/24"), Scope: connwarden.Scope{Kind: connwarden.ScopeLogins}},
		{Group: "g", Host: "h", Target: netip.MustParsePrefix("192.0.2.0/24"), Scope: connwarden.Ports(443, 80)},
	} {
		subject := k.Subject()
		if strings.ContainsAny(subject, ": */,") {
			t.Errorf("%s is no subject", subject)
		}
		if got, err := parseKey(subject); err != nil || got != k {
			t.Errorf("%s is read as %+v, %v", subject, got, err)
		}
	}
	for _, word := range []string{"", "a b", "a*", "a>", "ä", strings.Repeat("x", maxWord+1)} {
		if _, err := Word(word); err == nil {
			t.Errorf("%q is a word", word)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add("$KV.decisions.g.h.block.c0000207-32.all", []byte(`{"v":1,"for":60,"score":97,"by":"rule:x","why":"y"}`), false)
	f.Add("$KV.decisions.g.h.block.20010db8000000000000000000000000-64.ports-80_443", []byte(`{"v":1,"for":604800}`), false)
	f.Add("$KV.decisions.g.h.gone", []byte(nil), false)
	f.Add("$KV.decisions.g.me.pardon.c0000200-24.logins", []byte(`{"v":1,"for":1,"until":-1}`), true)
	f.Fuzz(func(t *testing.T, subject string, data []byte, deleted bool) {
		if k, err := parseKey(subject); err == nil && k.Subject() != subject {
			t.Errorf("%q has another spelling, %q", subject, k.Subject())
		}
		tab := newTable(Policy{}, "g", "me")
		tab.take(&Message{Seq: 1, Time: noon, Subject: subject, Data: data, Deleted: deleted}, 0, noon)
		for _, o := range tab.orders(noon, true, 10) {
			if left := o.Until.Sub(noon); left <= 0 || left > Lease || len(o.Why) > maxWhy || o.Score > 100 || !o.Target.IsValid() || o.Lift {
				t.Errorf("%q %q orders %+v", subject, data, o)
			}
		}
		var d Decision
		if d.decode(data) == nil {
			again, err := d.encode()
			var other Decision
			if err != nil || len(again) > MaxDecision || other.decode(again) != nil || other.For != d.For || other.Why != d.Why || !other.Until.Equal(d.Until) {
				t.Errorf("%q is %+v, and written and read again %+v, %v", data, d, other, err)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add((&Token{Version: 1, CA: "00", JWT: "x", Seed: "y"}).String())
	f.Add("cwjoin_e30")
	f.Fuzz(func(t *testing.T, text string) {
		if token, err := ParseToken(text); err == nil {
			if again, err := ParseToken(token.String()); err != nil || *again != *token {
				t.Errorf("%q is %+v and then %+v, %v", text, token, again, err)
			}
		}
	})
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add("$KV.hosts.g.h", []byte(`{"v":1,"health":"ok","fleet":{"recent":[{"target":"x"}]}}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		s, err := decodeStatus(&Message{Time: noon, Subject: subject, Data: data})
		if err == nil && (s.Host == "" || len(s.Fleet.Recent) > maxRecent || !s.Time.Equal(noon)) {
			t.Errorf("%q %q is %+v", subject, data, s)
		}
	})
}

// TestReading is a table while the bucket is being read: it begins to hold what is there, but for what something further on may be
// against, and leaves what it holds as it is. Then all is as if it had been read at once.
func TestReading(t *testing.T) {
	tab := newTable(Policy{}, "g", "me")
	seq := uint64(0)
	take := func(host string, kind Kind, target string, life time.Duration) {
		t.Helper()
		m := told(t, "g", host, kind, target, life, 80)
		seq++
		m.Seq = seq
		tab.take(m, 0, noon)
	}
	held := func(target string, life time.Duration) {
		tab.done(&Order{Kind: KindBlock, Target: netip.MustParsePrefix(target), Until: noon.Add(life)}, "", noon)
	}
	words := func(ready bool) string {
		var list []string
		for _, o := range tab.orders(noon, ready, 1<<20) {
			tab.done(&o, "", noon)
			if o.Target.Addr().Is6() {
				continue // one of many
			}
			word := fmt.Sprintf("%s %s %s", o.Kind, o.Target.Addr(), o.Until.Sub(noon))
			if o.Lift {
				word = "lift " + o.Target.Addr().String()
			}
			list = append(list, word)
		}
		return strings.Join(list, ", ")
	}
	held("203.0.113.1/32", time.Hour) // nobody wants it any more
	held("203.0.113.2/32", time.Hour) // is wanted for longer
	held("203.0.113.3/32", time.Hour) // as it is
	tab.forget()
	tab.reading, tab.foretold = true, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("198.51.100.9/32")}
	take("a", KindBlock, "203.0.113.2/32", 2*time.Hour)
	take("a", KindBlock, "203.0.113.3/32", time.Hour)
	take("a", KindBlock, "203.0.113.4/32", time.Hour) // is pardoned further on
	take("a", KindBlock, "203.0.113.5/32", time.Hour) // lies in what was pardoned once
	take("a", KindBlock, "203.0.113.16/32", time.Hour)
	take("a", KindBlock, "198.51.100.9/32", time.Hour) // is allowed further on
	if got := words(false); got != "" {
		t.Errorf("before much was read it orders %s", got)
	}
	for i := range ordersAtOnce {
		take(fmt.Sprint("h", i/1000), KindBlock, fmt.Sprintf("2001:db8:%x::/64", i), time.Hour) // within the limit of a minute
	}
	if got := words(false); got != "block 203.0.113.16 1h0m0s" {
		t.Errorf("while it is read it orders %s", got)
	}
	take("b", KindPardon, "203.0.113.4/32", time.Hour)
	take("b", KindAllow, "198.51.100.9/32", time.Hour)
	take("b", KindBlock, "203.0.113.16/32", 3*time.Hour)
	tab.whole(true)
	want := "allow 198.51.100.9 1h0m0s, block 198.51.100.9 1h0m0s, lift 203.0.113.1, block 203.0.113.2 2h0m0s, block 203.0.113.5 1h0m0s, block 203.0.113.16 3h0m0s"
	if got := words(true); got != want {
		t.Errorf("in the end it orders %s, want %s", got, want)
	}
	if got := words(true); got != "" {
		t.Errorf("then it orders %s", got)
	}
}
