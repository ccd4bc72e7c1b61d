package update

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/geo"
)

// table is the shipped one with another date, and if need be another byte.
func table(t *testing.T, date time.Time, change func([]byte)) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := geo.Shipped().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	text := b.Bytes()
	binary.LittleEndian.PutUint64(text[12:], uint64(date.Unix()))
	if change != nil {
		change(text)
	}
	binary.LittleEndian.PutUint32(text[8:], crc32.Checksum(text[12:], crc32.MakeTable(crc32.Castagnoli)))
	return b.String()
}

func TestMirror(t *testing.T) {
	otherName := func(b []byte) { b[bytes.Index(b, []byte("Google LLC"))] = 'g' }
	good := table(t, today.Add(-time.Hour), otherName)
	for _, c := range []struct {
		name, table string
		state       State
		says        string
	}{
		{"newer", good, Updated, ""},
		{"newer, and the same", table(t, today, nil), Unchanged, ""},
		{"older", table(t, geo.Shipped().Date().Add(-time.Hour), otherName), Unchanged, ""},
		{"of tomorrow", table(t, today.Add(48*time.Hour), otherName), Failed, "still to come"},
		{"cut off", good[:len(good)-9], Failed, "damaged"},
		{"a page", "<html>", Failed, "no table"},
		{"damaged with a right sum", table(t, today, func(b []byte) { clear(b[len(b)-200:]) }), Failed, "damaged"},
		{"absent", "", Absent, ""},
	} {
		ways := []string{"folder", "http", "https"}
		if c.state == Failed || c.state == Unchanged {
			ways = ways[1:2]
		}
		for _, way := range ways {
			t.Run(c.name+"/"+way, func(t *testing.T) {
				mirror, dir := t.TempDir(), t.TempDir()
				if c.table != "" {
					put(t, mirror, geo.File, c.table)
				}
				put(t, mirror, "ranges/googlebot.txt", "# taken 2026-11-20T10:00:00Z from https://example.com/\n"+inFolder)
				o := options(dir, Source{Name: Networks}, Source{"googlebot", nil, 3}, Source{"bingbot", nil, 3})
				switch o.From = mirror; way {
				case "http":
					o.From = plain(t, http.StripPrefix("/state/", http.FileServer(http.Dir(mirror)))) + "/state/"
				case "https":
					s := httptest.NewTLSServer(http.FileServer(http.Dir(mirror)))
					t.Cleanup(s.Close)
					o.From = s.URL
				}
				calls := 0
				o.Done = func(done, total int) {
					if calls++; done != calls || total != 3 {
						t.Errorf("done %d of %d in call %d", done, total, calls)
					}
				}
				out := Run(t.Context(), o)
				if got := out[0]; got.State != c.state || c.says == "" && got.Err != nil || c.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.says)) {
					t.Errorf("%+v; want %s, %q", got, c.state, c.says)
				}
				if got := out[1]; got.State != Updated || got.Entries != 4 || got.Date.Format(time.DateOnly) != "2026-11-20" {
					t.Errorf("googlebot: %+v", got)
				}
				if got := out[2]; got.State != Absent || got.Err != nil {
					t.Errorf("bingbot: %+v", got)
				}
				f := files(t, dir)
				if list := f["ranges/googlebot.txt"]; !strings.HasSuffix(list, inFolder) || !strings.HasPrefix(list, "# taken 2026-11-20T10:00:00Z from "+strings.TrimSuffix(o.From, "/")) {
					t.Errorf("googlebot: %q", list)
				}
				if stored := f[geo.File]; stored != "" != (c.state == Updated) || c.state == Updated && stored != c.table {
					t.Errorf("a table of %d bytes is stored", len(stored))
				}
				o.Done = nil
				if again := Run(t.Context(), o)[1]; again.State != Unchanged {
					t.Errorf("again: %+v", again)
				}
			})
		}
	}
}
