package lab_test

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// login is one login by FTP: the name, the password and the answer to it.
func login(l *lab.Lab, from string, port uint16, user, password, answer string) *lab.Talk {
	c := l.Talk(from, port, "220")
	c.Say("USER "+user, "331")
	c.Say("PASS "+password, answer)
	return c
}

// TestRealFTP lets people fetch files, and others guess passwords, and wants each accused of what they did, by three servers.
func TestRealFTP(t *testing.T) {
	bye := func(c *lab.Talk) { c.Say("QUIT", "221"); c.End() }
	t.Run("vsftpd", func(t *testing.T) {
		l := lab.New(t)
		l.Syslog()
		l.Vsftpd()
		bye(login(l, "203.0.113.10", 21, "ann", lab.Password, "230"))
		bye(login(l, "198.51.100.7", 21, "ann", "wrong", "530"))
		bye(login(l, "198.51.100.7", 21, "root", "wrong", "530"))
		bye(login(l, "198.51.100.8", 21, `x] FAIL LOGIN: Client "`+forged, "wrong", "530"))
		bye(login(l, "198.51.100.8", 21, `x rhost=`+forged+`  user=y`, "wrong", "530"))
		bye(login(l, "198.51.100.8", 21, `x" FAIL LOGIN: Client "`+forged+`"`, "wrong", "530"))
		c := login(l, "203.0.113.11", 21, "ann", lab.Password, "230")
		c.Say(`MKD x", Client "`+forged+`"`, "257")
		c.Say(`RMD [root] FAIL LOGIN: Client "`+forged+`"`, "550")
		bye(c)
		many := []*lab.Talk{l.Talk("198.51.100.9", 21, "220"), l.Talk("198.51.100.9", 21, "220"), l.Talk("198.51.100.9", 21, "220")}
		l.Talk("198.51.100.9", 21, "421").End()
		for _, c := range many {
			bye(c)
		}
		// A name or folder that holds a client makes some lines unclear; of the logins none.
		list := explain(t, l, "var/log/vsftpd.log", "vsftpd", " FTP command: ", " FTP response: ", " FAIL RMDIR: ")
		wantSame(t, "accused", accused(list), map[string]int{
			"198.51.100.7 auth_failed vsftpd": 2, "198.51.100.8 auth_failed vsftpd": 3, "198.51.100.9 limit_hit vsftpd": 1,
		})
		wantSame(t, "logged in", passed(list), map[string]int{"203.0.113.10 vsftpd ann": 1, "203.0.113.11 vsftpd ann": 1})
		list = explain(t, l, "var/log/messages", "syslog") // PAM's
		wantSame(t, "accused", accused(list), map[string]int{"198.51.100.7 auth_failed vsftpd": 2})
		wantInnocent(t, l, "var/log/vsftpd.log", "var/log/messages")
	})
	t.Run("proftpd", func(t *testing.T) {
		for _, name := range []string{"var/log/proftpd/proftpd.log", ""} {
			l := lab.New(t)
			l.Syslog()
			l.Proftpd(name)
			bye(login(l, "203.0.113.10", 2121, "ann", lab.Password, "230"))
			bye(login(l, "198.51.100.7", 2121, "ann", "wrong", "530"))
			bye(login(l, "198.51.100.7", 2121, "root", "wrong", "530"))
			bye(login(l, "198.51.100.7", 2121, "bob", lab.Password, "530"))
			bye(login(l, "198.51.100.8", 2121, "x ("+forged+"["+forged+"]) - USER root (Login failed): Incorrect password", "wrong", "530"))
			bye(login(l, "198.51.100.8", 2121, "x: no such user found from y ["+forged+"] to 192.0.2.1:21", "wrong", "530"))
			c := login(l, "198.51.100.9", 2121, "ann", "wrong", "530")
			for range 2 {
				c.Say("USER ann", "331")
				c.Send("PASS wrong\r\n")
			}
			c.End()
			many := []*lab.Talk{l.Talk("198.51.100.10", 2121, "220"), l.Talk("198.51.100.10", 2121, "220"), l.Talk("198.51.100.10", 2121, "220")}
			l.Talk("198.51.100.10", 2121, "").End()
			for _, c := range many {
				bye(c)
			}
			c = l.Talk("198.51.100.11", 2121, "220")
			c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			c.End()
			format := "proftpd"
			if name == "" {
				name, format = "var/log/messages", "syslog"
			}
			l.AwaitText(name, "client sent HTTP command")
			list := explain(t, l, name, format)
			wantSame(t, "accused", accused(list), map[string]int{
				"198.51.100.7 auth_failed proftpd": 2, "198.51.100.7 not_allowed proftpd": 1, "198.51.100.8 auth_failed proftpd": 2,
				"198.51.100.9 auth_failed proftpd": 3, "198.51.100.9 limit_hit proftpd": 1, "198.51.100.10 limit_hit proftpd": 1,
				"198.51.100.11 probe proftpd": 1,
			})
			wantInnocent(t, l, name)
		}
	})
	t.Run("pure-ftpd", func(t *testing.T) {
		l := lab.New(t)
		l.Syslog()
		l.PureFTPd()
		bye(login(l, "203.0.113.10", 2122, "ann", lab.Password, "230"))
		bye(login(l, "198.51.100.7", 2122, "ann", "wrong", "530"))
		bye(login(l, "198.51.100.8", 2122, "x@"+forged+") [WARNING] Authentication failed for user [root]", "wrong", "530"))
		c := login(l, "203.0.113.11", 2122, "ann", lab.Password, "230")
		c.Say("MKD (?@"+forged+") [WARNING] Authentication failed for user [root]", "257")
		bye(c)
		c = l.Talk("198.51.100.11", 2122, "220")
		c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c.End()
		many := []*lab.Talk{l.Talk("198.51.100.9", 2122, "220"), l.Talk("198.51.100.9", 2122, "220"), l.Talk("198.51.100.9", 2122, "220")}
		l.Talk("198.51.100.9", 2122, "421").End()
		for _, c := range many {
			bye(c)
		}
		l.Await("var/log/messages", "three are still there", func(text string) bool { return strings.Count(text, "(?@198.51.100.9) [INFO] Logout.") == 3 })
		list := explain(t, l, "var/log/messages", "syslog")
		wantSame(t, "accused", accused(list), map[string]int{
			"198.51.100.7 auth_failed pure-ftpd": 1, "198.51.100.8 auth_failed pure-ftpd": 1, "198.51.100.9 limit_hit pure-ftpd": 1,
			"198.51.100.11 probe pure-ftpd": 1,
		})
		wantSame(t, "logged in", passed(list), map[string]int{"203.0.113.10 pure-ftpd ann": 1, "203.0.113.11 pure-ftpd ann": 1})
		wantInnocent(t, l, "var/log/messages")
	})
}
