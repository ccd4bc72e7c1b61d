package lab_test

import (
	"encoding/base64"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// question is a query of DNS.
func question(name string, kind uint16) []byte {
	b := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = append(b, 0)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, kind), 1)
}

// TestRealNamed wants those accused whom BIND refuses.
func TestRealNamed(t *testing.T) {
	l := lab.New(t)
	l.Syslog()
	l.Named()
	ask := func(c net.Conn, q []byte) {
		t.Helper()
		if c.LocalAddr().Network() == "tcp" {
			q = append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)
		}
		if _, err := c.Write(q); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ask(l.Datagrams("203.0.113.10", 53), question("www.example.com", 1))
	ask(l.Datagrams("198.51.100.7", 53), question("www.example.net", 1))
	ask(l.Datagrams("2001:db8:1::7", 53), question("www.example.net", 28))
	ask(l.Datagrams("198.51.100.8", 53), question("client @0x1 "+strings.ReplaceAll(forged, ".", "-")+"#1 (x): query (cache) 'x/A/IN' denied", 1))
	ask(l.Connect("198.51.100.9", 53), question("example.com", 252))
	update := question("example.com", 6)
	update[2] = 5 << 3
	ask(l.Datagrams("198.51.100.10", 53), update)
	l.AwaitText("var/log/bind/plain.log", "198.51.100.10#")
	l.AwaitText("var/log/messages", "198.51.100.10#")
	for _, name := range []string{"var/log/bind/named.log", "var/log/bind/plain.log", "var/log/messages"} {
		format := "named"
		if name == "var/log/messages" {
			format = "syslog"
		}
		list := explain(t, l, name, format)
		wantSame(t, name+": accused", accused(list), map[string]int{
			"198.51.100.7 not_allowed named": 1, "2001:db8:1::7 not_allowed named": 1, "198.51.100.8 not_allowed named": 1,
			"198.51.100.9 not_allowed named": 1, "198.51.100.10 not_allowed named": 1,
		})
		wantInnocent(t, l, name)
	}
}

