package judge

import (
	"testing"
	"time"
)

// TestSuspects: the second look wants the lines that fit a rule by address, of those alone who have as many as the rule asks for,
// whichever table they were read by.
func TestSuspects(t *testing.T) {
	const far = 10 * marked
	one, two := New(Options{Rules: compiled(t)}), New(Options{Rules: compiled(t)})
	ask := func(addr, path string, line int) {
		r := request(addr, "POST", path, 200, start.Add(time.Duration(line)*time.Second), int64(line))
		r.From.Offset = int64(line) * far
		[]*Table{one, two}[line%2].Request(r)
	}
	for i := range 10 { // wp-login asks for ten
		ask("192.0.2.1", "/wp-login.php", i)
		ask("192.0.2.1", "/page", 100+i)
		if i < 9 {
			ask("192.0.2.2", "/wp-login.php", i)
		}
	}
	one.Merge(two)
	second := one.Second()
	if second == nil {
		t.Fatal("no second look is wanted")
	}
	many, few := request("192.0.2.1", "", "", 0, start, 0).Client, request("192.0.2.2", "", "", 0, start, 0).Client
	for i := range int64(10) {
		if !second.Wants(many, i*far) {
			t.Errorf("line %d of a suspect that fits is not wanted", i)
		}
		if second.Wants(many, (100+i)*far) {
			t.Errorf("line %d of a suspect that fits nothing is wanted", 100+i)
		}
		if second.Wants(few, i*far) {
			t.Errorf("line %d of one with nine is wanted", i)
		}
	}
}
