package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clockAt is a clock that stands until it is moved.
type clockAt struct{ t time.Time }

func (c *clockAt) now() time.Time { return c.t }

func accused(addr string, at time.Time, score int) report.Sighting {
	return report.Sighting{Time: at, Peer: report.Peer{
		Addr: addr, Verdict: "malicious", Score: score, Requests: 441, Status: map[string]uint64{"4xx": 441}, Next: []string{},
		Evidence: []report.Evidence{{Rule: "wordpress-login", Why: "441 failed logins", Score: score, Count: 441, Window: 300, Samples: []report.Sample{{File: "access.log", Text: "POST /wp-login.php"}}}},
	}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBookTellsWhatWasWritten(t *testing.T) {
	dir, clock := t.TempDir(), &clockAt{noon}
	b := New(dir, 0, clock.now)
	defer b.Close()
	must(t, b.Record(t.Context(), &Batch{
		Number: 7, Left: 3,
		Rates: []report.SiteMinute{
			{At: noon.Unix(), Open: 40},
			{At: noon.Unix(), Site: "shop.example", Requests: 100, Bytes: 5000, Class: [6]uint64{0, 0, 60, 0, 40}, Malicious: 30, Errors: 2},
			{At: noon.Unix() + 60, Site: "shop.example", Requests: 10, Class: [6]uint64{0, 0, 10}},
		},
		Sightings: []report.Sighting{accused("192.0.2.7", noon, 97), accused("2001:db8::1", noon.Add(time.Minute), 80), {Time: noon, Peer: report.Peer{Addr: "shop.example", Kind: "site", Verdict: "suspicious", Score: 60}}},
		Acts:      []report.PastBlock{{Time: noon, Type: "block", Block: report.Block{Target: "192.0.2.0/24", Why: "noise"}}, {Time: noon.Add(time.Minute), Type: "unblock", Block: report.Block{Target: "2001:db8::/64"}}},
	}))
	// The same batch again, as after a crash, and lines of the same minute that came late.
	must(t, b.Record(t.Context(), &Batch{Number: 7, Rates: []report.SiteMinute{{At: noon.Unix(), Site: "shop.example", Requests: 100}}}))
	must(t, b.Record(t.Context(), &Batch{Number: 8, Rates: []report.SiteMinute{{At: noon.Unix(), Site: "shop.example", Requests: 5, Class: [6]uint64{0, 0, 5}}}}))

	d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(time.Hour)})
	must(t, err)
	if len(d.Rates) != 2 || d.Rates[0].Requests != 105 || d.Rates[0].Status["4xx"] != 40 || d.Rates[0].Malicious != 30 || d.Rates[0].Open != 40 || d.Rates[1].Requests != 10 || d.Step != 60 {
		t.Errorf("rates %+v, step %v", d.Rates, d.Step)
	}
	if len(d.Sites) != 1 || d.Sites[0].Site != "shop.example" || d.Sites[0].Requests != 115 {
		t.Errorf("sites %+v", d.Sites)
	}
	if len(d.Verdicts) != 3 || d.Verdicts[0].Addr != "2001:db8::1" || d.Verdicts[2].Evidence[0].Samples[0].Text != "POST /wp-login.php" || d.Unwritten != 3 {
		t.Errorf("verdicts %+v, %d unwritten", d.Verdicts, d.Unwritten)
	}
	if len(d.Blocks) != 2 || d.Blocks[1].Target != "192.0.2.0/24" || d.Begins == nil || !d.Begins.Equal(noon) || !d.Ends.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("blocks %+v, from %v to %v", d.Blocks, d.Begins, d.Ends)
	}
	for target, want := range map[string][2]int{"192.0.2.7/32": {1, 1}, "192.0.2.8/32": {0, 1}, "192.0.0.0/16": {1, 1}, "2001:db8::/32": {1, 1}, "2001:db9::/32": {0, 0}, "::/0": {1, 1}} {
		d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(time.Hour), Target: netip.MustParsePrefix(target)})
		must(t, err)
		if got := [2]int{len(d.Verdicts), len(d.Blocks)}; got != want {
			t.Errorf("%s: %v verdicts and blocks, want %v", target, got, want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, Name)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestReadWithoutHistory(t *testing.T) {
	if _, err := Read(t.Context(), t.TempDir(), Query{From: noon, Until: noon}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// TestBookStaysBounded writes minutes of an attack from ever new addresses until the smallest bound was met several times.
func TestBookStaysBounded(t *testing.T) {
	dir, clock := t.TempDir(), &clockAt{noon}
	b := New(dir, LeastBound, clock.now)
	defer b.Close()
	size := func() (sum int64) {
		list, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range list {
			info, err := e.Info()
			must(t, err)
			sum += info.Size()
		}
		return sum
	}
	long := strings.Repeat("x", 2*maxDoc)
	for m := range 40 {
		clock.t = noon.Add(time.Duration(m) * time.Minute)
		batch := &Batch{Number: uint64(m + 1)}
		for s := range 300 {
			batch.Rates = append(batch.Rates, report.SiteMinute{At: clock.t.Unix(), Site: fmt.Sprintf("%d-%d.example", m, s), Requests: uint64(s)})
		}
		for i := range MaxSightings + 200 {
			one := accused(netip.AddrFrom4([4]byte{10, byte(m), byte(i >> 8), byte(i)}).String(), clock.t, 50+i%50)
			one.Evidence[0].Samples[0].Text = long
			batch.Sightings = append(batch.Sightings, one)
		}
		must(t, b.Record(t.Context(), batch))
		if n := size(); n > LeastBound+LeastBound/16 {
			t.Fatalf("minute %d: %d bytes, the bound is %d", m, n, LeastBound)
		}
	}
	d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(time.Hour)})
	must(t, err)
	if len(d.Rates) != 40 || d.Rates[39].Requests != 300*299/2 {
		t.Errorf("%d minutes of rates, the last %+v", len(d.Rates), d.Rates[len(d.Rates)-1])
	}
	if len(d.Verdicts) == 0 || !d.Verdicts[0].Time.Equal(clock.t) || d.Unwritten != 40*200 {
		t.Errorf("%d verdicts, %d unwritten", len(d.Verdicts), d.Unwritten)
	}
	var rows int
	must(t, b.db.QueryRow("SELECT count(*) FROM rate WHERE at = ?", clock.t.Unix()).Scan(&rows))
	if rows != MaxSites+1 {
		t.Errorf("%d sites in a minute", rows)
	}
}

func TestMinutesBecomeHours(t *testing.T) {
	dir, clock := t.TempDir(), &clockAt{noon}
	b := New(dir, 0, clock.now)
	defer b.Close()
	for m := range 120 {
		must(t, b.Record(t.Context(), &Batch{Number: uint64(m + 1), Rates: []report.SiteMinute{{At: noon.Unix() + int64(m)*60, Requests: 2, Open: uint64(m)}}}))
	}
	clock.t = noon.Add(72 * time.Hour)
	must(t, b.Record(t.Context(), &Batch{Number: 1000, Rates: []report.SiteMinute{{At: clock.t.Unix(), Requests: 1}}}))
	d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(2 * time.Hour)})
	must(t, err)
	if d.Step != 3600 || len(d.Rates) != 2 || d.Rates[0].Requests != 120 || d.Rates[1].Open != 119 {
		t.Errorf("step %v, %+v", d.Step, d.Rates)
	}
}

