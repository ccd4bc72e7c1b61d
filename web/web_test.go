package web

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts the page at a desk, behind a real listener.
func serve(t *testing.T, desk Desk, change func(*Options)) (*httptest.Server, *Server) {
	t.Helper()
	opt := Options{Desk: desk, Token: "the-token", Pause: 10 * time.Millisecond}
	if change != nil {
		change(&opt)
	}
	s := New(opt)
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	return h, s
}

// answer is what came back, without the body.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
	Cookies    []*http.Cookie
}

// call makes a request with headers, value after name, and returns the answer and its body.
func call(t *testing.T, method, url, body string, headers ...string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Status, resp.Header, resp.Cookies()}, string(b)
}

const bearer = "Bearer the-token"

func TestNobodyWithoutToken(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	for _, path := range []string{"/", "/page.js", "/icon.svg", "/api/review", "/api/events", "/api/blocks", "/metrics", "/nothing", "/?token=wrong", "/api/review?token=wrong", "/api/review?token="} {
		for _, auth := range []string{"", "Bearer ", "Bearer wrong", "the-token"} {
			if r, body := call(t, "GET", h.URL+path, "", "Authorization", auth); r.StatusCode != http.StatusUnauthorized || strings.Contains(body, "10.0.0.0") {
				t.Errorf("GET %s with %q: %s", path, auth, r.Status)
			}
		}
	}
	if r, body := call(t, "GET", h.URL+"/", "", "Accept", "text/html"); r.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "connwarden web") {
		t.Errorf("a browser without token: %s %s", r.Status, body)
	}
	for _, path := range []string{"/api/block", "/api/block?token=the-token"} {
		if r, _ := call(t, "POST", h.URL+path, `{"target":"192.0.2.1"}`, "Origin", h.URL, pageHeader, "1", "Content-Type", "application/json"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("POST %s without token: %s", path, r.Status)
		}
	}
}

// TestTokenInAddress is how a program asks that was given the address of the page.
func TestTokenInAddress(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	for _, path := range []string{"/api/review", "/api/blocks", "/metrics"} {
		if r, _ := call(t, "GET", h.URL+path+"?token=the-token", ""); r.StatusCode != http.StatusOK || len(r.Cookies) > 0 {
			t.Errorf("GET %s: %s, %v", path, r.Status, r.Cookies)
		}
	}
	if r, _ := call(t, "GET", h.URL+"/api/review?token=the-token", "", "Origin", "https://evil.example"); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another origin: %s", r.Status)
	}
	h, _ = serve(t, &fakeDesk{review: manyPeers(3)}, func(o *Options) { o.Token, o.Password = "", "secret" })
	for _, token := range []string{"", "secret"} {
		if r, _ := call(t, "GET", h.URL+"/api/review?token="+token, ""); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("with a password instead, %q: %s", token, r.Status)
		}
	}
}

func TestTokenBecomesCookie(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	r, _ := call(t, "GET", h.URL+"/?token=the-token", "")
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/" {
		t.Fatalf("%s to %q", r.Status, r.Header.Get("Location"))
	}
	c := r.Cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || strings.Contains(c.Value, "token") || len(c.Value) < 40 {
		t.Errorf("cookie %v", c)
	}
	r, body := call(t, "GET", h.URL+"/", "", "Cookie", c.Name+"="+c.Value)
	if r.StatusCode != http.StatusOK || !strings.Contains(body, "page.js") {
		t.Errorf("the page: %s", r.Status)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
	} {
		if r.Header.Get(name) != want {
			t.Errorf("%s: %q", name, r.Header.Get(name))
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows what is unsafe")
	}
}

