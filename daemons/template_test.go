package daemons

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// said renders a template with the given texts in its places.
func (t *template) said(host, user, anything string) string {
	var b strings.Builder
	for _, p := range t.pieces {
		switch p.what {
		case 0:
			b.WriteString(p.text)
		case 'a':
			b.WriteString(host)
		case 'u':
			b.WriteString(user)
		case 'w':
			b.WriteString("word")
		case 'n':
			b.WriteString("42")
		default:
			b.WriteString(anything)
		}
	}
	return b.String()
}

// TestTemplates renders every template of every service: with a plain name it names its peer, in whatever form the address has, and a host
// that is no address nobody; with a name that holds the same message of somebody else, whole or in part, it names its peer or nobody.
func TestTemplates(t *testing.T) {
	tried := 0
	for i := range services {
		s := &services[i]
		program, _, _ := strings.Cut(s.programs, " ")
		program = strings.TrimSuffix(program, "*")
		for j := range s.words {
			w := &s.words[j]
			plain := w.said("198.51.100.1", "bob", "x")
			if !strings.Contains(plain, "198.51.100.1") {
				continue
			}
			tried++
			var e connwarden.Event
			if !Read(&Message{[]byte(program), []byte(plain)}, &e) || e.Client.String() != "198.51.100.1" || e.Kind != w.kind || e.Service != s.name {
				t.Errorf("%s: got %s %s %s, want %s: %s", s.name, e.Service, e.Kind, e.Client, w.kind, plain)
			}
			for _, form := range []string{"2001:db8::7", "::ffff:198.51.100.7", "[2001:db8::7]", "198.51.100.7:51022"} {
				if e, ok := readAs(program, w.said(form, "bob", "x")); !ok || e.Client.String() != "2001:db8::7" && e.Client.String() != "198.51.100.7" {
					t.Errorf("%s: got %s: %s", s.name, e.Client, w.said(form, "bob", "x"))
				}
			}
			if e, _ := readAs(program, w.said("dialup.example.net", "bob", "x")); e.Client.IsValid() {
				t.Errorf("%s: a name became %s: %s", s.name, e.Client, w.said("dialup.example.net", "bob", "x"))
			}
			whole := w.said(forged, "eve", "y")
			at := strings.Index(whole, forged)
			for _, name := range []string{
				whole, "x" + whole, whole + "x", whole[at:], "x" + whole[at:], whole[:at] + forged, whole[max(0, at-8):], "x" + whole[max(0, at-12):], forged, " " + forged + " ",
				"x from " + forged, "x (" + forged + ")", "x [" + forged + "] ", "'" + forged + "'", "\" from " + forged + ".", "x' (Remote IP: '" + forged + "')",
				whole + whole, whole + " " + whole,
			} {
				for _, text := range []string{w.said("198.51.100.1", name, "x"), w.said("198.51.100.1", "bob", name), w.said("198.51.100.1", name, name)} {
					if e, _ := readAs(program, text); e.Client.String() == forged {
						t.Errorf("%s: somebody else is named: %s", s.name, text)
					}
				}
			}
		}
	}
	if tried < 80 {
		t.Errorf("only %d templates were tried", tried)
	}
}

// readAs reads a message of a program.
func readAs(program, text string) (e connwarden.Event, ok bool) {
	ok = Read(&Message{[]byte(program), []byte(text)}, &e)
	return e, ok
}

// TestTemplateBound proves that a name made to be read in millions of ways costs little and accuses nobody.
func TestTemplateBound(t *testing.T) {
	w := says(failed, "a %u from %u from %* from %a")
	var e connwarden.Event
	if w.read("a "+strings.Repeat("x from ", 3000)+"198.51.100.1", &e) {
		t.Error("accused all the same")
	}
}
