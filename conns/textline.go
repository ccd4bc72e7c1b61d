package conns

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// lineKind is what a line turned out to be.
type lineKind uint8

const (
	lineUnknown lineKind = iota
	lineRow
	lineOther // well formed, and about something that is no TCP or UDP socket
)

// parse reads one line, cut into columns, of whatever form.
func (t *text) parse(cols [][]byte, row *textRow) (form, lineKind) {
	first := cols[0]
	if c := first[len(first)-1]; c == ':' && '0' <= first[0] && first[0] <= '9' {
		return formProc, t.parseProc(cols, row)
	}
	proto, isProto := protoWord(first)
	switch {
	case isProto && isConntrack(cols, 1):
		return formConntrack, t.parseConntrack(cols, 0, row)
	case len(cols) > 3 && (string(first) == "ipv4" || string(first) == "ipv6") && isConntrack(cols, 3):
		return formConntrack, t.parseConntrack(cols, 2, row)
	case isProto && len(cols) >= 3 && (first[0] == 'T' || first[0] == 'U') && !isDecimal(cols[1]):
		return formWindows, t.parseWindows(proto, cols, row)
	case isProto && len(cols) >= 5 && isDecimal(cols[1]) && isDecimal(cols[2]):
		return t.parseNetstat(proto, cols, row)
	case isProto && len(cols) >= 6 && isDecimal(cols[2]) && isDecimal(cols[3]):
		return formSS, t.parseSS(proto, cols[1], cols[2:], row)
	case isOther(first):
		return t.last, lineOther
	case len(cols) >= 5 && isDecimal(cols[1]) && isDecimal(cols[2]):
		row.flags |= rowAssumed
		return formSS, t.parseSS(connwarden.TCP, first, cols[1:], row)
	case len(cols) >= 4 && isDecimal(first) && isDecimal(cols[1]):
		row.flags |= rowAssumed
		return formSS, t.parseSS(connwarden.TCP, nil, cols, row)
	}
	return formNone, lineUnknown
}

// protoWord reads tcp, tcp4, tcp6, tcp46 and the same of udp, in lower or upper case.
func protoWord(b []byte) (connwarden.Proto, bool) {
	if len(b) < 3 || len(b) > 5 {
		return 0, false
	}
	switch string(b[3:]) {
	case "", "4", "6", "46":
	default:
		return 0, false
	}
	switch string(b[:3]) {
	case "tcp", "TCP":
		return connwarden.TCP, true
	case "udp", "UDP":
		return connwarden.UDP, true
	}
	return 0, false
}

// isOther tells whether a row's first word is that of sockets that are neither TCP nor UDP: those of ss's Netid column,
// of netstat's and conntrack's.
func isOther(b []byte) bool {
	switch string(b) {
	case "unix", "u_str", "u_dgr", "u_seq", "nl", "p_raw", "p_dgr", "raw", "raw4", "raw6", "raw46", "icmp", "icmp4", "icmp6", "icmpv6",
		"icm4", "icm6", "icm46", "igmp", "gre", "esp", "ah", "ipip", "ipv4", "ipv6", "unknown", "sctp", "sctp4", "sctp6", "dccp",
		"udplite", "udplite6", "udpl", "udpl6", "mptcp", "v_str", "v_dgr", "tipc", "xdp", "ax25", "kctl", "kevt", "divert", "???":
		return true
	}
	return false
}

