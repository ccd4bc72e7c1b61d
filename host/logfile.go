package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Kind says what the lines of a log are.
type Kind uint8

const (
	Access Kind = iota // requests
	Error              // faults
	Slow               // scripts that took too long, with their stacks
	Events             // what daemons say of peers: who logged in, or did not; sent mail, or was refused
)

var kindWords = [...]string{"access", "error", "slow", "events"}

// String returns "access", "error", "slow" or "events".
func (k Kind) String() string {
	if int(k) < len(kindWords) {
		return kindWords[k]
	}
	return "unknown"
}

// MarshalText returns the word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogFile is one log, found by the servers' configuration or in a usual place.
//
// Trust is outside for the error logs of nginx and LiteSpeed, in which a client can write whole lines; local for
// what syslog brings, since every account may write to it, for the logs of PHP's scripts and applications and of MySQL, and for every file that an
// ordinary account owns or can write or replace; else root. Accounts below UID_MIN are daemons: a log that its own
// daemon owns counts as root's.
//
// A request may stand in several logs: Twin tells of two logs of one server that hold the same; that a front server
// (nginx) and what stands behind it (Apache, or PHP-FPM with an access.log) both log a request is not known here.
type LogFile struct {
	Path    string // to open it: with the root in front
	Shown   string // without the root, as the configuration names it
	Kind    Kind
	Service string // "apache", "nginx", "php-fpm", "php", "mysql", "exim", …; "syslog" for what a syslog daemon writes of all programs

	// Format is what the configuration says: Apache's LogFormat string, nginx's log_format string, PHP-FPM's
	// access.format, unquoted; or the name "apache_combined" for what nginx calls combined. "" is to be
	// recognised. For an error log it is Apache's ErrorLogFormat, for a daemon's own log the name that the room logs has for it.
	Format     string
	FormatNick string // the configuration's name for it
	Escape     string // nginx's escape=: "" is its default, else "json" or "none"

	Site string // the virtual host all lines belong to; "" when unknown, mixed, or named by each line
	Only string // the condition under which a request is logged: "env=!dontlog"; "" is always
	Twin string // Shown of another log that holds the same lines; "" when none does

	Trust   connwarden.Trust
	From    string // why we know: "apache configuration /etc/apache2/sites-enabled/x.conf:12"
	Dev     uint64 // with Inode what makes two names one file; 0 where unknown
	Inode   uint64
	Size    int64 // bytes
	ModTime time.Time
}

// candidate is a log that might be there.
type candidate struct {
	name       string // shown; a pattern when glob is set
	glob       bool   // the name holds what is known only when a request comes
	newest     bool   // of the matches only the one written last is current
	siteVar    bool   // what the pattern's only star stands for is the site
	configured bool   // a server's configuration names it
	kind       Kind
	service    string
	format     string
	nick       string
	escape     string
	site       string
	only       string
	twin       string
	from       string
}

// Logs lists the logs of this machine, each file once, by name. What a configuration says wins over what a usual
// place suggests. A file that cannot be opened for lack of privilege is listed as long as its folder can be read.
// The problems tell what could not be seen. Logs stops early, with a problem, when ctx ends.
func (h *Host) Logs(ctx context.Context) ([]LogFile, []connwarden.Problem) {
	s := h.scan(ctx)
	s.readServers()
	s.usualPlaces()
	files := s.resolve()
	if err := ctx.Err(); err != nil {
		s.problem("logs", "search stopped: "+err.Error())
	}
	return files, s.done()
}

type fileKey struct {
	dev, inode uint64
	at         string // when there is no inode
}

// resolve turns candidates into files.
func (s *scan) resolve() []LogFile {
	r := resolver{scan: s, seen: map[fileKey]int{}, missing: map[string][]candidate{}}
	for i := range s.found {
		if s.ctx.Err() != nil {
			break
		}
		r.take(&s.found[i])
	}
	r.complain()
	listed := make(map[string]bool, len(r.files))
	for _, f := range r.files {
		listed[f.Shown] = true
	}
	for i := range r.files {
		if f := &r.files[i]; f.Twin == f.Shown || !listed[f.Twin] {
			f.Twin = ""
		}
	}
	slices.SortFunc(r.files, func(a, b LogFile) int { return strings.Compare(a.Shown, b.Shown) })
	return r.files
}

// othersWrite are the services in whose logs an ordinary account can write lines, whoever owns the file: through
// /dev/log, or as the author of a site whose scripts run under the web server's account; and MySQL, in whose log a name can hold whole lines
// (MariaDB 10.11 writes 128 bytes of it as they come, line ends included). SOGo's own file is in the form of syslog, which tells of no daemon that it
// keeps line ends out.
var othersWrite = map[string]bool{"php": true, "syslog": true, "haproxy": true, "roundcube": true, "mysql": true,
	"nextcloud": true, "phpmyadmin": true, "joomla": true, "sogo": true}

type resolver struct {
	*scan
	files   []LogFile
	claims  []claim // beside files: what is known of each beyond LogFile
	seen    map[fileKey]int
	missing map[string][]candidate
	full    bool
}

// claim keeps what later candidates for the same file must agree with.
type claim struct {
	configured, mixedSite bool
}

func (r *resolver) take(c *candidate) {
	if !c.glob {
		r.add(c, c.name, c.site)
		return
	}
	names, more, err := r.tree.glob(c.name, r.lim.entries)
	if err != nil {
		r.problem(blame(err, c.name), why(err))
	}
	if more {
		r.problem(c.name, fmt.Sprintf("more than %d matches: the rest is not looked at (%s)", r.lim.entries, c.from))
	}
	if c.newest {
		names = r.newest(names)
	} else {
		names = slices.DeleteFunc(names, func(name string) bool { return gone(c.name, name) })
	}
	for _, name := range names {
		site := c.site
		if c.siteVar {
			site = starred(c.name, name)
		}
		r.add(c, name, site)
	}
}

