package csf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// maxFile bounds what is read of a file of csf's; its configuration has some 100 KiB.
const maxFile = 8 << 20

// Files of csf, as its source names them.
const (
	confFile    = "/etc/csf/csf.conf"
	disableFile = "/etc/csf/csf.disable"
	denyFile    = "/etc/csf/csf.deny"
	tempFile    = "/var/lib/csf/csf.tempban"
	allowFile   = "/var/lib/csf/csf.tempallow"
	lfdFile     = "/var/run/lfd.pid"
)

// config is what matters to us of csf's configuration and state.
type config struct {
	ipv6      bool
	denyLimit int // 0: none
	tempLimit int // 0: none
	lfd       bool
}

// lists is what csf holds.
type lists struct {
	deny      map[netip.Prefix]bool      // ours
	temp      map[netip.Prefix]time.Time // ours: when it ends
	theirDeny int                        // entries of others that count for the limit
	theirTemp int
	theirs    map[netip.Prefix]string // temporary denials and allowances of others, with their comments
}

// ours are the targets of our entries, in order.
func (l *lists) ours() []netip.Prefix {
	all := map[netip.Prefix]bool{}
	for target := range l.deny {
		all[target] = true
	}
	for target := range l.temp {
		all[target] = true
	}
	return slices.SortedFunc(maps.Keys(all), netip.Prefix.Compare)
}

// room is how many entries of ours fit beside those of others, in either list.
func (l *lists) room(c *config) int {
	room := math.MaxInt
	if c.denyLimit > 0 {
		room = min(room, c.denyLimit-l.theirDeny)
	}
	if c.tempLimit > 0 {
		room = min(room, c.tempLimit-l.theirTemp)
	}
	return max(0, room)
}

// read reads the configuration and the lists.
func (d *Driver) read() (*lists, error) {
	text, err := d.file(confFile, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("csf is not installed: no %s: %w", confFile, connwarden.ErrUnsupported)
	case err != nil:
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(d.root, disableFile)); err == nil {
		return nil, fmt.Errorf("csf is disabled, by %s; csf -e enables it: %w", disableFile, connwarden.ErrUnsupported)
	}
	conf := settings(text)
	if conf["TESTING"] == "1" {
		return nil, fmt.Errorf("csf is in its TESTING mode and lifts its rules every few minutes; set TESTING = \"0\" in %s and run csf -ra: %w", confFile, connwarden.ErrUnsupported)
	}
	d.conf = config{ipv6: conf["IPV6"] == "1", denyLimit: number(conf["DENY_IP_LIMIT"]), tempLimit: number(conf["DENY_TEMP_IP_LIMIT"]), lfd: d.lfd()}

	l := &lists{deny: map[netip.Prefix]bool{}, temp: map[netip.Prefix]time.Time{}, theirs: map[netip.Prefix]string{}}
	var texts [3]string
	for i, file := range [...]string{denyFile, tempFile, allowFile} {
		if texts[i], err = d.file(file, share); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	l.parseDeny(texts[0], d.mark)
	l.parseTemp(texts[1], d.mark)
	l.parseAllow(texts[2])
	return l, nil
}

// file reads a file of csf's. Its lists are written in place while csf or lfd holds a lock: they need one to be read.
func (d *Driver) file(name string, lock func(*os.File) error) (string, error) {
	f, err := os.Open(filepath.Join(d.root, name))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s: %w", name, connwarden.ErrDenied)
	case err != nil:
		return "", err
	}
	defer f.Close()
	if lock != nil {
		if err := lock(f); err != nil {
			return "", fmt.Errorf("lock %s: %w", name, err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	return string(text), err
}

// lfd tells whether lfd runs. It holds the lock of the file with its number as long as it does.
func (d *Driver) lfd() bool {
	text, err := d.file(lfdFile, nil)
	if err != nil {
		return false
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(d.root, "/proc", strconv.FormatUint(pid, 10)))
	return err == nil
}

// settings reads lines NAME = "value".
func settings(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(strings.TrimSpace(key), "#") {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return values
}

// number reads a limit; none where it is not set.
func number(text string) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// parseDeny reads csf.deny: an address or prefix, and after blanks "# comment - date". Others' lines may also be filters of
// ports, names of files to include, and comments.
func (l *lists) parseDeny(text, mark string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || strings.HasPrefix(line, "Include") {
			continue
		}
		address, comment, _ := strings.Cut(line, " ")
		target, ok := parseTarget(address)
		if ok && strings.HasPrefix(comment, "# "+mark+" - ") {
			l.deny[target] = true
		} else if !strings.Contains(strings.ToLower(line), "do not delete") { // those do not count for csf
			l.theirDeny++
		}
	}
}

// parseTemp reads csf.tempban: time|address|ports|in or out|seconds|comment.
func (l *lists) parseTemp(text, mark string) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 6)
		if len(fields) < 6 {
			continue
		}
		target, ok := parseTarget(fields[1])
		since, err := strconv.ParseInt(fields[0], 10, 63)
		seconds, err2 := strconv.ParseInt(fields[4], 10, 32)
		if ok && err == nil && err2 == nil && fields[2] == "" && fields[3] == "in" && fields[5] == mark {
			l.temp[target] = time.Unix(since+seconds, 0)
			continue
		}
		l.theirTemp++
		if ok {
			l.theirs[target] = fields[5]
		}
	}
}

// parseAllow reads csf.tempallow, which has the same form.
func (l *lists) parseAllow(text string) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 6)
		if len(fields) == 6 {
			if target, ok := parseTarget(fields[1]); ok {
				l.theirs[target] = fields[5]
			}
		}
	}
}

// parseTarget reads an address or a prefix.
func parseTarget(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), !p.Addr().Is4In6()
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}
