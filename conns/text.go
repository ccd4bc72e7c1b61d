package conns

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// form is a way that text about sockets is written.
type form uint8

const (
	formNone form = iota
	formNetstat
	formSS
	formProc
	formConntrack
	formWindows
	formBSD

	numForms
)

// formNames are Result.Source.
var formNames = [numForms]string{"", "netstat", "ss", "proc_net_tcp", "conntrack", "netstat_windows", "netstat_bsd"}

// Bounds of what saved text may make us hold.
const (
	// maxLine is what is looked at of a line: its columns of interest are within the first few hundred bytes; ss lists
	// every process behind them.
	maxLine = 64 << 10
	// maxHeading is longer than any printer's heading.
	maxHeading = 200
	// maxTextRows is four times the largest machine that we measured; a row takes 56 bytes.
	maxTextRows = 4_000_000
	// maxTextNames bounds distinct truncated addresses and processes, each.
	maxTextNames = 1 << 18
)

// Read reads saved text and pushes each connection that opt wants into sink: the output of netstat (Linux, Windows,
// macOS, FreeBSD), ss or conntrack -L, or a copy of /proc/net/tcp, tcp6, udp or udp6. The form is recognised line by
// line, so several may follow one another. name stands for the text in problems and errors.
//
// Rows are held until the text ends, since directions can be told only then: by its LISTEN rows, else by guess
// (Result.Guessed), of at most 4,000,000 rows. A /proc/net/tcp is taken to be a little-endian machine's.
//
// An error is r's own, or the context's; the result beside it holds what was read until then. Text in which nothing was
// found is no error but a problem with Named set.
func Read(ctx context.Context, r io.Reader, name string, opt Options, sink connwarden.Sink) (*Result, error) {
	t := &text{opt: opt}
	readErr := t.lines(ctx, r)
	res := t.finish(name, sink)
	if readErr != nil {
		return res, fmt.Errorf("read %s: %w", name, readErr)
	}
	return res, nil
}

// text is saved text in the making: what was read, and the state that lines leave for later lines.
type text struct {
	opt  Options
	rows rowList

	cut   names // truncated addresses
	procs names // process columns as they were written

	byForm   [numForms]int64
	last     form // of the row read last
	unparsed int64
	lost     int64          // rows past maxTextRows
	oddState int64          // rows with a word for a state that is not known
	noState  int64          // rows of ss without a state column
	skipping bool           // in a section about other sockets
	wide     [numForms]bool // an address longer than the form cuts to was seen
	clipped  bool           // a mapped IPv4 address (::ffff:192.0.2.7) was cut, as an older net-tools does: others may be
	udpOnly  bool           // ss without Netid showed UNCONN
	tcpOnly  bool           // ss without Netid showed a state that only TCP has

	cols [maxColumns][]byte
}

// maxColumns is enough for both tuples of conntrack.
const maxColumns = 24

// lines reads all lines.
func (t *text) lines(ctx context.Context, r io.Reader) error {
	br := bufio.NewReaderSize(r, maxLine)
	if b, _ := br.Peek(2); len(b) == 2 && (b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff) {
		// What PowerShell writes for "netstat -ano > FILE".
		br = bufio.NewReaderSize(&utf16Reader{r: br}, maxLine)
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := br.ReadSlice('\n')
		whole := line
		for errors.Is(err, bufio.ErrBufferFull) {
			// The rest of an overlong line is passed over; its beginning is kept, and the buffer is about to be reused.
			if len(whole) == len(line) && &whole[0] == &line[0] {
				whole = bytes.Clone(line)
			}
			line, err = br.ReadSlice('\n')
		}
		if len(whole) > 0 {
			t.line(whole)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// line reads one line.
func (t *text) line(line []byte) {
	line = bytes.TrimPrefix(bytes.TrimRight(line, "\r\n"), []byte("\ufeff"))
	cols := columns(line, t.cols[:0])
	if len(cols) == 0 {
		return
	}
	var row textRow
	f, verdict := t.parse(cols, &row)
	switch {
	case verdict == lineRow:
		if !t.rows.add(&row) {
			t.lost++
		}
		t.byForm[f]++
		t.last = f
	case verdict == lineOther, t.skipping:
	case t.heading(cols, line):
	default:
		t.unparsed++
	}
}

// heading tells whether a line is one that stands above or between rows, and notes the section that it opens.
func (t *text) heading(cols [][]byte, line []byte) bool {
	switch string(cols[0]) {
	case "Active":
		// Under "Active UNIX domain sockets" and the like BSD prints rows that are nothing to us.
		t.skipping = !bytes.Contains(line, []byte("Internet")) && !bytes.Contains(line, []byte("Connections"))
		return true
	case "Proto", "Netid", "State", "Recv-Q", "sl", "conntrack", "Address", "Local":
		return true
	}
	if t.last == formNone && len(line) <= maxHeading && !bytes.ContainsAny(line, "0123456789") {
		return true // in another language, above the first row
	}
	// ss -i and -m continue a row on the next line, netstat -b of Windows names the program there.
	return (t.last == formSS || t.last == formWindows) && (line[0] == ' ' || line[0] == '\t' || line[0] == '[')
}

// names numbers byte strings. Number 0 is none.
type names struct {
	index map[string]uint32
	list  []string
}

// number returns the number of b; ok is false when there are too many.
func (n *names) number(b []byte) (uint32, bool) {
	if i, ok := n.index[string(b)]; ok {
		return i, true
	}
	if len(n.list) >= maxTextNames {
		return 0, false
	}
	if n.index == nil {
		n.index = make(map[string]uint32)
		n.list = append(n.list, "")
	}
	s := string(b)
	i := uint32(len(n.list))
	n.index[s] = i
	n.list = append(n.list, s)
	return i, true
}

// utf16Reader turns UTF-16 with a byte order mark into UTF-8.
type utf16Reader struct {
	r      *bufio.Reader
	big    bool
	marked bool
	out    [utf8.UTFMax]byte
	have   []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(u.have) > 0 {
			c := copy(p[n:], u.have)
			u.have = u.have[c:]
			n += c
			continue
		}
		a, err := u.r.ReadByte()
		if err != nil {
			return n, err
		}
		b, err := u.r.ReadByte()
		if err != nil {
			return n, err // half a character at the end is dropped
		}
		if !u.marked {
			u.marked, u.big = true, a == 0xfe
			continue
		}
		c := rune(b)<<8 | rune(a)
		if u.big {
			c = rune(a)<<8 | rune(b)
		}
		// Halves of surrogate pairs come out as U+FFFD each: nothing that we read has any.
		u.have = utf8.AppendRune(u.out[:0], c)
	}
	return n, nil
}
