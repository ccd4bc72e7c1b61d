package logs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// prefixes are forms of what stands before a message: PROG and PID are the program's name and process id.
var prefixes = []string{
	"Nov 22 14:03:07 web1 PROG[PID]: ",
	"Nov  2 14:03:07 web1 PROG: ",
	"Nov 22 14:03:07 PROG[PID]: ",
	"<38>Nov 22 14:03:07 web1 PROG[PID]: ",
	"<38>Nov 22 14:03:07 PROG[PID]: ",
	"Nov 22 14:03:07.123456 web1 PROG[PID]: ",
	"Nov 22 2026 14:03:07 web1 PROG[PID]: ",
	"Nov 22 14:03:07 2026 web1 PROG[PID]: ",
	"2026 Nov 22 14:03:07 web1 PROG[PID]: ",
	"2026-11-22T14:03:07.123456+01:00 web1.example.com PROG[PID]: ",
	"2026-11-22T14:03:07+0100 web1 PROG[PID]: ",
	"2026-11-22T14:03:07Z web1 PROG: ",
	"2026-11-22 14:03:07 web1 PROG[PID]: ",
	"Sun 2026-11-22 14:03:07 UTC web1 PROG[PID]: ",
	"Sun Nov 22 14:03:07 2026 authpriv.warn PROG[PID]: ",
	"Sun Nov 22 14:03:07 2026 web1 PROG[PID]: ",
	"1795356187.123456 web1 PROG[PID]: ",
	"1795356187 web1 PROG[PID]: ",
	"[12345.678901] web1 PROG[PID]: ",
	"[ 1234.567890] PROG[PID]: ",
	"[Nov 22 14:03:07] web1 PROG[PID]: ",
	"[2026-11-22 14:03:07] PROG[PID]: ",
	"Nov 22 14:03:07 <auth.info> web1 PROG[PID]: ",
	"Nov 22 14:03:07 web1 auth.info PROG[PID]: ",
	"Nov 22 14:03:07 web1 auth|security:info PROG[PID]: ",
	"Nov 22 14:03:07 web1 PROG[PID]: [ID 800047 auth.info] ",
	"Nov 22 14:03:07 web1 PROG[PID] <Info>: ",
	"Nov 22 14:03:07 CET web1 PROG[PID]: ",
	"Nov 22 14:03:07 s_net@web1 PROG[PID]: ",
	"Nov 22 14:03:07 192.0.2.10 PROG[PID]: ",
	"Nov 22 14:03:07 2001:db8::10 PROG[PID]: ",
	"22 Nov 2026 14:03:07 web1 PROG[PID]: ",
	"22-Nov-2026 14:03:07.123 web1 PROG[PID]: ",
	"11/22/2026 02:03:07 PM web1 PROG[PID]: ",
	"web1 PROG[PID]: ",
	"PROG[PID]: ",
	"PROG: ",
	"<38>PROG[PID]: ",
	"<38>1 2026-11-22T14:03:07.123Z web1 PROG PID - - ",
	`<38>1 2026-11-22T14:03:07Z web1 PROG PID ID47 [x@32473 a="]\"b"] `,
	"auth-1  | Nov 22 14:03:07 web1 PROG[PID]: ",
	"<6>[12345.678901] PROG[PID]: ",
}

// spoken reads the messages of the daemons' samples: "= WANT", "> PROGRAM: TEXT".
func spoken(t testing.TB) (all [][3]string) {
	t.Helper()
	want := ""
	for _, line := range daemonSamples(t) {
		if w, ok := strings.CutPrefix(line, "= "); ok {
			want = w
		} else if m, ok := strings.CutPrefix(line, "> "); ok {
			if strings.HasPrefix(m, `"`) {
				var err error
				if m, err = strconv.Unquote(m); err != nil {
					t.Fatal(line, err)
				}
			}
			program, text, _ := strings.Cut(m, ": ")
			all = append(all, [3]string{want, program, text})
		}
	}
	return all
}

// accusation keeps what the last line said of a peer.
type accusation struct{ said string }

func (a *accusation) Conn(*connwarden.Conn)       {}
func (a *accusation) Request(*connwarden.Request) {}
func (a *accusation) Fault(*connwarden.Fault)     {}
func (a *accusation) Event(e *connwarden.Event) {
	a.said = fmt.Sprintf("%s %s", e.Kind, e.Client)
	if !e.Client.IsValid() {
		a.said = fmt.Sprintf("%s -", e.Kind)
	}
}

// TestPrefixes puts every form of prefix before every sample of every daemon: the reading is the same, whatever the log is thought to be.
func TestPrefixes(t *testing.T) {
	homes := []*Format{syslogLog, combined, apacheError, nginxError}
	for _, prefix := range prefixes {
		bad := 0
		for i, s := range spoken(t) {
			if strings.ContainsAny(s[2], "\r\n") || s[1] == "kernel" || s[2] == "" {
				continue
			}
			head := strings.NewReplacer("PROG", s[1], "PID", "4242").Replace(prefix)
			if strings.Contains(s[1], "[") || strings.Contains(prefix, "] <Info>") && s[1] == "something" {
				continue
			}
			p := homes[i%len(homes)].NewParser(Options{Now: errorNow, Auto: true})
			var got accusation
			got.said = "none"
			p.Parse(connwarden.Source{Line: 1}, []byte(head+s[2]+"\n"), &got)
			p.Flush(&got)
			want := strings.Join(strings.Fields(s[0])[:min(2, len(strings.Fields(s[0])))], " ")
			if got.said != want {
				if bad++; bad <= 3 {
					t.Errorf("%s: %s%s\ngot %s, want %s", homes[i%len(homes)].Name, head, s[2], got.said, want)
				}
			}
		}
		if bad > 3 {
			t.Errorf("%q: %d more", prefix, bad-3)
		}
	}
}
