package block

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a list that is taken in.
const (
	maxList    = 64 << 20  // bytes
	maxItems   = 1_000_000 // targets
	maxRefused = 1000      // lines that are named; more are counted
	maxWhy     = 500       // bytes of a reason
)

// Item is one target of a list.
type Item struct {
	Target netip.Prefix
	Until  time.Time // zero: the list gives no end
	Why    string    // hostile
}

// List is what was read of a list of targets.
type List struct {
	Format  string // "list", "csv", "crowdsec" or "fail2ban"
	Items   []Item
	Refused []RefusedLine // the first thousand
	More    int           // that were refused beyond those
}

// RefusedLine is a line, or of JSON an element, that is no block.
type RefusedLine struct {
	Line int // from 1
	Text string
	Why  string
}

func (l *List) refuse(line int, text, why string) {
	if len(l.Refused) == maxRefused {
		l.More++
		return
	}
	l.Refused = append(l.Refused, RefusedLine{line, clip(text, 80), why})
}

// clip cuts a text after n bytes, not inside a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (l *List) take(line int, word string, until time.Time, why string, now time.Time) {
	target, err := ParseTarget(word)
	switch {
	case err != nil:
		l.refuse(line, word, "no address and no prefix")
	case !until.IsZero() && !until.After(now):
		l.refuse(line, word, "it has ended already")
	default:
		l.Items = append(l.Items, Item{target, until, clip(strings.TrimSpace(why), maxWhy)})
	}
}

// errTooLong is that of a list beyond the bounds.
var errTooLong = errors.New("it is longer than 64 MiB or a million targets; split it")

// ParseList reads targets from what other programs print, and tells by itself which:
//
//   - a plain list, one target a line; "#" or ";" begins a remark, which becomes the reason
//   - CSV with a head that names a column target, ip, address, addr or value, and perhaps until, expiration or duration,
//     and why, reason or scenario: what "blocks --csv" and "cscli decisions list -o raw" print
//   - JSON of "cscli decisions list -o json", of "cscli decisions import", or of "blocks --json"
//   - "fail2ban-client banned", and "fail2ban-client get JAIL banip --with-time", whose times are in zone
//
// Lines that are no block are named in Refused; the error is that of the reader, of broken JSON or CSV, or of a bound.
func ParseList(r io.Reader, now time.Time, zone *time.Location) (*List, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxList {
		return nil, errTooLong
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	l := &List{}
	switch {
	case bytes.HasPrefix(text, []byte("[{'")), bytes.HasPrefix(text, []byte("[{}")):
		l.Format = "fail2ban"
		l.banned(string(text), now)
	case len(text) > 0 && (text[0] == '[' || text[0] == '{'), bytes.Equal(text, []byte("null")):
		l.Format = "crowdsec"
		err = l.json(text, now)
	case hasHead(text):
		l.Format = "csv"
		err = l.csv(text, now)
	default:
		l.Format = "list"
		err = l.plain(text, now, zone)
	}
	if err == nil && len(l.Items) > maxItems {
		err = errTooLong
	}
	return l, err
}

// plain reads one target a line.
func (l *List) plain(text []byte, now time.Time, zone *time.Location) error {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		i := strings.IndexAny(line, "#;")
		why := ""
		if i >= 0 {
			line, why = line[:i], line[i+1:]
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(words) == 1:
			l.take(n, words[0], time.Time{}, why, now)
		case len(words) == 8 && words[3] == "+" && words[5] == "=":
			// fail2ban: the address, when it was banned, + for how many seconds = until when
			l.Format = "fail2ban"
			until, err := time.ParseInLocation(time.DateTime, words[6]+" "+words[7], zone)
			if words[4] == "-1" {
				until = time.Time{}
			} else if err != nil {
				l.refuse(n, line, "its time is not understood")
				continue
			}
			l.take(n, words[0], until, "banned by fail2ban", now)
		default:
			l.refuse(n, line, "more than one word; remarks begin with #")
		}
	}
	return s.Err()
}

