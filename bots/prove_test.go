package bots

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connwarden/connwarden"
	"go.uber.org/goleak"
)

// asking is a resolver that asks one server alone.
func asking(server string, timeout time.Duration) *Resolver {
	return NewResolver(Options{Timeout: timeout, Lookup: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}})
}

// The real resolver asks a real name server, which tells the truth, lies, or does not answer.
func TestProve(t *testing.T) {
	many := func(n int, name string) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("n%d.example.net.", i))
		}
		return append(names, name)
	}
	now := time.Now()
	for _, c := range []struct {
		name, addr, bot string
		zone            map[string]reply
		want            connwarden.Proof
		how             string
		asn             uint32
		when            time.Time
	}{
		{name: "there and back", addr: "203.0.113.1", bot: "Googlebot", want: connwarden.ProofVerified,
			how: "203.0.113.1 is named crawl-203-0-113-1.googlebot.com, which leads back to it",
			zone: map[string]reply{
				reverse("203.0.113.1"):               {names: []string{"crawl-203-0-113-1.googlebot.com."}},
				"A crawl-203-0-113-1.googlebot.com.": {addrs: []string{"203.0.113.9", "203.0.113.1"}},
			}},
		{name: "IPv6", addr: "2001:db8::7", bot: "YandexBot", want: connwarden.ProofVerified, how: "leads back",
			zone: map[string]reply{
				reverse("2001:db8::7"):    {names: []string{"spider.yandex.com."}},
				"AAAA spider.yandex.com.": {addrs: []string{"2001:db8::7"}},
			}},
		{name: "in capitals", addr: "203.0.113.1", bot: "bingbot", want: connwarden.ProofVerified, how: "msnbot-1.search.msn.com",
			zone: map[string]reply{
				reverse("203.0.113.1"):       {names: []string{"MSNbot-1.Search.MSN.com."}},
				"A msnbot-1.search.msn.com.": {addrs: []string{"203.0.113.1"}},
			}},
		{name: "over TCP", addr: "203.0.113.1", bot: "Googlebot", want: connwarden.ProofVerified, how: "leads back",
			zone: map[string]reply{
				reverse("203.0.113.1"):     {truncated: true, names: []string{"crawl-1.googlebot.com."}},
				"A crawl-1.googlebot.com.": {truncated: true, addrs: []string{"203.0.113.1"}},
			}},
		{name: "a pattern", addr: "203.0.113.1", bot: "AdsBot-Google", want: connwarden.ProofVerified, how: "rate-limited-proxy-203-0-113-1.google.com",
			zone: map[string]reply{
				reverse("203.0.113.1"):                         {names: []string{"rate-limited-proxy-203-0-113-1.google.com."}},
				"A rate-limited-proxy-203-0-113-1.google.com.": {addrs: []string{"203.0.113.1"}},
			}},
		{name: "the eighth name", addr: "203.0.113.1", bot: "Googlebot", want: connwarden.ProofVerified, how: "leads back",
			zone: map[string]reply{
				reverse("203.0.113.1"):     {names: many(7, "crawl-1.googlebot.com.")},
				"A crawl-1.googlebot.com.": {addrs: []string{"203.0.113.1"}},
			}},
		{name: "the ninth name", addr: "203.0.113.1", bot: "Googlebot", want: connwarden.ProofImpostor, how: "is named n0.example.net, not under googlebot.com",
			zone: map[string]reply{
				reverse("203.0.113.1"):     {names: many(8, "crawl-1.googlebot.com.")},
				"A crawl-1.googlebot.com.": {addrs: []string{"203.0.113.1"}},
			}},

		// Lies.
		{name: "a name that is Google's", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor,
			how: "203.0.113.2 is named crawl-66-249-66-1.googlebot.com, which does not lead back to it",
			zone: map[string]reply{
				reverse("203.0.113.2"):               {names: []string{"crawl-66-249-66-1.googlebot.com."}},
				"A crawl-66-249-66-1.googlebot.com.": {addrs: []string{"66.249.66.1"}},
			}},
		{name: "a name that nobody has", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "does not lead back",
			zone: map[string]reply{reverse("203.0.113.2"): {names: []string{"crawl-9.googlebot.com."}}}},
		{name: "no dot before the domain", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "is named crawl.evilgooglebot.com, not under googlebot.com",
			zone: map[string]reply{
				reverse("203.0.113.2"):       {names: []string{"crawl.evilgooglebot.com."}},
				"A crawl.evilgooglebot.com.": {addrs: []string{"203.0.113.2"}},
			}},
		{name: "the domain in the middle", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "not under googlebot.com",
			zone: map[string]reply{
				reverse("203.0.113.2"):                {names: []string{"crawl.googlebot.com.evil.example."}},
				"A crawl.googlebot.com.evil.example.": {addrs: []string{"203.0.113.2"}},
			}},
		{name: "a customer of Google's cloud", addr: "203.0.113.2", bot: "Googlebot", asn: 396982, want: connwarden.ProofImpostor, how: "bc.googleusercontent.com",
			zone: map[string]reply{
				reverse("203.0.113.2"):                    {names: []string{"2.113.0.203.bc.googleusercontent.com."}},
				"A 2.113.0.203.bc.googleusercontent.com.": {addrs: []string{"203.0.113.2"}},
			}},
		{name: "who translates pages through Google", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "google-proxy-203-0-113-2.google.com",
			zone: map[string]reply{
				reverse("203.0.113.2"):                   {names: []string{"google-proxy-203-0-113-2.google.com."}},
				"A google-proxy-203-0-113-2.google.com.": {addrs: []string{"203.0.113.2"}},
			}},
		{name: "a pattern's star is one label", addr: "203.0.113.2", bot: "AdsBot-Google", want: connwarden.ProofImpostor, how: "not under",
			zone: map[string]reply{
				reverse("203.0.113.2"):                    {names: []string{"rate-limited-proxy-1.evil.google.com."}},
				"A rate-limited-proxy-1.evil.google.com.": {addrs: []string{"203.0.113.2"}},
			}},
		{name: "no name", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "203.0.113.2 has no name under googlebot.com, nor any other"},
		{name: "a name that leads round in a circle", addr: "203.0.113.2", bot: "Googlebot", want: connwarden.ProofImpostor, how: "does not lead back",
			zone: map[string]reply{
				reverse("203.0.113.2"):  {names: []string{"loop.googlebot.com."}},
				"A loop.googlebot.com.": {alias: "loop.googlebot.com."},
			}},

		// No answer refutes nothing.
		{name: "silence", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered in time",
			zone: map[string]reply{reverse("203.0.113.3"): {silent: true}}},
		{name: "silence on the way back", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered in time",
			zone: map[string]reply{reverse("203.0.113.3"): {names: []string{"crawl-3.googlebot.com."}}, "A crawl-3.googlebot.com.": {silent: true}}},
		{name: "a server that fails", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered",
			zone: map[string]reply{reverse("203.0.113.3"): {code: 2}}},
		{name: "a server that refuses", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered",
			zone: map[string]reply{reverse("203.0.113.3"): {code: 5}}},
		{name: "garbage", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered",
			zone: map[string]reply{reverse("203.0.113.3"): {garbage: true}}},
		{name: "a name of hostile bytes", addr: "203.0.113.3", bot: "Googlebot", want: connwarden.ProofUnproven, how: "no name server answered",
			zone: map[string]reply{reverse("203.0.113.3"): {names: []string{"\x1b[31mcrawl.googlebot.com."}}}},

		// Where nothing is promised, names prove but do not refute.
		{name: "reverse names that do not lead back", addr: "203.0.113.4", bot: "Baiduspider", want: connwarden.ProofUnproven, how: "does not lead back",
			zone: map[string]reply{reverse("203.0.113.4"): {names: []string{"baiduspider-4.crawl.baidu.com."}}}},
		{name: "reverse names that all have", addr: "203.0.113.4", bot: "Baiduspider", want: connwarden.ProofImpostor, how: "is named host.example.net, not under baidu.com or baidu.jp",
			zone: map[string]reply{reverse("203.0.113.4"): {names: []string{"host.example.net."}}}},
		{name: "names that only some have", addr: "203.0.113.4", bot: "PetalBot", want: connwarden.ProofUnproven, how: "has no name"},
		{name: "names that only some have, ranges that all are in", addr: "203.0.113.4", bot: "facebookexternalhit", asn: 64500, want: connwarden.ProofImpostor, how: "in none of the ranges that Meta publishes"},
		{name: "the same in Meta's network", addr: "203.0.113.4", bot: "facebookexternalhit", asn: 32934, want: connwarden.ProofUnproven, how: "has no name"},

		// Long ago.
		{name: "a claim of years ago", addr: "203.0.113.5", bot: "Googlebot", when: now.AddDate(-9, 0, 0), want: connwarden.ProofUnproven, how: "which says nothing of"},
		{name: "a name that still leads back", addr: "203.0.113.5", bot: "Googlebot", when: now.AddDate(-9, 0, 0), want: connwarden.ProofVerified, how: "leads back",
			zone: map[string]reply{
				reverse("203.0.113.5"):     {names: []string{"crawl-5.googlebot.com."}},
				"A crawl-5.googlebot.com.": {addrs: []string{"203.0.113.5"}},
			}},

		// Known by name, spared by nobody.
		{name: "App Engine", addr: "203.0.113.6", bot: "Google user-triggered fetcher", want: connwarden.ProofUnproven, how: "gae.googleusercontent.com, not under",
			zone: map[string]reply{
				reverse("203.0.113.6"):           {names: []string{"6.gae.googleusercontent.com."}},
				"A 6.gae.googleusercontent.com.": {addrs: []string{"203.0.113.6"}},
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := Load("")
			server := startServer(t, c.zone)
			r := asking(server.addr, 2*time.Second)
			if slices.ContainsFunc(slices.Collect(maps.Values(c.zone)), func(r reply) bool { return r.silent }) {
				r.timeout = 100 * time.Millisecond
			}
			when := c.when
			if when.IsZero() {
				when = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
				r.now = func() time.Time { return when }
			}
			q := Question{Addr: netip.MustParseAddr(c.addr), Bot: c.bot, ASN: c.asn, Time: when}
			got := s.Prove(context.Background(), r, []Question{q})
			if len(got) != 1 || got[0].Proof != c.want || !strings.Contains(got[0].How, c.how) || got[0].Question != q {
				t.Errorf("%+v\nwant %s: %s", got, c.want, c.how)
			}
		})
	}
}

