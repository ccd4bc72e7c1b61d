package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden"
)

// owner is who a file belongs to, as far as trust needs it.
type owner struct {
	uid, gid uint32
	mode     fs.FileMode
	known    bool // false where the system has no numeric owners
}

// tree reads the machine's files by their absolute slash paths ("shown" names), below root. It resolves every link by
// itself: so that none leads out of the root, and so that none is followed that an ordinary account could have made.
// It belongs to one goroutine.
type tree struct {
	root   string // "": the machine itself
	owner  func(fs.FileInfo) owner
	person uint32 // the least number of an account that is a person's
	boss   owner  // of the root folder: whoever made it stands for root in it
	dirs   map[string]dirEntry
}

// spot is a place without links: path as shown below the root, and whether an ordinary account can change what stands
// there.
type spot struct {
	at    string
	local bool
}

type dirEntry struct {
	spot
	err error
}

// errLink is a link that is not followed because an ordinary account could have made it.
var errLink = errors.New("is a link that an ordinary account could have made: not followed")

// maxLinks is Linux's own bound on links in one path (path_resolution(7)).
const maxLinks = 40

func (h *Host) tree() *tree {
	t := &tree{root: h.base(), owner: h.owner, dirs: map[string]dirEntry{}}
	if t.owner == nil {
		t.owner = ownerOf
	}
	t.person = t.leastPerson()
	if t.root != "" {
		if info, err := os.Stat(t.root); err == nil {
			t.boss = t.owner(info)
		}
	}
	return t
}

// leastPerson is UID_MIN of /etc/login.defs (shadow-utils), else 1000, which Debian, RHEL and FreeBSD (1001) share;
// macOS begins at 501.
func (t *tree) leastPerson() uint32 {
	least := uint32(1000)
	if runtime.GOOS == "darwin" {
		least = 501
	}
	text, _, err := t.read("/etc/login.defs", 1<<16)
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == "UID_MIN" {
			if n, err := strconv.ParseUint(f[1], 10, 32); err == nil && n > 0 {
				return uint32(n)
			}
		}
	}
	return least
}

// nobody is the account of servers that have none of their own (LiteSpeed, cPanel's Apache); no person has it.
const nobody = 65534

func (t *tree) isPerson(id uint32) bool {
	return id >= t.person && id != nobody && id != math.MaxUint32
}

func (t *tree) isUser(id uint32) bool {
	return t.isPerson(id) && (!t.boss.known || id != t.boss.uid)
}

func (t *tree) isGroup(id uint32) bool {
	return t.isPerson(id) && (!t.boss.known || id != t.boss.gid)
}

// localFile tells whether an ordinary account can write what info describes. Accounts below [tree.person] are
// daemons: Debian's nginx gives its logs to www-data, and a log that only its daemon and root write is as good as
// root's.
func (t *tree) localFile(info fs.FileInfo) bool {
	o := t.owner(info)
	if !o.known {
		return false
	}
	return t.isUser(o.uid) || o.mode&0o002 != 0 || o.mode&0o020 != 0 && t.isGroup(o.gid)
}

// localDir tells whether an ordinary account can replace what stands in a folder. In a sticky folder only its owner
// can replace an entry, so there the entry's own owner decides.
func (t *tree) localDir(info fs.FileInfo) bool {
	o := t.owner(info)
	if !o.known {
		return false
	}
	open := o.mode&0o002 != 0 || o.mode&0o020 != 0 && t.isGroup(o.gid)
	return t.isUser(o.uid) || open && o.mode&fs.ModeSticky == 0
}

// real is the path that the operating system knows.
func (t *tree) real(at string) string {
	if t.root != "" {
		return filepath.Join(t.root, filepath.FromSlash(at))
	}
	if runtime.GOOS == "windows" {
		return filepath.FromSlash(os.Getenv("SystemDrive") + at)
	}
	return at
}

// find resolves an absolute path. The description is never that of a link.
func (t *tree) find(name string) (spot, fs.FileInfo, error) {
	if strings.IndexByte(name, 0) >= 0 || len(name) > 4096 {
		return spot{}, nil, fmt.Errorf("find %.40q: %w", name, fs.ErrInvalid)
	}
	name = "/" + strings.Trim(name, "/")
	cut := strings.LastIndexByte(name, '/')
	dir, base := name[:cut], name[cut+1:]
	d, ok := t.dirs[dir]
	if !ok {
		d.spot, _, d.err = t.walk(spot{at: "/"}, dir)
		if len(t.dirs) < usualLimits.entries {
			t.dirs[dir] = d
		}
	}
	if d.err != nil {
		return spot{}, nil, d.err
	}
	return t.walk(d.spot, base)
}

