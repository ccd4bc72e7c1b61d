package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// TestCrowdLongPath: a path may be as long as a client likes, and stands in thousands of sentences.
func TestCrowdLongPath(t *testing.T) {
	table := New(Options{Rules: compiled(t)})
	long := "/" + strings.Repeat("x", 8000)
	var shares []PathShare
	for i := range crowdLeast {
		shares = append(shares, PathShare{peer(fmt.Sprintf("203.0.113.%d", i), 5, time.Minute), 5})
	}
	for i := range dressedLeast {
		table.Request(request(fmt.Sprintf("198.51.100.%d", i), "GET", "/page", 200, start, 1))
		table.Request(request(fmt.Sprintf("198.51.100.%d", i), "GET", "/a.png", 200, start, 1))
	}
	for i := range crowdLeast { // those that the shares are of
		table.Request(request(fmt.Sprintf("203.0.113.%d", i), "GET", "/", 200, start, 1))
		table.Request(request(fmt.Sprintf("203.0.113.%d", i), "GET", "/", 200, start, 1))
	}
	crowd, members := table.Crowd(PathOutlier{long, 1000, 9}, shares)
	if len(crowd) != 1 || len(members) != crowdLeast {
		t.Fatalf("%d crowds, %d members", len(crowd), len(members))
	}
	for _, v := range append(crowd, members...) {
		if n := len(v.Evidence[0].Why); n > 300 {
			t.Fatalf("a sentence of %d bytes", n)
		}
	}
}

// TestCrowd: bots that ask for one page and nothing else are told from readers, who load what belongs to it.
func TestCrowd(t *testing.T) {
	for _, c := range []struct {
		name          string
		bots, each    int
		apart         time.Duration // between a bot's requests
		besides       string        // what each bot asks for, too
		readers       int           // of other pages, with a picture each
		asked         uint64        // for the path, by all
		crowd, member bool
	}{
		{"a flood", 300, 5, 30 * time.Second, "", 60, 1600, true, true},
		{"a flood of a site whose pictures are elsewhere", 300, 5, 30 * time.Second, "", 0, 1600, true, false},
		{"readers of one page", 300, 5, 30 * time.Second, "/a.css", 60, 1600, false, false},
		{"readers of several", 300, 5, 30 * time.Second, "/more", 60, 1600, false, false},
		{"who reloads twice", 300, 3, 30 * time.Second, "", 60, 1000, false, false},
		{"who looks in now and then", 300, 5, 10 * time.Minute, "", 60, 1600, false, false},
		{"some", 199, 5, 30 * time.Second, "", 60, 1000, false, false},
		{"a part of many", 300, 5, 30 * time.Second, "", 60, 4000, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := New(Options{Rules: compiled(t)})
			ask := func(addr, path string, at time.Time) { table.Request(request(addr, "GET", path, 200, at, 1)) }
			var shares []PathShare
			bot := func(i int) string { return fmt.Sprintf("203.0.%d.%d", i/250, i%250) }
			for i := range c.bots {
				for k := range c.each {
					ask(bot(i), "/", start.Add(time.Duration(k)*c.apart))
				}
				if c.besides != "" {
					ask(bot(i), c.besides, start)
				}
			}
			for i := range c.readers {
				addr := fmt.Sprintf("198.51.100.%d", i)
				ask(addr, "/page", start)
				ask(addr, "/a.png", start)
			}
			for i := range c.bots {
				shares = append(shares, PathShare{table.Peer(request(bot(i), "GET", "/", 200, start, 1).Client), uint64(c.each)})
			}
			crowd, members := table.Crowd(PathOutlier{"/", c.asked, 9}, shares)
			if (len(crowd) == 1) != c.crowd || (len(members) == c.bots) != c.member {
				t.Fatalf("%d crowds, %d members", len(crowd), len(members))
			}
			if c.crowd && !strings.HasPrefix(crowd[0].Evidence[0].Why, "300 addresses asked for / and for nothing else, 1500 of 1600 times") {
				t.Errorf("why: %s", crowd[0].Evidence[0].Why)
			}
			for _, v := range Combine(members) {
				if w := connwarden.Word(v.Score); w != connwarden.VerdictSuspicious || v.Evidence[0].Why != "asked for / 5 times and for nothing else, as 299 others did" {
					t.Fatalf("%s, %s", w, v.Evidence[0].Why)
				}
			}
		})
	}
}

func TestDresses(t *testing.T) {
	for path, want := range map[string]bool{
		"/a.css": true, "/img/x.woff2": true, "/favicon.ico": true, "/": false, "": false, "/a.php": false, "/js": false, "/a.css/b": false, ".js": true, "/x.jpeg": true, "/a.jpegs": false,
	} {
		if dresses([]byte(path)) != want {
			t.Errorf("dresses(%q) = %t", path, !want)
		}
	}
}