func isDecimal(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// isConntrack tells whether the protocol's number and a time follow, and then an address by name.
func isConntrack(cols [][]byte, at int) bool {
	if len(cols) < at+4 || !isDecimal(cols[at]) || !isDecimal(cols[at+1]) {
		return false
	}
	for _, c := range cols[at+2 : min(at+4, len(cols))] {
		if bytes.HasPrefix(c, []byte("src=")) {
			return true
		}
	}
	return false
}

// setEnds takes both ends of a row in; it reports false when one is a name, or there are too many cut addresses.
func (t *text) setEnds(row *textRow, f form, local, remote []byte) bool {
	var l, r end
	bsdL, ok1 := parseEnd(local, &l)
	bsdR, ok2 := parseEnd(remote, &r)
	if !ok1 || !ok2 || bsdL != (f == formBSD) || bsdR != (f == formBSD) {
		return false
	}
	row.form = f
	row.local, row.lport, row.remote, row.rport = l.addr, l.port, r.addr, r.port
	switch {
	case l.cut != nil && l.maybe && !t.wide[f] && !mapped(&l.addr): // what listens there is told by the port alone
	case l.known:
		row.flags |= rowLocal
	}
	if r.known {
		row.flags |= rowRemote
	}
	t.clipped = t.clipped || l.cut != nil && !l.known && bytes.IndexByte(l.cut, '.') >= 0 || r.cut != nil && !r.known && bytes.IndexByte(r.cut, '.') >= 0
	if r.cut != nil {
		n, ok := t.cut.number(r.cut)
		if !ok {
			return false
		}
		row.cut = n
		if r.maybe {
			row.flags |= rowMaybeCut
		}
	}
	if l.cut == nil && r.cut == nil {
		limit := netstatWidth
		if f == formBSD {
			limit = bsdWidth + len(".65535")
		}
		// An IPv6 address longer than any that was cut: the printer was asked for whole ones.
		if l.known && len(local) > limit && bytes.Count(local, []byte(":")) > 1 || r.known && len(remote) > limit && bytes.Count(remote, []byte(":")) > 1 {
			t.wide[f] = true
		}
	}
	return true
}

// setState decides the state of a row whose state column is word; nil when there is none.
func (t *text) setState(row *textRow, word []byte) {
	st, ok := stateWord(word)
	none := row.rport == 0 && row.flags&rowRemote == 0 || row.rport == 0 && isZero(row)
	switch {
	case ok:
		row.state = st
	case row.proto == connwarden.UDP && none:
		row.state = connwarden.StateClose
	case row.proto == connwarden.UDP:
		row.state = connwarden.StateEstablished
	case none:
		row.state = connwarden.StateListen // nothing else lacks a remote end, whatever the language calls it
	case word == nil:
		row.state = connwarden.StateEstablished
		t.noState++
	default:
		row.state = connwarden.StateUnknown
		t.oddState++
	}
}

// isZero tells whether the remote end is the unspecified address.
func isZero(row *textRow) bool {
	return row.remote == [16]byte{} || row.remote == [16]byte{10: 0xff, 11: 0xff}
}

// setProcess notes the process column.
func (t *text) setProcess(row *textRow, b []byte) {
	if t.opt.Processes {
		row.proc, _ = t.procs.number(b)
	}
}

// parseNetstat reads "tcp 0 0 LOCAL REMOTE [STATE] …": netstat of Linux, macOS and FreeBSD, and ss -tu when it was asked
// for one state and so prints none.
func (t *text) parseNetstat(proto connwarden.Proto, cols [][]byte, row *textRow) (form, lineKind) {
	f := formNetstat
	if i := bytes.LastIndexAny(cols[3], ":."); i >= 0 && cols[3][i] == '.' {
		f = formBSD
	}
	var word []byte
	rest := cols[5:]
	if len(rest) > 0 && !isPrograms(rest[0]) && !isNetstatProgram(rest[0]) {
		word, rest = rest[0], rest[1:]
	} else if f == formNetstat && proto == connwarden.TCP {
		f = formSS // netstat always has a word for TCP
	} else if f == formNetstat && (bytes.IndexByte(cols[3], '[') >= 0 || len(rest) > 0 && isPrograms(rest[0])) {
		f = formSS
	}
	row.proto = proto
	if !t.setEnds(row, f, cols[3], cols[4]) {
		return f, lineUnknown
	}
	row.recv, _ = decimal(cols[1])
	row.send, _ = decimal(cols[2])
	if proto == connwarden.UDP && word != nil {
		if _, ok := stateWord(word); !ok {
			word = nil // the user's name, with -e
		}
	}
	t.setState(row, word)
	for _, c := range rest {
		if isPrograms(c) || isNetstatProgram(c) {
			t.setProcess(row, c)
			break
		}
	}
	return f, lineRow
}

// isPrograms tells whether a column is ss's users:((…)).
func isPrograms(b []byte) bool { return bytes.HasPrefix(b, []byte("users:((")) }

// isNetstatProgram tells whether a column is netstat's "1234/nginx:", or its "-" for what it could not see.
func isNetstatProgram(b []byte) bool {
	i := bytes.IndexByte(b, '/')
	return string(b) == "-" || i > 0 && isDecimal(b[:i])
}

// parseSS reads "STATE RECV-Q SEND-Q LOCAL REMOTE …"; cols begins with the queues, and word is nil without that column.
func (t *text) parseSS(proto connwarden.Proto, word []byte, cols [][]byte, row *textRow) lineKind {
	row.proto = proto
	if word != nil {
		st, ok := stateWord(word)
		if !ok {
			return lineUnknown
		}
		if row.flags&rowAssumed != 0 {
			switch st {
			case connwarden.StateClose:
				t.udpOnly = true
			case connwarden.StateEstablished:
			default:
				t.tcpOnly = true
			}
		}
	}
	if !t.setEnds(row, formSS, cols[2], cols[3]) {
		return lineUnknown
	}
	row.recv, _ = decimal(cols[0])
	row.send, _ = decimal(cols[1])
	t.setState(row, word)
	for _, c := range cols[4:] {
		if isPrograms(c) {
			t.setProcess(row, c)
			break
		}
	}
	return lineRow
}

// parseWindows reads "TCP LOCAL REMOTE STATE PID"; UDP has no state.
func (t *text) parseWindows(proto connwarden.Proto, cols [][]byte, row *textRow) lineKind {
	row.proto = proto
	if !t.setEnds(row, formWindows, cols[1], cols[2]) {
		return lineUnknown
	}
	rest := cols[3:]
	var word []byte
	if len(rest) > 0 && !isDecimal(rest[0]) {
		word, rest = rest[0], rest[1:]
	} else if proto == connwarden.TCP {
		return lineUnknown
	}
	if proto == connwarden.UDP {
		word = nil
	}
	t.setState(row, word)
	if len(rest) > 0 && isDecimal(rest[0]) {
		t.setProcess(row, rest[0])
	}
	return lineRow
}

// parseProc reads a row of /proc/net/tcp, tcp6, udp or udp6.
func (t *text) parseProc(cols [][]byte, row *textRow) lineKind {
	var c connwarden.Conn
	if !hexConn(cols, false, &c) {
		return lineUnknown
	}
	row.form = formProc
	if len(cols) == hexUDPColumns {
		row.proto = connwarden.UDP
	}
	row.state = c.State
	row.recv, row.send = c.RecvQueue, c.SendQueue
	row.local, row.lport = c.Local.Addr().As16(), c.Local.Port()
	row.remote, row.rport = c.Remote.Addr().As16(), c.Remote.Port()
	row.flags |= rowLocal | rowRemote
	return lineRow
}

// parseConntrack reads "tcp 6 431999 ESTABLISHED src=… dst=… sport=… dport=… src=…"; at is the protocol's column. Each
// line has two tuples, the original's and the reply's: the first says who opened it.
func (t *text) parseConntrack(cols [][]byte, at int, row *textRow) lineKind {
	proto, ok := protoWord(cols[at])
	if !ok {
		return lineOther
	}
	row.proto, row.form = proto, formConntrack
	row.flags |= rowOrigin
	row.state = connwarden.StateEstablished
	if st, ok := stateWord(cols[at+3]); ok {
		row.state = st
	}
	var seen [4]bool
	for _, c := range cols[at+3:] {
		name, value, ok := bytes.Cut(c, []byte("="))
		if !ok {
			if string(c) == "[UNREPLIED]" && proto == connwarden.UDP {
				row.state = connwarden.StateUnknown // one side only has spoken: no connection yet, if ever
			}
			continue
		}
		var e end
		switch string(name) {
		case "src":
			if !seen[0] {
				seen[0] = parseAddr(value, &row.local)
			}
		case "dst":
			if !seen[1] {
				seen[1] = parseAddr(value, &row.remote)
			}
		case "sport":
			if !seen[2] {
				seen[2] = parseEndPort(value, &e.port)
				row.lport = e.port
			}
		case "dport":
			if !seen[3] {
				seen[3] = parseEndPort(value, &e.port)
				row.rport = e.port
			}
		}
	}
	if seen != [4]bool{true, true, true, true} {
		return lineUnknown
	}
	row.flags |= rowLocal | rowRemote
	return lineRow
}

// parseAddr reads an address alone, IPv4 as mapped IPv6.
func parseAddr(b []byte, dst *[16]byte) bool {
	*dst = [16]byte{10: 0xff, 11: 0xff}
	return parseIPv4(b, dst[12:]) || parseIPv6(b, dst)
}
