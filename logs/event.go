package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// syslogLog is what syslog and journalctl write of all programs: auth.log, secure, mail.log, maillog, messages, syslog. A
// daemon's message becomes an event if it is about a peer, the kernel's a fault; other lines say nothing. A local account can
// write any line through logger(1): their trust is the source's.
var syslogLog = &Format{Name: "syslog", Kind: Error, fits: fitsSyslog, line: syslogLine}

// eventFormats lists the logs that daemons write themselves, without syslog. MySQL's is among the error logs.
var eventFormats = func() []*Format {
	list := []*Format{syslogLog}
	for i := range daemons.Formats {
		if f := &daemons.Formats[i]; f.Name != mysqlError.Name {
			list = append(list, &Format{Name: f.Name, Kind: Error, fits: f.Fits, line: func(p *Parser, line []byte) outcome { return p.ownLog(f, line) }})
		}
	}
	return list
}()

func fitsSyslog(line []byte) bool {
	rest, ok := syslogRest(line)
	if !ok {
		return false
	}
	tag, _ := word(rest)
	return len(tag) > 1 && tag[len(tag)-1] == ':' && isTag(tag[:len(tag)-1])
}

func syslogLine(p *Parser, line []byte) outcome {
	p.sender = nil
	text, ok := stripSyslog(p, line)
	switch {
	case !ok:
		return unparsed
	case string(p.sender) == "kernel":
		return kernelLine(p, line)
	}
	program := p.sender
	if n := bytes.IndexByte(program, '['); n > 0 {
		program = program[:n]
	}
	p.event = connwarden.Event{Time: p.carried}
	p.pushEvent(daemons.Message{Program: program, Text: text}, line)
	return parsed
}

// ownLog reads a line of a daemon's own log. A line whose time cannot be read belongs to the entry before.
func (p *Parser) ownLog(f *daemons.Format, line []byte) outcome {
	stamp, program, text, ok := f.Split(line)
	if !ok {
		return unparsed
	}
	p.event = connwarden.Event{}
	p.event.Time, _ = p.stamps.any(stamp)
	p.pushEvent(daemons.Message{Program: program, Text: text}, line)
	return parsed
}

// pushEvent emits p.event if the message is about a peer.
func (p *Parser) pushEvent(m daemons.Message, line []byte) {
	if daemons.Read(&m, &p.event) {
		p.event.From, p.event.Raw = p.from, line
		p.sink.Event(&p.event)
	}
}
