package update

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/nets"
)

// mostRanges bounds one published list; the longest of 2026 had 400 KB.
const mostRanges = 4 << 20

// The widest prefixes that a list may have. The widest that any of them had in 2026 were a /13 and a /29; what is much
// wider would speak for a good part of the internet.
const (
	widest4 = 12
	widest6 = 24
)

// ranges refreshes a list of ranges.
func (r *run) ranges(s Source, f *fetcher, out *Outcome) error {
	old, when, err := readRanges(filepath.Join(r.Dir, filepath.FromSlash(s.File())))
	if err == nil { // a damaged one is replaced
		out.Before, out.Entries, out.Date = len(old), len(old), when
	}
	var all []netip.Prefix
	taken := r.Clock().UTC().Truncate(time.Second)
	err = f.each(mostRanges, func(p part, c content) error {
		text, err := io.ReadAll(c)
		if err != nil {
			return fmt.Errorf("get %s: %w", p.shown(), err)
		}
		member := ""
		if p.url != nil {
			member = p.url.Fragment
		}
		list, err := ParseRanges(text, member)
		if err != nil {
			return fmt.Errorf("%s: %w", p.shown(), err)
		}
		all = append(all, list...)
		if at := takenOf(string(text), taken); r.From != "" && at.Before(taken) {
			taken = at
		}
		return nil
	})
	if err != nil {
		return err
	}
	list := nets.New(all...).Prefixes()
	if err := check(list, max(s.Least, (len(old)+1)/2)); err != nil {
		return err
	}
	same := slices.Equal(list, old)
	if same && !taken.After(when) || r.From != "" && taken.Before(when) {
		out.State = Unchanged // of what is older than ours we have no use
		return nil
	}
	err = replace(r.Dir, s.File(), func(w io.Writer) error { return writeRanges(w, f, taken, list) })
	if err != nil {
		return fmt.Errorf("write %s: %w", s.File(), err)
	}
	if out.State = Updated; same {
		out.State = Unchanged
	}
	out.Entries, out.Date = len(list), taken
	return nil
}

// check refuses lists that cannot be right.
func check(list []netip.Prefix, least int) error {
	if len(list) < least {
		return fmt.Errorf("it has %d prefixes where at least %d are to be expected: refused", len(list), least)
	}
	for _, p := range list {
		widest := widest6
		if p.Addr().Is4() {
			widest = widest4
		}
		switch {
		case geo.Reserved(p):
			return fmt.Errorf("it has %v, which belongs to nobody on the internet: refused", p)
		case p.Bits() < widest:
			return fmt.Errorf("it has %v, which is far too wide: refused", p)
		}
	}
	return nil
}

// heading begins the line that says where the ranges of a file are from and when they were taken.
const heading = "# taken "

func writeRanges(w io.Writer, f *fetcher, taken time.Time, list []netip.Prefix) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, heading, taken.UTC().Format(time.RFC3339), " from")
	for _, p := range f.parts {
		fmt.Fprint(b, " ", strings.Join(strings.Fields(p.shown()), "%20"))
	}
	fmt.Fprintln(b)
	for _, p := range list {
		fmt.Fprintln(b, p)
	}
	return b.Flush()
}

// readRanges reads a file of the state folder.
func readRanges(name string) (list []netip.Prefix, taken time.Time, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, taken, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostRanges))
	if err != nil {
		return nil, taken, err
	}
	list, err = ParseRanges(text, "")
	return list, takenOf(string(text), taken), err
}

// takenOf reads the time out of the heading, if there is one.
func takenOf(text string, otherwise time.Time) time.Time {
	line, _, _ := strings.Cut(text, "\n")
	stamp, _, _ := strings.Cut(strings.TrimPrefix(line, heading), " ")
	if t, err := time.Parse(time.RFC3339, stamp); err == nil && strings.HasPrefix(line, heading) {
		return t
	}
	return otherwise
}

// ParseRanges reads a published list: plain text with prefixes or addresses, separated by white space or commas, and
// comments after #; or JSON of any shape, in which every string counts that is a prefix or an address, as in
// {"prefixes":[{"ipv4Prefix":"192.0.2.0/24"}]} and in ["192.0.2.1"]. member names a member of the JSON object that alone
// is meant; empty is all. The answer is the fewest prefixes that hold the same addresses. A list of nothing, a word of a
// plain list that is no prefix, and a string so in a JSON member whose name says "prefix" are errors.
func ParseRanges(text []byte, member string) ([]netip.Prefix, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var set *nets.Set
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("read JSON: %w", err)
		}
		if member != "" {
			object, _ := v.(map[string]any)
			if v = object[member]; v == nil {
				return nil, fmt.Errorf("the JSON has no member %q", member)
			}
		}
		list, err := collect(nil, "", v)
		if err != nil {
			return nil, err
		}
		set = nets.New(list...)
	} else {
		var err error
		if set, err = nets.Parse(string(text)); err != nil {
			return nil, err
		}
	}
	if set.Empty() {
		return nil, errors.New("there is no prefix and no address in it")
	}
	return set.Prefixes(), nil
}

// collect finds prefixes and addresses in JSON; key is the name of the member that v is in.
func collect(list []netip.Prefix, key string, v any) (_ []netip.Prefix, err error) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if list, err = collect(list, k, x); err != nil {
				return nil, err
			}
		}
	case []any:
		for _, x := range v {
			if list, err = collect(list, key, x); err != nil {
				return nil, err
			}
		}
	case string:
		v = strings.TrimSpace(v)
		if p, err := netip.ParsePrefix(v); err == nil {
			return append(list, p), nil
		}
		if a, err := netip.ParseAddr(v); err == nil {
			return append(list, netip.PrefixFrom(a.WithZone(""), a.BitLen())), nil
		}
		if strings.Contains(strings.ToLower(key), "prefix") {
			return nil, fmt.Errorf("%q in member %q is no prefix", v, key)
		}
	}
	return list, nil
}
