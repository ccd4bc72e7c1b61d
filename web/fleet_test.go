package web

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

func TestFleet(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(3)}
	h, _ := serve(t, desk, func(o *Options) { o.Token = "" })
	if a, body := call(t, "GET", h.URL+"/api/fleet", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("without a fleet: %s %s", a.Status, body)
	}
	desk.fleet = manyHosts(2)
	a, body := call(t, "GET", h.URL+"/api/fleet", "")
	var d report.Fleet
	if err := json.Unmarshal([]byte(body), &d); err != nil || a.StatusCode != http.StatusOK || len(d.Hosts) != 4 {
		t.Errorf("the fleet: %s %s, %v", a.Status, body, err)
	}
	a, body = call(t, "GET", h.URL+"/api/fleet/web1.example.net", "")
	var r report.Review
	if err := json.Unmarshal([]byte(body), &r); err != nil || a.StatusCode != http.StatusOK || r.Host != "web1.example.net" {
		t.Errorf("another host: %s %s, %v", a.Status, body, err)
	}
	if a, body := call(t, "GET", h.URL+"/api/fleet/silent", ""); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("a host that does not answer: %s %s", a.Status, body)
	}
}

func TestRealFleetPage(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(30), fleet: manyHosts(1000)}
	desk.review.Fleet = &report.Member{Host: "web3", Group: "web", Operator: true}
	h, _ := serve(t, desk, func(o *Options) { o.Pause = 300 * time.Millisecond })
	alone, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	to := ""
	if *screens != "" {
		var err error
		if to, err = filepath.Abs(*screens); err != nil {
			t.Fatal(err)
		}
	}
	browse(t, map[string]any{"mode": "fleet", "url": h.URL + "/?token=the-token", "alone": alone.URL + "/?token=the-token", "screens": to})
}
