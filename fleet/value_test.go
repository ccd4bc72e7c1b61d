package fleet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// What hosts write is read plainly, and what they write otherwise is read all the same.
func TestPlain(t *testing.T) {
	for _, c := range []struct {
		why   string
		plain bool
	}{{"", true}, {"34 failed logins of root (5 minutes)", true}, {`asks for "/.env"`, false}, {"<script>", false}, {"Ä", false}, {"\x1b", false}} {
		for _, until := range []time.Time{{}, noon} {
			d := Decision{For: time.Hour, Until: until, Score: 95, By: connwarden.Origin{Kind: connwarden.ByRule, Name: "r"}, Why: c.why}
			b, err := d.encode()
			if err != nil {
				t.Fatal(err)
			}
			var v value
			if plain := v.plain(string(b)); plain != c.plain {
				t.Errorf("%s: plain %v", b, plain)
			}
			var got Decision
			if err := got.decode(b); err != nil || got.Why != c.why || got.By != d.By || got.For != d.For || got.Score != d.Score || !got.Until.Equal(until) {
				t.Errorf("%s is read as %+v, %v", b, got, err)
			}
		}
	}
}

// What is read plainly is what encoding/json reads.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{
		`{"v":1,"for":60,"score":97,"by":"rule:x","why":"y"}`, `{"v":1,"for":60,"until":1795394575642,"score":0,"by":""}`, `{"v":1,"for":060,"score":97,"by":"rule:x"}`,
		`{"v":1,"for":-60,"score":97,"by":"rule:x"}`, `{"v":1,"for":9999999999999999,"score":97,"by":"\u0041"}`, `{"v":1,"for":60,"score":97,"by":"é"} `, `{"v":1}`, "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got, want value
		if !got.plain(text) {
			return
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil || got != want {
			t.Errorf("%q is %+v, want %+v, %v", text, got, want, err)
		}
	})
}

// BenchmarkUnderstand reads a message of the bucket.
func BenchmarkUnderstand(b *testing.B) {
	k := Key{Group: "default", Host: "host17", Kind: KindBlock, Target: netip.MustParsePrefix("203.0.113.7/32")}
	data := fmt.Appendf(nil, `{"v":1,"for":86400,"score":95,"by":"rule:ssh-bruteforce","why":"%s"}`, strings.Repeat("failed logins ", 4))
	m := &Message{Seq: 1, Time: noon, Subject: k.Subject(), Data: data}
	b.ReportAllocs()
	for b.Loop() {
		if n := understand(m); n.stray != nil || n.bad != nil {
			b.Fatal(n.stray, n.bad)
		}
	}
}
