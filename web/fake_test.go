package web

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
)

// fakeDesk answers with what it was given, and blocks in memory.
type fakeDesk struct {
	mu      sync.Mutex
	review  *report.Review
	err     error
	reviews atomic.Int64
	hold    chan struct{} // reviews wait until it is closed
	blocks  []report.Block
	change  int64
	fleet   *report.Fleet // nil: this host is in none
}

func (d *fakeDesk) Review(ctx context.Context, _ string) (*report.Review, error) {
	d.reviews.Add(1)
	if d.hold != nil {
		select {
		case <-d.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.review, d.err
}

func (d *fakeDesk) IP(_ context.Context, target, _ string, latest *report.Review) (*report.IPs, error) {
	one := report.Dossier{Target: target, Peers: []report.Peer{}, Conns: []report.ConnRow{}, Blocks: []report.Block{}}
	if latest != nil {
		for _, p := range latest.Peers {
			if p.Addr == target {
				one.Peers, one.Pages = append(one.Peers, p), latest.Pages
			}
		}
	}
	return &report.IPs{Schema: report.SchemaIP, Addrs: []report.Dossier{one}, Problems: []report.Problem{}}, nil
}

// latest is the review that it has now.
func (d *fakeDesk) latest() *report.Review {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.review
}

func (d *fakeDesk) Conns(context.Context, string, int) (*report.Conns, error) {
	return d.latest().Conns, nil
}

func (d *fakeDesk) Pages(_ context.Context, q PagesQuery) (*report.Pages, error) {
	if q.By == "nonsense" {
		return nil, fmt.Errorf("%w: key %q", ErrRequest, q.By)
	}
	if q.By == "minute" || q.By == "minute,ip" {
		p := &report.Pages{By: q.By}
		for i := range 10 {
			key := noon.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
			row := report.PageRow{Key: key, Count: 10}
			if q.By == "minute,ip" {
				row = report.PageRow{Keys: []string{key, d.latest().Peers[0].Addr}, Count: uint64(i)}
			}
			p.Rows = append(p.Rows, row)
		}
		return p, nil
	}
	return d.latest().Pages, nil
}

func (d *fakeDesk) Errors(context.Context, string, string) (*report.Errors, error) {
	return d.latest().Errors, nil
}

func (d *fakeDesk) Rules(context.Context) (*report.Rules, error) {
	return &report.Rules{Schema: report.SchemaRules, Rules: []report.Rule{{Name: "ssh-bruteforce" + text, About: "guesses passwords" + text, Where: text, Look: "event", By: "ip", Count: 5, Within: 300, Score: 60, Most: 95}}}, nil
}

func (d *fakeDesk) Blocks(context.Context) (*report.Blocks, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &report.Blocks{Schema: report.SchemaBlocks, Time: noon, Blocks: append([]report.Block{}, d.blocks...), Refused: []report.Refused{}, Problems: []report.Problem{}}, nil
}

func (d *fakeDesk) Allowed(context.Context) (*report.AllowedList, error) {
	return &report.AllowedList{Schema: report.SchemaAllowed, Allowed: []report.Allowed{{Target: "198.51.100.0/28", Since: &noon, Why: "the office" + text}}, Problems: []report.Problem{}}, nil
}

func (d *fakeDesk) Block(_ context.Context, r BlockRequest) (*report.Blocks, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc := &report.Blocks{Schema: report.SchemaBlocks, Time: noon, Blocks: []report.Block{}, Refused: []report.Refused{}, Problems: []report.Problem{}}
	if r.Target == "192.0.2.250" {
		doc.Refused = append(doc.Refused, report.Refused{Target: r.Target, Why: "it is this machine" + text})
		return doc, nil
	}
	target := r.Target + "/32"
	if a, err := netip.ParseAddr(r.Target); err == nil && a.Is6() {
		target = netip.PrefixFrom(a, 64).Masked().String()
	}
	b := report.Block{Target: target, Scope: "all", Drivers: []string{"wall"}, State: "in_force", Why: r.Why, By: "operator", Who: "anna" + text, Hits: &report.Hits{Packets: 12}}
	if r.Within != "" {
		b.Confirm = &noon
	}
	doc.Blocks = append(doc.Blocks, b)
	if r.DryRun {
		doc.Plan = []report.BlockPlan{{Driver: "wall", Lines: []string{"add " + r.Target + " for " + r.For + text}}}
		return doc, nil
	}
	d.change++
	doc.Change, doc.Proof = d.change, []string{r.Target + " is listed"}
	d.blocks = append(d.blocks, b)
	return doc, nil
}

func (d *fakeDesk) Unblock(context.Context, string, bool) (*report.Blocks, error) {
	return nil, fmt.Errorf("unblock: %w", connwarden.ErrUnsupported)
}

func (d *fakeDesk) Allow(context.Context, string, string, bool) (*report.Blocks, error) {
	return nil, errors.New("the journal is full")
}

func (d *fakeDesk) Disallow(context.Context, string, bool) (*report.Blocks, error) {
	return nil, connwarden.ErrDenied
}

func (d *fakeDesk) Confirm(context.Context, bool) (*report.Blocks, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc := &report.Blocks{Schema: report.SchemaBlocks, Blocks: []report.Block{}, Refused: []report.Refused{}, Problems: []report.Problem{}}
	for i := range d.blocks {
		if d.blocks[i].Confirm != nil {
			d.blocks[i].Confirm = nil
			doc.Blocks = append(doc.Blocks, d.blocks[i])
		}
	}
	return doc, nil
}

// History has an hour of every day at noon, and a verdict and a block in it.
func (d *fakeDesk) History(_ context.Context, q report.HistoryQuery) (*report.History, error) {
	begins := noon.Add(-48 * time.Hour)
	h := &report.History{
		Schema: report.SchemaHistory, From: q.From, Until: q.Until, Begins: &begins, Ends: &noon, Step: 60, Rates: []report.Rate{}, Sites: []report.SiteRate{{Site: "shop" + text, Requests: 60, Status: map[string]uint64{}}},
		Verdicts: []report.Sighting{}, Blocks: []report.PastBlock{}, Problems: []report.Problem{},
	}
	if q.Until.Sub(q.From) > 6*time.Hour {
		h.Step = 3600
	}
	step := time.Duration(h.Step) * time.Second
	for at := q.From.Truncate(step); at.Before(q.Until); at = at.Add(step) {
		h.Rates = append(h.Rates, report.Rate{Start: at, Requests: 60, Malicious: 20, Status: map[string]uint64{"2xx": 60}, Open: 9})
	}
	one := report.Peer{Addr: "203.0.113.66", Verdict: "malicious", Score: 90, Status: map[string]uint64{}, Evidence: []report.Evidence{{Rule: "x", Why: "guessed passwords" + text, Samples: []report.Sample{}}}, Next: []string{}}
	h.Verdicts = append(h.Verdicts, report.Sighting{Time: q.From, Peer: one})
	h.Blocks = append(h.Blocks, report.PastBlock{Time: q.From.Add(time.Second), Type: "block", Block: report.Block{Target: "203.0.113.66/32", Why: "90", Drivers: []string{"nft"}}})
	if q.Target != "" {
		h.Rates = nil
	}
	return h, nil
}

func (d *fakeDesk) Fleet(context.Context) (*report.Fleet, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fleet == nil {
		return nil, fmt.Errorf("%w: this host is in no fleet", connwarden.ErrNotFound)
	}
	return d.fleet, nil
}

func (d *fakeDesk) FleetHost(_ context.Context, host string) (*report.Review, error) {
	switch host {
	case "silent":
		return nil, errors.New("it does not answer" + text)
	case "bare": // says next to nothing, as who is stolen may
		return &report.Review{Host: host, Time: noon, Pages: &report.Pages{}, Errors: &report.Errors{}, Conns: &report.Conns{}, Peers: []report.Peer{{Addr: "10.0.0.9", Verdict: "malicious"}}}, nil
	}
	r := *d.latest()
	r.Host = host
	return &r, nil
}

// manyHosts is a fleet of so many, whose first says all that it may.
func manyHosts(n int) *report.Fleet {
	end := noon.Add(time.Hour)
	d := &report.Fleet{
		Schema: report.SchemaFleet, Host: "web3", Group: "web", Operator: true, Time: noon, Hosts: []report.FleetHost{}, Rest: 1234,
		Blocked:  []report.FleetBlock{{Target: "10.0.0.0/32", Scope: "all" + text, Hosts: []string{"web1", "web2", "web3", "web4", "web5" + text}, Score: 97, Until: &end, Why: "guesses passwords" + text}, {Target: "2001:db8:1111:2222:3333:4444:5555:6666/128", Hosts: []string{"web1"}}},
		Problems: []report.Problem{{What: "fleet", Why: text}},
	}
	for i := range n {
		h := report.FleetHost{
			Host: fmt.Sprintf("web%d.example.net", i), Group: []string{"web", "mail"}[i%2], Health: []string{"ok", "ok", "warning", "ok", "stopped"}[i%5], Seen: noon.Add(-time.Duration(i%10) * time.Second), Version: "0.1.0", Load: float64(i%17) / 4, Cores: 4,
			Open: i % 700, Requests: uint64(i * 13 % 5000), Errors: uint64(i % 7), Findings: i % 5 % 3, Blocks: 20, Held: 12, Recent: []report.FleetRefusal{},
		}
		if i == 0 {
			h.Host, h.Group, h.Version, h.Health, h.Clock = strings.Repeat("long-", 50)+text, text, text, "critical"+text, 7200
			h.Recent = append(h.Recent, report.FleetRefusal{Kind: "block" + text, Target: text, From: text, Why: "it is the gateway" + text, Time: noon})
		}
		d.Hosts = append(d.Hosts, h)
	}
	d.Hosts = append(d.Hosts, report.FleetHost{Host: "silent", Health: "silent", Seen: noon.Add(-time.Hour), Recent: []report.FleetRefusal{}}, report.FleetHost{Host: "bare", Health: "ok", Seen: noon, Recent: []report.FleetRefusal{}})
	return d
}

func (d *fakeDesk) Undo(_ context.Context, change int64, dry bool) (*report.Blocks, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc := &report.Blocks{Schema: report.SchemaBlocks, Blocks: []report.Block{}, Refused: []report.Refused{}, Problems: []report.Problem{}}
	if len(d.blocks) == 0 {
		return nil, fmt.Errorf("change %d: %w", change, connwarden.ErrNotFound)
	}
	doc.Lifted = d.blocks[len(d.blocks)-1:]
	if !dry {
		d.blocks = d.blocks[:len(d.blocks)-1]
		d.change++
		doc.Change = d.change
	}
	return doc, nil
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// text stands in every field of the fake desk's documents that an attacker can fill.
const text = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{7*7}}`

// manyPeers is a review with so many peers, the first of them harmful.
func manyPeers(n int) *report.Review {
	line, ips := int64(7), uint64(3)
	sample := report.Sample{File: "access.log" + text, Line: &line, Text: "192.0.2.7 GET /" + text}
	r := &report.Review{
		Schema: report.SchemaReview, Host: "web3" + text, Time: noon, Since: &noon, Load: &report.Load{One: 7.21, Cores: 2}, Ports: []report.ConnRow{{Key: "443", Count: 9, Proto: "tcp", Dir: "in"}},
		Conns:    &report.Conns{Schema: report.SchemaConns, By: "ip", Total: 9, States: map[string]uint64{"established": 9}, Rows: []report.ConnRow{{Key: "10.0.0.0", Count: 9, Ports: map[string]uint64{"443": 9}}}, Problems: []report.Problem{}},
		Pages:    &report.Pages{Schema: report.SchemaPages, By: "path", Counted: 100, Distinct: 1, First: &noon, Last: &noon, Status: map[string]uint64{"2xx": 90, "5xx": 10}, Rows: []report.PageRow{{Key: "/" + text, Count: 100, IPs: &ips, Status: map[string]uint64{"5xx": 10}}}, Files: []report.File{{Name: "access.log" + text, Format: "apache_combined"}}, Problems: []report.Problem{}},
		Errors:   &report.Errors{Schema: report.SchemaErrors, By: "fault", Counted: 3, Distinct: 1, First: &noon, Last: &noon, Rows: []report.ErrorRow{{Key: "timeout" + text, Service: "nginx" + text, Code: text, Level: "error", Count: 3, First: &noon, Last: &noon, Sites: []report.Part{{Name: text}}, Clients: []report.Part{{Name: "10.0.0.1"}}, IPs: 1, Meaning: "slow" + text, Remedy: "wait" + text, Sample: &sample}}, Files: []report.File{{Name: text}}, Problems: []report.Problem{}},
		Findings: []report.Finding{{Level: "critical", Title: "10.0.0.0  MALICIOUS 97  AS64500 " + text, Detail: "Guesses passwords." + text, Addr: "10.0.0.0", Next: []string{"connwarden block 10.0.0.0 --for 1h", text}}, {Level: "info", Title: text, Detail: text, Next: []string{}}},
		Problems: []report.Problem{{What: text, Why: text}}, Groups: []report.Peer{}, Pressure: []report.Pressure{},
	}
	for i := range n {
		p := report.Peer{
			Addr: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), Verdict: "normal", LevelNow: "normal", Requests: uint64(n - i), Open: uint64(i % 3), Bytes: uint64(i), Status: map[string]uint64{"2xx": 1},
			Network: &report.Network{Prefix: "10.0.0.0/8", ASN: uint32(64500 + i%50), Org: fmt.Sprintf("Net %d %s", i%50, text), Country: []string{"DE", "NL", "US"}[i%3]}, Evidence: []report.Evidence{}, Next: []string{},
		}
		if i < 3 {
			p.Verdict, p.Score, p.Name, p.Exempt = "malicious", 97-i, text, text
			p.Bot = &report.Bot{Claim: "Googlebot" + text, Proof: "impostor", How: text}
			p.Evidence = []report.Evidence{{Rule: "ssh-bruteforce" + text, Why: "guesses passwords" + text, Score: 97, Count: 9, First: &noon, Last: &noon, Samples: []report.Sample{sample}}}
		}
		r.Peers = append(r.Peers, p)
	}
	return r
}
