package tell

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/connwarden/connwarden/report"
)

// hostile is what attackers write to whoever reads notifications.
const hostile = "```\r\nBcc: victim@example.com\r\n\r\n@everyone <!channel> <@U123> <https://evil.example/|bank> [x](http://evil.example) <b>&amp;</b></pre><script> WWW.evil.example \x1b[31m\u202e *bold* _i_ ~s~ `c`"

func hostileMessage() *Message {
	n := Note{
		Kind: Judged, Target: hostile, Verdict: "malicious", Score: 97, Why: hostile, Name: hostile, Undo: hostile,
		Network:  &report.Network{ASN: 64500, Org: hostile, Country: hostile},
		Evidence: []report.Evidence{{Rule: hostile, Why: hostile, Samples: []report.Sample{{File: hostile, Text: hostile}}}},
	}
	return &Message{Schema: Schema, Host: "web3", Time: time.Unix(1_800_000_000, 0).UTC(), Notes: []Note{n.clean()}, More: map[Kind]int{Blocked: 3}}
}

// In no medium does anything of an attacker's become markup, a mention, a link or a header.
func TestEscaped(t *testing.T) {
	m := hostileMessage()
	if strings.ContainsAny(m.Title(), "<@`*\r\n") {
		t.Errorf("title %q", m.Title())
	}
	body := func(f func(*Message) (any, error), key string) string {
		t.Helper()
		doc, err := f(m)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := doc.(map[string]any)[key].(string)
		if !ok || !utf8.ValidString(s) {
			t.Fatalf("no %s in %v", key, doc)
		}
		return s
	}
	slack := body(Slack, "text")
	if strings.ContainsAny(slack, "<>\r\x1b\u202e") || strings.Count(slack, "```") != 2 || strings.Contains(slack, "://") {
		t.Errorf("slack:\n%s", slack)
	}
	discord := body(Discord, "content")
	head, _, _ := strings.Cut(discord, "```")
	if strings.Count(discord, "```") != 2 || strings.Contains(head, "@") || strings.Contains(discord, "://") || len(discord) > 2000 {
		t.Errorf("discord:\n%s", discord)
	}
	doc, _ := Discord(m)
	if b, _ := json.Marshal(doc); !strings.Contains(string(b), `"allowed_mentions":{"parse":[]}`) {
		t.Errorf("%s", b)
	}
	telegram := body(Telegram("1"), "text")
	stripped := strings.NewReplacer("<b>", "", "</b>", "", "<pre>", "", "</pre>", "").Replace(telegram)
	if strings.ContainsAny(stripped, "<>") || strings.Count(telegram, "<pre>") != 1 || strings.Count(telegram, "</pre>") != 1 || strings.Contains(telegram, "://") {
		t.Errorf("telegram:\n%s", telegram)
	}
	if ntfy := body(Ntfy("t"), "message"); strings.ContainsAny(ntfy, "\r\x1b\u202e") || strings.Contains(ntfy, "://") || strings.Contains(ntfy, "WWW.") {
		t.Errorf("ntfy:\n%s", ntfy)
	}
}

// A mail has the headers that we write and no others, whatever an attacker wrote.
func TestMailHeaders(t *testing.T) {
	m := hostileMessage()
	m.Host = "wéb\r\nBcc: x@example.com"
	b, err := compose(m, mail.Address{Name: "Wärter\r\nX: y", Address: "a@example.com"}, []mail.Address{{Address: "b@example.com"}, {Name: "C", Address: "c@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mail.ReadMessage(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for k := range got.Header {
		switch k {
		case "From", "To", "Subject", "Date", "Message-Id", "Auto-Submitted", "Mime-Version", "Content-Type", "Content-Transfer-Encoding":
		default:
			t.Errorf("header %q: %q", k, got.Header.Get(k))
		}
	}
	if list, err := got.Header.AddressList("To"); err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "[connwarden] wéb") {
		t.Errorf("subject %q, %v", subject, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil || !strings.Contains(string(text), "malicious 97  AS64500") || strings.ContainsAny(string(text), "\x1b\u202e") || strings.Contains(string(text), "\nBcc:") {
		t.Errorf("%v\n%s", err, text)
	}
	for line := range strings.Lines(string(b)) {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// Whatever limit there is, the text keeps it, and tells how much it left out.
func TestTextFits(t *testing.T) {
	m := &Message{Host: "web3", Time: time.Unix(1_800_000_000, 0).UTC()}
	for i := range maxNotes {
		n := blocked(i)
		n.Evidence = []report.Evidence{{Rule: "r", Why: strings.Repeat("<", 300), Samples: []report.Sample{{Text: strings.Repeat("ü", 200)}}}}
		m.Notes = append(m.Notes, n.clean())
	}
	m.Notes = append(m.Notes, Note{Kind: Alarm, Why: "look"})
	for _, limit := range []int{500, 1000, 1900, 3900, 64 << 10} {
		text := m.Text(limit, strings.NewReplacer("<", "&lt;").Replace)
		if len(text) > limit || !strings.HasPrefix(text, "ALARM") || limit < 60_000 && !strings.Contains(text, "Besides, not shown here:") {
			t.Errorf("%d bytes of %d:\n%s", len(text), limit, text)
		}
	}
}

func TestJSON(t *testing.T) {
	b, err := hostileMessage().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Schema, Host, Title, Text string
		Notes                     []Note
		More                      map[Kind]int
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Schema != Schema || len(doc.Notes) != 1 || doc.More[Blocked] != 3 || doc.Title == "" || doc.Text == "" {
		t.Errorf("%v %s", err, b)
	}
}

// A secret shows itself in no form but to who asks for it.
func TestSecret(t *testing.T) {
	s := NewSecret("hunter2")
	b, _ := json.Marshal(map[string]any{"a": s})
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%+v", &Post{Bearer: s}), string(b)} {
		if strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
}

// FuzzEscape wants that no medium lets markup of a note through, and that all stay within their bounds.
func FuzzEscape(f *testing.F) {
	f.Add(hostile)
	f.Add("www.WWW.www.x://://")
	f.Fuzz(func(t *testing.T, text string) {
		n := Note{Kind: Judged, Target: text, Why: text, Evidence: []report.Evidence{{Why: text, Samples: []report.Sample{{Text: text}}}}}
		m := &Message{Host: report.Clean(text), Notes: []Note{n.clean()}}
		if strings.ContainsAny(m.Title(), "\r\n") {
			t.Errorf("title %q", m.Title())
		}
		m.Host = "web3"
		doc, _ := Slack(m)
		if s := doc.(map[string]any)["text"].(string); strings.ContainsAny(s, "<>") || strings.Count(s, "`") != 6 || strings.Contains(s, "://") {
			t.Errorf("slack %q", s)
		}
		doc, _ = Discord(m)
		if s := doc.(map[string]any)["content"].(string); strings.Count(s, "`") != 6 || len(s) > 2000 {
			t.Errorf("discord %q", s)
		}
		doc, _ = Telegram("1")(m)
		if s := doc.(map[string]any)["text"].(string); strings.Count(s, "<") != 4 || len(s) > 4096 {
			t.Errorf("telegram %q", s)
		}
		b, err := compose(m, mail.Address{Address: "a@example.com"}, []mail.Address{{Address: "b@example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := mail.ReadMessage(strings.NewReader(string(b))); err != nil || len(got.Header) != 9 {
			t.Errorf("%v %q", err, b)
		}
	})
}
