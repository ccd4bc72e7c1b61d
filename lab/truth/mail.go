package truth

import (
	"fmt"
	"time"
)

// postfix adds what a daemon of Postfix said, dovecot what one of Dovecot did, exim a line of Exim's own log.
func (a *actor) postfix(daemon, form string, args ...any) {
	a.syslog("mail.log", "postfix/"+daemon, a.at, fmt.Sprintf(form, args...))
}

func (a *actor) dovecot(form string, args ...any) {
	stamp := a.at.Format("Jan _2 15:04:05")
	if a.machine.time != "" {
		stamp = a.at.Format(a.machine.time)
	}
	file := "mail.log"
	if a.machine.redHat {
		file = "maillog"
	}
	a.write(file, a.at, fmt.Sprintf("%s %s dovecot: %s", stamp, a.machine.name, fmt.Sprintf(form, args...)))
}

func (a *actor) exim(form string, args ...any) {
	a.write("exim_mainlog", a.at, a.at.Format("2006-01-02 15:04:05 ")+fmt.Sprintf(form, args...))
}

// mailRefused is one wrong password at SMTP or IMAP.
func (a *actor) mailRefused(user string, smtp bool) {
	switch {
	case smtp && a.machine.mail == "postfix":
		a.postfix("smtpd", "connect from unknown[%s]", a.addr)
		a.pause(time.Second, 3*time.Second)
		if a.chance(0.5) {
			a.postfix("smtpd", "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", a.addr)
		} else {
			a.postfix("submission/smtpd", "warning: unknown[%s]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s", a.addr, user)
		}
		a.postfix("smtpd", "disconnect from unknown[%s] ehlo=1 auth=0/1 quit=1 commands=2/3", a.addr)
	case smtp:
		a.exim("%s authenticator failed for (%s) [%s]:%d: 535 Incorrect authentication data (set_id=%s)", a.pick("dovecot_login", "plain_server", "login"), a.pick("User", a.word(), "ylmf-pc", "[127.0.0.1]"), a.addr, a.from(1024, 65535), user)
	default:
		session := a.letters(12)
		if a.chance(0.5) {
			a.dovecot("auth: passwd-file(%s,%s,<%s>): %s", user, a.addr, session, a.pick("Password mismatch", "unknown user"))
		}
		a.pause(2*time.Second, 4*time.Second)
		a.dovecot("%s: %s (auth failed, 1 attempts in %d secs): user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.10, TLS, session=<%s>",
			a.pick("imap-login", "imap-login", "pop3-login"), a.pick("Disconnected", "Disconnected: Aborted login by logging out", "Aborted login", "Disconnected: Connection closed"), a.from(2, 9), user, a.addr, session)
	}
}

func (a *actor) mailEntered(user string) {
	a.dovecot("imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.10, mpid=%d, TLS, session=<%s>", user, a.addr, a.from(700, 99999), a.letters(12))
}

// mailbox is a name of an account of the house.
func (w *World) mailbox() string { return w.word() + "@" + w.site.host }

var boxes = []string{"info", "admin", "office", "sales", "support", "contact", "test", "mail", "webmaster", "postmaster", "no-reply", "noreply", "billing", "hr", "marketing", "service", "newsletter", "scan", "scanner", "fax", "user", "root", "spam", "accounts", "reception"}

// Those who misuse mail.
var mailKinds = []Kind{
	{Name: "mail-one-box", play: func(w *World) {
		a := w.actor(30 * time.Minute)
		user, smtp := a.pick(boxes...)+"@"+a.site.host, a.chance(0.6)
		for range a.from(12, 120) {
			a.mailRefused(user, smtp)
			a.pause(time.Second, 8*time.Second)
		}
	}},
	{Name: "mail-many-boxes", play: func(w *World) {
		a := w.actor(2 * time.Hour)
		smtp := a.chance(0.6)
		for _, box := range a.some(a.from(6, 25), boxes) {
			a.mailRefused(box+"@"+a.site.host, smtp)
			a.pause(time.Second, 3*time.Minute)
		}
	}},
	{Name: "mail-slow", play: func(w *World) {
		a := w.actor(7 * time.Hour)
		smtp := a.chance(0.7)
		for range a.from(16, 40) {
			a.mailRefused(a.pick(boxes...)+a.pick("", "@"+a.site.host), smtp)
			a.pause(3*time.Minute, 12*time.Minute)
		}
	}},
	{Name: "mail-spread", Mass: true, play: func(w *World) { // two or three from each, and the same boxes
		list := w.some(6, boxes)
		w.target = list[0] + "@" + w.site.host
		w.spread(w.from(50, 600), time.Hour, 6*time.Hour, func(a *actor) {
			for range a.from(1, 3) {
				a.mailRefused(a.pick(list...)+"@"+a.site.host, true)
				a.pause(time.Minute, 40*time.Minute)
			}
		})
	}},
	{Name: "mail-relay", play: func(w *World) {
		a := w.actor(time.Hour)
		for range a.from(2, 15) {
			to := a.word() + "@" + a.pick("gmail.example", "mail.example", "hotmail.example")
			if a.machine.mail == "postfix" {
				a.postfix("smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 454 4.7.1 <%s>: Relay access denied; from=<spameri@tiscali.example> to=<%s> proto=ESMTP helo=<WIN-%s>", a.addr, to, to, a.letters(6))
			} else {
				a.exim("H=(WIN-%s) [%s]:%d F=<spameri@tiscali.example> rejected RCPT <%s>: relay not permitted", a.letters(6), a.addr, a.from(1024, 65535), to)
			}
			a.pause(time.Second, 3*time.Minute)
		}
	}},
	{Name: "mail-harvest", play: func(w *World) {
		a := w.actor(time.Hour)
		for range a.from(8, 60) {
			a.unknownRecipient(a.word() + "@" + a.site.host)
			a.pause(200*time.Millisecond, 20*time.Second)
		}
	}},
	{Name: "mail-rude", play: func(w *World) { // speaks before it is greeted, or speaks HTTP
		a := w.actor(2 * time.Hour)
		for range a.from(4, 20) {
			switch {
			case a.machine.mail != "postfix":
				a.exim("SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[%s]:%d input=\"%s\"", a.addr, a.from(1024, 65535), a.pick(`GET / HTTP/1.1\r\nHost: x\r\n`, `\026\003\001`, `EHLO x\r\n`))
			case a.chance(0.5):
				a.postfix("postscreen", `PREGREET 18 after 0 from [%s]:%d: EHLO masscan\r\n`, a.addr, a.from(1024, 65535))
			default:
				a.postfix("smtpd", "warning: non-SMTP command from unknown[%s]: GET / HTTP/1.1", a.addr)
			}
			a.pause(time.Second, 5*time.Minute)
		}
	}},
	{Name: "mail-listed", play: func(w *World) { // sends what block lists refuse
		a := w.actor(2 * time.Hour)
		for range a.from(3, 25) {
			if a.machine.mail == "postfix" {
				a.postfix("smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 Service unavailable; Client host [%s] blocked using zen.spamhaus.org; from=<x@%s.example> to=<info@%s> proto=ESMTP helo=<%s>", a.addr, a.addr, a.word(), a.site.host, a.word())
			} else {
				a.exim("H=(%s) [%s]:%d F=<x@%s.example> rejected RCPT <info@%s>: %s is listed at zen.spamhaus.org", a.word(), a.addr, a.from(1024, 65535), a.word(), a.site.host, a.addr)
			}
			a.pause(time.Second, 6*time.Minute)
		}
	}},
}

