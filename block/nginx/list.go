package nginx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/canary"
)

// The first line of our file, without which it is somebody else's, and the mark of a list that nginx may not have read.
const (
	headLine    = "# connwarden's list. Written whole by connwarden; what is changed here is lost."
	pendingLine = "# Not in force yet."
)

// maxFile bounds the file: 100,000 of the longest lines are 5 MB.
const maxFile = 16 << 20

// list is our file.
type list struct {
	present bool
	pending bool
	targets []netip.Prefix // ascending
}

// inForce are the targets that count.
func (l list) inForce() []netip.Prefix {
	if l.pending {
		return nil
	}
	return l.targets
}

// line is the line of one target.
func line(p netip.Prefix) string {
	return "deny " + block.Show(p) + ";"
}

// text returns the file's text.
func (l list) text() string {
	var b strings.Builder
	b.WriteString(headLine + "\n")
	if l.pending {
		b.WriteString(pendingLine + "\n")
	}
	if len(l.targets) > 0 {
		b.WriteString("deny " + canary.Denied.String() + ";\n")
	}
	for _, p := range l.targets {
		b.WriteString(line(p) + "\n")
	}
	return b.String()
}

// parseList reads a file's text; ok is false when it is not ours.
func parseList(text string) (l list, ok bool) {
	first, rest, _ := strings.Cut(text, "\n")
	if strings.TrimRight(first, "\r") != headLine {
		return list{}, false
	}
	l.present = true
	for s := range strings.Lines(rest) {
		s = strings.TrimSpace(s)
		if s == pendingLine {
			l.pending = true
		}
		word, found := strings.CutPrefix(s, "deny ")
		word, ended := strings.CutSuffix(word, ";")
		if !found || !ended {
			continue
		}
		if p, err := block.ParseTarget(word); err == nil && !canary.Reserved(p) {
			l.targets = append(l.targets, p)
		}
	}
	slices.SortFunc(l.targets, netip.Prefix.Compare)
	l.targets = slices.Compact(l.targets)
	return l, true
}

// read reads our file; a missing one is an empty list.
func (d *Driver) read() (list, error) {
	info, err := os.Lstat(d.opt.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return list{}, nil
	case err != nil:
		return list{}, denied(err)
	case !info.Mode().IsRegular():
		return list{}, fmt.Errorf("%s is no regular file", d.opt.File)
	}
	f, err := os.Open(d.opt.File)
	if err != nil {
		return list{}, denied(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return list{}, denied(err)
	}
	l, ok := parseList(string(text))
	if !ok || len(text) > maxFile {
		return list{}, fmt.Errorf("%s does not begin with our line: it is somebody else's, name another file", d.opt.File)
	}
	return l, nil
}

// write puts the list into the file, in one step, or takes the file away. The name that it is written under before begins
// with a point, which no pattern of an include fits.
func (d *Driver) write(l list) error {
	if !l.present {
		if err := os.Remove(d.opt.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return denied(err)
		}
		return nil
	}
	temp := filepath.Join(filepath.Dir(d.opt.File), "."+filepath.Base(d.opt.File)+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return denied(err)
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return denied(err)
	}
	_, err = f.WriteString(l.text())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, d.opt.File)
	}
	if err != nil {
		_ = os.Remove(temp)
		return denied(err)
	}
	return nil
}

// denied adds our sentinel to a missing privilege.
func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", err, connwarden.ErrDenied)
	}
	return err
}