func TestOnlyOurOriginAndName(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, func(o *Options) { o.Names = []string{"web3.example"} })
	port := h.URL[strings.LastIndex(h.URL, ":"):]
	for _, c := range []struct {
		about, method, path string
		headers             []string
		want                int
	}{
		{"a program", "GET", "/api/review", nil, 200},
		{"our page", "GET", "/api/review", []string{"Origin", h.URL, "Sec-Fetch-Site", "same-origin"}, 200},
		{"a name server that lies", "GET", "/api/review", []string{"Host", "evil.example" + port}, 421},
		{"by localhost", "GET", "/api/review", []string{"Host", "LOCALHOST:8080"}, 200},
		{"by its name", "GET", "/api/review", []string{"Host", "web3.example" + port}, 200},
		{"another origin", "GET", "/api/review", []string{"Origin", "https://evil.example"}, 403},
		{"another port of this machine", "GET", "/api/review", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"no origin at all", "GET", "/api/review", []string{"Origin", "null"}, 403},
		{"an image on another page", "GET", "/api/review", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"another port, same site", "GET", "/page.js", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a link", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"a link to data", "GET", "/api/review", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"a change", "POST", "/api/block", []string{"Origin", h.URL, pageHeader, "1"}, 200},
		{"a change without origin", "POST", "/api/block", []string{pageHeader, "1"}, 403},
		{"a change of another origin", "POST", "/api/block", []string{"Origin", "https://evil.example", pageHeader, "1"}, 403},
		{"a change without the header", "POST", "/api/block", []string{"Origin", h.URL}, 403},
		{"a form", "POST", "/api/block", []string{"Origin", h.URL, pageHeader, "1", "Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"another method", "DELETE", "/api/block", []string{"Origin", h.URL, pageHeader, "1"}, 405},
	} {
		headers := append([]string{"Authorization", bearer, "Content-Type", "application/json"}, c.headers...)
		if r, body := call(t, c.method, h.URL+c.path, `{"target":"192.0.2.1","dry_run":true}`, headers...); r.StatusCode != c.want {
			t.Errorf("%s: %s, want %d: %s", c.about, r.Status, c.want, body)
		}
	}
}

func TestPassword(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, func(o *Options) {
		o.Token, o.Password, o.Clock = "", "correct horse battery", func() time.Time { return noon }
	})
	form := []string{"Origin", h.URL, "Content-Type", "application/x-www-form-urlencoded"}
	if r, body := call(t, "GET", h.URL+"/", "", "Accept", "text/html"); r.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `type="password"`) {
		t.Errorf("the door: %s %s", r.Status, body)
	}
	if r, _ := call(t, "POST", h.URL+"/login", "password=wrong", form...); r.StatusCode != http.StatusUnauthorized || len(r.Cookies) > 0 {
		t.Errorf("the wrong password: %s", r.Status)
	}
	if r, _ := call(t, "POST", h.URL+"/login", "password=correct+horse+battery", "Origin", "http://evil.example", "Content-Type", form[3]); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another origin: %s", r.Status)
	}
	r, _ := call(t, "POST", h.URL+"/login", "password=correct+horse+battery", form...)
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies) != 1 {
		t.Fatalf("the password: %s", r.Status)
	}
	c := r.Cookies[0]
	if r, _ := call(t, "GET", h.URL+"/api/review", "", "Cookie", c.Name+"="+c.Value); r.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %s", r.Status)
	}
	for range 10 {
		r, _ = call(t, "POST", h.URL+"/login", "password=guess", form...)
	}
	if r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after many guesses: %s", r.Status)
	}
}

func TestSocketNeedsNoToken(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, func(o *Options) { o.Token = "" })
	if r, _ := call(t, "GET", h.URL+"/api/review", ""); r.StatusCode != http.StatusOK {
		t.Error(r.Status)
	}
}

func TestMetricsOnTheirOwn(t *testing.T) {
	_, s := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeMetrics(ctx, l) }()
	for path, want := range map[string]int{"/metrics": 200, "/api/review": 404, "/": 404} {
		if r, body := call(t, "GET", "http://"+l.Addr().String()+path, "", "Host", "web3.example:9100"); r.StatusCode != want || strings.Contains(body, "10.0.0.0") {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDocuments(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(500)}, nil)
	for path, want := range map[string]string{
		"/api/review": `"schema":"connwarden.review/1"`, "/api/conns": `"schema":"connwarden.conns/1"`, "/api/pages?by=path": `"schema":"connwarden.pages/1"`, "/api/errors": `"schema":"connwarden.errors/1"`,
		"/api/rules": `"schema":"connwarden.rules/1"`, "/api/blocks": `"schema":"connwarden.blocks/1"`, "/api/allowed": `"schema":"connwarden.allowed/1"`, "/api/ip/10.0.0.1": `"target":"10.0.0.1","peers":[{`,
		"/api/ip/10.0.0.0/8": `"target":"10.0.0.0/8"`, "/api/ip/::ffff:10.0.0.1": `"target":"10.0.0.1"`, "/api/timeline/10.0.0.0": `"step":60`, "/api/networks?by=asn": `"key":"AS64500"`,
		"/api/networks": `"key":"DE"`, "/api/update": `"peers":500`, "/api/peers?q=as64507": `"matched":10`, "/metrics": `connwarden_peers{verdict="malicious"} 3`,
	} {
		if r, body := call(t, "GET", h.URL+path, "", "Authorization", bearer); r.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %s, without %s: %.300s", path, r.Status, want, body)
		}
	}
	for path, want := range map[string]int{
		"/api/review?since=99y": 400, "/api/events?since=99y": 400, "/api/pages?by=nonsense": 400, "/api/ip/nobody": 400, "/api/ip/fe80::1%25eth0": 400, "/nothing": 404,
	} {
		if r, body := call(t, "GET", h.URL+path, "", "Authorization", bearer); r.StatusCode != want {
			t.Errorf("%s: %s, want %d: %s", path, r.Status, want, body)
		}
	}
}