// What ranges prove, what cannot be proved and who asks no server ask none.
func TestProveAsksOnlyWhatItMust(t *testing.T) {
	s, _ := Load("")
	server := startServer(t, nil)
	r := asking(server.addr, 5*time.Second)
	var questions []Question
	for addr, bot := range map[string]string{
		"66.249.66.1": "Googlebot", "203.0.113.7": "GPTBot", "203.0.113.8": "curl", "10.0.0.1": "Googlebot", "203.0.113.9": "", "127.0.0.1": "bingbot", "104.16.0.9": "SeznamBot",
	} {
		questions = append(questions, Question{Addr: netip.MustParseAddr(addr), Bot: bot})
	}
	questions = append(questions, Question{Bot: "Googlebot"})
	s.Prove(context.Background(), r, questions)
	s.Prove(context.Background(), nil, []Question{{Addr: netip.MustParseAddr("203.0.113.1"), Bot: "Googlebot"}})
	if asked := server.log(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}

	// Two claims of one address ask once for its name.
	questions = []Question{{Addr: netip.MustParseAddr("203.0.113.1"), Bot: "Googlebot"}, {Addr: netip.MustParseAddr("203.0.113.1"), Bot: "bingbot"}}
	for range 3 {
		if got := s.Prove(context.Background(), r, questions); got[0].Proof != connwarden.ProofImpostor || got[1].Bot != "bingbot" {
			t.Errorf("%+v", got)
		}
	}
	if asked, want := server.log(), map[string]int{reverse("203.0.113.1"): 1}; !maps.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

// fake answers look-ups by a function.
type fake func(ctx context.Context, question string) ([]string, error)

func (f fake) LookupAddr(ctx context.Context, addr string) ([]string, error) { return f(ctx, addr) }
func (f fake) LookupNetIP(ctx context.Context, network, host string) (addrs []netip.Addr, err error) {
	words, err := f(ctx, network+" "+host)
	for _, w := range words {
		addrs = append(addrs, netip.MustParseAddr(w))
	}
	return addrs, err
}

// Time here is that of the bubble: exact, and not that of the machine.
func TestProveIsNeverLate(t *testing.T) {
	s, _ := Load("")
	for _, c := range []struct {
		name   string
		lookup fake
		ctx    time.Duration
		want   time.Duration
	}{
		{"a server that is deaf", func(ctx context.Context, _ string) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, time.Hour, 2 * time.Second},
		{"the caller's own deadline", func(ctx context.Context, _ string) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, 300 * time.Millisecond, 300 * time.Millisecond},
		{"a resolver that heeds no deadline", func(context.Context, string) ([]string, error) {
			<-time.After(time.Minute)
			return nil, errors.New("too late")
		}, time.Hour, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewResolver(Options{Timeout: 2 * time.Second, Lookup: c.lookup})
				var questions []Question
				for i := range 200 {
					questions = append(questions, Question{Addr: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), Bot: "Googlebot"})
				}
				ctx, cancel := context.WithTimeout(context.Background(), c.ctx)
				defer cancel()
				start := time.Now()
				for _, a := range s.Prove(ctx, r, questions) {
					if a.Proof != connwarden.ProofUnproven || a.How != "no name server answered in time" {
						t.Fatalf("%+v", a)
					}
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("took %s, want %s", took, c.want)
				}
				<-time.After(time.Hour) // for those who are late
			})
		})
	}
}