// TestDamage damages the file in several ways; the book goes on with a new one, and what was in hand is in it.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, string){
		"no database": func(t *testing.T, file string) {
			must(t, os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600))
		},
		"overwritten": func(t *testing.T, file string) {
			b, err := os.ReadFile(file)
			must(t, err)
			for i := pageSize; i < len(b); i++ {
				b[i] = byte(i * 7)
			}
			must(t, os.WriteFile(file, b, 0o600))
		},
		"cut off": func(t *testing.T, file string) { must(t, os.Truncate(file, 2*pageSize+100)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, clock := t.TempDir(), &clockAt{noon}
			b := New(dir, 0, clock.now)
			must(t, b.Record(t.Context(), &Batch{Number: 1, Rates: []report.SiteMinute{{At: noon.Unix(), Requests: 1}}, Sightings: []report.Sighting{accused("192.0.2.7", noon, 90)}}))
			must(t, b.Close())
			damage(t, filepath.Join(dir, Name))
			b = New(dir, 0, clock.now)
			defer b.Close()
			err := b.Record(t.Context(), &Batch{Number: 2, Rates: []report.SiteMinute{{At: noon.Unix() + 60, Requests: 5}}})
			var replaced *Replaced
			if !errors.As(err, &replaced) {
				t.Fatalf("it says %v", err)
			}
			if _, err := os.Stat(replaced.Aside); err != nil {
				t.Error(err)
			}
			d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(time.Hour)})
			must(t, err)
			if len(d.Rates) != 1 || d.Rates[0].Requests != 5 {
				t.Errorf("%+v", d.Rates)
			}
			must(t, b.Record(t.Context(), &Batch{Number: 3, Rates: []report.SiteMinute{{At: noon.Unix() + 120, Requests: 5}}}))
		})
	}
}