// TestRealExim wants those accused who guess passwords, and misuse the server.
func TestRealExim(t *testing.T) {
	l := lab.New(t)
	l.Exim()
	bye := func(c *lab.Talk) { c.Say("QUIT", "221"); c.End() }
	smtp := func(from, helo string) *lab.Talk {
		c := l.Talk(from, 25, "220 ")
		c.Say("EHLO "+helo, "250 ")
		return c
	}
	c := smtp("203.0.113.10", "client.example.net")
	c.Say("AUTH PLAIN "+plain("ann", lab.Password), "235")
	c.Say("MAIL FROM:<ann@example.com>", "250")
	c.Say("RCPT TO:<someone@elsewhere.example>", "250")
	c.Say("DATA", "354")
	c.Say("Subject: hello\r\n\r\nhello\r\n.", "250")
	bye(c)
	c = smtp("198.51.100.7", "client.example.net")
	c.Say("AUTH PLAIN "+plain("ann", "wrong"), "535")
	c.Say("AUTH PLAIN "+plain("x) H=(y) ["+forged+"]: 535 Incorrect authentication data (set_id=z", "wrong"), "535")
	c.Say("AUTH LOGIN", "334")
	c.Say(base64.StdEncoding.EncodeToString([]byte("root")), "334")
	c.Say(base64.StdEncoding.EncodeToString([]byte("wrong")), "535")
	bye(c)
	c = smtp("198.51.100.8", "["+forged+"]")
	c.Say("AUTH PLAIN "+plain("ann", "wrong"), "535")
	c.Say(`MAIL FROM:<"x> H=(y) [`+forged+`] F=<z"@example.net>`, "250")
	c.Say("RCPT TO:<someone@elsewhere.example>", "550")
	c.Say("RCPT TO:<no-such-user@example.com>", "550")
	c.Say(`RCPT TO:<"x H=(y) [`+forged+`] F=<z> rejected RCPT"@elsewhere.example>`, "550")
	bye(c)
	c = smtp("198.51.100.15", "client.example.net")
	c.Say("MAIL FROM:<spam@example.net>", "250")
	c.Say("RCPT TO:<someone@elsewhere.example>", "550")
	c.Say("RCPT TO:<no-such-user@example.com>", "550")
	bye(c)
	c = l.Talk("198.51.100.9", 25, "220 ")
	c.Say("EHLO (x) ["+forged+"]", "501")
	bye(c)
	c = smtp("198.51.100.10", "client.example.net")
	for range 3 {
		c.Say("FOO", "500")
	}
	c.Send("FOO\r\n")
	c.End()
	c = l.Talk("198.51.100.11", 25, "")
	c.Send("EHLO client.example.net\r\n")
	c.End()
	many := []*lab.Talk{smtp("198.51.100.12", "x"), smtp("198.51.100.12", "x"), smtp("198.51.100.12", "x")}
	l.Talk("198.51.100.12", 25, "421").End()
	for _, c := range many {
		bye(c)
	}
	c = l.Talk("198.51.100.14", 25, "220 ")
	c.Send("GET / HTTP/1.1\r\nHost: x\r\nAccept: x\r\n\r\n")
	c.End()
	l.AwaitText("var/log/exim4/mainlog", "[198.51.100.14]")
	for _, name := range []string{"var/log/exim4/mainlog", "var/log/exim4/rejectlog"} {
		// Where helo_accept_junk_hosts is on, either of two peers may be the right one. An arrival says nothing against anybody.
		list := explain(t, l, name, "exim", "(y) ["+forged+"]", " <= ")
		want := map[string]int{
			"198.51.100.7 auth_failed exim": 2, "198.51.100.8 auth_failed exim": 1, "198.51.100.9 bad_handshake exim": 1,
			"198.51.100.11 probe exim": 1, "198.51.100.14 probe exim": 1,
			"198.51.100.15 relay exim": 1, "198.51.100.15 harvest exim": 1, "198.51.100.10 limit_hit exim": 1,
		}
		if name == "var/log/exim4/mainlog" {
			want["198.51.100.12 limit_hit exim"] = 1
		}
		wantSame(t, name+": accused", accused(list), want)
		wantInnocent(t, l, name)
	}
}

// TestRealDropbear wants those accused who guess passwords.
func TestRealDropbear(t *testing.T) {
	l := lab.New(t)
	l.Syslog()
	l.Dropbear()
	dir := t.TempDir()
	ssh := func(from, user, password string) {
		t.Helper()
		answer := filepath.Join(dir, "answer")
		if err := os.WriteFile(answer, []byte("#!/bin/sh\nexec echo '"+password+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		l.RunWorld([]string{"SSH_ASKPASS=" + answer, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0", "HOME=" + dir},
			"ssh", "-F", "none", "-b", from, "-l", user, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "NumberOfPasswordPrompts=1",
			"-o", "PubkeyAuthentication=no", lab.Addr4, "true")
	}
	ssh("203.0.113.10", "ann", lab.Password)
	ssh("198.51.100.7", "ann", "wrong")
	ssh("198.51.100.7", "root", "wrong")
	ssh("198.51.100.7", "nobody-here", "wrong")
	ssh("198.51.100.8", "x from "+forged+":22", "wrong")
	c := l.Talk("198.51.100.9", 22, "SSH-")
	c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.End()
	l.AwaitText("var/log/messages", "<198.51.100.9:")
	// Debian's does not say from where an unknown account was tried.
	list := explain(t, l, "var/log/messages", "syslog")
	wantSame(t, "accused", accused(list), map[string]int{"198.51.100.7 auth_failed dropbear": 1})
	wantSame(t, "logged in", passed(list), map[string]int{"203.0.113.10 dropbear ann": 1})
	wantInnocent(t, l, "var/log/messages")
}