// What is known at the deadline is told, the rest is unproven; never more than 16 ask at once, even when an earlier call's
// questions still hang.
func TestProveTellsWhatItKnows(t *testing.T) {
	s, _ := Load("")
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		flying, most := 0, 0
		r := NewResolver(Options{Timeout: 10 * time.Second, Lookup: fake(func(ctx context.Context, question string) ([]string, error) {
			mu.Lock()
			flying++
			most = max(most, flying)
			mu.Unlock()
			defer func() {
				mu.Lock()
				flying--
				mu.Unlock()
			}()
			<-time.After(time.Second)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		})})
		questions := make([]Question, 1000)
		for i := range questions {
			questions[i] = Question{Addr: netip.AddrFrom4([4]byte{198, 51, byte(100 + i/250), byte(i % 250)}), Bot: "Googlebot"}
		}
		known := func() (n int) {
			for i, a := range s.Prove(context.Background(), r, questions) {
				if a.Addr != questions[i].Addr {
					t.Fatalf("answer %d is about %s", i, a.Addr)
				}
				if a.Proof == connwarden.ProofImpostor {
					n++
				}
			}
			return n
		}
		// Ten seconds of a second each, 16 at a time; those that end with the deadline may be counted or not.
		if n := known(); n < 9*16 || n > 10*16 {
			t.Errorf("%d are known after ten seconds", n)
		}
		// The next call begins with what the first left known.
		if n := known(); n < 18*16 || n > 20*16 {
			t.Errorf("%d are known after twenty seconds", n)
		}
		<-time.After(time.Hour)
		if most > maxInFlight {
			t.Errorf("%d at once", most)
		}
	})
}

