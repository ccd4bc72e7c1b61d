package update

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connwarden/connwarden/geo"
)

// today is the day of the tests.
var today = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// TestMain makes the certificate of test servers one that is trusted, as a user would: by naming it in SSL_CERT_FILE.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	dir, err := os.MkdirTemp("", "connwarden-update-test-")
	if err != nil {
		panic(err)
	}
	name := filepath.Join(dir, "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(name, text, 0o600); err != nil {
		panic(err)
	}
	server.Close()
	os.Setenv("SSL_CERT_FILE", name)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// answers is a server that says something else for each path.
type answers map[string]http.HandlerFunc

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if answer := a[r.URL.Path]; answer != nil {
		answer(w, r)
		return
	}
	http.NotFound(w, r)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", today.Add(-time.Hour).Format(http.TimeFormat))
		fmt.Fprint(w, text)
	}
}

// cutOff promises more than it sends.
func cutOff(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)+1))
		fmt.Fprint(w, text)
	}
}

// breaksOff closes the connection in the middle of an answer of unknown length.
func breaksOff(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, text)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// stalls sends something and then nothing until the client has gone.
func stalls(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, text)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func fails(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "out of order", http.StatusServiceUnavailable)
}

func leadsTo(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
}

func repeats(text string, times int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for range times {
			if _, err := fmt.Fprint(w, text); err != nil {
				return
			}
		}
	}
}

func options(dir string, sources ...Source) Options {
	return Options{Dir: dir, Sources: sources, Agent: "connwarden/test", Clock: func() time.Time { return today }}
}

func secure(t *testing.T, a answers) string {
	t.Helper()
	s := httptest.NewTLSServer(a)
	t.Cleanup(s.Close)
	return s.URL
}

