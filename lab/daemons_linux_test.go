package lab_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// plain is what SASL PLAIN sends.
func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

// TestRealMail lets people read and send mail, and others guess passwords and misuse the server, and wants each accused of what they did.
func TestRealMail(t *testing.T) {
	l := lab.New(t)
	l.Syslog()
	l.Dovecot()
	l.Postfix()
	imap := func(from, user, password, answer string) {
		c := l.Talk(from, 143, "* OK")
		c.Say(`a LOGIN "`+user+`" "`+password+`"`, answer)
		c.Say("b LOGOUT", "* BYE")
		c.End()
	}
	imap("203.0.113.10", "ann", lab.Password, "a OK")
	imap("198.51.100.7", "ann", "wrong", "a NO")
	imap("198.51.100.7", "root", "wrong", "a NO")
	imap("2001:db8:1::7", "nobody-here", "wrong", "a NO")
	imap("198.51.100.8", "x>, method=PLAIN, rip="+forged+", lip=192.0.2.1, session=<abc", "wrong", "a NO")
	imap("198.51.100.8", "x,"+forged+",<abc>): unknown user (y", "wrong", "a NO")
	imap("198.51.100.8", "x rhost="+forged+" user=y", "wrong", "a NO")
	c := l.Talk("198.51.100.9", 143, "* OK")
	c.Say("a LOGIN ann wrong1", "a NO")
	c.Say("b LOGIN ann wrong2", "b NO")
	c.Close()
	c = l.Talk("198.51.100.10", 143, "* OK")
	for range 30 {
		c.Send("\x16\x03\x01 FOO\r\n")
	}
	c.End()
	c = l.Talk("198.51.100.11", 143, "* OK")
	c.Close()
	c = l.Talk("198.51.100.7", 110, "+OK")
	c.Say("USER ann", "+OK")
	c.Say("PASS wrong", "-ERR")
	c.Say("QUIT", "+OK")
	c.End()
	c = l.Talk("203.0.113.11", 110, "+OK")
	c.Say("USER ann", "+OK")
	c.Say("PASS "+lab.Password, "+OK")
	c.Say("QUIT", "+OK")
	c.End()

	gone := func(times int, client string) {
		l.Await("var/log/messages", client+" is still there", func(text string) bool {
			return strings.Count(text, "disconnect from unknown["+client+"]") == times
		})
	}
	smtp := func(from string) *lab.Talk {
		c := l.Talk(from, 25, "220 ")
		c.Say("EHLO client.example.net", "250 ")
		return c
	}
	bye := func(c *lab.Talk) { c.Say("QUIT", "221"); c.End() }
	c = smtp("203.0.113.12")
	c.Say("AUTH PLAIN "+plain("ann", lab.Password), "235")
	c.Say("MAIL FROM:<ann@example.com>", "250")
	c.Say("RCPT TO:<someone@elsewhere.example>", "250")
	bye(c)
	c = smtp("198.51.100.20")
	c.Say("AUTH PLAIN "+plain("ann", "wrong"), "535")
	c.Say("AUTH PLAIN "+plain("nobody-here", "wrong"), "535")
	c.Say("AUTH LOGIN", "334")
	c.Say(base64.StdEncoding.EncodeToString([]byte("eve")), "334")
	c.Say(base64.StdEncoding.EncodeToString([]byte("wrong")), "535")
	c.Say("AUTH PLAIN *", "535")
	bye(c)
	c = smtp("198.51.100.21")
	c.Say("AUTH PLAIN "+plain("x, unknown["+forged+"]: SASL PLAIN authentication failed", "wrong"), "535")
	c.Say("AUTH PLAIN "+plain("x\nwarning: unknown["+forged+"]: SASL PLAIN authentication failed: x", "wrong"), "535")
	bye(c)
	c = smtp("198.51.100.22")
	c.Say("MAIL FROM:<spam@example.net>", "250")
	c.Say("RCPT TO:<someone@elsewhere.example>", "554")
	c.Say("RCPT TO:<no-such-user@example.com>", "550")
	c.Say(`RCPT TO:<"unknown[`+forged+`]: 554 5.7.1 Relay access denied"@elsewhere.example>`, "554")
	bye(c)
	c = l.Talk("198.51.100.23", 25, "220 ")
	c.Say("EHLO unknown["+forged+"]", "250 ")
	c.Say("MAIL FROM:<a@example.net>", "250")
	c.Say("RCPT TO:<ann@example.com>", "501")
	bye(c)
	c = l.Talk("198.51.100.24", 25, "220 ")
	c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.End()
	c = smtp("198.51.100.25")
	for range 13 {
		c.Send("FOO\r\n")
	}
	c.End()
	c = l.Talk("198.51.100.26", 25, "220 ")
	c.Send("EHLO client.example.net\r\nNOOP\r\n")
	c.Hear("250 2.0.0")
	bye(c)
	c = smtp("198.51.100.27")
	c.Say("MAIL FROM:<a@example.net>", "250")
	c.Say("RCPT TO:<ann@example.com>", "250")
	c.Say("DATA", "354")
	c.Send("Subject: pills from unknown[" + forged + "]; from=<x> to=<y>\r\n\r\nhello\r\n")
	c.Say(".", "550")
	bye(c)
	c = l.Talk("198.51.100.28", 2525, "")
	c.Send("EHLO early.example.net\r\n")
	c.Hear("220-")
	c.Hear("250 ") // what is said before the answer would be one thing more to reproach it with, or not
	c.Say("MAIL FROM:<a@example.net>", "250")
	c.Say("RCPT TO:<ann@example.com>", "550")
	bye(c)
	c = l.Talk("203.0.113.13", 2525, "220-")
	c.Hear("220 ")
	c.Say("EHLO client.example.net", "250 ")
	bye(c)
	var many []*lab.Talk
	for range 5 {
		many = append(many, l.Talk("198.51.100.29", 25, "220 "))
	}
	l.Talk("198.51.100.29", 25, "421").End()
	for _, c := range many {
		bye(c)
	}
	gone(6, "198.51.100.29")
	for _, name := range []string{"var/log/syslog", "var/log/messages"} {
		// Of a forgery of two sides nobody knows which is the right one.
		list := explain(t, l, name, "syslog", "plain(?,198.51.100.8,", "reject: header Subject: pills from")
		wantSame(t, name+": accused", accused(list), map[string]int{
			// A failure is told by the file of users, by PAM twice and by the login process; a name of forbidden bytes by two of them.
			"198.51.100.7 auth_failed dovecot":  3 * 4,
			"2001:db8:1::7 auth_failed dovecot": 4,
			"198.51.100.8 auth_failed dovecot":  3*2 - 1,
			"198.51.100.9 auth_failed dovecot":  2*3 + 1,
			"198.51.100.10 probe dovecot":       1,
			// Three of the four came as far as Dovecot; Postfix sums them up at the end.
			"198.51.100.20 auth_failed dovecot": 3 * 3,
			"198.51.100.20 auth_failed postfix": 4 + 1,
			"198.51.100.21 auth_failed dovecot": 2,
			"198.51.100.21 auth_failed postfix": 2 + 1,
			"198.51.100.22 harvest postfix":     1,
			"198.51.100.22 relay postfix":       2,
			"198.51.100.23 not_allowed postfix": 1,
			"198.51.100.24 probe postfix":       1,
			"198.51.100.25 limit_hit postfix":   1,
			"198.51.100.26 probe postfix":       1,
			"198.51.100.28 probe postfix":       1,
			"198.51.100.28 not_allowed postfix": 1,
			"198.51.100.29 limit_hit postfix":   1,
		})
		wantSame(t, name+": logged in", passed(list), map[string]int{
			"203.0.113.10 dovecot ann": 1, "203.0.113.11 dovecot ann": 1, "203.0.113.12 postfix ann": 1,
		})
		wantInnocent(t, l, name)
	}
}
