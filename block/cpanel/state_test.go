package cpanel

import (
	"maps"
	"testing"
)

// FuzzState holds that a record is read as it was written.
func FuzzState(f *testing.F) {
	f.Add(headLine + "\nshop 192.0.2.7\nshop 2001:db8::/64\nblog 10.0.0.0/8\n")
	f.Add("shop 1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseState(text)
		if err != nil {
			return
		}
		again, err := parseState(r.text())
		if err != nil || len(again) != len(r) {
			t.Fatalf("%v is read again as %v, %v", r, again, err)
		}
		for user := range r {
			if !maps.Equal(again[user], r[user]) {
				t.Errorf("%s: %v is read again as %v", user, r[user], again[user])
			}
		}
	})
}

// FuzzListed holds that no answer of cPanel's breaks the reading.
func FuzzListed(f *testing.F) {
	f.Add([]byte(`{"cpanelresult":{"data":[{"ip":"10.0.0.0%2f8"},{"ip":"a"},{}],"event":{"result":1}}}`))
	f.Add([]byte(`{"cpanelresult":{"error":"no","event":{"result":"0"}}}`))
	f.Add([]byte(`{"cpanelresult":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parse(text)
		for p := range list {
			if err != nil || !p.IsValid() || p != p.Masked() {
				t.Errorf("%q: %v, %v", text, p, err)
			}
		}
	})
}