func plain(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// files are all files below a folder with their contents; what is left behind by an update shows here.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	crawlers = `{"creationTime":"2026-11-20T10:00:00","prefixes":[{"ipv4Prefix":"66.249.64.0/27"},{"ipv4Prefix":"66.249.66.0/27"},
		{"ipv4Prefix":"66.249.68.0/27"},{"ipv6Prefix":"2001:4860:4801:10::/64"}]}`
	inFolder = "66.249.64.0/27\n66.249.66.0/27\n66.249.68.0/27\n2001:4860:4801:10::/64\n"
)

func TestRanges(t *testing.T) {
	const before = "# taken 2026-11-01T00:00:00Z from https://example.com/\n66.249.64.0/27\n66.249.66.0/27\n66.249.68.0/27\n66.249.70.0/27\n66.249.72.0/27\n"
	endless := plain(t, answers{"/list": says(crawlers)})
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		state  State
		says   string
	}{
		{"JSON", says(crawlers), Updated, ""},
		{"text", says("# our crawlers\n66.249.64.0/27, 66.249.66.0/27\r\n66.249.68.0/27\n2001:4860:4801:10::/64"), Updated, ""},
		{"the same", says("66.249.64.0/27\n66.249.66.0/27\n66.249.68.0/27\n66.249.70.0/27\n66.249.72.0/27\n"), Unchanged, ""},
		{"cut off", cutOff(crawlers), Failed, "unexpected EOF"},
		{"broken off", breaksOff(inFolder), Failed, "unexpected EOF"},
		{"cut off JSON", says(crawlers[:len(crawlers)-20]), Failed, "read JSON"},
		{"a page", says("<!DOCTYPE html><html><body>Please log in</body></html>"), Failed, "neither an address nor a prefix"},
		{"nothing", says(""), Failed, "no prefix and no address"},
		{"JSON without addresses", says(`{"error":"rate limit"}`), Failed, "no prefix and no address"},
		{"a prefix that is none", says(`{"prefixes":[{"ipv4Prefix":"66.249.64.0/27"},{"ipv4Prefix":"66.249.66.0/99"}]}`), Failed, `"66.249.66.0/99" in member "ipv4Prefix"`},
		{"shrunken", says("66.249.64.0/27\n66.249.66.0/27\n"), Failed, "at least 3"},
		{"private", says(inFolder + "192.168.0.0/16\n"), Failed, "192.168.0.0/16, which belongs to nobody"},
		{"loopback", says(inFolder + "::1\n"), Failed, "belongs to nobody"},
		{"everything", says(inFolder + "8.0.0.0/7\n"), Failed, "far too wide"},
		{"half of IPv6", says(inFolder + "2a00::/12\n"), Failed, "far too wide"},
		{"too large", repeats(strings.Repeat("# nothing but comments\n", 1000), 1000), Failed, "larger than anything"},
		{"slow", stalls("66.249.64.0/27\n"), Failed, "not done within 300ms"},
		{"never answered", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Failed, "not done within 300ms"},
		{"out of order", fails, Failed, "503"},
		{"gone", http.NotFound, Failed, "404"},
		{"led elsewhere", leadsTo("/moved"), Updated, ""},
		{"led astray", leadsTo(endless + "/list"), Failed, "is not encrypted"},
		{"led in circles", leadsTo("/list"), Failed, "leads on and on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "ranges/googlebot.txt", before)
			url := secure(t, answers{"/list": c.answer, "/moved": says(crawlers)}) + "/list"
			o := options(dir, Source{"googlebot", []string{url}, 3})
			if strings.Contains(c.says, "300ms") {
				o.Timeout = 300 * time.Millisecond
			}
			got := Run(t.Context(), o)[0]
			if got.State != c.state || c.says == "" && got.Err != nil || c.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.says)) {
				t.Fatalf("%+v; want %s, %q", got, c.state, c.says)
			}
			_, list, _ := strings.Cut(before, "\n")
			want := map[string]string{"ranges/googlebot.txt": before}
			entries, date := 5, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			if c.state != Failed {
				date = today
				if c.state == Updated {
					list, entries = inFolder, 4
				}
				want["ranges/googlebot.txt"] = "# taken 2026-11-22T14:00:00Z from " + url + "\n" + list
			}
			if f := files(t, dir); !mapsEqual(f, want) {
				t.Errorf("the folder has %q, want %q", f, want)
			}
			if got.Source != "googlebot" || got.File != "ranges/googlebot.txt" || got.From != url || got.Before != 5 || got.Entries != entries || !got.Date.Equal(date) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func mapsEqual(a, b map[string]string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(keys(a), func(k string) bool { return a[k] != b[k] })
}

func keys(m map[string]string) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

// TestRangesOfParts wants all parts, or nothing.
func TestRangesOfParts(t *testing.T) {
	url := secure(t, answers{"/v4": says("8.8.8.0/24\n"), "/v6": says(`["2001:4860::1"]`), "/meta": says(`{"hooks":["9.9.9.0/24"],"actions":["10.0.0.0/8"]}`), "/broken": fails})
	for _, c := range []struct {
		name, want string
		urls       []string
	}{
		{"two", "8.8.8.0/24\n2001:4860::1/128\n", []string{url + "/v4", url + "/v6"}},
		{"a member", "8.8.8.0/24\n9.9.9.0/24\n", []string{url + "/meta#hooks", url + "/v4"}},
		{"one fails", "", []string{url + "/v4", url + "/broken"}},
		{"no such member", "", []string{url + "/meta#web"}},
		{"no URL", "", []string{"https://exa mple.com/"}},
		{"a file", "", []string{"file:///etc/hosts"}},
		{"a name", "", []string{"/etc/hosts"}},
		{"without encryption", "", []string{plain(t, answers{"/v4": says("8.8.8.0/24\n")}) + "/v4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			got := Run(t.Context(), options(dir, Source{"x", c.urls, 1}))[0]
			_, list, _ := strings.Cut(files(t, dir)["ranges/x.txt"], "\n")
			if list != c.want || (got.State == Failed) != (c.want == "") {
				t.Errorf("%q; %+v", list, got)
			}
		})
	}
}

func TestNetworksOfCSV(t *testing.T) {
	big4, big6 := bigCSV(4), bigCSV(6)
	small := says("2.0.0.0,2.0.0.255,1,One\n")
	country := "2.0.0.0,2.255.255.255,US\n"
	for _, c := range []struct {
		name          string
		v4, v6, other http.HandlerFunc
		state         State
		says          string
	}{
		{"good", says(big4), says(big6), says(country), Updated, ""},
		{"cut off", cutOff("2.0.0.0,2.0.0.255,1,One\n"), small, says(country), Failed, "unexpected EOF"},
		{"broken off", small, breaksOff("2.0.0.0,2.0.0.255,1,One\n"), says(country), Failed, "unexpected EOF"},
		{"cut off in a line", says("2.0.0.0,2.0.0.255,1,One\n2.0.1.0,2.0.1."), small, says(country), Failed, "wrong number of fields"},
		{"cut off behind a line", says(big4[:strings.LastIndex(big4[:len(big4)/3], "\n")+1]), says(big6), says(country), Failed, "less than half"},
		{"one family", says(big4), small, says(country), Failed, "less than half"},
		{"a page", says("<!DOCTYPE html>\n"), small, says(country), Failed, "columns"},
		{"slow", small, small, stalls(country), Failed, "not done within"},
		{"out of order", small, fails, says(country), Failed, "503"},
		{"led astray", leadsTo("http://127.0.0.1:1/"), small, says(country), Failed, "is not encrypted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			url := secure(t, answers{"/v4.csv": c.v4, "/v6.csv": c.v6, "/country.csv": c.other})
			o := options(dir, Source{Name: Networks, URLs: []string{url + "/v4.csv", url + "/v6.csv", url + "/country.csv"}})
			if c.name == "slow" {
				o.Timeout = 300 * time.Millisecond
			}
			got := Run(t.Context(), o)[0]
			if got.State != c.state || c.says == "" && got.Err != nil || c.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.says)) {
				t.Fatalf("%+v; want %s, %q", got, c.state, c.says)
			}
			if c.state == Failed {
				if f := files(t, dir); len(f) != 0 || got.Entries != got.Before || !got.Date.Equal(geo.Shipped().Date()) {
					t.Errorf("the folder has %d files; %+v", len(f), got)
				}
				return
			}
			if names := keys(files(t, dir)); !slices.Equal(names, []string{geo.File}) {
				t.Errorf("the folder has %q", names)
			}
			table, err := geo.Load(dir)
			if n, _ := table.Lookup(netip.MustParseAddr("2.0.0.1")); err != nil || n.Org != "One" || n.Country != "US" {
				t.Errorf("2.0.0.1 is %+v, %v", n, err)
			}
			if !table.Date().Equal(today.Add(-time.Hour)) || !got.Date.Equal(table.Date()) || got.Bytes != int64(len(big4)+len(big6)+len(country)) {
				t.Errorf("of %v; %+v", table.Date(), got)
			}
			if again := Run(t.Context(), o)[0]; again.State != Unchanged || again.Err != nil {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// bigCSV makes a file with more than half of the rows that the shipped table has.
var bigCSV = func() func(int) string {
	var made [2]string
	once := sync.OnceFunc(func() {
		var b strings.Builder
		for i := range 320_000 {
			a := netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 0})
			fmt.Fprintf(&b, "%v,%v,%d,%s\n", a, netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 255}), 1+i%2, []string{"One", "Two"}[i%2])
		}
		made[0] = b.String()
		b.Reset()
		for i := range 100_000 {
			p := fmt.Sprintf("2a%02x:%x:", i>>16, i&0xffff)
			fmt.Fprintf(&b, "%s:,%sffff:ffff:ffff:ffff:ffff:ffff,%d,%s\n", p, p, 1+i%2, []string{"One", "Two"}[i%2])
		}
		made[1] = b.String()
	})
	return func(family int) string {
		once()
		return made[family/6]
	}
}()

// TestUnwritable wants the reason, and nothing left behind, where the state folder cannot be written.
func TestUnwritable(t *testing.T) {
	url := secure(t, answers{"/list": says(crawlers)}) + "/list"
	s := Source{"googlebot", []string{url}, 3}
	dir := t.TempDir()
	put(t, dir, "ranges", "a file where a folder must be")
	if got := Run(t.Context(), options(dir, s))[0]; got.State != Failed || !strings.Contains(got.Err.Error(), "write ranges/googlebot.txt") {
		t.Errorf("a file in the way: %+v", got)
	}
	dir = t.TempDir()
	put(t, dir, "ranges/googlebot.txt/keep", "a folder where the file must be")
	if got := Run(t.Context(), options(dir, s))[0]; got.State != Failed {
		t.Errorf("a folder in the way: %+v", got)
	}
	if f := files(t, dir); len(f) != 1 {
		t.Errorf("left behind: %q", keys(f))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := secure(t, answers{"/list": func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}}) + "/list"
	got := Run(ctx, options(t.TempDir(), Source{"googlebot", []string{url}, 3}))[0]
	if got.State != Failed || !strings.Contains(got.Err.Error(), "cancel") {
		t.Errorf("%+v", got)
	}
}

// TestUntrusted wants a server whose certificate nobody vouches for to be refused.
func TestUntrusted(t *testing.T) {
	url := strings.Replace(secure(t, answers{"/list": says(crawlers)}), "127.0.0.1", "localhost", 1) + "/list"
	got := Run(t.Context(), options(t.TempDir(), Source{"googlebot", []string{url}, 3}))[0]
	if got.State != Failed || !strings.Contains(got.Err.Error(), "certificate") {
		t.Errorf("%+v", got)
	}
}

// TestSources wants every source to be whole and to be asked safely.
func TestSources(t *testing.T) {
	seen := map[string]bool{}
	for i, s := range Sources() {
		if seen[s.Name] || (s.Name == Networks) != (i == 0) || len(s.URLs) == 0 || s.Name != Networks && s.Least < 2 || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
		for _, p := range (&run{}).parts(s) {
			if p.url == nil || p.url.Scheme != "https" || newClient("").safe(p.url) != nil {
				t.Errorf("%s: %v is not safe", s.Name, p)
			}
		}
	}
}
