package tail

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Entry is one entry of the systemd journal. Unit, Exe, Transport and UID are journald's own word on who wrote it
// (systemd.journal-fields(7), "Trusted Journal Fields"): a writer cannot set them. All slices are borrowed.
type Entry struct {
	Time       time.Time // when journald took it
	Identifier []byte    // what the writer calls itself; hostile
	Message    []byte    // hostile
	Transport  []byte    // "syslog", "stdout", "journal", "kernel", "audit", "driver"
	Unit       []byte    // of systemd: "ssh.service"; nothing when none
	Exe        []byte    // path of the program; nothing when it was gone by then
	UID        int64     // -1 when journald does not say, as of the kernel

	host, pid []byte
}

// Bounds of an entry, in bytes. What journald makes of a line of standard output is at most 48 KiB (LineMax=), and a
// message of syslog at most what a datagram holds; only programs that know journald can write more.
const (
	maxMessage    = 48 << 10
	maxField      = 4 << 10
	maxIdentifier = 64 // what the reader of syslog takes for a name
)

// exportReader reads the Journal Export Format: fields "NAME=text", or "NAME", a line end, the length as a little-endian
// number of 64 bits, and bytes; an empty line ends an entry.
type exportReader struct {
	in   *bufio.Reader
	e    Entry
	last []byte // the cursor of the last whole entry
	// fields are those wanted of the entry in hand, each in a buffer that is used again.
	fields [fieldCount][]byte
}

// The fields that are wanted (systemd.journal-fields(7)).
const (
	fieldMessage = iota
	fieldIdentifier
	fieldTransport
	fieldUnit
	fieldExe
	fieldHostname
	fieldPID
	fieldComm
	fieldUID
	fieldCursor
	fieldTaken
	fieldCount
)

// next returns the next entry, which is valid until the next call. It ends with io.EOF.
func (r *exportReader) next() (*Entry, error) {
	for i := range r.fields {
		r.fields[i] = r.fields[i][:0]
	}
	for fields := 0; ; fields++ {
		line, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && fields == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, errCut
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) == 1 && err == nil:
			if fields == 0 {
				fields--
				continue // more than one empty line between entries
			}
			return r.entry(), nil
		}
		name, value, text := bytes.Cut(line, []byte{'='})
		switch {
		case text:
			to, limit := r.field(name)
			keep(to, value, limit)
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = r.in.ReadSlice('\n')
				keep(to, line, limit)
			}
			if err != nil {
				return nil, cutShort(err)
			}
		case err != nil:
			return nil, fmt.Errorf("a field's name of more than %d bytes", len(line))
		default:
			to, limit := r.field(name[:len(name)-1])
			if err := r.binary(to, limit); err != nil {
				return nil, cutShort(err)
			}
		}
	}
}

var errCut = errors.New("an entry has no end")

// cutShort tells an end in the middle of an entry from the end of all.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// keep appends what of value the limit allows. Of a field that stands twice the first counts: for what a writer chose,
// that is what trust is decided by, too.
func keep(to *[]byte, value []byte, limit int) {
	if to != nil {
		*to = append(*to, value[:min(len(value), limit-len(*to))]...)
	}
}

// binary reads a field that is given with its length.
func (r *exportReader) binary(to *[]byte, limit int) error {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return err
	}
	left := binary.LittleEndian.Uint64(head[:])
	for left > 0 {
		n := int(min(left, uint64(r.in.Size())))
		b, err := r.in.Peek(n)
		keep(to, b, limit)
		if _, e := r.in.Discard(len(b)); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
		left -= uint64(n)
	}
	end, err := r.in.ReadByte()
	if err == nil && end != '\n' {
		err = errors.New("a field is longer than it says")
	}
	return err
}

// field tells where a field is kept, nil when it is not wanted or was there before, and how much of it.
func (r *exportReader) field(name []byte) (*[]byte, int) {
	n, limit := 0, maxField
	switch string(name) {
	case "MESSAGE":
		n, limit = fieldMessage, maxMessage
	case "SYSLOG_IDENTIFIER":
		n = fieldIdentifier
	case "_TRANSPORT":
		n = fieldTransport
	case "_SYSTEMD_UNIT":
		n = fieldUnit
	case "_EXE":
		n = fieldExe
	case "_HOSTNAME":
		n = fieldHostname
	case "_PID":
		n = fieldPID
	case "_COMM":
		n = fieldComm
	case "_UID":
		n = fieldUID
	case "__CURSOR":
		n = fieldCursor
	case "__REALTIME_TIMESTAMP":
		n = fieldTaken
	default:
		return nil, 0
	}
	if len(r.fields[n]) > 0 {
		return nil, 0
	}
	return &r.fields[n], limit
}

func (r *exportReader) entry() *Entry {
	f := &r.fields
	for i := range f {
		f[i] = bytes.TrimRight(f[i], "\n")
	}
	r.e = Entry{
		Identifier: f[fieldIdentifier], Message: f[fieldMessage], Transport: f[fieldTransport], Unit: f[fieldUnit], Exe: f[fieldExe], UID: -1,
		host: f[fieldHostname], pid: f[fieldPID],
	}
	r.last = append(r.last[:0], f[fieldCursor]...)
	if len(f[fieldIdentifier]) == 0 {
		r.e.Identifier = f[fieldComm]
	}
	if n, ok := digits(string(f[fieldUID])); ok {
		r.e.UID = n
	}
	if n, ok := digits(string(f[fieldTaken])); ok {
		r.e.Time = time.UnixMicro(n).UTC()
	}
	return &r.e
}

// appendLine writes the entry as rsyslog writes it into a file: control bytes as '#' and three octal digits (its
// parser.escapeControlCharactersOnReceive), so that one message is one line and what reads rsyslog's files reads this.
func (e *Entry) appendLine(b []byte) []byte {
	b = e.Time.AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	b = append(b, ' ')
	b = appendName(b, e.host)
	b = append(b, ' ')
	b = appendName(b, e.Identifier)
	if pid, ok := digits(string(e.pid)); ok {
		b = append(b, '[')
		b = strconv.AppendInt(b, pid, 10)
		b = append(b, ']')
	}
	b = append(b, ':', ' ')
	for _, c := range e.Message {
		if c < ' ' || c == 0x7f {
			b = append(b, '#', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			continue
		}
		b = append(b, c)
	}
	return append(b, '\n')
}

// appendName writes a name as the tag of syslog may be. It ends at the first blank, as it does for who reads rsyslog's
// files: PHP-FPM's children are called "ool www".
func appendName(b, name []byte) []byte {
	if i := bytes.IndexAny(name, " \t"); i >= 0 {
		name = name[:i]
	}
	if len(name) == 0 {
		return append(b, '-')
	}
	for _, c := range name[:min(len(name), maxIdentifier)] {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '/', c == '(', c == ')', c == '@':
			b = append(b, c)
		default:
			b = append(b, '_')
		}
	}
	return b
}