func TestCache(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	asked := map[string]int{}
	lookup := fake(func(_ context.Context, question string) ([]string, error) {
		asked[question]++
		switch question {
		case "203.0.113.1":
			return []string{"crawl-1.googlebot.com."}, nil
		case "ip4 crawl-1.googlebot.com.":
			return []string{"203.0.113.1"}, nil
		case "203.0.113.2":
			return nil, &net.DNSError{IsNotFound: true}
		default:
			return nil, &net.DNSError{IsTimeout: true}
		}
	})
	r := NewResolver(Options{Lookup: lookup, Now: func() time.Time { return now }})
	s, _ := Load("")
	ask := func() {
		s.Prove(context.Background(), r, []Question{
			{Addr: netip.MustParseAddr("203.0.113.1"), Bot: "Googlebot"}, {Addr: netip.MustParseAddr("203.0.113.2"), Bot: "Googlebot"}, {Addr: netip.MustParseAddr("203.0.113.3"), Bot: "Googlebot"},
		})
	}
	for _, c := range []struct {
		later                   time.Duration
		found, nothing, silence int
	}{
		{0, 1, 1, 1}, {59 * time.Second, 1, 1, 1}, {2 * time.Second, 1, 1, 2}, {14 * time.Minute, 1, 2, 3}, {46 * time.Minute, 2, 3, 4},
	} {
		now = now.Add(c.later)
		// One worker at a time, so that the map of questions needs no lock.
		for len(r.slots) < maxInFlight-1 {
			r.slots <- struct{}{}
		}
		ask()
		if asked["203.0.113.1"] != c.found || asked["ip4 crawl-1.googlebot.com."] != c.found || asked["203.0.113.2"] != c.nothing || asked["203.0.113.3"] != c.silence {
			t.Errorf("%s later: asked %v, want %d, %d and %d", c.later, asked, c.found, c.nothing, c.silence)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	r := NewResolver(Options{Lookup: fake(func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} })})
	for i := range 3 * maxCache {
		r.reverse(context.Background(), netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}))
		if len(r.cache) > maxCache {
			t.Fatalf("%d answers are remembered", len(r.cache))
		}
	}
	if len(r.cache) < maxCache/2 {
		t.Errorf("only %d answers are remembered", len(r.cache))
	}
}

