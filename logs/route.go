package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// Lines of many formats in one log are read one by one: how a line begins says which formats it could have, so that a line of no known
// format costs little. What becomes of a line depends on it, on the format of its log and on an entry that is still open; never on how many
// odd lines came before.

// opening is how a line begins.
type opening uint8

const (
	opensObject   opening = iota // {"
	opensBracket                 // [
	opensPriority                // <34>
	opensDate                    // 2026-11-22
	opensSlashed                 // 2026/11/22
	opensNumber                  // an address, seconds since 1970, a date of another form
	opensMonth                   // Nov 22
	opensDay                     // Sun Nov 22
	opensWord                    // anything else
	openings
)

func openingOf(b []byte) opening {
	switch c := b[0]; {
	case c == '{':
		return opensObject
	case c == '[':
		return opensBracket
	case c == '<':
		return opensPriority
	case isDigit(c):
		if len(b) < 19 {
			return opensNumber
		}
		switch {
		case b[4] == '-' && b[7] == '-':
			return opensDate
		case b[4] == '/' && b[7] == '/':
			return opensSlashed
		}
		return opensNumber
	case c < 'A' || len(b) < 15 || b[3] != ' ' && b[3] != ',':
		return opensWord
	case month(b) > 0:
		return opensMonth
	case isDayName(b):
		return opensDay
	}
	return opensWord
}

// route is one format that a line of some opening could have.
type route struct {
	format *Format
	could  func(line []byte) bool // a first look that costs next to nothing; nil where the format's own is no dearer
	timed  bool                   // has its time in brackets, as the common log format and its kin
}

// routes lists the formats that lines of each opening could have, in the order in which they are tried.
var routes [openings][]route

func init() {
	// Here, for what these two carry may be of any format.
	syslogLog.fits, syslogLog.line, kernelLog.line = fitsSyslog, syslogLine, kernelLine

	to := func(list ...any) (out []route) {
		for _, one := range list {
			switch one := one.(type) {
			case string:
				f := named(one)
				if f == nil {
					panic("no format " + one) // a name of our own
				}
				out = append(out, route{format: f})
			case *Format:
				out = append(out, route{format: one})
			case func([]byte) bool:
				out[len(out)-1].could = one
			case bool:
				out[len(out)-1].timed = one
			}
		}
		return out
	}
	clf := to(traefikCLF, true, vhost, true, vhostCommon, true, combined, true, common, true)
	routes = [openings][]route{
		opensObject: to("mongodb", "nextcloud", "gitlab_json", "keycloak", "authentik", "elasticsearch_audit", "mattermost_audit", "authelia", "sftpgo", "postgresql_json", "mysql_json", journalJSON, caddyError, anyJSON),
		opensBracket: to(apacheError, apache22Error, phpServer, couldBePHPServer, uwsgiLog, couldBeUWSGI, tornadoLog, couldBeTornado, sanicLog, hasSanic, djangoLog, couldBeDjango,
			giteaLog, couldBeMacaron, phpFPMSlow, phpFPM, "roundcube", phpError, "cpanel_login", couldBeCPanel, "plesk_panel", couldBePlesk, "asterisk", couldBeAsterisk, "jellyfin", couldBeJellyfin, "vaultwarden", couldBeVaultwarden, "domino", kernelLog,
			sslRequest, true, npmProxy, true, npmOther, true, envoy, bracketedDate, istio, bracketedDate, ginLog, syslogLog),
		opensPriority: to("oracle_ims", syslogLog),
		opensDate: to(lighttpdError, litespeedError, "keycloak", hasLevelWord, "homeassistant", hasLevelWord, "emby", hasLevelWord, "routeros", hasTopics, "stalwart", couldBeStalwart, "hestia", endsInLogin, "odoo", hasProcess, "zimbra", hasSecurity, "postgresql_csv", hasRow, "joomla", hasZoneTab, mysqlError, hasBracket, syslogLog, "proftpd", hasProftpd, "exim", unbracketed, "openvpn", unbracketed, "postgresql", hasLevel, "mongodb", hasT,
			"named", hasClient, awsELB, hasTQuote,
			uvicornLog, hasDashQuote, tornadoLog, endsInMS,
			httpErr, couldBeIIS, cloudFront, hasTab, iis, couldBeIIS),
		opensSlashed: to(giteaLog, hasRouter, "adguard_home", hasMicros, "rsync", couldBeRsync, nginxError, caddyError),
		opensNumber: append(to("cpanel_login_old", true), append(clf, to("openssh_windows", couldBeWindowsSSHD, mysqlError, "redis", "named", "xinetd", "domino", "tine20", "mosquitto", couldBeMosquitto, "zabbix", couldBeZabbix, "3proxy", couldBe3proxy, squid, couldBeSquid, cloudFrontLive, hasTab, iisNative, hasComma,
			uvicornLog, hasDashQuote, morgan, hasDashed, fiberLog, hasBar,
			haproxyHTTP, true, haproxyTCP, true, syslogLog)...)...),
		opensMonth: to(kernelLog, "routeros", hasTopics, syslogLog, "dovecot", "phpmyadmin"),
		opensDay:   to("vsftpd", "openvpn", syslogLog),
		opensWord: append(clf[:len(clf):len(clf)], to(awsALB, couldBeALB, awsNLB, couldBeNLB, awsS3, true, labelled, hasTab, "authelia", hasTimeQuote, "homeassistant", coloured, "redmine", saysLogin, "ispconfig", saysLogin, logfmt, hasPairs,
			uvicornLog, hasDashQuote, railsLog, couldBeRails, tornadoLog, endsInMS, morgan, hasDashed)...),
	}
}

