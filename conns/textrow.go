package conns

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// textRow is one row of saved text, small enough to hold millions.
type textRow struct {
	local, remote [16]byte
	cut           uint32 // a number in text.cut
	proc          uint32 // a number in text.procs
	recv, send    uint32
	lport, rport  uint16
	proto         connwarden.Proto
	state         connwarden.State
	flags         rowFlags
	form          form
}

type rowFlags uint8

const (
	rowLocal    rowFlags = 1 << iota // local is an address
	rowRemote                        // remote is an address
	rowMaybeCut                      // remote is as long as the form cuts to: it may have been longer
	rowOrigin                        // conntrack: local is who opened it, remote whom; which is ours is not known
	rowAssumed                       // the protocol was not written
)

// rowList holds rows in chunks, so that growing copies nothing.
type rowList struct {
	chunks [][]textRow
	n      int
}

const rowChunk = 4096

// add copies a row in; it reports false when the list is full.
func (l *rowList) add(r *textRow) bool {
	if l.n >= maxTextRows {
		return false
	}
	if l.n%rowChunk == 0 {
		size := rowChunk
		if l.n == 0 {
			size = 64 // most texts are short
		}
		l.chunks = append(l.chunks, make([]textRow, 0, size))
	}
	last := &l.chunks[len(l.chunks)-1]
	*last = append(*last, *r)
	l.n++
	return true
}

// each calls do with every row.
func (l *rowList) each(do func(*textRow)) {
	for _, chunk := range l.chunks {
		for i := range chunk {
			do(&chunk[i])
		}
	}
}

func (r *textRow) localEnd() netip.AddrPort { return textEnd(r.local, r.lport, r.flags&rowLocal != 0) }
func (r *textRow) remoteEnd() netip.AddrPort {
	return textEnd(r.remote, r.rport, r.flags&rowRemote != 0)
}

func textEnd(addr [16]byte, port uint16, known bool) netip.AddrPort {
	if !known {
		return netip.AddrPortFrom(netip.Addr{}, port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(addr).Unmap(), port)
}

// finish tells directions and pushes what is wanted.
func (t *text) finish(name string, sink connwarden.Sink) *Result {
	res := &Result{Rows: int64(t.rows.n), Unparsed: t.unparsed}
	best := formNone
	for f := range numForms {
		if t.byForm[f] > t.byForm[best] {
			best = f
		}
	}
	res.Source = formNames[best]

	if t.udpOnly && !t.tcpOnly {
		t.rows.each(func(r *textRow) {
			if r.flags&rowAssumed != 0 {
				r.proto = connwarden.UDP
			}
		})
	}
	var listen listeners
	lost := 0
	t.rows.each(func(r *textRow) {
		if !waiting(r.proto, r.state) || r.flags&rowOrigin != 0 {
			return
		}
		listen.of(r.proto).add(r.localEnd(), false)
		if len(res.Listeners) >= maxListeners {
			lost++
			return
		}
		res.Listeners = append(res.Listeners, Listener{Proto: r.proto, Addr: r.localEnd(), Queue: r.recv, Limit: r.limit(), Process: t.process(r)})
	})
	g := newGuess(&t.rows, &listen)

	f := newFilter(&t.opt)
	var c connwarden.Conn
	cut := int64(0)
	t.rows.each(func(r *textRow) {
		t.conn(r, &c, &listen, g)
		res.Guessed = res.Guessed || g.used
		if c.Truncated != "" {
			cut++
		}
		if f.keep(&c) {
			sink.Conn(&c)
		}
	})
	t.problems(res, name, cut, lost)
	return res
}

// limit is what the accept queue holds at most, where the form says so.
func (r *textRow) limit() uint32 {
	if r.form == formSS {
		return r.send
	}
	return 0
}

// conn makes a Conn of a row.
func (t *text) conn(r *textRow, c *connwarden.Conn, listen *listeners, g *guess) {
	*c = connwarden.Conn{Proto: r.proto, State: r.state, Local: r.localEnd(), Remote: r.remoteEnd(), RecvQueue: r.recv, SendQueue: r.send}
	if r.cut != 0 && (r.flags&rowMaybeCut == 0 || !t.wide[r.form] && (t.clipped || !mapped(&r.remote))) {
		c.Truncated = t.cut.list[r.cut]
		c.Remote = netip.AddrPortFrom(netip.Addr{}, r.rport)
	}
	if t.opt.Processes {
		c.Process = t.process(r)
	}
	switch {
	case waiting(c.Proto, c.State) && r.flags&rowOrigin == 0:
		c.Dir = connwarden.DirIn
		c.Remote = netip.AddrPort{}
	case r.flags&rowOrigin != 0:
		g.used = true
		c.Dir = g.origin(c)
		if c.Dir == connwarden.DirIn {
			c.Local, c.Remote = c.Remote, c.Local
		}
	case listen.of(c.Proto).any:
		c.Dir = listen.direction(c)
	default:
		c.Dir = g.direction(c)
	}
}

// process reads the process column that the row had.
func (t *text) process(r *textRow) connwarden.Process {
	if !t.opt.Processes || r.proc == 0 {
		return connwarden.Process{}
	}
	return parseProcess(t.procs.list[r.proc])
}

// problems says what was not whole.
func (t *text) problems(res *Result, name string, cut int64, lost int) {
	say := func(named bool, why string, args ...any) {
		res.Problems = append(res.Problems, connwarden.Problem{What: name, Why: fmt.Sprintf(why, args...), Named: named})
	}
	if res.Rows == 0 && res.Unparsed > 0 {
		say(true, "none of its %d lines is a connection in a form that is known: netstat -n, ss -n, /proc/net/tcp, conntrack -L", res.Unparsed)
	}
	if cut > 0 {
		say(false, "%d IPv6 addresses are cut off, or may be: each is shown as it was printed and is nobody's whole address: use netstat -W", cut)
	}
	if t.noState > 0 {
		say(false, "%d rows have no state, as ss prints them when asked for one state only: they are counted as established", t.noState)
	}
	if t.oddState > 0 {
		say(false, "%d rows have a word for their state that is not known", t.oddState)
	}
	if t.lost > 0 {
		say(true, "only its first %d rows are counted, %d more are not", maxTextRows, t.lost)
	}
	if lost > 0 {
		say(false, "only the first %d listeners are listed, %d more are not", maxListeners, lost)
	}
}

// parseProcess reads netstat's "1234/nginx:", ss's `users:(("nginx",pid=1234,fd=6))` or the PID of Windows.
func parseProcess(s string) connwarden.Process {
	b := []byte(s)
	if rest, ok := bytes.CutPrefix(b, []byte(`users:(("`)); ok {
		name, rest, ok := bytes.Cut(rest, []byte(`",pid=`))
		if !ok {
			return connwarden.Process{}
		}
		n := 0
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		pid, _ := decimal(rest[:n])
		return connwarden.Process{PID: int(pid), Name: string(name)}
	}
	first, name, _ := bytes.Cut(b, []byte("/"))
	pid, ok := decimal(first)
	if !ok {
		return connwarden.Process{}
	}
	return connwarden.Process{PID: int(pid), Name: string(bytes.TrimSuffix(name, []byte(":")))}
}