// walk goes on from a place without links.
func (t *tree) walk(s spot, name string) (spot, fs.FileInfo, error) {
	rest := strings.Split(name, "/")
	links := 0
	var info fs.FileInfo
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case "", ".":
			continue
		case "..":
			s.at, info = path.Dir(s.at), nil // of "/" it is "/": nothing leads out
			continue
		}
		next := path.Join(s.at, rest[i])
		var err error
		info, err = os.Lstat(t.real(next))
		if err != nil {
			return spot{}, nil, shownError(err, next)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			o := t.owner(info)
			if s.local || o.known && t.isUser(o.uid) {
				return spot{}, nil, &fs.PathError{Op: "open", Path: next, Err: errLink}
			}
			if links++; links > maxLinks {
				return spot{}, nil, &fs.PathError{Op: "open", Path: next, Err: errors.New("too many levels of links")}
			}
			target, err := os.Readlink(t.real(next))
			if err != nil {
				return spot{}, nil, shownError(err, next)
			}
			target = filepath.ToSlash(target)
			if strings.HasPrefix(target, "/") {
				s.at = "/"
			}
			rest = slices.Concat(strings.Split(target, "/"), rest[i+1:])
			i, info = -1, nil
			continue
		}
		if info.IsDir() {
			s.local = s.local || t.localDir(info)
		}
		s.at = next
	}
	if info == nil {
		var err error
		if info, err = os.Lstat(t.real(s.at)); err != nil {
			return spot{}, nil, shownError(err, s.at)
		}
	}
	return s, info, nil
}

// open opens a regular file without waiting (a pipe would) and without following a link put there meanwhile.
func (t *tree) open(name string) (*os.File, error) {
	s, info, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := openFile(t.real(s.at))
	if err != nil {
		return nil, shownError(err, name)
	}
	if again, err := f.Stat(); err != nil || !again.Mode().IsRegular() {
		_ = f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	return f, nil
}

// read returns at most limit bytes of a file, and whether there are more.
func (t *tree) read(name string, limit int64) (text []byte, more bool, err error) {
	f, err := t.open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil { // of files in /proc it is 0
		b.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
	}
	_, err = b.ReadFrom(io.LimitReader(f, limit+1))
	text = b.Bytes()
	if int64(len(text)) > limit {
		return text[:limit], true, err
	}
	return text, false, err
}

// list returns the names in a folder, sorted, at most limit, and whether there are more.
func (t *tree) list(name string, limit int) (entries []fs.DirEntry, more bool, err error) {
	s, info, err := t.find(name)
	if err != nil {
		return nil, false, err
	}
	if !info.IsDir() {
		return nil, false, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a folder")}
	}
	f, err := os.Open(t.real(s.at))
	if err != nil {
		return nil, false, shownError(err, s.at)
	}
	defer f.Close()
	entries, err = f.ReadDir(limit + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if len(entries) > limit {
		return entries[:limit], true, err
	}
	return entries, false, err
}

// hasMeta tells whether a path is a pattern.
func hasMeta(name string) bool { return strings.ContainsAny(name, "*?[") }

// glob returns the names that fit a pattern, sorted, at most limit, and whether there are more. Like glob(3) and
// Apache it matches a leading dot only with a dot. The error is the first folder that could not be read; what was
// found stands beside it. A name without a pattern is returned if it exists.
func (t *tree) glob(pattern string, limit int) (names []string, more bool, err error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, false, fmt.Errorf("expand %q: not an absolute path", pattern)
	}
	pattern = strings.ReplaceAll(pattern, "[!", "[^") // POSIX writes the first, path.Match the second
	names = []string{""}
	for part := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range names {
			if !hasMeta(part) {
				next = append(next, dir+"/"+part)
				continue
			}
			entries, cut, e := t.list(dir+"/", limit)
			if e != nil && !errors.Is(e, fs.ErrNotExist) && err == nil && !isNotFolder(e) {
				err = e
			}
			more = more || cut
			for _, entry := range entries {
				if entry.Name()[0] == '.' && part[0] != '.' {
					continue
				}
				ok, e := path.Match(part, entry.Name())
				if e != nil {
					return nil, false, fmt.Errorf("expand %q: %w", pattern, e)
				}
				if ok {
					next = append(next, dir+"/"+entry.Name())
				}
			}
			if len(next) > limit {
				next, more = next[:limit], true
				break
			}
		}
		names = next
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		_, _, e := t.find(n)
		if e != nil && err == nil && errors.Is(e, fs.ErrPermission) {
			err = e
		}
		return e != nil && !errors.Is(e, errLink)
	})
	return names, more, err
}

func isNotFolder(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "not a folder"
}

// exists tells whether something stands at a name.
func (t *tree) exists(name string) bool {
	_, _, err := t.find(name)
	return err == nil
}

// shownError names the place as it is shown.
func shownError(err error, name string) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return &fs.PathError{Op: p.Op, Path: name, Err: p.Err}
	}
	return err
}

// blame is the place that an error is about.
func blame(err error, otherwise string) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path
	}
	return otherwise
}

// why puts an error into the words of a problem.
func why(err error) string {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission):
		if os.Geteuid() == 0 {
			return "permission denied"
		}
		return "permission denied: needs root"
	case errors.Is(err, fs.ErrNotExist):
		return "not there"
	case errors.Is(err, errLink):
		return errLink.Error()
	case errors.As(err, &p):
		return p.Err.Error()
	default:
		return err.Error()
	}
}

// trust is who can write a file's lines: see [LogFile].
func (t *tree) trust(s spot, info fs.FileInfo) connwarden.Trust {
	if s.local || t.localFile(info) {
		return connwarden.TrustLocal
	}
	return connwarden.TrustRoot
}
