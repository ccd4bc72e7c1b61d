package gather

import (
	"fmt"
	"testing"
	"time"
)

func TestZones(t *testing.T) {
	if _, err := time.LoadLocation("Europe/Amsterdam"); err != nil {
		t.Skip("no time zones here:", err)
	}
	var z zones
	for name, want := range map[string]bool{
		"Europe/Amsterdam": true, "UTC": true, "America/Argentina/Buenos_Aires": true,
		"": false, "Local": false, "Nowhere/Else": false, "../../etc/passwd": false, "/etc/localtime": false, "a b": false, "Europe/Amsterdam\x00": false,
	} {
		if got := z.find(name); (got != nil) != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if first, again := z.find("Europe/Amsterdam"), z.find("Europe/Amsterdam"); first != again {
		t.Error("a zone was looked up twice")
	}
	for i := range 10 * maxZones {
		z.find(fmt.Sprint("None/", i))
	}
	if len(z.known) != maxZones || z.find("Europe/Amsterdam") == nil || z.find("Asia/Tokyo") != nil {
		t.Errorf("%d names kept", len(z.known))
	}
}
