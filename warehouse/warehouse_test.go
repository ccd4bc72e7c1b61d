package warehouse

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/report"
)

// server stands for a ClickHouse, as far as inserts and the making of tables go: it answers in the words of versions 18 and 24.
type server struct {
	ways   []func(query string) (int, string) // of the next answers; then all is well
	tables bool                               // they are there
	asked  []string
	rows   map[string][]string // what was taken, by statement
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	statement := r.URL.Query().Get("query")
	if statement == "" {
		statement, body = string(body), nil
	}
	s.asked = append(s.asked, r.URL.Query().Get("database")+": "+strings.Join(strings.Fields(statement), " "))
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	if r.Header.Get("X-ClickHouse-User") != "ann" || r.Header.Get("X-ClickHouse-Key") != "hunter2" {
		return answer(403, "Code: 516. DB::Exception: ann: Authentication failed")
	}
	if len(s.ways) > 0 {
		way := s.ways[0]
		s.ways = s.ways[1:]
		status, text := way(statement)
		if status == 0 {
			return nil, errors.New(text)
		}
		return answer(status, text)
	}
	if strings.HasPrefix(statement, "CREATE TABLE") {
		s.tables = true
	}
	if body == nil {
		return answer(200, "")
	}
	if !s.tables {
		return answer(404, "Code: 60, e.displayText() = DB::Exception: Table connwarden.rates doesn't exist., e.what() = DB::Exception\n")
	}
	if r.Header.Get("Content-Encoding") != "gzip" {
		return answer(400, "Code: 27, e.displayText() = DB::Exception: Cannot parse input")
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	if s.rows == nil {
		s.rows = map[string][]string{}
	}
	for line := range strings.Lines(string(text)) {
		s.rows[statement] = append(s.rows[statement], line)
	}
	return answer(200, "")
}

// says answers with an error.
func says(status int, text string) func(string) (int, string) {
	return func(string) (int, string) { return status, text }
}

func open(t *testing.T, dir string, s *server, change func(*Options)) *Warehouse {
	t.Helper()
	opt := Options{URL: "https://ch.example:8443/?async_insert=1", User: "ann", Password: "hunter2", Host: "web1", Spool: dir, transport: s}
	if change != nil {
		change(&opt)
	}
	w, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func batch(n uint64) *Batch {
	until := noon.Add(time.Hour)
	return &Batch{
		Number: n,
		Rates:  []report.SiteMinute{{At: noon.Unix(), Site: "shop.example", Requests: 5, Bytes: 70, Class: [6]uint64{0, 0, 3, 0, 2}, Malicious: 2}},
		Sightings: []report.Sighting{{Time: noon, Peer: report.Peer{
			Addr: "192.0.2.7", Verdict: "malicious", Score: 97, Requests: 441, Network: &report.Network{Prefix: "192.0.2.0/24", ASN: 64500, Org: "Example \x1b[31mHosting", Country: "NL"},
			Bot: &report.Bot{Claim: "Googlebot", Proof: "impostor"}, Evidence: []report.Evidence{{Rule: "a", Why: "one"}, {Rule: "b", Why: "two'); DROP TABLE rates --"}},
		}}},
		Acts: []report.PastBlock{{Time: noon, Type: "block", Block: report.Block{Target: "192.0.2.7/32", Scope: "all", Drivers: []string{"nft"}, Until: &until, By: "rule", Who: "a", Why: "one"}},
			{Time: noon, Type: "unblock", Block: report.Block{Target: "192.0.2.8/32"}}},
	}
}

func TestRowsArrive(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		w := open(t, dir, s, nil)
		defer w.Close()
		if err := w.Put(batch(42)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := []string{}
		for _, statement := range []string{"rates", "verdicts", "blocks"} {
			for _, line := range s.rows["INSERT INTO "+statement+" FORMAT JSONEachRow"] {
				var row map[string]any
				if err := json.Unmarshal([]byte(line), &row); err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.TrimSpace(line))
			}
		}
		want := []string{
			`{"host":"web1","at":1795348800,"site":"shop.example","batch":42,"requests":5,"bytes":70,"status_none":0,"status_1xx":0,"status_2xx":3,"status_3xx":0,"status_4xx":2,"status_5xx":0,"malicious":2,"suspicious":0,"errors":0,"events":0,"open":0}`,
			`{"host":"web1","at":1795348800,"batch":42,"n":0,"kind":"address","subject":"192.0.2.7","verdict":"malicious","score":97,"country":"NL","asn":64500,"org":"Example \\x1b[31mHosting","requests":441,"bytes":0,"open":0,"claim":"Googlebot","proof":"impostor","exempt":"","rules":["a","b"],"why":"one; two'); DROP TABLE rates --"}`,
			`{"host":"web1","at":1795348800,"batch":42,"n":0,"act":"block","target":"192.0.2.7/32","scope":"all","drivers":["nft"],"until":1795352400,"by":"rule","who":"a","why":"one"}`,
			`{"host":"web1","at":1795348800,"batch":42,"n":1,"act":"unblock","target":"192.0.2.8/32","scope":"","drivers":[],"until":null,"by":"","who":"","why":""}`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
		if d := cmp.Diff(Stats{Sent: 3}, w.Stats()); d != "" {
			t.Errorf("stats (-want +got):\n%s", d)
		}
		first := s.asked[:3]
		if d := cmp.Diff([]string{"connwarden: INSERT INTO rates FORMAT JSONEachRow", ": CREATE DATABASE IF NOT EXISTS connwarden"}, first[:2]); d != "" {
			t.Errorf("asked (-want +got):\n%s", d)
		}
		if !strings.HasPrefix(first[2], "connwarden: CREATE TABLE IF NOT EXISTS rates ( host String,") {
			t.Errorf("asked %q", first[2])
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in the spool: %v, %v", left, err)
		}
	})
}

// TestServerAway is a server that is gone, then overloaded, then lets nobody in: all waits, in order, and arrives once it is back.
func TestServerAway(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		s := &server{tables: true, ways: []func(string) (int, string){
			says(0, "connection refused"), says(503, "busy"), says(500, "Code: 241. DB::Exception: Memory limit exceeded"), says(403, "Code: 516. DB::Exception: Authentication failed"),
			says(301, "moved"),
		}}
		w := open(t, dir, s, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&said, nil)) })
		for n := range 4 {
			if err := w.Put(&Batch{Number: uint64(n + 9), Rates: batch(1).Rates}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st := w.Stats(); st.Files != 4 || st.Sent != 0 || !strings.HasSuffix(st.Problem, "connection refused") {
			t.Errorf("while it is away: %+v", st)
		}
		<-time.After(firstRest * (1 + 2 + 4 + 8 + 16)) // of the synthetic clock
		synctest.Wait()
		if st := w.Stats(); st.Files != 0 || st.Sent != 4 || st.Problem != "" || st.Bytes != 0 {
			t.Errorf("once it is back: %+v", st)
		}
		var numbers []float64
		for _, line := range s.rows["INSERT INTO rates FORMAT JSONEachRow"] {
			var row map[string]any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, row["batch"].(float64))
		}
		if !slices.Equal(numbers, []float64{9, 10, 11, 12}) {
			t.Errorf("arrived as %v", numbers)
		}
		w.Close()
		if n := strings.Count(said.String(), "\n"); n != 2 || strings.Contains(said.String(), "hunter2") || strings.Contains(said.String(), "async_insert") {
			t.Errorf("the log has:\n%s", said.String())
		}
	})
}

