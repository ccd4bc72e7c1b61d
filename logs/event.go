package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// syslogLog is what syslog and journalctl write of all programs: auth.log, secure, mail.log, maillog, messages, syslog. A
// daemon's message becomes an event if it is about a peer, the kernel's a fault, a web server's what it is in the server's own log; other
// lines say nothing. A local account can write any line through logger(1): their trust is the source's.
var syslogLog = &Format{Name: "syslog", Kind: Error, strict: true}

// eventFormats lists the logs that daemons write themselves, without syslog. MySQL's is among the error logs. BIND's
// "22-Nov-2026 14:03:07.123 security: …", ProFTPD's "2026-11-22 14:03:07,123 web1 proftpd[123] …", Asterisk's "[Nov 22 14:03:07] NOTICE[42] …",
// Dovecot's "Nov 22 14:03:07 imap-login: Info: …", phpMyAdmin's and xinetd's "26/11/22@14:03:07: FAIL: …" come first, for a prefix of syslog
// fits them, too.
var eventFormats = func() []*Format {
	var first, list []*Format
	for i := range daemons.Formats {
		f := &daemons.Formats[i]
		own := &Format{Name: f.Name, Kind: Error, raw: f.Raw, fits: f.Fits}
		most := own.Trust()
		own.line = func(p *Parser, line []byte) outcome { return p.ownLog(f, most, line) }
		switch f.Name {
		case mysqlError.Name:
		case "named", "proftpd", "asterisk", "dovecot", "xinetd", "phpmyadmin":
			first = append(first, own)
		default:
			list = append(list, own)
		}
	}
	return append(append(first, syslogLog), list...)
}()

func fitsSyslog(line []byte) bool {
	_, ok := stripSyslog(syslogLog.NewParser(Options{}), line)
	return ok
}

func syslogLine(p *Parser, line []byte) outcome {
	text, ok := stripSyslog(p, line)
	if !ok {
		return unparsed
	}
	return p.said(text, line)
}

// said reads what p.sender said at p.carried.
func (p *Parser) said(text, line []byte) outcome {
	if string(p.sender) == "kernel" {
		return p.kernelSaid(text, line)
	}
	if p.webSaid(text, line) {
		return parsed
	}
	p.event = connwarden.Event{Time: p.carried}
	if !p.pushEvent(daemons.Message{Program: p.sender, Text: text}, line) && !p.isKnown(text) {
		p.guessed(line) // perhaps what looked like a tag was the beginning of a message
	}
	return parsed
}

// guessed reads a message that nothing but its own words tells the daemon of. Anybody who can have a line of his own in a log could write it,
// so that it is worth little trust.
func (p *Parser) guessed(line []byte) bool {
	program := daemons.Guess(p.untagged)
	if program == nil {
		return false
	}
	trust := p.from.Trust
	p.guest, p.from.Trust = daemonLog, connwarden.TrustOutside
	p.pushEvent(daemons.Message{Program: program, Text: p.untagged}, line)
	p.from.Trust = trust
	return true
}

// webSaid reads what a web server or PHP sends to syslog: lines of its own logs, with or without their time.
func (p *Parser) webSaid(text, line []byte) bool {
	name := p.sender
	if n := bytes.IndexByte(name, '('); n > 0 {
		name = name[:n]
	}
	switch string(name) {
	case "apache2", "httpd", "apache", "httpd2":
		if len(text) > 1 && text[0] == '[' && text[1] >= 'a' {
			f := p.startFault("apache", line, p.from)
			f.Time = p.carried
			p.pushFault(p.apacheMessage(p.apacheHead(text)))
			return true
		}
	case "lighttpd":
		if len(text) > 1 && text[0] == '(' {
			return p.lighttpdSaid(text, line, p.carried) != unparsed
		}
	case "nginx", "haproxy", "caddy", "traefik", "varnishncsa", "squid", "php-fpm":
	case "php", "ool":
	default:
		return false
	}
	return p.nested(text, syslogLog) // what is wrapped twice is somebody's game
}

// ownLog reads a line of a daemon's own log. A line whose time cannot be read belongs to the entry before. Whoever owns the file, a line is worth no more
// than whom the daemon lets write it.
func (p *Parser) ownLog(f *daemons.Format, most connwarden.Trust, line []byte) outcome {
	stamp, program, text, ok := f.Split(line)
	if !ok {
		return unparsed
	}
	p.event = connwarden.Event{}
	p.event.Time, _ = p.stamps.any(stamp)
	if p.event.Time.IsZero() {
		p.event.Time, _ = p.stamps.odd(stamp)
	}
	trust := p.from.Trust
	p.from.Trust = min(trust, most)
	p.pushEvent(daemons.Message{Program: program, Text: text}, line)
	p.from.Trust = trust
	return parsed
}

// pushEvent emits p.event if the message is about a peer, and tells whether it is.
func (p *Parser) pushEvent(m daemons.Message, line []byte) bool {
	if !daemons.Read(&m, &p.event) {
		return false
	}
	p.event.From, p.event.Raw = p.from, line
	p.sink.Event(&p.event)
	return true
}
