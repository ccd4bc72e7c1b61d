package block_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// told is a list in words: targets with their ends in hours and reasons, then what was refused.
func told(l *block.List) string {
	var b strings.Builder
	b.WriteString(l.Format + "\n")
	for _, i := range l.Items {
		fmt.Fprintf(&b, "%s", block.Show(i.Target))
		if !i.Until.IsZero() {
			fmt.Fprintf(&b, " @%.2f", i.Until.Sub(epoch).Hours())
		}
		if i.Why != "" {
			fmt.Fprintf(&b, " (%s)", i.Why)
		}
		b.WriteByte('\n')
	}
	for _, r := range l.Refused {
		fmt.Fprintf(&b, "line %d %q: %s\n", r.Line, r.Text, r.Why)
	}
	return b.String()
}

// The samples of fail2ban are what fail2ban-client 1.0.2 printed; those of CrowdSec have the fields that cscli writes.
func TestParseList(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "# our list\n192.0.2.7\n\n198.51.100.0/24 ; SBL1234\n2001:db8::7 # lfd: (sshd) Failed login\nexample.com\n192.0.2.8 192.0.2.9\n::ffff:192.0.2.10\r\n",
			"list\n192.0.2.7\n198.51.100.0/24 (SBL1234)\n2001:db8::7 (lfd: (sshd) Failed login)\n192.0.2.10\n" +
				"line 6 \"example.com\": no address and no prefix\nline 7 \"192.0.2.8 192.0.2.9\": more than one word; remarks begin with #\n"},
		{"nothing", "", "list\n"},
		{"our CSV", "target,scope,since,until,why\n192.0.2.7,all,2026-11-22T13:00:00Z,2026-11-22T16:00:00Z,\"brute force, again\"\n192.0.2.8,ports:80,,,\n192.0.2.9,all,,,\n",
			"csv\n192.0.2.7 @2.00 (brute force, again)\n192.0.2.9\nline 3 \"ports:80 192.0.2.8\": its scope is not everything of an address\n"},
		{"cscli decisions list -o raw", "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id\n" +
			"276009,crowdsec,Ip:192.0.2.7,crowdsecurity/ssh-bf,ban,CN,64500 Example,7,3h59m57.949221341s,false,33459\n" +
			"276010,cscli,Range:198.51.100.0/24,manual 'ban' from 'localhost',ban,,,1,1h0m0s,false,33460\n" +
			"276011,crowdsec,Ip:2001:db8::7,crowdsecurity/http-probing,captcha,FR,,3,1h0m0s,false,33461\n" +
			"276012,crowdsec,Ip:192.0.2.9,crowdsecurity/http-probing,ban,FR,,3,-5m0s,false,33462\n" +
			"276013,crowdsec,Ip:2001:db8::8,crowdsecurity/http-probing,ban,FR,,3,30m,true,33463\n" +
			"276014,lists,As:64500,x,ban,,,3,30m,false,33464\n",
			"csv\n192.0.2.7 @4.00 (crowdsecurity/ssh-bf)\n198.51.100.0/24 @1.00 (manual 'ban' from 'localhost')\n" +
				"line 4 \"2001:db8::7\": its action is captcha, not ban\nline 5 \"192.0.2.9\": it has ended already\n" +
				"line 6 \"2001:db8::8\": it is only simulated\nline 7 \"As:64500\": no address and no prefix\n"},
		{"cscli decisions list -o json", `[
 {"capacity":5,"created_at":"2026-11-22T13:00:00Z","decisions":[{"duration":"3h0m0s","id":1,"origin":"crowdsec","scenario":"crowdsecurity/ssh-bf","scope":"Ip","simulated":false,"type":"ban","value":"192.0.2.7"}],"id":9,"scenario":"x","source":{"ip":"192.0.2.7","scope":"Ip","value":"192.0.2.7"}},
 {"decisions":[{"duration":"1h","scenario":"s","scope":"Country","type":"ban","value":"NL"},{"duration":"1h","scenario":"s","scope":"Range","type":"ban","value":"198.51.100.0/24"}]},
 "x"]`,
			"crowdsec\n192.0.2.7 @3.00 (crowdsecurity/ssh-bf)\n198.51.100.0/24 @1.00 (s)\n" +
				"line 2 \"Country NL\": its scope is not everything of an address\nline 3 \"\\\"x\\\"\": no decision\n"},
		{"cscli without decisions", "null\n", "crowdsec\n"},
		{"cscli decisions import", `[{"duration":"4h","reason":"r","scope":"ip","type":"ban","value":"192.0.2.7"},{"value":"192.0.2.8","duration":"soon"}]`,
			"crowdsec\n192.0.2.7 @4.00 (r)\nline 2 \"192.0.2.8\": its end \"soon\" is no time and no duration\n"},
		{"our JSON", `{"schema":"connwarden.blocks/1","blocks":[{"target":"192.0.2.0/24","scope":"all","drivers":["nft"],"until":"2026-11-22T15:00:00Z","why":"w"},{"target":"192.0.2.7/32","scope":"all","until":null}]}`,
			"crowdsec\n192.0.2.0/24 @1.00 (w)\n192.0.2.7\n"},
		{"fail2ban-client banned", "[{'sshd': ['192.0.2.7', '198.51.100.0/24', '2001:db8::7']}, {'nginx-http-auth': []}, {'recidive': ['203.0.113.9', 'nonsense']}]\n",
			"fail2ban\n192.0.2.7 (banned by fail2ban, jail sshd)\n198.51.100.0/24 (banned by fail2ban, jail sshd)\n2001:db8::7 (banned by fail2ban, jail sshd)\n" +
				"203.0.113.9 (banned by fail2ban, jail recidive)\nline 1 \"nonsense\": no address and no prefix\n"},
		{"fail2ban-client get sshd banip --with-time", "192.0.2.7 \t2026-11-22 13:41:42 + 5400 = 2026-11-22 15:11:42\n203.0.113.9 \t2026-11-22 08:41:43 + -1 = 9999-12-31 23:59:59\n192.0.2.8 \t2026-11-22 08:41:42 + 600 = 2026-11-22 08:51:42\n",
			"fail2ban\n192.0.2.7 @1.20 (banned by fail2ban)\n203.0.113.9 (banned by fail2ban)\nline 3 \"192.0.2.8\": it has ended already\n"},
		{"fail2ban-client get sshd banip", "192.0.2.7\n2001:db8::7\n", "list\n192.0.2.7\n2001:db8::7\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := block.ParseList(strings.NewReader(c.text), epoch, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(l); got != c.want {
				t.Errorf(" got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBrokenLists(t *testing.T) {
	for _, text := range []string{`[{"value":`, "ip,reason\n192.0.2.7,\"never closed\n", `{"blocks":7}`} {
		if l, err := block.ParseList(strings.NewReader(text), epoch, time.UTC); err == nil {
			t.Errorf("%q was read as %+v", text, l)
		}
	}
	l, err := block.ParseList(strings.NewReader(strings.Repeat("no\n", 5000)), epoch, time.UTC)
	if err != nil || len(l.Refused) != 1000 || l.More != 4000 {
		t.Errorf("%d refusals and %d more, %v", len(l.Refused), l.More, err)
	}
}

// TestExport reads back what was written.
func TestExport(t *testing.T) {
	held := func(target string, until time.Time, scope connwarden.Scope) block.Held {
		var h block.Held
		h.Target, h.Until, h.Scope, h.Why = prefix(target), until, scope, "because"
		return h
	}
	blocks := []block.Held{
		held("192.0.2.7/32", epoch.Add(time.Hour), connwarden.Scope{}), held("192.0.2.7/32", epoch.Add(2*time.Hour), connwarden.Scope{}),
		held("2001:db8::/64", time.Time{}, connwarden.Scope{}), held("192.0.2.8/32", time.Time{}, connwarden.Ports(80)),
	}
	for format, want := range map[string]string{
		"list":     "list\n192.0.2.7\n2001:db8::/64\n",
		"crowdsec": "crowdsec\n192.0.2.7 @2.00 (because)\n2001:db8::/64 @87600.00 (because)\n",
		"fail2ban": "fail2ban\n192.0.2.7 (banned by fail2ban, jail connwarden)\n2001:db8::/64 (banned by fail2ban, jail connwarden)\n",
	} {
		var out bytes.Buffer
		left, err := block.Export(&out, format, blocks, epoch)
		if err != nil || left != 1 {
			t.Errorf("%s: %d left out, %v", format, left, err)
		}
		l, err := block.ParseList(&out, epoch, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(l); got != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
	}
	if _, err := block.Export(&bytes.Buffer{}, "xml", blocks, epoch); err == nil {
		t.Error("xml was written")
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("192.0.2.7 # x\n")
	f.Add("[{'sshd': ['192.0.2.7']}]")
	f.Add(`[{"decisions":[{"value":"192.0.2.7","duration":"1h"}]}]`)
	f.Add("ip,duration\nIp:192.0.2.7,3h\n")
	f.Add("192.0.2.7 \t2026-11-22 13:41:42 + 5400 = 2026-11-22 15:11:42\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := block.ParseList(strings.NewReader(text), epoch, time.UTC)
		if err != nil {
			return
		}
		for _, i := range l.Items {
			if !i.Target.IsValid() || i.Target != i.Target.Masked() || len(i.Why) > 500 || !i.Until.IsZero() && !i.Until.After(epoch) {
				t.Errorf("%+v of %q", i, text)
			}
		}
	})
}
