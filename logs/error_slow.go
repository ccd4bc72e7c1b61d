package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// PHP-FPM's slow log (sapi/fpm/fpm/fpm_php_trace.c), an entry between blank lines:
//
//	[22-Nov-2026 14:03:07]  [pool www] pid 312
//	script_filename = /var/www/html/slow.php
//	[0x00007fe9948130d0] sleep() /var/www/html/slow.php:2
//	[0x00007fe994813070] slow_query() /var/www/html/slow.php:7
//
// The message says in which function, called from which, and in which script, since that is what such entries are
// counted by; [connwarden.Fault.Raw] is the first line.
var phpFPMSlow = &Format{Name: "php_fpm_slow", Kind: Error, Whole: true, fits: fitsSlow, line: slowLine, flush: slowFlush}

func fitsSlow(line []byte) bool {
	h, ok := readPHPHead(line)
	return ok && len(h.zone) == 0 && slowHead(h.rest) != nil
}

// slowHead reads "[pool www] pid 312" and returns the pool.
func slowHead(b []byte) []byte {
	n := bytes.IndexByte(b, ']')
	if n < 0 || !starts(b, "[pool ") || !starts(b[n:], "] pid ") {
		return nil
	}
	return b[len("[pool "):n]
}

func slowLine(p *Parser, line []byte) outcome {
	if fitsSlow(line) {
		slowFlush(p)
		p.beginEntry(line)
		return parsed
	}
	if p.errs.first == 0 {
		return unparsed
	}
	p.addLine(line)
	return continued
}

func slowFlush(p *Parser) {
	if p.errs.first == 0 {
		return
	}
	entry, first, from := p.endEntry()
	h, ok := readPHPHead(first)
	if !ok {
		return
	}
	f := p.startFault("php-fpm", first, from)
	f.Time, f.Level, f.Module = h.time(p), connwarden.LevelWarning, slowHead(h.rest)
	rest := entry[len(first):]
	if name := after(rest, "\nscript_filename = "); name != nil {
		f.Script = until(name, "\n")
	}
	j := append(p.errs.joined[:0], "executing too slow"...)
	join := " in "
	for range 2 {
		i := bytes.Index(rest, []byte("\n[0x"))
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		frame := until(rest, "\n")
		if name := after(frame, "] "); len(name) > 0 {
			j = append(append(j, join...), until(name, " ")...)
			join = " called by "
		}
	}
	if len(f.Script) > 0 {
		j = append(append(j, ", script "...), f.Script...)
	}
	p.errs.joined, f.Message = j, j
	p.pushFault(connwarden.EventOther, nil, nil)
}
