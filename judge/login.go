package judge

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// The windows and counts of a login burst. Five minutes is the span in which a person forgets, corrects and gives
// up; ten failures at wp-login.php are beyond that. XML-RPC is spoken by programs, some of them honest (Jetpack, the
// mobile app), so twice as many are asked for.
const (
	window        = 5 * time.Minute
	bucket        = time.Minute
	loginBurst    = 10
	xmlrpcBurst   = 20
	maxLogins     = 1 << 17 // tables of logins, each some 200 bytes: 26 MB
	maxBuckets    = 1 << 12 // minutes a login table remembers: almost three days of unbroken attack
	samplesKept   = 3
	loginFloor    = 60 // score of a burst that only just is one
	loginCeil     = 79 // suspicious at most: failures alone do not prove intent
	windowMinutes = int64(window / bucket)
)

type loginKind uint8

const (
	noLogin loginKind = iota
	wpLogin
	xmlrpc
)

var (
	post       = []byte("POST")
	loginPage  = []byte("wp-login.php")
	xmlrpcPage = []byte("xmlrpc.php")
)

// loginPath tells whether a request tries a WordPress login that did not pass. wp-login.php answers 200 with the form
// again when a login fails and 302 when it passes; what it refuses is 4xx. xmlrpc.php answers 200 either way.
func loginPath(r *connwarden.Request) loginKind {
	if len(r.Method) != 4 || len(r.Path) < len(xmlrpcPage) || !bytes.Equal(r.Method, post) {
		return noLogin
	}
	switch {
	case endsIn(r.Path, xmlrpcPage):
		return xmlrpc
	case endsIn(r.Path, loginPage) && r.Status != 302 && r.Status != 301:
		return wpLogin
	default:
		return noLogin
	}
}

// endsIn tells whether the last element of path is name.
func endsIn(path, name []byte) bool {
	return bytes.HasSuffix(path, name) && (len(path) == len(name) || path[len(path)-len(name)-1] == '/')
}

// login counts what one address tries at the two doors of WordPress.
type login struct {
	doors [2]door
}

// door counts the attempts at one path, by minute.
type door struct {
	minutes []minute // by number, ascending
	total   uint64
	refused uint64 // 4xx and 5xx
	first   int64
	last    int64
	samples []sample // the earliest, in order
}

type minute struct {
	number int64 // Unix minutes; 0 gathers lines without a time
	count  uint32
}

type sample struct {
	at   int64
	from connwarden.Source
}

func (t *Table) login(l *ledger, kind loginKind, r *connwarden.Request, at int64) {
	if l.login < 0 {
		if len(t.logins) >= maxLogins {
			return
		}
		t.logins = append(t.logins, login{})
		l.login = int32(len(t.logins) - 1)
	}
	d := &t.logins[l.login].doors[kind-1]
	d.total++
	if r.Status >= 400 {
		d.refused++
	}
	if at != 0 && (d.first == 0 || at < d.first) {
		d.first = at
	}
	d.last = max(d.last, at)
	d.add(minute{at / int64(bucket/time.Second), 1})
	d.keep(sample{at, r.From})
}

func (d *door) add(m minute) {
	n := len(d.minutes)
	if n > 0 && d.minutes[n-1].number == m.number { // logs are mostly in order
		d.minutes[n-1].count += m.count
		return
	}
	i, found := slices.BinarySearchFunc(d.minutes, m.number, func(a minute, n int64) int { return cmp.Compare(a.number, n) })
	if found {
		d.minutes[i].count += m.count
		return
	}
	if n >= maxBuckets {
		d.minutes = slices.Delete(d.minutes, 0, 1)
		i = max(i-1, 0)
	}
	d.minutes = slices.Insert(d.minutes, i, m)
}

func (d *door) keep(s sample) {
	if n := len(d.samples); n == samplesKept && s.at > d.samples[n-1].at {
		return // the usual case, in a log that is in order
	}
	i, _ := slices.BinarySearchFunc(d.samples, s, earlier)
	if i >= samplesKept {
		return
	}
	d.samples = slices.Insert(d.samples, i, s)
	d.samples = d.samples[:min(len(d.samples), samplesKept)]
}