func (r *resolver) newest(names []string) []string {
	best, at := "", time.Time{}
	for _, name := range names {
		if compressed(name) {
			continue
		}
		if _, info, err := r.tree.find(name); err == nil && info.Mode().IsRegular() && !info.ModTime().Before(at) {
			best, at = name, info.ModTime()
		}
	}
	if best == "" {
		return nil
	}
	return []string{best}
}

func (r *resolver) add(c *candidate, name, site string) {
	place, info, err := r.tree.find(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.configured {
			r.missing[c.service] = append(r.missing[c.service], *c)
		}
		return
	case err != nil:
		said := why(err)
		if !errors.Is(err, fs.ErrPermission) { // which is no matter of whoever names the file
			said += " (" + c.from + ")"
		}
		r.problem(name, said)
		return
	case info.IsDir() || !info.Mode().IsRegular():
		if c.configured && info.Mode()&fs.ModeDevice == 0 {
			r.problem(name, "not a regular file: not read ("+c.from+")")
		}
		return
	}
	key := fileKey{at: place.at}
	if dev, inode := identity(info); inode != 0 {
		key = fileKey{dev: dev, inode: inode}
	}
	if i, ok := r.seen[key]; ok {
		r.join(i, c, site)
		return
	}
	if len(r.files) >= r.lim.logs {
		if !r.full {
			r.full = true
			r.problem("logs", fmt.Sprintf("more than %d: the rest is not listed", r.lim.logs))
		}
		return
	}
	f := LogFile{
		Path: r.tree.real(name), Shown: name, Kind: c.kind, Service: c.service,
		Format: c.format, FormatNick: c.nick, Escape: c.escape,
		Site: site, Only: c.only, Twin: c.twin, From: c.from,
		Trust: r.tree.trust(place, info), Dev: key.dev, Inode: key.inode, Size: info.Size(), ModTime: info.ModTime(),
	}
	switch {
	case c.kind == Error && (c.service == "nginx" || c.service == "litespeed"):
		f.Trust = connwarden.TrustOutside
	case othersWrite[c.service]:
		f.Trust = connwarden.TrustLocal
	}
	// A link that is opened by its name could lead out of the root, and those of local logs are not followed by who
	// opens them: root's own links (Plesk's maillog) were followed here.
	if r.tree.root != "" || f.Trust == connwarden.TrustLocal {
		f.Path = r.tree.real(place.at)
	}
	r.seen[key] = len(r.files)
	r.files = append(r.files, f)
	r.claims = append(r.claims, claim{configured: c.configured})
}

// join adds a second candidate's knowledge of a file. Configurations that disagree leave the matter open.
func (r *resolver) join(i int, c *candidate, site string) {
	f, known := &r.files[i], &r.claims[i]
	if !c.configured {
		if !known.configured && f.Site == "" {
			f.Site = site
		}
		return
	}
	if f.Site != site {
		known.mixedSite = true
	}
	if known.mixedSite {
		f.Site = ""
	}
	if f.Format != c.format {
		f.Format, f.FormatNick, f.Escape = "", "", ""
	}
	if f.Only != c.only {
		f.Only = ""
	}
	if c.twin == "" {
		f.Twin = ""
	}
}

// complain tells of logs that a configuration names and that are not there: one line a server, since branches of a
// configuration that are not in force name such logs too.
func (r *resolver) complain() {
	for _, service := range sortedKeys(r.missing) {
		if r.idle(service) {
			continue
		}
		gone := r.missing[service]
		why := "not there; named in " + gone[0].from
		if len(gone) > 1 {
			why += fmt.Sprintf("; and %d more logs that %s names are not there", len(gone)-1, service)
		}
		r.problem(gone[0].name, why)
	}
}

// idle tells whether a service is known not to run; then nothing has made its logs yet.
func (r *resolver) idle(service string) bool {
	if r.tree.root != "" || !r.sawProcesses || service == "php" {
		return false
	}
	return !slices.ContainsFunc(r.servers, func(v Server) bool { return v.Name == service && v.Running })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// compressed tells whether a name is an archive's.
func compressed(name string) bool {
	for _, end := range [...]string{".gz", ".bz2", ".xz", ".zst", ".zip"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// gone tells whether a name that fits a pattern is that of a log no longer written: "log.192.0.2.7" of the pattern "log.*" is a log of its own,
// named after a machine.
func gone(pattern, name string) bool {
	if _, err := netip.ParseAddr(starred(pattern, name)); err == nil {
		return false
	}
	return rotated(name)
}

// rotated tells whether a name is that of a log no longer written: an archive, "access.log.1", "access_log-20261122",
// and what panels leave beside logs.
func rotated(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	if compressed(name) || strings.Contains(name, ".bkup") || strings.Contains(name, ".offset") {
		return true
	}
	for _, end := range [...]string{".processed", ".webstat", ".old", ".bak", "~", ".swp", ".stat"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	cut := strings.LastIndexAny(name, ".-")
	return cut > 0 && digits(name[cut+1:])
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// starred returns what the only star of a pattern stands for in a name, or nothing.
func starred(pattern, name string) string {
	before, after, ok := strings.Cut(pattern, "*")
	if !ok || strings.Contains(after, "*") || len(name) < len(before)+len(after) {
		return ""
	}
	if !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return ""
	}
	return name[len(before) : len(name)-len(after)]
}
