package cli

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// TestHistoryIsSent configures a ClickHouse as the manual says and sees what the historian hands on arrive there, as who, and its figures.
func TestHistoryIsSent(t *testing.T) {
	rows := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil || r.Header.Get("X-ClickHouse-User") != "connwarden" || r.Header.Get("X-ClickHouse-Key") != "sekrit" || r.URL.Query().Get("database") != "ours" {
			http.Error(w, "who is that?", http.StatusForbidden)
			return
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		rows <- string(text)
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	password := write("password", "sekrit\n")
	c := &command{env: testSystem()}
	c.flags.config, c.flags.top = write("config.toml", "[clickhouse]\nurl = \""+server.URL+"/\"\ndatabase = \"ours\"\nuser = \"connwarden\"\npassword_file = '"+password+"'\nhost = \"web1\"\nspool = \"2M\"\n"), -1
	p, err := c.plan()
	if err != nil {
		t.Fatal(err)
	}
	p.StateDir, p.WatchDir = dir, dir
	h := &historian{book: history.New(dir, 0, time.Now)}
	defer h.book.Close()
	if h.ship, err = c.warehouse(p); err != nil {
		t.Fatal(err)
	}
	defer h.ship.Close()
	h.tell(&live.Verdict{Head: live.Head{Type: "verdict", Time: time.Now()}, Peer: report.Peer{Addr: "192.0.2.7", Verdict: "malicious", Score: 90}})
	if err := h.Record(t.Context(), live.Batch{Number: 1, Rates: []report.SiteMinute{{At: 60, Site: "shop.example", Requests: 5}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"host":"web1","at":60,"site":"shop.example","batch":1,"requests":5,`, `"subject":"192.0.2.7","verdict":"malicious","score":90,`} {
		select {
		case got := <-rows:
			if !strings.Contains(got, want) {
				t.Errorf("arrived: %s; want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing arrives: %+v", h.ship.Stats())
		}
	}
	var m live.Metrics
	m.More = func(e *live.Exposition) { shipFigures(h.ship, e) }
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil || !strings.Contains(b.String(), `connwarden_clickhouse_files_total{result="dropped"} 0`) {
		t.Errorf("%v; no figures in\n%s", err, b.String())
	}
	for _, v := range p.values {
		if text, ok := v.Value.(string); ok && strings.Contains(text, "sekrit") {
			t.Errorf("%s shows the password", v.Key)
		}
	}
}

func TestClickHouseSettings(t *testing.T) {
	inFile := func(key string) string { return "c.toml: " + key }
	good := clickhouseFile{URL: "https://ch.example:8443/"}
	for want, change := range map[string]func(*clickhouseFile){
		"c.toml: clickhouse.url: it is no address": func(f *clickhouseFile) { f.URL = "ch.example" },
		"clickhouse.url: write user and password":  func(f *clickhouseFile) { f.URL = (&url.URL{Scheme: "https", Host: "h", User: url.User("x")}).String() },
		"clickhouse.database: \"a-b\"":             func(f *clickhouseFile) { f.Database = "a-b" },
		"clickhouse.spool: \"1K\"":                 func(f *clickhouseFile) { f.Spool = "1K" },
	} {
		f := good
		change(&f)
		if err := new(Plan).planClickHouse(&f, inFile); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	c := &command{env: testSystem()}
	for want, change := range map[string]func(*clickhouseFile){
		"read secret":          func(f *clickhouseFile) { f.PasswordFile = filepath.Join(t.TempDir(), "none") },
		"holds no certificate": func(f *clickhouseFile) { f.CAFile = "clickhouse_test.go" },
	} {
		f := good
		change(&f)
		p := &Plan{WatchDir: t.TempDir(), ClickHouse: clickhousePlan{clickhouseFile: f}}
		if _, err := c.warehouse(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