// TestNextProcess is a process that ends while the server is away: the next one sends what it left, and what was half-written goes.
func TestNextProcess(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{tables: true, ways: []func(string) (int, string){says(0, "refused")}}
		w := open(t, dir, s, nil)
		if err := w.Put(batch(7)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.Close()
		for _, name := range []string{"00000000000000000008.rates.gz.new", "notes.txt", "8.rates.gz", "00000000000000000008.peers.gz", "00000000000000000001.rates.gz.refused"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w = open(t, dir, s, nil)
		defer w.Close()
		synctest.Wait()
		if st := w.Stats(); st.Sent != 3 || st.Files != 0 || st.Bytes != 0 {
			t.Errorf("%+v", st)
		}
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(left) != 4 {
			t.Errorf("left in the spool: %v, %v", left, err)
		}
	})
}

// TestPoison is a batch that the server cannot read: it is put aside, and the next ones arrive.
func TestPoison(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{tables: true}
		for range mostAside + 2 {
			s.ways = append(s.ways, says(400, "Code: 117. DB::Exception: Unknown field found while parsing JSONEachRow format"))
		}
		w := open(t, dir, s, nil)
		defer w.Close()
		for n := range mostAside + 3 {
			if err := w.Put(&Batch{Number: uint64(n), Rates: batch(1).Rates}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st := w.Stats(); st.Refused != mostAside+2 || st.Sent != 1 || st.Files != 0 || st.Bytes != 0 {
			t.Errorf("%+v", st)
		}
		if kept, err := filepath.Glob(filepath.Join(dir, "*"+aside)); err != nil || len(kept) != mostAside {
			t.Errorf("%d are kept, %v; want %d", len(kept), err, mostAside)
		}
	})
}

