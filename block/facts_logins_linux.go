package block

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// panel reads who was at WHM as root: lines of cPanel's access_log as "The cPanel & WHM Log Files" of its documentation
// describes them,
//
//	ADDRESS - USER [MM/DD/YYYY:HH:MM:SS -ZZZZ] "REQUEST" STATUS SIZE "REFERER" "AGENT" "AUTH" "FORWARDED" PORT
//
// where AUTH is "s" for a session and "a" for a key, both of which take more than a name. Request, referer and agent are the
// client's: a line with more quotes than the form has is passed over.
func (f *facts) panel(since time.Time) {
	f.back("/usr/local/cpanel/logs/access_log", func(b []byte, first bool) (rest int, more bool) {
		if !first {
			if rest = bytes.IndexByte(b, '\n') + 1; rest == 0 {
				return len(b), true
			}
		}
		more, dated := true, false
		for line := range bytes.Lines(b[rest:]) {
			if !dated {
				var at time.Time
				if at, dated = panelTime(line); dated {
					more = !at.Before(since)
				}
			}
			if bytes.Contains(line, []byte(" - root [")) {
				f.panelLine(string(line), since)
			}
		}
		return rest, more
	})
}

// panelTime reads when a line was written.
func panelTime(line []byte) (time.Time, bool) {
	const form = "[01/02/2006:15:04:05 -0700]"
	i := bytes.IndexByte(line, '[')
	if i < 0 || len(line) < i+len(form) {
		return time.Time{}, false
	}
	at, err := time.Parse(form, string(line[i:i+len(form)]))
	return at, err == nil
}

func (f *facts) panelLine(line string, since time.Time) {
	quoted := strings.Split(line, `"`)
	if len(quoted) != 11 || quoted[7] != "s" && quoted[7] != "a" {
		return
	}
	head, status := strings.Fields(quoted[0]), strings.Fields(quoted[2])
	if len(head) != 5 || head[2] != "root" || len(status) != 2 || status[0] != "200" {
		return
	}
	at, ok := panelTime([]byte(quoted[0]))
	if a, err := netip.ParseAddr(head[0]); err == nil && ok && !at.Before(since) {
		f.session("root", a, "used WHM from within a week", "cPanel's access_log", map[string]bool{"root": true})
	}
}

// utmp adds who is logged in.
func (f *facts) utmp(admins map[string]bool) {
	const name = "/run/utmp"
	b := f.read(name)
	_, junk := eachLogin(b, func(user string, host netip.Addr, _ time.Time) {
		f.session(user, host, "is logged in from", "utmp", admins)
	})
	f.junk(name, junk, len(b))
}

// wtmp adds who logged in since a time, also by the file that logrotate put aside, after its number or its date.
func (f *facts) wtmp(admins map[string]bool, since time.Time) {
	const name = "/var/log/wtmp"
	dated, _ := filepath.Glob(f.path(name + "-????????"))
	older := name + ".1"
	if len(dated) > 0 {
		older = filepath.Dir(name) + "/" + filepath.Base(dated[len(dated)-1])
	}
	if f.wtmpFile(name, admins, since) {
		f.wtmpFile(older, admins, since)
	}
}

// wtmpFile tells whether all of a file's logins are since then.
func (f *facts) wtmpFile(name string, admins map[string]bool, since time.Time) (whole bool) {
	whole = true
	junk, all := 0, 0
	f.back(name, func(b []byte, first bool) (rest int, more bool) {
		none := true
		began, bad := eachLogin(b, func(user string, host netip.Addr, at time.Time) {
			none = false
			if at.Before(since) {
				whole = false
			} else {
				more = true
				f.session(user, host, "logged in from within a week", "wtmp", admins)
			}
		})
		if !first { // what is before the first record may be the end of one
			rest = min(began, utmpForms[1].size)
		}
		junk, all = junk+max(bad-rest, 0), all+len(b)-rest
		return rest, more || none
	})
	f.junk(name, junk, all)
	return whole
}

// junk tells of a file of records of which much is none.
func (f *facts) junk(name string, junk, all int) {
	if junk > all/10 {
		f.problem(name, fmt.Errorf("%d of %d bytes are no records of logins", junk, all))
	}
}

