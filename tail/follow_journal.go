package tail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// FollowJournal hands out the entries of the systemd journal as they come, until ctx is done: from opt.After or opt.Since
// on, or from now. Each is one line, as [ReadJournal] writes them. sort returns which of several texts an entry belongs
// to, or a negative number to leave it out; visit is given what came together, and the cursor behind it. It is called
// from the goroutine that called FollowJournal; the lines are borrowed.
func FollowJournal(ctx context.Context, opt JournalOptions, sort func(*Entry) int, visit func(text int, lines []byte, cursor string)) error {
	args := []string{"--quiet", "--no-pager", "--output=export", "--follow"}
	switch {
	case opt.After != "":
		args = append(args, "--after-cursor="+opt.After, "--no-tail")
	case !opt.Since.IsZero():
		args = append(args, fmt.Sprintf("--since=@%d", opt.Since.Unix()), "--no-tail")
	default:
		args = append(args, "--lines=0")
	}
	out, err := start(ctx, journalName, nil, opt.Program, args...)
	if err != nil {
		return err
	}
	defer out.Close()
	in := bufio.NewReaderSize(out, journalPiece)
	r := exportReader{in: in}
	var texts [][]byte
	flush := func() {
		for i, lines := range texts {
			if len(lines) > 0 {
				visit(i, lines, string(r.last))
				texts[i] = lines[:0]
			}
		}
	}
	for {
		e, err := r.next()
		if err != nil {
			flush()
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, io.EOF):
				return fmt.Errorf("read journal: journalctl ended")
			}
			return fmt.Errorf("read journal: %w", err)
		}
		if len(e.Message) > 0 && !e.Time.Before(opt.Since) && (opt.Want == nil || opt.Want(string(e.Identifier))) {
			if to := sort(e); to >= 0 {
				texts = slices.Grow(texts, max(0, to+1-len(texts)))[:max(to+1, len(texts))]
				texts[to] = e.appendLine(texts[to])
			}
		}
		if in.Buffered() == 0 {
			flush()
		}
	}
}