// find returns the format, other than own, that a line is of, nil when none is; of an access format p.req is then filled.
func (p *Parser) find(line []byte, own *Format) *Format {
	if line[0] == ' ' || line[0] == '\t' {
		return nil // the rest of somebody's entry
	}
	list := routes[openingOf(line)]
	looked, timed := false, false
	for i := range list {
		r := &list[i]
		f := r.format
		if r.timed && !looked {
			looked, timed = true, hasBracketedTime(line)
		}
		switch {
		case f == own, r.timed && !timed, r.could != nil && !r.could(line):
		case f.read != nil:
			if p.grade(f, line) == complete {
				if f == anyJSON {
					f = p.scratch.format()
				}
				return f
			}
		case f == syslogLog:
			if _, ok := stripSyslog(p, line); ok {
				return f
			}
		case f.fits(line):
			return f
		}
	}
	return nil
}

// readAs reads a line as one of a format that find has found, without more trust than that format deserves.
func (p *Parser) readAs(f *Format, line []byte) outcome {
	p.guest = f
	trust := p.from.Trust
	p.from.Trust = min(trust, f.Trust())
	out := parsed
	if f.read != nil {
		p.push(line)
	} else {
		out = f.line(p, line)
		if p.errs.first > 0 {
			if p.open = f; !p.format.Whole {
				f.flush(p)
			}
		}
	}
	p.from.Trust = trust
	return out
}

// readIn does so in a log of format home: where names bring their line ends with them, the line may be a client's.
func (p *Parser) readIn(home, f *Format, line []byte) outcome {
	if home.raw {
		defer func(trust connwarden.Trust) { p.from.Trust = trust }(p.from.Trust)
		p.from.Trust = connwarden.TrustOutside
	}
	return p.readAs(f, line)
}

