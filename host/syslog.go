package host

import (
	"math/bits"
	"path"
	"slices"
	"strings"
)

// A syslog daemon writes one message into several files: Debian's /var/log/syslog holds what stands in mail.log and
// kern.log, too. So the selectors are read: a file all of whose messages stand in another is its twin.
//
// Sources: syslog.conf(5) of sysklogd and FreeBSD, rsyslog.conf(5) ("SELECTORS", "ACTIONS", property-based filters,
// RainerScript's action with omfile), and RFC 5424, 6.2.1 for the numbers. syslog-ng's files are those of Debian's
// sysklogd, whose names it keeps; they are found in their usual places.

// Facilities by number, severities by number, most urgent first.
var (
	facilities = [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "security", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	severities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	severityOf = map[string]string{"panic": "emerg", "error": "err", "warn": "warning"}
)

// selection is which messages a file takes: a bit for each severity, by facility.
type selection [len(facilities)]uint8

// within tells whether other takes every message of s.
func (s *selection) within(other *selection) bool {
	for i := range s {
		if s[i]&^other[i] != 0 {
			return false
		}
	}
	return true
}

func (s *selection) size() int {
	n := 0
	for _, severities := range s {
		n += bits.OnesCount8(severities)
	}
	return n
}

// selector reads "auth,authpriv.*;mail.none;kern.!=info". ok is false when it is none.
func selector(text string) (sel selection, ok bool) {
	for one := range strings.SplitSeq(text, ";") {
		if one == "" {
			continue
		}
		names, level, found := strings.Cut(one, ".")
		if !found || names == "" || level == "" {
			return sel, false
		}
		mask, except, ok := levels(level)
		if !ok {
			return sel, false
		}
		for name := range strings.SplitSeq(names, ",") {
			known := name == "*" || name == "mark"
			for i, facility := range facilities {
				if name != "*" && name != facility {
					continue
				}
				known = true
				switch {
				case level == "none":
					sel[i] = 0
				case except:
					sel[i] &^= mask
				default:
					sel[i] |= mask
				}
			}
			if !known {
				return sel, false
			}
		}
	}
	return sel, true
}

// levels reads "*", "none", "info" (and what is more urgent), "=info", "!info", "!=info".
func levels(level string) (mask uint8, except, ok bool) {
	level, except = strings.CutPrefix(level, "!")
	level, exact := strings.CutPrefix(level, "=")
	if level == "*" || level == "none" {
		return 0xff, except, true
	}
	if other, ok := severityOf[level]; ok {
		level = other
	}
	for i, name := range severities {
		if name == level {
			if exact {
				return 1 << i, except, true
			}
			return 1<<(i+1) - 1, except, true
		}
	}
	return 0, false, false
}

// syslogFile is a file that a syslog daemon writes.
type syslogFile struct {
	name     string
	takes    selection
	filtered bool // it takes what a filter says, which is not read
	alone    bool // what it takes goes into no later file
	from     string
}

// syslogPlaces are the files of Debian and RHEL, by their packages' rules, most of whose messages come first.
var syslogPlaces = []struct{ name, selector string }{
	{"/var/log/syslog", "*.*;auth,authpriv.none"},
	{"/var/log/messages", "*.info;mail,auth,authpriv,cron.none"},
	{"/var/log/auth.log", "auth,authpriv.*"},
	{"/var/log/secure", "auth,authpriv.*"},
	{"/var/log/maillog", "mail.*"},
	{"/usr/local/psa/var/log/maillog", "mail.*"}, // Plesk's, before Obsidian
	{"/var/log/mail.log", "mail.*"},
	{"/var/log/mail.info", "mail.info"},
	{"/var/log/mail.warn", "mail.warn"},
	{"/var/log/mail.err", "mail.err"},
	{"/var/log/kern.log", "kern.*"},
	{"/var/log/daemon.log", "daemon.*"},
	{"/var/log/user.log", "user.*"},
	{"/var/log/system.log", "*.notice"}, // macOS
}

// readSyslog finds the files that a syslog daemon writes.
func (s *scan) readSyslog() {
	r := syslogReader{book: s.book(), daemon: "syslog"}
	if s.tree.exists("/etc/rsyslog.conf") {
		r.daemon = "rsyslog"
		r.file("/etc/rsyslog.conf", 0, "")
	} else if s.tree.exists("/etc/syslog.conf") {
		r.file("/etc/syslog.conf", 0, "")
		for _, pattern := range [...]string{"/etc/syslog.d/*.conf", "/usr/local/etc/syslog.d/*.conf"} {
			names, _, _ := s.tree.glob(pattern, s.lim.entries)
			for _, name := range names {
				r.file(name, 0, "")
			}
		}
	}
	files := r.files
	for _, p := range syslogPlaces {
		takes, _ := selector(p.selector)
		files = append(files, syslogFile{name: p.name, takes: takes, from: "usual place of syslog"})
	}
	s.addSyslog(files)
}

// dull are the facilities that say nothing of peers or faults.
var dull, _ = selector("cron,lpr,news,uucp.*")

// addSyslog hands the files over that are there. What a filter picks out is taken to go on to later files, too, unless
// it stops there.
func (s *scan) addSyslog(files []syslogFile) {
	seen := map[string]bool{}
	files = slices.DeleteFunc(files, func(f syslogFile) bool {
		gone := seen[f.name] || !s.tree.exists(f.name) || !f.filtered && f.takes.within(&dull)
		seen[f.name] = true
		return gone
	})
	for i, f := range files {
		c := candidate{name: f.name, kind: Events, service: "syslog", format: "syslog", from: f.from}
		most := 0
		for k, other := range files {
			if k == i || k > i && f.alone || k < i && other.alone || other.filtered || !f.takes.within(&other.takes) {
				continue
			}
			n, m := f.takes.size(), other.takes.size()
			if m > most && (n < m || k < i) {
				most, c.twin = m, other.name
			}
		}
		s.found = append(s.found, c)
	}
}

// syslogReader reads the configuration of syslogd or rsyslog.
type syslogReader struct {
	book   *book
	daemon string
	files  []syslogFile
	block  bool  // in a block for one program
	rule   []int // files of the rule in hand, which goes on in lines that begin with "&" or an action
	takes  selection
	filter bool // of the rule in hand
}

func (r *syslogReader) file(name string, depth int, from string) {
	r.book.lines(name, depth, from, func(line string, at position) { r.line(line, at, depth) })
}

func (r *syslogReader) line(line string, at position, depth int) {
	if line == "" {
		return
	}
	first, rest := firstWord(line)
	switch lower := strings.ToLower(first); {
	case first[0] == '!' || strings.HasPrefix(first, "#!"): // a block of BSD's syslogd
		r.block = line != "!*" && line != "#!*"
	case strings.IndexByte("#+-", first[0]) >= 0:
	case lower == "$includeconfig":
		r.include(strings.Trim(rest, `"`), at, depth)
	case strings.HasPrefix(lower, "include("):
		r.include(parameter(line, "file"), at, depth)
	case first[0] == '$':
	case first[0] == ':' || first == "if" || strings.HasPrefix(first, "if("):
		r.rule, r.takes, r.filter = nil, selection{}, true
		r.action(line, at)
	case first[0] == '&' || first == "stop" || strings.HasPrefix(first, "action(") || strings.HasPrefix(first, "file="):
		r.action(line, at)
	default:
		if takes, ok := selector(first); ok {
			r.rule, r.takes, r.filter = nil, takes, r.block
			r.action(rest, at)
		}
	}
}

func (r *syslogReader) include(pattern string, at position, depth int) {
	if pattern != "" {
		r.book.include(pattern, "/etc", at, depth, true, true, func(name string) { r.file(name, depth+1, at.String()) })
	}
}

// action takes the file out of what is done with a message: "-/var/log/mail.log;format", action(type="omfile"
// file="…"), or a filter with either at its end. "stop" and "~" end it.
func (r *syslogReader) action(text string, at position) {
	name := parameter(text, "file")
	words := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t{};&", c) })
	for _, word := range words {
		if word = strings.TrimPrefix(word, "-"); name == "" && strings.HasPrefix(word, "/") {
			name = word
		}
	}
	if strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "/dev/") {
		r.rule = append(r.rule, len(r.files))
		r.files = append(r.files, syslogFile{name: path.Clean(name), takes: r.takes, filtered: r.filter, from: r.daemon + " configuration " + at.String()})
	}
	if slices.Contains(words, "stop") || slices.Contains(words, "~") {
		for _, i := range r.rule {
			r.files[i].alone = true
		}
	}
}

// parameter takes name="value" out of RainerScript, whose names have no case. Name is in lower case.
func parameter(text, name string) string {
	for at := 0; at+len(name) <= len(text); at++ {
		if !strings.EqualFold(text[at:at+len(name)], name) || at > 0 && wordByte(text[at-1]) {
			continue
		}
		rest := strings.TrimLeft(text[at+len(name):], " \t")
		if !strings.HasPrefix(rest, "=") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		if rest == "" || rest[0] != '"' {
			return ""
		}
		value, _, _ := strings.Cut(rest[1:], `"`)
		return value
	}
	return ""
}
