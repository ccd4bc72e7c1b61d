package tail

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Rotated lists the existing older pieces of the log path, newest first, by their names alone:
//
//   - logrotate: access.log.1, access.log.2.gz, access.log-20261121, access.log-2026112114, access.log-2026-11-21.gz, and
//     with "extension": access.1.log, access-20261121.log.gz
//   - rotatelogs: access.log.1790000000, access.log.2026-11-21, access.log.20261121
//   - cPanel's archive: example.com-Nov-2026.gz; Plesk: access_log.processed, access_log.processed.1.gz
//
// Compressed ones end in .gz, .bz2, .xz or .zst. Only regular files count. A folder that cannot be listed has none.
func Rotated(path string) []string {
	folder, base := filepath.Split(path)
	dir, err := os.Open(cmp.Or(folder, "."))
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	type old struct {
		name string
		age  age
	}
	var found []old
	for _, name := range names {
		if a, ok := rotatedAge(base, name); ok {
			if info, err := os.Lstat(folder + name); err == nil && info.Mode().IsRegular() {
				found = append(found, old{folder + name, a})
			}
		}
	}
	slices.SortFunc(found, func(a, b old) int {
		return cmp.Or(cmp.Compare(a.age.kind, b.age.kind), cmp.Compare(a.age.order, b.age.order), cmp.Compare(a.name, b.name))
	})
	var list []string
	for _, f := range found {
		list = append(list, f.name)
	}
	return list
}

// age orders neighbours: the smaller the newer.
type age struct {
	kind  int   // numbered before dated, should a folder have both
	order int64 // a number, or a date turned round
}

// rotatedAge tells whether name is an older piece of base.
func rotatedAge(base, name string) (age, bool) {
	for _, end := range []string{".gz", ".bz2", ".xz", ".zst"} {
		if cut, ok := strings.CutSuffix(name, end); ok {
			name = cut
			break
		}
	}
	if rest, ok := strings.CutPrefix(name, base+".processed"); ok {
		if rest == "" {
			return age{}, true
		}
		n, ok := digits(strings.TrimPrefix(rest, "."))
		return age{1, n}, ok && rest[0] == '.' && n < 10000
	}
	if rest, ok := strings.CutPrefix(name, base); ok {
		return mark(rest)
	}
	// With logrotate's "extension" the mark stands before the extension.
	if ext := filepath.Ext(base); ext != "" && ext != base {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext)); ok {
			if rest, ok = strings.CutSuffix(rest, ext); ok {
				return mark(rest)
			}
		}
	}
	return age{}, false
}

// mark reads what a rotation adds to a name: ".1", "-20261121", ".2026-11-21", "-Nov-2026".
func mark(s string) (age, bool) {
	if len(s) < 2 || s[0] != '.' && s[0] != '-' && s[0] != '_' {
		return age{}, false
	}
	dot := s[0] == '.'
	s = s[1:]
	if len(s) == len("Nov-2006") && s[3] == '-' {
		month := strings.Index("JanFebMarAprMayJunJulAugSepOctNovDec", s[:3])
		year, ok := digits(s[4:])
		if month >= 0 && month%3 == 0 && ok {
			return age{2, -((year*100+int64(month/3)+1)*100 + 31) * 1_000_000}, true
		}
	}
	n, ok := digits(s)
	if ok && len(s) < 5 {
		return age{1, n}, dot || len(s) < 4 // "-2026" is a name's part, not a rotation
	}
	// A date, perhaps with an hour and more: 8 digits, or groups of them.
	plainDate := strings.NewReplacer("-", "", "_", "", ".", "", "T", "", ":", "").Replace(s)
	n, ok = digits(plainDate)
	if !ok {
		return age{}, false
	}
	switch len(plainDate) {
	case 10:
		if n < 1_900_000_000 && dot { // seconds since 1970, not an hour of the years to come
			return age{3, -n}, true
		}
		n *= 10_000
	case 8:
		n *= 1_000_000
	case 12:
		n *= 100
	case 14:
	default:
		return age{}, false
	}
	month, day := n/100_000_000%100, n/1_000_000%100
	if year := n / 10_000_000_000; year < 1970 || year > 2999 || month < 1 || month > 12 || day < 1 || day > 31 {
		return age{}, false
	}
	return age{2, -n}, true
}

func digits(s string) (int64, bool) {
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > 1<<58/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, s != ""
}