// banned reads the list of one-entry dictionaries that fail2ban-client prints: [{'sshd': ['192.0.2.7', …]}, …]. A
// quoted word before a colon is a jail, any other an address.
func (l *List) banned(text string, now time.Time) {
	jail, line := "", 1
	for {
		_, rest, ok := strings.Cut(text, "'")
		if !ok {
			return
		}
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		word, after, ok := strings.Cut(rest, "'")
		if !ok {
			l.refuse(line, rest, "a quotation mark is not closed")
			return
		}
		text = after
		if strings.HasPrefix(after, ":") {
			jail = word
			continue
		}
		l.take(line, word, time.Time{}, "banned by fail2ban, jail "+jail, now)
	}
}

var (
	targetHeads = []string{"target", "ip", "address", "addr", "value"}
	untilHeads  = []string{"until", "expiration", "duration", "expires"}
	whyHeads    = []string{"why", "reason", "scenario", "comment"}
)

// hasHead tells whether the first line is the head of a CSV table.
func hasHead(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for word := range strings.SplitSeq(string(line[:min(len(line), 4096)]), ",") {
		if slices.Contains(targetHeads, strings.ToLower(strings.Trim(strings.TrimSpace(word), `"`))) {
			return true
		}
	}
	return false
}

func (l *List) csv(text []byte, now time.Time) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	head, err := r.Read()
	if err != nil {
		return err
	}
	column := map[string]int{}
	for i, name := range head {
		column[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // names the line
		}
		get := func(names ...string) string {
			for _, name := range names {
				if i, ok := column[name]; ok && i < len(row) {
					return strings.TrimSpace(row[i])
				}
			}
			return ""
		}
		line, _ := r.FieldPos(0)
		l.decision(line, decision{
			Value: get(targetHeads...), Scope: get("scope"), Type: get("type", "action"), Simulated: get("simulated") == "true",
			Until: get(untilHeads...), Why: get(whyHeads...),
		}, now)
	}
}

// decision is one element of what CrowdSec lists and imports, and of our own document.
type decision struct {
	Value     string
	Target    string
	Scope     string
	Type      string
	Simulated bool
	Until     string
	Duration  string
	Why       string
	Reason    string
	Scenario  string
}

func (l *List) decision(line int, d decision, now time.Time) {
	word := firstOf(d.Value, d.Target)
	if scope, value, ok := strings.Cut(word, ":"); ok && (strings.EqualFold(scope, "ip") || strings.EqualFold(scope, "range")) {
		word = value // as cscli prints it
	}
	switch strings.ToLower(d.Scope) {
	case "", "ip", "range", "all":
	default:
		l.refuse(line, d.Scope+" "+word, "its scope is not everything of an address")
		return
	}
	if d.Type != "" && !strings.EqualFold(d.Type, "ban") {
		l.refuse(line, word, "its action is "+clip(d.Type, 20)+", not ban")
		return
	}
	if d.Simulated {
		l.refuse(line, word, "it is only simulated")
		return
	}
	until, err := parseUntil(firstOf(d.Until, d.Duration), now)
	if err != nil {
		l.refuse(line, word, err.Error())
		return
	}
	l.take(line, word, until, firstOf(d.Why, d.Reason, d.Scenario), now)
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// parseUntil reads a time, or a span from now on.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return time.Time{}, fmt.Errorf("its end %q is no time and no duration", clip(text, 40))
}

// json reads an array of decisions or of alerts that hold decisions, or a document with blocks. Elements are counted
// from 1.
func (l *List) json(text []byte, now time.Time) error {
	var list []json.RawMessage
	if text[0] == '{' {
		var doc struct{ Blocks []json.RawMessage }
		if err := json.Unmarshal(text, &doc); err != nil {
			return err
		}
		list = doc.Blocks
	} else if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for i, raw := range list {
		var alert struct {
			decision
			Decisions []decision
		}
		if err := json.Unmarshal(raw, &alert); err != nil {
			l.refuse(i+1, string(raw), "no decision")
			continue
		}
		decisions := alert.Decisions
		if decisions == nil {
			decisions = []decision{alert.decision}
		}
		for _, d := range decisions {
			l.decision(i+1, d, now)
		}
		if len(l.Items) > maxItems {
			return errTooLong
		}
	}
	return nil
}