func (a *actor) unknownRecipient(to string) {
	if a.machine.mail == "postfix" {
		a.postfix("smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@example.net> to=<%s> proto=ESMTP helo=<mail>", a.addr, to, to)
	} else {
		a.exim("H=(mail) [%s]:%d F=<a@example.net> rejected RCPT <%s>: No Such User Here", a.addr, a.from(1024, 65535), to)
	}
}

// Those whose mail this is, and those who write to them.
var mailFriends = []Kind{
	{Name: "mail-clients", Role: Innocent, play: func(w *World) {
		a := w.actor(6 * time.Hour)
		user := a.mailbox()
		for range a.from(10, 80) {
			a.mailEntered(user)
			a.pause(time.Minute, 10*time.Minute)
		}
	}},
	{Name: "mail-old-password", Role: Innocent, play: func(w *World) { // a telephone in a drawer, every five minutes for ever
		a := w.actor(7 * time.Hour)
		user, smtp := a.mailbox(), a.chance(0.2)
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.mailRefused(user, smtp)
			a.at = a.at.Add(5 * time.Minute)
		}
	}},
	{Name: "mail-new-password", Role: Innocent, play: func(w *World) { // several devices of one household, one after the other given the new one
		a := w.actor(4 * time.Hour)
		user := a.mailbox()
		for range a.from(4, 14) {
			a.mailRefused(user, a.chance(0.3))
			a.pause(20*time.Second, 4*time.Minute)
		}
		for range a.from(3, 20) {
			a.mailEntered(user)
			a.pause(time.Minute, 6*time.Minute)
		}
	}},
	{Name: "mail-mistyped", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		user := a.mailbox()
		for range a.from(1, 3) {
			a.mailRefused(user, a.chance(0.3))
			a.pause(5*time.Second, 40*time.Second)
		}
	}},
	{Name: "mail-office", Role: Innocent, play: func(w *World) {
		a := w.actor(8 * time.Hour)
		var users []string
		for range a.from(15, 40) {
			users = append(users, a.mailbox())
		}
		for range a.from(100, 400) {
			if a.chance(0.05) {
				a.mailRefused(a.pick(users...), a.chance(0.3))
			} else {
				a.mailEntered(a.pick(users...))
			}
			a.pause(5*time.Second, 2*time.Minute)
		}
	}},
	{Name: "mail-sender", Role: Innocent, play: func(w *World) { // another mail server, with some to people who have left
		a := w.actor(6 * time.Hour)
		for range a.from(10, 80) {
			if a.machine.mail == "postfix" {
				a.postfix("smtpd", "connect from mail.%s.example[%s]", a.word(), a.addr)
				a.postfix("smtpd", "disconnect from mail.x.example[%s] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7", a.addr)
			} else {
				a.exim("1vM%s-0001Ab-2C <= a@%s.example H=mail.x.example [%s]:%d P=esmtps X=TLS1.3 S=%d", a.letters(3), a.word(), a.addr, a.from(1024, 65535), a.from(900, 90000))
			}
			if a.chance(0.04) {
				a.unknownRecipient(a.word() + "@" + a.site.host)
			}
			a.pause(10*time.Second, 8*time.Minute)
		}
	}},
	{Name: "mail-monitor", Role: Innocent, play: func(w *World) {
		a := w.actor(8 * time.Hour)
		for a.at.Before(a.Begin.Add(a.Length)) {
			if a.machine.mail == "postfix" {
				a.postfix("smtpd", "connect from unknown[%s]", a.addr)
				a.postfix("smtpd", "lost connection after CONNECT from unknown[%s]", a.addr)
			} else {
				a.exim("no MAIL in SMTP connection from (x) [%s]:%d D=0s C=EHLO,QUIT", a.addr, a.from(1024, 65535))
			}
			a.dovecot("imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=%s, lip=192.0.2.10, session=<%s>", a.addr, a.letters(12))
			a.at = a.at.Add(5 * time.Minute)
		}
	}},
}
