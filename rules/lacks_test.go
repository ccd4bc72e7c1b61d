package rules

import (
	"testing"

	"github.com/connwarden/connwarden"
)

// TestLacks: what a log never tells fits neither that there is none nor that there is one.
func TestLacks(t *testing.T) {
	lacking := connwarden.FieldReferer | connwarden.FieldAgent
	for _, c := range []struct {
		where   string
		referer string
		lacks   connwarden.Fields
		want    bool
	}{
		{"referer=-", "", 0, true},
		{"referer=-", "", lacking, false},
		{"referer=-", "", connwarden.FieldAgent, true},
		{"referer!=-", "http://x/", 0, true},
		{"referer!=-", "", 0, false},
		{"referer!=-", "", lacking, false},
		{"not referer!=-", "", 0, true},
		{"not referer!=-", "", lacking, true},
		{"not referer!=-", "http://x/", 0, false},
		{"not referer=-", "", lacking, false},
		{"not agent*=bot", "", lacking, true},
		{"agent=-", "", lacking, false},
	} {
		set, err := Compile([]Rule{{Name: "x", Where: "path=/a and " + c.where, Count: 1}})
		if err != nil {
			t.Fatal(err)
		}
		r := connwarden.Request{Path: []byte("/a"), Referer: []byte(c.referer), Lacks: c.lacks}
		if got := len(set.NewMatcher().Request(&r)) == 1; got != c.want {
			t.Errorf("%s, referer %q, lacking %b: %t", c.where, c.referer, c.lacks, got)
		}
	}
}
