package tell

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// Schema is that of a message as JSON.
const Schema = "connwarden.notify/1"

// Kind is what a note is about.
type Kind string

// Kinds of notes.
const (
	Blocked    Kind = "block"      // an address was blocked by a verdict
	Judged     Kind = "malicious"  // an address is malicious and was not blocked
	Suspected  Kind = "suspicious" // an address is suspicious
	Problem    Kind = "problem"    // something could not be seen or done
	Alarm      Kind = "alarm"      // somebody should look now
	Changed    Kind = "state"      // it began, ended, reloaded, became quiet
	Test       Kind = "test"       // somebody tries the settings
	manyEvents      = 3            // samples that are told of one piece of evidence
)

// Kinds are all that can be asked for.
func Kinds() []Kind { return []Kind{Blocked, Judged, Suspected, Problem, Alarm, Changed} }

// Usual are the kinds that are told where nobody says which.
func Usual() []Kind { return []Kind{Blocked, Judged, Alarm} }

// Note is one thing to tell. Its texts may be hostile.
type Note struct {
	Kind     Kind              `json:"kind"`
	Time     time.Time         `json:"time"`
	Target   string            `json:"target,omitempty"` // an address, a prefix or the name of a group
	Verdict  string            `json:"verdict,omitempty"`
	Score    int               `json:"score,omitempty"`
	Why      string            `json:"why,omitempty"`
	Network  *report.Network   `json:"network,omitempty"`
	Name     string            `json:"name,omitempty"`  // by name servers
	Scope    string            `json:"scope,omitempty"` // of a block
	Drivers  []string          `json:"drivers,omitempty"`
	Until    *time.Time        `json:"until,omitempty"`
	Evidence []report.Evidence `json:"evidence,omitempty"`
	Undo     string            `json:"undo,omitempty"` // a command
	Next     []string          `json:"next,omitempty"` // commands
}

// clean makes the texts fit for every medium in what they all ask for: no control characters, nothing that hides text or
// turns it round, one line each, no longer than a person reads.
func (n Note) clean() Note {
	n.Target, n.Why, n.Name, n.Undo = brief(n.Target), brief(n.Why), brief(n.Name), brief(n.Undo)
	n.Scope, n.Verdict = brief(n.Scope), brief(n.Verdict)
	n.Drivers, n.Next = each(n.Drivers), each(n.Next)
	if n.Network != nil {
		network := *n.Network
		network.Org, network.Country, network.Prefix = brief(network.Org), brief(network.Country), brief(network.Prefix)
		n.Network = &network
	}
	const most = 6
	list := make([]report.Evidence, 0, min(len(n.Evidence), most))
	for _, e := range n.Evidence[:min(len(n.Evidence), most)] {
		e.Rule, e.Why = brief(e.Rule), brief(e.Why)
		samples := make([]report.Sample, 0, manyEvents)
		for _, s := range e.Samples[:min(len(e.Samples), manyEvents)] {
			s.File, s.Text = brief(s.File), brief(s.Text)
			samples = append(samples, s)
		}
		e.Samples = samples
		list = append(list, e)
	}
	n.Evidence = list
	return n
}

func each(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = brief(s)
	}
	return out
}

