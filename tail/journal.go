package tail

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// The journal is read through its own program and not from its files: their format has grown three kinds of
// compression and a compact form, and journalctl is on every machine that has them.
//
// Of its outputs we take export (systemd.io, "Journal Export Format"). On 300,000 entries of 22 fields, systemd 252,
// one core: export 5.3 s, json 17 s, json of ten fields 10 s, export of the same ten fields 5.4 s. It writes bytes as
// they are, with their length where they hold line ends, so nothing needs to be unescaped. Choosing entries by their
// identifiers lets journalctl use its index and costs what the chosen entries cost: 0.9 s for a fifth of them.

// JournalOptions say which entries of the systemd journal are read. Program must be set.
type JournalOptions struct {
	Program      string    // journalctl
	Since, Until time.Time // zero is open
	After        string    // a cursor: only entries behind it
	// Want chooses by identifier (SYSLOG_IDENTIFIER), which is hostile; nil wants all.
	Want  func(identifier string) bool
	Spool string // see [Options]

	text int64 // tests lower it; 0 means journalText
}

// Journal is what was read of the systemd journal.
type Journal struct {
	// Texts are lines as a syslog daemon writes them, "2026-11-22T14:03:07.123456Z host sshd[123]: message", in the order
	// of the journal. Each can be read as a stream that was read to its end. Close them.
	Texts []*File
	// Cursor is that of the last entry read, wanted or not: where a later call goes on.
	Cursor string
}

// Close closes the texts.
func (j *Journal) Close() {
	for _, f := range j.Texts {
		f.Close()
	}
}

// Bounds of reading the journal.
const (
	// journalPatience is how long journalctl may take: it reads some 50,000 entries a second, so this is 30 million.
	journalPatience = 10 * time.Minute
	// journalText bounds one text, in bytes; it lies in a spool.
	journalText = 2 << 30
	// journalPiece is how much is written to the spool at a time.
	journalPiece = 64 << 10
	// journalIdentifiers bounds how many identifiers are chosen by the index; a machine has some hundred in all.
	journalIdentifiers = 500
	// journalList bounds the list of identifiers that is read, in bytes: an account can write under any number of names.
	journalList = 4 << 20
)

// ReadJournal reads entries of the systemd journal and writes each as one line into one of n texts, the one that sort
// returns the index of; a negative index leaves the entry out. When it ends early, by ctx, a bound or a failure of the
// program, what was read so far is returned beside the error.
func ReadJournal(ctx context.Context, opt JournalOptions, n int, sort func(*Entry) int) (*Journal, error) {
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	j := &Journal{Cursor: opt.After}
	for range n {
		j.Texts = append(j.Texts, &File{name: journalName, stream: newStream(journalName, opt.Spool, false, nil)})
	}
	err := j.read(ctx, &opt, sort)
	for _, f := range j.Texts {
		f.stream.end(io.EOF)
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("journalctl did not end within %v: ask for a shorter time", journalPatience)
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	if err != nil {
		return j, fmt.Errorf("read journal: %w", err)
	}
	return j, nil
}

const journalName = "journal"

func (j *Journal) read(ctx context.Context, opt *JournalOptions, sort func(*Entry) int) error {
	args := []string{"--quiet", "--no-pager", "--output=export"}
	if !opt.Since.IsZero() {
		args = append(args, "--since=@"+strconv.FormatInt(opt.Since.Unix(), 10))
	}
	if !opt.Until.IsZero() { // whole seconds, the last one too: entries behind Until are sorted out below
		args = append(args, "--until=@"+strconv.FormatInt(opt.Until.Unix()+1, 10))
	}
	if opt.After != "" {
		args = append(args, "--after-cursor="+opt.After)
	}
	if opt.Want != nil {
		names, all, err := identifiers(ctx, opt)
		switch {
		case err != nil:
			return err
		case len(names) == 0 && !all:
			return nil // nobody wanted ever wrote
		}
		for _, name := range names {
			args = append(args, "SYSLOG_IDENTIFIER="+name)
		}
	}
	out, err := start(ctx, journalName, nil, opt.Program, args...)
	if err != nil {
		return err
	}
	defer out.Close()
	return j.take(bufio.NewReaderSize(out, 256<<10), opt, sort)
}

// take reads the program's output.
func (j *Journal) take(in *bufio.Reader, opt *JournalOptions, sort func(*Entry) int) error {
	r, limit := exportReader{in: in}, cmp.Or(opt.text, journalText)
	pending := make([][]byte, len(j.Texts))
	flush := func(to int) int64 {
		s := j.Texts[to].stream
		s.write(pending[to])
		pending[to] = pending[to][:0]
		return s.n
	}
	defer func() {
		for to := range pending {
			flush(to)
		}
		j.Cursor = string(r.last)
	}()
	r.last = append(r.last, opt.After...)
	for {
		e, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(e.Message) == 0, e.Time.Before(opt.Since), !opt.Until.IsZero() && !e.Time.Before(opt.Until):
			continue
		case opt.Want != nil && !opt.Want(string(e.Identifier)):
			continue
		}
		to := sort(e)
		if to < 0 {
			continue
		}
		pending[to] = e.appendLine(pending[to])
		if len(pending[to]) >= journalPiece && flush(to) > limit {
			return fmt.Errorf("more than %d MiB of text: ask for a shorter time", limit>>20)
		}
	}
}

// identifiers lists the wanted names under which anyone ever wrote; all tells that they are too many to choose by.
func identifiers(ctx context.Context, opt *JournalOptions) (names []string, all bool, err error) {
	out, err := start(ctx, journalName, nil, opt.Program, "--quiet", "--no-pager", "--field=SYSLOG_IDENTIFIER")
	if err != nil {
		return nil, false, err
	}
	defer out.Close()
	bounded := &io.LimitedReader{R: out, N: journalList}
	lines := bufio.NewScanner(bounded)
	for lines.Scan() {
		if name := lines.Text(); opt.Want(name) && len(name) <= maxIdentifier {
			names = append(names, name)
		}
		if len(names) > journalIdentifiers {
			return nil, true, nil
		}
	}
	err = lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong), bounded.N == 0:
		return nil, true, nil // somebody's long name, or many, hide those behind them
	case err != nil:
		return nil, false, err
	}
	slices.Sort(names)
	return slices.Compact(names), false, nil
}