func earlier(a, b sample) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.from.Name, b.from.Name), cmp.Compare(a.from.Offset, b.from.Offset))
}

func (t *Table) mergeLogin(l *ledger, o *login) {
	if l.login < 0 {
		if len(t.logins) >= maxLogins {
			return
		}
		t.logins = append(t.logins, *o)
		l.login = int32(len(t.logins) - 1)
		return
	}
	for i := range o.doors {
		to, from := &t.logins[l.login].doors[i], &o.doors[i]
		to.total += from.total
		to.refused += from.refused
		if from.first != 0 && (to.first == 0 || from.first < to.first) {
			to.first = from.first
		}
		to.last = max(to.last, from.last)
		for _, m := range from.minutes {
			to.add(m)
		}
		for _, s := range from.samples {
			to.keep(s)
		}
	}
}

// worst returns the largest count within a window of five whole minutes, and the count within the one that ends with
// the minute of now.
func (d *door) worst(now int64) (most, last uint64) {
	var sum uint64
	from := 0
	for _, m := range d.minutes {
		sum += uint64(m.count)
		for d.minutes[from].number <= m.number-windowMinutes {
			sum -= uint64(d.minutes[from].count)
			from++
		}
		most = max(most, sum)
	}
	end := now / int64(bucket/time.Second)
	for _, m := range d.minutes {
		if m.number > end-windowMinutes && m.number <= end {
			last += uint64(m.count)
		}
	}
	return most, last
}

// Logins returns a verdict on each address whose logins came in a burst, worst first.
func (t *Table) Logins(now time.Time) []connwarden.Verdict {
	var verdicts []connwarden.Verdict
	for i := range t.n {
		l := t.at(i)
		if l.login < 0 {
			continue
		}
		if v, ok := t.logins[l.login].verdict(l.ip(), now); ok {
			verdicts = append(verdicts, v)
		}
	}
	slices.SortFunc(verdicts, worse)
	return verdicts
}

func worse(a, b connwarden.Verdict) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(count(b), count(a)), a.Addr.Compare(b.Addr))
}

func count(v connwarden.Verdict) (n uint64) {
	for _, e := range v.Evidence {
		n += e.Count
	}
	return n
}

func (g *login) verdict(addr netip.Addr, now time.Time) (connwarden.Verdict, bool) {
	v := connwarden.Verdict{Addr: addr}
	doors := [...]struct {
		rule, path string
		burst      uint64
	}{
		{"wordpress-login-bruteforce", "/wp-login.php", loginBurst},
		{"wordpress-xmlrpc-bruteforce", "/xmlrpc.php", xmlrpcBurst},
	}
	for i, what := range doors {
		d := &g.doors[i]
		most, last := d.worst(now.Unix())
		if most < what.burst {
			continue
		}
		v.Evidence = append(v.Evidence, connwarden.Evidence{
			Rule: what.rule, Why: d.why(what.path, most), Score: burstScore(most, what.burst), Count: most, Window: window,
			First: moment(d.first), Last: moment(d.last), Samples: d.shown(),
		})
		v.Score = max(v.Score, burstScore(most, what.burst))
		if last >= what.burst {
			v.ScoreNow = max(v.ScoreNow, burstScore(last, what.burst))
		}
	}
	return v, len(v.Evidence) > 0
}

func (d *door) why(path string, most uint64) string {
	s := fmt.Sprintf("%d POSTs to %s in 5 minutes", most, path)
	if d.total > most {
		s += fmt.Sprintf(", %d in all", d.total)
	}
	switch {
	case d.refused == d.total:
		s += ", all refused"
	case d.refused > 0:
		s += fmt.Sprintf(", %d refused", d.refused)
	}
	return s
}

func (d *door) shown() []connwarden.Sample {
	samples := make([]connwarden.Sample, len(d.samples))
	for i, s := range d.samples {
		samples[i].From = s.from
	}
	return samples
}

// burstScore rises by five with each doubling beyond the burst.
func burstScore(n, burst uint64) int {
	s := loginFloor
	for n >= 2*burst && s < loginCeil {
		n /= 2
		s += 5
	}
	return min(s, loginCeil)
}
