package cpanel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/block"
)

// record is what we added, by account.
type record map[string]map[netip.Prefix]bool

func (r record) put(user string, p netip.Prefix) {
	if r[user] == nil {
		r[user] = map[netip.Prefix]bool{}
	}
	r[user][p] = true
}

// headLine is the first line of the file.
const headLine = "# What connwarden put on the lists of cPanel accounts: account, target."

// maxState bounds the file: it is some hundred thousand lines.
const maxState = 16 << 20

// read reads the file; a missing one is an empty record. A line that is not as we write them is an error, since who leaves
// it out would leave a block behind that nobody lifts.
func read(file string) (record, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(text) > maxState {
		err = fmt.Errorf("%s has more than %d bytes", file, maxState)
	}
	if err != nil {
		return nil, err
	}
	r, err := parseState(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func parseState(text string) (record, error) {
	r, number := record{}, 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if number == 1 && line == headLine {
			continue
		}
		user, word, _ := strings.Cut(line, " ")
		p, err := block.ParseTarget(word)
		if err != nil || !userName.MatchString(user) {
			return nil, fmt.Errorf("line %d: %.60q is not an account and a target: mend it by hand", number, line)
		}
		r.put(user, p)
	}
	return r, nil
}

// text returns the file's text; nothing for an empty record.
func (r record) text() string {
	var b strings.Builder
	for _, user := range slices.Sorted(maps.Keys(r)) {
		for _, p := range slices.SortedFunc(maps.Keys(r[user]), netip.Prefix.Compare) {
			b.WriteString(user + " " + block.Show(p) + "\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return headLine + "\n" + b.String()
}

// write puts the record into the file in one step, or takes the file of an empty one away.
func write(file string, r record) error {
	text := r.text()
	if text == "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	temp := file + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, file)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	return err
}
