package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// The systemd journal as journalctl -o json writes it: an object a line, its members in no fixed order. A message that is no text is an
// array of numbers, and not read.
//
//	{"__REALTIME_TIMESTAMP":"1795356187123456","SYSLOG_IDENTIFIER":"sshd","_PID":"4242","MESSAGE":"Failed password for …"}
//
// Quotes inside values are escaped, so that a member's name with its quotes is the journal's; but any local account may call itself sshd.
var journalJSON = &Format{Name: "journal_json", Kind: Error, fits: fitsJournal, line: journalLine, strict: true}

func fitsJournal(line []byte) bool {
	return starts(line, `{"`) && bytes.Contains(line, []byte(`__REALTIME_TIMESTAMP"`)) && bytes.Contains(line, []byte(`"MESSAGE"`))
}

func journalLine(p *Parser, line []byte) outcome {
	if !fitsJournal(line) {
		return unparsed
	}
	text := member(line, "MESSAGE")
	if p.sender = member(line, "SYSLOG_IDENTIFIER"); len(p.sender) == 0 {
		p.sender = member(line, "_COMM")
	}
	if len(text) == 0 || len(p.sender) == 0 {
		return parsed
	}
	p.scratch.text = p.scratch.text[:0]
	text = p.scratch.undo(text)
	p.carried = time.Time{}
	if us := member(line, "__REALTIME_TIMESTAMP"); len(us) == 16 {
		p.carried, _ = p.stamps.any(us)
	}
	if string(p.sender) == "kernel" {
		return p.kernelSaid(text, line)
	}
	p.event = connwarden.Event{Time: p.carried}
	p.pushEvent(daemons.Message{Program: p.sender, Text: text}, line)
	return parsed
}