func TestPeersFilteredAndSorted(t *testing.T) {
	n := &snapshot{review: manyPeers(50_000), number: 1}
	n.search = sync.OnceValue(func() []string { return texts(n.review.Peers) })
	for _, c := range []struct {
		about   string
		q       peersQuery
		matched int
		first   string
	}{
		{"as reviewed", peersQuery{limit: 2}, 50_000, "10.0.0.0"},
		{"from an offset", peersQuery{offset: 49_999, limit: 10}, 50_000, "10.0.195.79"},
		{"one address", peersQuery{filter: "10.0.195.79", limit: 10}, 1, "10.0.195.79"},
		{"words all hold", peersQuery{filter: "NL as64501", limit: 10}, 333, "10.0.0.1"},
		{"a rule", peersQuery{filter: "ssh-brute", limit: 10}, 3, "10.0.0.0"},
		{"a verdict", peersQuery{verdict: "malicious", limit: 10}, 3, "10.0.0.0"},
		{"most bytes", peersQuery{sort: "bytes", limit: 1}, 50_000, "10.0.195.79"},
		{"fewest requests", peersQuery{sort: "requests", ascending: true, limit: 1}, 50_000, "10.0.195.79"},
		{"nobody", peersQuery{filter: "nobody", limit: 1}, 0, ""},
		{"an offset behind the end", peersQuery{offset: 1 << 40, limit: 1}, 50_000, ""},
		{"an offset before the start", peersQuery{offset: -5, limit: 1}, 50_000, "10.0.0.0"},
	} {
		got := n.peers(c.q)
		first := ""
		if len(got.Rows) > 0 {
			first = got.Rows[0].Addr
		}
		if c.about == "words all hold" {
			first, c.matched = c.first, got.Matched
			for _, p := range got.Rows {
				if p.Network.ASN != 64501 || p.Network.Country != "NL" {
					t.Errorf("%s: %s of AS%d, %s", c.about, p.Addr, p.Network.ASN, p.Network.Country)
				}
			}
		}
		if got.Matched != c.matched || first != c.first || got.Total != 50_000 {
			t.Errorf("%s: %d with %q first, want %d with %q", c.about, got.Matched, first, c.matched, c.first)
		}
	}
	if got := n.peers(peersQuery{limit: 1 << 30}); len(got.Rows) != maxRows || len(got.Rows[0].Evidence[0].Samples) != 0 {
		t.Errorf("%d rows, with lines", len(got.Rows))
	}
	if len(n.review.Peers[0].Evidence[0].Samples) == 0 {
		t.Error("the review itself lost its lines")
	}
}

func BenchmarkPeersFilter(b *testing.B) {
	n := &snapshot{review: manyPeers(50_000), number: 1}
	n.search = sync.OnceValue(func() []string { return texts(n.review.Peers) })
	b.ReportAllocs()
	for b.Loop() {
		n.peers(peersQuery{filter: "nl net", sort: "bytes", limit: 60})
	}
}

func TestOneReviewForAll(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(3), hold: make(chan struct{})}
	h, s := serve(t, desk, func(o *Options) { o.Clock = func() time.Time { return noon } })
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { call(t, "GET", h.URL+"/api/review", "", "Authorization", bearer) })
	}
	f := s.feed("")
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C { // until one of them is under way
		f.mu.Lock()
		flying := f.flight != nil
		f.mu.Unlock()
		if flying {
			tick.Stop()
			break
		}
	}
	close(desk.hold)
	all.Wait()
	if n := desk.reviews.Load(); n != 1 {
		t.Errorf("%d reviews for ten who asked", n)
	}
}