// TestLocked holds the file in another connection: the batch is refused whole and taken later.
func TestLocked(t *testing.T) {
	dir, clock := t.TempDir(), &clockAt{noon}
	b := New(dir, 0, clock.now)
	b.wait = time.Millisecond
	defer b.Close()
	must(t, b.Record(t.Context(), &Batch{Number: 1, Rates: []report.SiteMinute{{At: noon.Unix(), Requests: 1}}}))
	other, err := sql.Open("sqlite", filepath.Join(dir, Name))
	must(t, err)
	defer other.Close()
	other.SetMaxOpenConns(1)
	_, err = other.Exec("BEGIN EXCLUSIVE")
	must(t, err)
	batch := &Batch{Number: 2, Rates: []report.SiteMinute{{At: noon.Unix() + 60, Requests: 2}}}
	if err := b.Record(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "another program holds it") {
		t.Fatalf("it says %v", err)
	}
	_, err = other.Exec("ROLLBACK")
	must(t, err)
	must(t, b.Record(t.Context(), batch))
}

func TestNewerVersionIsLeft(t *testing.T) {
	dir, clock := t.TempDir(), &clockAt{noon}
	b := New(dir, 0, clock.now)
	must(t, b.Record(t.Context(), &Batch{Number: 1}))
	_, err := b.db.Exec("PRAGMA user_version = 99")
	must(t, err)
	must(t, b.Close())
	if err := b.Record(t.Context(), &Batch{Number: 2}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("it says %v", err)
	}
	if _, err := Read(t.Context(), dir, Query{From: noon, Until: noon}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("it says %v", err)
	}
}

// TestKilled kills a process that writes one batch after the other, again and again: what is there is whole, and the next
// one goes on where it ended.
func TestKilled(t *testing.T) {
	dir := os.Getenv("HISTORY_TEST_DIR")
	if dir != "" {
		b := New(dir, 0, func() time.Time { return noon })
		var last uint64
		if err := b.Record(context.Background(), &Batch{}); err != nil {
			panic(err)
		}
		if err := b.db.QueryRow("SELECT number FROM batch").Scan(&last); err != nil {
			panic(err)
		}
		for n := last + 1; ; n++ {
			rates := []report.SiteMinute{{At: noon.Unix(), Site: "a", Requests: 1}, {At: noon.Unix(), Site: "b", Requests: 1}}
			if err := b.Record(context.Background(), &Batch{Number: n, Rates: rates, Sightings: []report.Sighting{accused("192.0.2.7", noon, 90)}}); err != nil {
				panic(err)
			}
			fmt.Println(n)
		}
	}
	dir = t.TempDir()
	told := uint64(0)
	for range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "HISTORY_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		for range 20 {
			if _, err := fmt.Fscan(out, &told); err != nil {
				t.Fatal(err)
			}
		}
		must(t, cmd.Process.Kill())
		cmd.Wait() // it was killed
	}
	d, err := Read(t.Context(), dir, Query{From: noon, Until: noon.Add(time.Minute), Rows: maxRows})
	must(t, err)
	b := New(dir, 0, func() time.Time { return noon })
	defer b.Close()
	must(t, b.Record(t.Context(), &Batch{}))
	var last uint64
	must(t, b.db.QueryRow("SELECT number FROM batch").Scan(&last))
	if last < told || d.Rates[0].Requests != 2*last || uint64(len(d.Verdicts)) != last {
		t.Errorf("the last batch is %d, %d were told; %d requests, %d verdicts", last, told, d.Rates[0].Requests, len(d.Verdicts))
	}
}

// FuzzFit holds that whatever a peer says fits, and can be read back.
func FuzzFit(f *testing.F) {
	f.Add("192.0.2.7", "why", "line", 3)
	f.Add("x", strings.Repeat("é", 5000), strings.Repeat("\x00", 5000), 100)
	f.Fuzz(func(t *testing.T, addr, why, text string, n int) {
		p := report.Peer{Addr: addr}
		for range min(max(n, 0), 20) {
			p.Evidence = append(p.Evidence, report.Evidence{Why: report.Clean(why), Samples: []report.Sample{{Text: report.Clean(text)}, {Text: report.Clean(text)}}})
		}
		doc, err := fit(&p)
		if err != nil || doc == "" {
			t.Fatalf("%q %v", doc, err)
		}
	})
}