// brief cleans a text and cuts it.
func brief(s string) string {
	const most = 400
	s = report.Clean(s[:min(len(s), 4*most)])
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// Message is what is sent at once.
type Message struct {
	Schema string       `json:"schema"`
	Host   string       `json:"host"`
	Time   time.Time    `json:"time"`
	Notes  []Note       `json:"notes"`
	More   map[Kind]int `json:"more,omitempty"` // what found no room, since the last message that got through
}

// JSON is the whole message with its title and text, for programs.
func (m *Message) JSON() ([]byte, error) {
	return json.Marshal(struct {
		*Message
		Title string `json:"title"`
		Text  string `json:"text"`
	}{m, m.Title(), m.Text(64<<10, plain)})
}

// words are the kinds, of one and of several.
var words = map[Kind][2]string{
	Blocked: {"address blocked", "addresses blocked"}, Judged: {"address malicious, not blocked", "addresses malicious, not blocked"},
	Suspected: {"address suspicious", "addresses suspicious"}, Problem: {"problem", "problems"}, Alarm: {"ALARM", "ALARMS"},
	Changed: {"change of state", "changes of state"}, Test: {"test of the notifications", "tests of the notifications"},
}

// order is that of importance.
var order = [...]Kind{Alarm, Blocked, Judged, Suspected, Problem, Changed, Test}

func amount(n int, k Kind) string {
	if n == 1 {
		return "1 " + words[k][0]
	}
	return fmt.Sprintf("%d %s", n, words[k][1])
}

// Title says in a line what the message is about: our own words, numbers, the host and, of a single one, the address.
func (m *Message) Title() string {
	var parts []string
	for _, k := range order {
		if n := m.count(k); n > 0 {
			parts = append(parts, amount(n, k))
		}
	}
	title := strings.Join(parts, ", ")
	if len(m.Notes) == 1 && len(m.More) == 0 && isAddress(m.Notes[0].Target) {
		title += ": " + m.Notes[0].Target
	}
	return m.Host + ": " + title
}

func (m *Message) count(k Kind) (n int) {
	for i := range m.Notes {
		if m.Notes[i].Kind == k {
			n++
		}
	}
	return n
}

// isAddress tells whether a target can be nothing but an address: no one's words.
func isAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// Urgent tells whether somebody should look now.
func (m *Message) Urgent() bool { return m.count(Alarm) > 0 }

// plain leaves a text as it is, but for links: nobody is to follow an attacker's by a slip.
func plain(s string) string { return defang(s) }

// defang writes links so that no program makes them clickable.
func defang(s string) string {
	s = strings.ReplaceAll(s, "://", "[:]//")
	for i := 0; i+4 <= len(s); i++ { // WWW. too
		if s[i+3] == '.' && strings.EqualFold(s[i:i+3], "www") {
			s = s[:i+3] + "[.]" + s[i+4:]
		}
	}
	return s
}

// Text is the message as lines of plain text, escaped piece by piece, with what does not fit into so many bytes counted at
// the end.
func (m *Message) Text(limit int, escape func(string) string) string {
	var notes []Note
	for _, k := range order {
		for _, n := range m.Notes {
			if n.Kind == k {
				notes = append(notes, n)
			}
		}
	}
	const tail = 200 // bytes for the last lines
	var b strings.Builder
	more := map[Kind]int{}
	for k, n := range m.More {
		more[k] += n
	}
	for i := range notes {
		text := notes[i].text(escape, m.Time.Location())
		if b.Len()+len(text) > limit-tail {
			if i > 0 || limit < 2*tail {
				more[notes[i].Kind]++
				continue
			}
			text = cutLines(text, limit-tail)
		}
		b.WriteString(text)
	}
	if len(more) > 0 {
		var parts []string
		for _, k := range order {
			if n := more[k]; n > 0 {
				parts = append(parts, amount(n, k))
			}
		}
		b.WriteString(escape("Besides, not shown here: " + strings.Join(parts, ", ") + "."))
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// cutLines keeps the lines that fit.
func cutLines(text string, limit int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if b.Len()+len(line) > limit {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// text is one note.
func (n *Note) text(escape func(string) string, zone *time.Location) string {
	var b strings.Builder
	line := func(indent, s string) {
		b.WriteString(indent + escape(s) + "\n")
	}
	head := n.Target
	if n.Verdict != "" {
		head += fmt.Sprintf("  %s %d", n.Verdict, n.Score)
	}
	if w := n.Network; w != nil {
		if w.ASN > 0 {
			head += fmt.Sprintf("  AS%d", w.ASN)
		}
		head += " " + w.Org
		if w.Country != "" {
			head += ", " + w.Country
		}
	}
	if n.Name != "" {
		head += "  " + n.Name
	}
	switch n.Kind {
	case Alarm:
		head = strings.TrimSpace("ALARM  " + head)
	case Problem, Changed, Test:
		head = strings.TrimSpace(string(n.Kind) + "  " + head)
	}
	line("", head)
	if n.Kind == Blocked {
		until := "until it is lifted"
		if n.Until != nil {
			until = "until " + n.Until.In(zone).Format("2 Jan 2006 15:04:05 MST")
		}
		text := "blocked " + until
		if len(n.Drivers) > 0 {
			text += " with " + strings.Join(n.Drivers, ", ")
		}
		if n.Scope != "" && n.Scope != "all" {
			text += ", " + n.Scope
		}
		line("  ", text)
	}
	if n.Why != "" && !slices.ContainsFunc(n.Evidence, func(e report.Evidence) bool { return e.Why == n.Why }) {
		line("  ", n.Why)
	}
	for _, e := range n.Evidence {
		line("  ", "- "+e.Why+" ("+e.Rule+")")
		for _, s := range e.Samples {
			line("      ", s.Text)
		}
	}
	if n.Undo != "" {
		line("  ", "to undo: "+n.Undo)
	}
	for _, s := range n.Next {
		line("  ", "to do: "+s)
	}
	b.WriteByte('\n')
	return b.String()
}

// Example is what a test of the settings tells: all that a note can hold, about an address that is no one's.
func Example(now time.Time) Note {
	until := now.Add(10 * time.Minute)
	return Note{
		Kind: Test, Time: now, Target: "192.0.2.7", Why: "this is a test; nothing happened",
		Drivers: []string{"null"}, Until: &until, Undo: "connwarden unblock 192.0.2.7",
		Evidence: []report.Evidence{{Rule: "an-example", Why: "what a rule saw stands here", Count: 12, Samples: []report.Sample{{File: "access.log", Text: `192.0.2.7 - - "POST /login HTTP/1.1" 403`}}}},
	}
}