func TestEvents(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(300)}
	h, s := serve(t, desk, nil)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", h.URL+"/api/events", nil)
	r.Header.Set("Authorization", bearer)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Error(resp.Header)
	}
	in := bufio.NewReader(resp.Body)
	next := func() (name, data string) {
		for data == "" {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := strings.CutPrefix(line, "event: "); ok {
				name = strings.TrimSpace(s)
			}
			data, _ = strings.CutPrefix(line, "data: ")
			if !strings.HasPrefix(line, "data: ") {
				data = ""
			}
		}
		return name, data
	}
	name, data := next()
	var u Update
	if err := json.Unmarshal([]byte(data), &u); err != nil || name != "review" {
		t.Fatalf("%s: %v", name, err)
	}
	if u.Peers != 300 || len(u.Review.Peers) != updateRows || u.Verdicts["malicious"] != 3 || u.Timeline == nil || u.Timeline.Total("malicious") != 45 {
		t.Errorf("update with %d of %d peers, %v, %v", len(u.Review.Peers), u.Peers, u.Verdicts, u.Timeline)
	}
	// What changes comes by itself, and so does a failure.
	desk.mu.Lock()
	desk.review = manyPeers(7)
	desk.mu.Unlock()
	for u.Peers != 7 {
		_, data = next()
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			t.Fatal(err)
		}
	}
	desk.mu.Lock()
	desk.err = errors.New("the disk is gone")
	desk.mu.Unlock()
	for name != "problem" {
		name, data = next()
	}
	if !strings.Contains(data, "the disk is gone") {
		t.Error(data)
	}
	// A feed that nobody follows rests.
	leave()
	f := s.feed("")
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		f.mu.Lock()
		alive := f.alive
		f.mu.Unlock()
		if !alive {
			tick.Stop()
			break
		}
	}
}

func TestActs(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	for _, c := range []struct {
		path, body string
		code       int
		want       string
	}{
		{"block", `{"target":"203.0.113.7","for":"1h","dry_run":true}`, 200, `"lines":["add 203.0.113.7 for 1h`},
		{"block", `{"target":"203.0.113.7","for":"1h","why":"noise"}`, 200, `"change":1`},
		{"undo", `{"change":1}`, 200, `"lifted":[{"target":"203.0.113.7/32"`},
		{"undo", `{"change":1}`, 404, "not found"},
		{"block", `{"target":"127.0.0.1"}`, 200, `"why":"it is where you are looking from"`},
		{"block", `{"target":"127.0.0.0/8"}`, 200, `"why":"it is where you are looking from"`},
		{"block", `{"target":"; rm -rf /"}`, 400, "is no address"},
		{"block", `{"target":"203.0.113.7","force":true}`, 400, "unknown field"},
		{"block", `{"target":"203.0.113.7","why":"` + strings.Repeat("x", maxBody) + `"}`, 400, "too large"},
		{"unblock", `{"target":"203.0.113.7"}`, 501, "not supported"},
		{"allow", `{"target":"203.0.113.7"}`, 500, "the journal is full"},
		{"disallow", `{"target":"203.0.113.7"}`, 403, ""},
	} {
		r, body := call(t, "POST", h.URL+"/api/"+c.path, c.body, "Authorization", bearer, "Origin", h.URL, pageHeader, "1", "Content-Type", "application/json")
		if r.StatusCode != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %.80s: %s, want %d and %s: %.300s", c.path, c.body, r.Status, c.code, c.want, body)
		}
	}
}

func TestJSONIsNoMarkup(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	r, body := call(t, "GET", h.URL+"/api/review", "", "Authorization", bearer)
	if strings.Contains(body, "<") || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Error("an old browser could take this for a page")
	}
}

// TestStaticIsFresh tells when the sources of the page were changed and not built: cd web/ui && npm ci && npm run build.
func TestStaticIsFresh(t *testing.T) {
	names := []string{"../paper/look.css", "index.html", "package-lock.json", "package.json", "svelte.config.js", "vite.config.js"}
	for _, dir := range []string{"public", "src"} {
		entries, err := os.ReadDir(filepath.Join("ui", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, dir+"/"+e.Name())
		}
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("ui", name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s\x00%s\x00", name, b)
	}
	want, err := os.ReadFile("static/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Error("web/static is older than web/ui: cd web/ui && npm ci && npm run build")
	}
}

// FuzzRequests wants that no request brings the server down or gets an answer without the token.
func FuzzRequests(f *testing.F) {
	s := New(Options{Desk: &fakeDesk{review: manyPeers(3)}, Token: Secret(), Pause: time.Hour})
	f.Cleanup(s.Close)
	f.Add("GET", "/api/ip/1.2.3.4", "localhost", "connwarden=x", "")
	f.Add("POST", "/api/block", "127.0.0.1:1", "", `{"target":"1.2.3.4"}`)
	f.Fuzz(func(t *testing.T, method, path, host, cookie, body string) {
		r, err := http.NewRequest(method, "http://x/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.Host, r.RemoteAddr = path, host, "192.0.2.1:1"
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Origin", "http://"+host)
		r.Header.Set(pageHeader, "1")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code < 400 && path != styleName && path != "/login" && w.Code != http.StatusMovedPermanently && w.Code != http.StatusTemporaryRedirect {
			t.Errorf("%s %q as %q was answered with %d", method, path, host, w.Code)
		}
	})
}