// TestBound is a server that never comes back: the spool stays within its bound, and what goes is the oldest, and counted.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		for range 1000 {
			s.ways = append(s.ways, says(0, "refused"))
		}
		const bound = 2000
		w := open(t, dir, s, func(o *Options) { o.Bound = bound })
		defer w.Close()
		for n := range 50 {
			if err := w.Put(&Batch{Number: uint64(n), Rates: batch(1).Rates}); err != nil {
				t.Fatal(err)
			}
		}
		st := w.Stats()
		files, err := filepath.Glob(filepath.Join(dir, "*"+ending))
		if err != nil || len(files) != st.Files || st.Bytes > bound || st.Bytes < bound/2 || st.Dropped+uint64(st.Files) != 50 {
			t.Errorf("%d files, %v; %+v", len(files), err, st)
		}
		if last := fmt.Sprintf("%020d.rates.gz", 49); filepath.Base(files[len(files)-1]) != last {
			t.Errorf("the last is %s, want %s", files[len(files)-1], last)
		}
	})
}

// TestAgain is a batch that is put in twice: its rows are sent with the same key, and while it waits it is there once.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{tables: true, ways: []func(string) (int, string){says(0, "refused")}}
		w := open(t, dir, s, nil)
		defer w.Close()
		for range 2 {
			if err := w.Put(&Batch{Number: 7, Rates: batch(1).Rates}); err != nil {
				t.Fatal(err)
			}
		}
		if st := w.Stats(); st.Files != 1 {
			t.Errorf("%+v", st)
		}
		<-time.After(firstRest) // of the synthetic clock
		synctest.Wait()
		if st := w.Stats(); st.Files != 0 || st.Bytes != 0 || len(s.rows) != 1 {
			t.Errorf("%+v; %d", st, len(s.rows))
		}
	})
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ url, database, want string }{
		{"ch.example:8443", "", "the address is none"},
		{"ftp://ch.example/", "", "the address is none"},
		{"https://ann:hunter2@ch.example/", "", "the address is none"},
		{"https://ch.example/", "x; DROP", `database "x; DROP": write letters`},
		{"https://ch.example/", "1x", "write letters"},
	} {
		_, err := Open(Options{URL: c.url, Database: c.database, Spool: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %s: %v; want %q", c.url, c.database, err, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{URL: "https://ch.example/", Spool: file}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"Code: 60, e.displayText()", "Code: 81. DB::Exception", "Code: ", "Code: 99999999999", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, said string) {
		if n := codeOf(said); n < 0 || n > 99999 || n > 0 && !strings.HasPrefix(said, "Code: ") {
			t.Errorf("%q: %d", said, n)
		}
	})
}