func TestClean(t *testing.T) {
	for name, want := range map[string]string{
		"Crawl-1.GoogleBot.COM.": "crawl-1.googlebot.com", "": "", ".": "", "a\x1b[31m.example": "a??31m.example", "ä.example": "?.example",
		"a b\n.googlebot.com": "a?b?.googlebot.com", "_x-1.example": "_x-1.example", strings.Repeat("a", 300): strings.Repeat("a", 253), "\xff\xfe": "??",
	} {
		if got := clean(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if under("a?.googlebot.com", google) || under("googlebot.com.", google) || !under("googlebot.com", google) || under("", google) {
		t.Error("a name that is none is under a domain")
	}
}

func FuzzClean(f *testing.F) {
	f.Add("crawl-1.googlebot.com.")
	f.Add("\x1b]0;x\a.googlebot.com")
	f.Fuzz(func(t *testing.T, name string) {
		got := clean(name)
		if len(got) > maxName || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789-_.?") != "" || clean(got) != got && !strings.HasSuffix(got, ".") {
			t.Fatalf("%q becomes %q", name, got)
		}
		under(got, proxied)
	})
}

func TestMain(m *testing.M) {
	// The standard library's resolver goes on for some seconds with a look-up of addresses that nobody waits for any more.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net.(*Resolver).lookupIPAddr.func2"),
		goleak.IgnoreAnyFunction("net.(*Resolver).goLookupIPCNAMEOrder"), goleak.IgnoreAnyFunction("net.(*Resolver).goLookupIPCNAMEOrder.func3.1"))
}