// utmpForm is a form of a record of utmp(5): with times of 32 bits, as amd64 has it, or of 64, as arm64.
type utmpForm struct {
	size, at, addr int
	wide           bool
}

var utmpForms = [...]utmpForm{{384, 340, 348, false}, {400, 344, 360, true}}

const (
	userProcess = 7 // USER_PROCESS of utmp(5)
	utmpLast    = 9 // ACCOUNTING, the highest type
)

// The texts of a record, and what follows its address, which nothing uses.
var (
	utmpTexts = [...][2]int{{8, 40}, {44, 76}, {76, 332}} // line, user, host
	utmpUser  = utmpTexts[1]
)

const utmpUnused = 20

// eachLogin hands over the logins of a file of records, of the form that most of it surely has. It tells where the first record begins
// and how many bytes are none.
func eachLogin(b []byte, each func(user string, host netip.Addr, at time.Time)) (began, junk int) {
	form, least := &utmpForms[0], len(b)+1
	for i := range utmpForms {
		sure := 0
		_, junk := utmpForms[i].records(b, func(_ []byte, is bool) {
			if is {
				sure++
			}
		})
		if rest := len(b) - sure*utmpForms[i].size; rest < least || rest == least && junk == 0 {
			form, least = &utmpForms[i], rest
		}
		if least < len(b)/10 { // the other form is not that of the rest
			break
		}
	}
	return form.records(b, func(r []byte, _ bool) {
		if binary.NativeEndian.Uint16(r) != userProcess {
			return
		}
		user, _, _ := bytes.Cut(r[utmpUser[0]:utmpUser[1]], []byte{0})
		each(string(user), utmpAddr(r[form.addr:form.addr+16]), form.time(r))
	})
}

// records hands over the records of a file. A crash tears one, a full disk cuts one short, and what has nothing to do with them stands
// between them: that costs itself alone. What follows a record is one if it may be and no surer one begins within it.
func (form *utmpForm) records(b []byte, each func(r []byte, sure bool)) (began, junk int) {
	began = len(b)
	follows := true
	for i := 0; i < len(b); {
		r := b[i:]
		sure := len(r) >= form.size && form.sure(r)
		if follows = sure || follows && len(r) >= form.size && form.may(r) && !form.within(r); follows {
			each(r[:form.size], sure)
			began = min(began, i)
			i += form.size
		} else {
			junk++
			i++
		}
	}
	return began, junk
}

// within tells whether a record begins within another one.
func (form *utmpForm) within(r []byte) bool {
	for i := 1; i < form.size && len(r)-i >= form.size; i++ {
		if form.sure(r[i:]) {
			return true
		}
	}
	return false
}

// may tells whether bytes may be a record: they begin with a type that exists.
func (form *utmpForm) may(r []byte) bool {
	return binary.NativeEndian.Uint16(r) <= utmpLast && r[2] == 0 && r[3] == 0
}

// sure tells whether bytes are a record in all that is known of one: its texts are text and end with nothing but zeros, its time
// is one, and what nothing uses is empty.
func (form *utmpForm) sure(r []byte) bool {
	if !form.may(r) || !empty(r[form.addr+16:form.addr+16+utmpUnused]) {
		return false
	}
	micro := uint64(binary.NativeEndian.Uint32(r[form.at+4:]))
	if form.wide {
		micro = binary.NativeEndian.Uint64(r[form.at+8:])
	}
	if micro >= 1e6 || form.time(r).Year() >= 3000 {
		return false
	}
	for _, t := range utmpTexts {
		text := r[t[0]:t[1]]
		if i := bytes.IndexByte(text, 0); i >= 0 {
			if !empty(text[i:]) {
				return false
			}
			text = text[:i]
		}
		for _, c := range text {
			if c < ' ' || c == 0x7f {
				return false
			}
		}
	}
	return true
}

var zeros [256]byte // as long as the longest text

func empty(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

func (form *utmpForm) time(r []byte) time.Time {
	if form.wide {
		return time.Unix(int64(binary.NativeEndian.Uint64(r[form.at:])), 0)
	}
	return time.Unix(int64(binary.NativeEndian.Uint32(r[form.at:])), 0) // until 2106, although the type has a sign
}

// utmpAddr reads 16 bytes of which IPv4 takes the first four.
func utmpAddr(b []byte) netip.Addr {
	if empty(b[4:16]) {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}
