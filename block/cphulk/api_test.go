package cphulk

import (
	"encoding/json"
	"testing"
)

// FuzzAnswer holds that no answer of whmapi1 breaks the reading.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"data":{"ips_in_list":{"10.1.4.44":"a","DEED::1":null,"10.0.0.0-10.0.0.255":"connwarden"}},"metadata":{"result":1}}`))
	f.Add([]byte(`{"data":{"ips_in_list":[],"is_enabled":"1"},"metadata":{"result":"1","reason":"OK"}}`))
	f.Add([]byte(`{"data":{"ips_failed":{"x":{}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var a answer
		if json.Unmarshal(text, &a) == nil && (a.failed() == nil) != (len(a.Data.Failed) == 0) {
			t.Errorf("%q: %v of %v", text, a.failed(), a.Data.Failed)
		}
	})
}
