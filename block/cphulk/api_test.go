package cphulk

import (
	"encoding/json"
	"testing"

	"github.com/connwarden/connwarden/block"
)

// FuzzAnswer holds that no answer breaks the reading, and that a record that is a prefix is written as one that is read
// alike.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"data":{"ips_in_list":{"10.1.4.44":"a","DEED::1":null,"10.0.0.0-10.0.0.255":"connwarden"}},"metadata":{"result":1}}`))
	f.Add([]byte(`{"data":{"ips_in_list":[],"is_enabled":"1"},"metadata":{"result":"1","reason":"OK"}}`))
	f.Add([]byte(`{"data":{"ips_failed":{"x":{}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var a answer
		if json.Unmarshal(text, &a) != nil {
			return
		}
		_ = a.failed()
		for key := range a.Data.InList {
			first, last, ok := parse(key)
			if !ok {
				continue
			}
			r := record{first: first, last: last}
			p, ok := r.target()
			if !ok {
				continue
			}
			first, last, ok = parse(block.Show(p))
			if !ok || first != r.first || last != r.last || !r.overlaps(p) {
				t.Errorf("%q is %s, which is read as %s-%s", key, p, first, last)
			}
		}
	})
}