// entry reads one line of an error or event log whose format is home.
func (p *Parser) entry(home *Format, line []byte) outcome {
	if !p.opt.Auto {
		return home.line(p, line)
	}
	if p.errs.first > 0 {
		o := p.open
		if o == nil {
			o = home
		}
		if p.errs.held || o.fits(line) {
			return o.line(p, line)
		}
		f := p.find(line, o)
		if f == nil {
			return o.line(p, line)
		}
		o.flush(p)
		p.open = nil
		if f == home {
			return home.line(p, line)
		}
		return p.readIn(home, f, line)
	}
	p.open = nil
	switch {
	case home.strict:
		if out := home.line(p, line); out != unparsed {
			return out
		}
	case home.fits(line):
		return home.line(p, line)
	}
	if f := p.find(line, home); f != nil {
		return p.readIn(home, f, line)
	}
	if home.raw {
		defer func(trust connwarden.Trust) { p.from.Trust = trust }(p.from.Trust)
		p.from.Trust = connwarden.TrustOutside
	}
	if p.message(line) {
		return parsed
	}
	if home.strict {
		return unparsed
	}
	return home.line(p, line)
}

// nested reads a line that another brought, such as a web server's own in syslog, if it is of a format but not of one.
func (p *Parser) nested(line []byte, not *Format) bool {
	if len(line) == 0 {
		return false
	}
	f := p.find(line, nil)
	if f == nil || f == not {
		return false
	}
	p.readAs(f, line)
	return true
}

// message reads what a daemon says of a peer in a line that is of no format: with a tag but no time, with a time of another form, or with
// nothing before the message.
func (p *Parser) message(line []byte) bool {
	if line[0] == ' ' || line[0] == '\t' {
		return false
	}
	text, tagged, timed := p.prefix(line)
	trust := p.from.Trust
	defer func() { p.from.Trust = trust }()
	switch {
	case len(text) == 0:
		return false
	case tagged && (timed || p.isKnown(text)):
		p.guest, p.from.Trust = syslogLog, min(trust, connwarden.TrustLocal)
		p.said(text, line)
		return true
	}
	p.event = connwarden.Event{Time: p.carried}
	if p.guessed(line) {
		return true
	}
	// What a container's runtime brought, once.
	if line[0] == '{' || hasT(line) {
		strip := stripDocker
		if line[0] != '{' {
			strip = stripCRI
		}
		inner, ok := strip(p, line)
		p.partial = false // parts are put together only in logs that are theirs
		if ok && len(inner) > 0 && inner[0] != '{' {
			return p.nested(inner, nil) || p.message(inner)
		}
	}
	// "web-1  | …" of Docker Compose.
	if inner := uncomposed(line); len(inner) < len(line) {
		return p.nested(inner, nil)
	}
	return false
}

// isKnown tells whether p.sender, or a module of PAM in its name, could say text of a peer.
func (p *Parser) isKnown(text []byte) bool { return daemons.Knows(p.sender) || starts(text, "pam_") }

// daemonLog is the format of lines that are known by their message alone. No log as a whole is of it.
var daemonLog = &Format{Name: "daemon", Kind: Error}

// Trust tells who can write a line of a log by its format alone: of nginx's and LiteSpeed's error logs, and of applications that let the line
// ends of names through, a client, of syslog, of the kernel's messages and of PHP's log a local account, of others the daemon alone; of
// those daemons that let line ends of names through now and then (below, behind syslog's) a client, by a name, which is no more than a local account's word.
// Where a log is found tells better.
func (f *Format) Trust() connwarden.Trust {
	name := f.Name
	if n := bytes.LastIndexByte([]byte(name), '/'); n >= 0 {
		name = name[n+1:]
	}
	switch name {
	case nginxError.Name, litespeedError.Name, mysqlSlow.Name, "vaultwarden", "odoo", "redmine", "ispconfig", "emby", "3proxy":
		return connwarden.TrustOutside
	case syslogLog.Name, "routeros", mysqlErrors, "postgresql", "roundcube", "phpmyadmin", "joomla", "samba", "asterisk",
		"ejabberd", "xrdp", "monit", "murmur", "freeswitch", kernelLog.Name, journalJSON.Name, phpError.Name, phpFPM.Name:
		return connwarden.TrustLocal
	}
	return connwarden.TrustRoot
}
