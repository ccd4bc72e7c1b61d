package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// SchemaIP names the form of IPs.
const SchemaIP = "connwarden.ip/1"

// IPs is the answer of the command ip: everything known of addresses.
type IPs struct {
	Schema   string     `json:"schema"`
	Host     string     `json:"host"`
	Time     time.Time  `json:"time"`
	Since    *time.Time `json:"since"` // start of the window; null: from the first line
	Addrs    []Dossier  `json:"addrs"`
	Problems []Problem  `json:"problems"`
}

// Dossier is one address or prefix that was asked for.
type Dossier struct {
	Target string    `json:"target"`
	Peers  []Peer    `json:"peers"`  // the address, or those of the prefix that were seen, worst first
	Conns  []ConnRow `json:"conns"`  // connections now, one row each
	Pages  *Pages    `json:"pages"`  // what it asked for; null when no log was read
	Blocks []Block   `json:"blocks"` // that hold it now
	// History is what the daemon wrote down of it: verdicts and blocks of the past; null where nothing was.
	History *History `json:"history"`
}

// IPs writes a dossier for each target.
func (t *Text) IPs(w io.Writer, d *IPs) error {
	t.begin()
	for i := range d.Addrs {
		if i > 0 {
			t.out.WriteByte('\n')
		}
		t.dossier(&d.Addrs[i])
	}
	t.problems(d.Problems)
	return t.end(w)
}

func (t *Text) dossier(d *Dossier) {
	t.out.WriteString(t.paint(d.Target, bold) + "\n")
	if len(d.Peers) == 0 {
		t.out.WriteString("  nothing was seen of it in this time\n")
	}
	for i := range d.Peers {
		t.one(&d.Peers[i], len(d.Peers) > 1)
	}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		until := "until it is lifted"
		if b.Until != nil {
			until = "until " + b.Until.Format("2 Jan 15:04:05 MST")
		}
		t.words("  ", strings.TrimSpace(fmt.Sprintf("Blocked as %s by %s, %s. %s", Clean(Shown(b.Target)), Clean(strings.Join(b.Drivers, ", ")), until, Clean(b.Why))), amber)
	}
	if len(d.Conns) > 0 {
		t.head("\nCONNECTIONS", Thousands(uint64(len(d.Conns))), "")
		t.connRows(&Conns{By: "conn", Total: uint64(len(d.Conns)), Rows: d.Conns}, nil)
	}
	if d.Pages != nil && d.Pages.Counted > 0 {
		t.out.WriteByte('\n')
		t.head("PAGES", Thousands(d.Pages.Counted), t.pagesDetail(d.Pages))
		t.pageRows(d.Pages)
		t.rest(d.Pages.Rest, "requests")
	}
	if h := d.History; h != nil && len(h.Verdicts)+len(h.Blocks) > 0 {
		own := *h
		own.Rates = nil // they are of all addresses
		t.history("HISTORY", &own)
	}
}

// sameLines tells whether two reasons rest on the same lines, of which there are some.
func sameLines(a, b []Sample) bool {
	return len(b) > 0 && slices.EqualFunc(a, b, func(x, y Sample) bool { return x.File == y.File && x.Offset == y.Offset && x.Text == y.Text })
}

// one writes who a peer is, what is thought of it and why.
func (t *Text) one(p *Peer, named bool) {
	word := verdictField(p.Verdict)
	if word.text == "" {
		word.text = p.Verdict
	}
	line := "  " + t.paint(word.text, word.style)
	if p.Score > 0 {
		line += fmt.Sprintf(" %d", p.Score)
	}
	if named {
		line = "  " + t.paint(p.Addr, bold) + line
	}
	t.out.WriteString(line + "\n")
	if p.Prefix != "" {
		t.words("  ", "All of "+p.Prefix+" is judged as one, and what follows is of all of it.", dim)
	}
	if n := p.Network; n != nil {
		t.words("  ", fmt.Sprintf("%s, AS%d %s, %s", n.Prefix, n.ASN, Clean(n.Org), n.Country), dim)
	}
	if b := p.Bot; b != nil {
		said := "Says it is " + Clean(b.Claim) + "; nobody has proved it"
		switch b.Proof {
		case "verified":
			said = "It is " + Clean(b.Claim)
		case "impostor":
			said = "Says it is " + Clean(b.Claim) + ", and is not"
		}
		if b.How != "" {
			said += ": " + Clean(b.How)
		}
		t.words("  ", said+".", plain)
	}
	if p.Name != "" {
		t.words("  ", "Its name is "+Clean(p.Name)+".", dim)
	}
	if p.First != nil && p.Last != nil {
		t.words("  ", fmt.Sprintf("%s requests, %s, %s.", Thousands(p.Requests), Size(p.Bytes), Span(*p.First, *p.Last)), plain)
	}
	for i := range p.Evidence {
		e := &p.Evidence[i]
		same := slices.ContainsFunc(p.Evidence[:i], func(o Evidence) bool { return sameLines(o.Samples, e.Samples) })
		t.out.WriteString("\n  " + t.paint(fmt.Sprintf("%d", e.Score), bold) + " " + Clean(e.Rule) + "\n")
		t.words("     ", Clean(e.Why), plain)
		if same {
			t.out.WriteString(t.paint("     the same lines", dim) + "\n")
			continue
		}
		for _, s := range e.Samples {
			t.logLine("     ", Clean(s.Text))
		}
	}
	if p.Exempt != "" {
		t.words("  ", "Must not be blocked: "+Clean(p.Exempt)+".", amber)
	}
	for _, n := range p.Next {
		t.out.WriteString("  " + t.paint(t.arrow()+" "+Clean(n), accent) + "\n")
	}
}
