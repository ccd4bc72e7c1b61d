package faults

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// By says what one row of a table is.
type By uint8

const (
	ByFault By = iota // faults that are alike: one kind of the catalogue, or one fingerprint
	ByCode
	ByLevel
	ByService
	BySite
	ByIP
	ByFile
	ByMinute
	ByHour
	ByDay
)

var byWords = [...]string{"fault", "code", "level", "service", "site", "ip", "file", "minute", "hour", "day"}

// String returns CLI.md's word: "fault", "code", "level", …
func (b By) String() string {
	if int(b) < len(byWords) {
		return byWords[b]
	}
	return "unknown"
}

// ParseBy returns the key that a word names. The error lists the words.
func ParseBy(word string) (By, error) {
	if i := slices.Index(byWords[:], word); i >= 0 {
		return By(i), nil
	}
	return 0, fmt.Errorf("errors cannot be counted by %q; one of %s can", word, strings.Join(byWords[:], ", "))
}

// DefaultBound is how many rows a table keeps unless told otherwise. A server's whole error log has some hundred
// different faults; ten times that leaves room for noise, and a full table costs at most about 30 MB.
const DefaultBound = 4096

// minuteBound is how many of its latest minutes a row knows the rate of: three hours show an attack or a crash with
// what came before it, and cost a row at most 3 KB.
const minuteBound = 180

// siteBound bounds the name of a site, in bytes: that of a host has at most 253.
const siteBound = 255

// textBound bounds the text of a sample, in bytes; nginx cuts its own lines at twice this.
const textBound = 1024

// Options of a table. The zero value is right.
type Options struct {
	Bound int            // most rows; 0 means DefaultBound
	Zone  *time.Location // in which minutes, hours and days are told; nil means UTC
}

// Table counts faults by one key, in bounded memory. Two tables made alike and fed with the two halves of a log
// merge into the table of the whole log, whatever the halves and the order: exactly as long as no more keys turned
// up than the bound. Beyond it the rows that were counted least are let go; [Table.Lost] says how much that was.
// Kinds of the catalogue are never let go. A Table belongs to one goroutine.
type Table struct {
	by    By
	zone  *time.Location
	bound int

	rows  map[string]*row // by key; of ByFault by fingerprint, several of which may share a kind's row
	kinds map[*Kind]*row  // rows of the catalogue, of ByFault
	total uint64
	lost  uint64
	error uint64
	room  []byte
}

// row is a Row while it is counted.
type row struct {
	Row
	ips     distinct
	sites   distinct
	clients parts[netip.Addr]
	names   parts[string] // of sites
	minutes []minute      // ascending
}

// minute counts one minute.
type minute struct {
	at    int64 // minutes since 1970
	count uint64
}

// Row is one line of the answer.
type Row struct {
	Key     string           // hostile: clean it before it is shown
	Code    string           // of the sample
	Service string           // of the sample, or of the kind
	Level   connwarden.Level // the gravest
	Count   uint64
	First   time.Time // zero when no line had a time
	Last    time.Time
	IPs     int // different clients: exact below 256, estimated beyond
	Sites   int // different sites, likewise
	// Clients and Names are the clients and the sites behind most of the row, the largest part first, at most 24 each. Names of sites are
	// hostile, and at most 255 bytes long.
	Clients []Part[netip.Addr]
	Names   []Part[string]
	Sample  connwarden.Sample // the earliest by time, file and offset; at most 1,024 bytes of text
	Minutes []Minute          // the latest 180 minutes that had any, ascending
	Kind    *Kind             // nil when the catalogue does not know it, and when rows are not faults

	module, site, script, limit string // of the sample, for the kind's placeholders
	sampled                     time.Time
}

// Minute is how often a row was counted in one minute.
type Minute struct {
	Start time.Time
	Count uint64
}

// NewTable returns an empty table.
func NewTable(by By, opt Options) *Table {
	if opt.Bound <= 0 {
		opt.Bound = DefaultBound
	}
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	return &Table{by: by, zone: opt.Zone, bound: opt.Bound, rows: map[string]*row{}, kinds: map[*Kind]*row{}}
}

// Total returns how many faults were counted, those let go included.
func (t *Table) Total() uint64 { return t.total }

// Distinct returns how many rows the table holds.
func (t *Table) Distinct() int {
	n := len(t.kinds)
	for _, r := range t.rows {
		if t.kinds[r.Kind] != r {
			n++
		}
	}
	return n
}

// Lost returns how many faults are in no row because their rows were let go, and the most that any row still held
// may have been counted too little by that. Both are 0 until the bound is met.
func (t *Table) Lost() (faults, most uint64) { return t.lost, t.error }

// Fault counts f. It allocates only for what it has not seen before.
func (t *Table) Fault(f *connwarden.Fault) {
	t.total++
	t.row(f).fault(f)
}

// row finds or makes the row of f.
func (t *Table) row(f *connwarden.Fault) *row {
	t.room = t.key(t.room[:0], f)
	if r := t.rows[string(t.room)]; r != nil {
		return r
	}
	var k *Kind
	if t.by == ByFault {
		k = findPrint(t.room, f)
	}
	return t.add(string(t.room), k)
}

// add makes the row of a key that has none, or joins it to its kind's.
func (t *Table) add(key string, k *Kind) *row {
	if len(t.rows) >= t.bound {
		t.prune()
	}
	r := &row{}
	switch {
	case k != nil && !k.Each:
		if r = t.kinds[k]; r == nil {
			r = &row{Row: Row{Key: k.Key, Kind: k}}
			t.kinds[k] = r
		}
	case t.by == ByFault:
		r.Key, r.Kind = string(keyText([]byte(key))), k
	default:
		r.Key = key
	}
	t.rows[key] = r
	return r
}

// prune lets go of the quarter of the rows that were counted least.
func (t *Table) prune() {
	type entry struct {
		key string
		row *row
	}
	all := make([]entry, 0, len(t.rows))
	for key, r := range t.rows {
		all = append(all, entry{key, r})
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.row.Count, b.row.Count), strings.Compare(a.key, b.key))
	})
	most := uint64(0)
	for _, e := range all[:(len(all)+3)/4] {
		delete(t.rows, e.key)
		if t.kinds[e.row.Kind] == e.row {
			continue // the row lives on; only this way to it is forgotten
		}
		t.lost += e.row.Count
		most = max(most, e.row.Count)
	}
	t.error += most
}

// key appends the key of f.
func (t *Table) key(dst []byte, f *connwarden.Fault) []byte {
	n := len(dst)
	switch t.by {
	case ByFault:
		return Fingerprint(dst, f)
	case ByCode:
		dst = append(dst, f.Code...)
	case ByLevel:
		dst = append(dst, f.Level.String()...)
	case ByService:
		dst = append(dst, f.Service...)
	case BySite:
		dst = appendBounded(dst, f.Site, n+maxFingerprint)
	case ByIP:
		if f.Client.IsValid() {
			dst = f.Client.AppendTo(dst)
		}
	case ByFile:
		dst = append(dst, f.From.Name...)
	case ByMinute, ByHour, ByDay:
		if !f.Time.IsZero() {
			dst = f.Time.In(t.zone).AppendFormat(dst, timeForms[t.by-ByMinute])
		}
	}
	if len(dst) == n {
		dst = append(dst, '-')
	}
	return dst
}

var timeForms = [...]string{"2006-01-02T15:04:00Z07:00", "2006-01-02T15:00:00Z07:00", "2006-01-02"}

// fault counts f in r.
func (r *row) fault(f *connwarden.Fault) {
	r.Count++
	r.Level = max(r.Level, f.Level)
	if r.Count == 1 || earlier(f.Time, &f.From, r) {
		r.sample(f)
	}
	if !f.Time.IsZero() {
		if r.First.IsZero() || f.Time.Before(r.First) {
			r.First = f.Time
		}
		if f.Time.After(r.Last) {
			r.Last = f.Time
		}
		r.minute(minute{floorDiv(f.Time.Unix(), 60), 1})
	}
	if f.Client.IsValid() {
		a := f.Client.As16()
		r.ips.add(hash64(a[:]))
		r.clients.add(f.Client, 1, 0)
	}
	if len(f.Site) > 0 {
		r.sites.add(hash64(f.Site))
		if site := f.Site[:min(len(f.Site), siteBound)]; !hasSite(r.names, site) {
			r.names.add(string(site), 1, 0)
		}
	}
}

// floorDiv divides rounding down, so that times before 1970 fall into their own minute.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// earlier tells whether a fault at that time and place comes before r's sample. Times that are not known come last.
func earlier(at time.Time, from *connwarden.Source, r *row) bool {
	return before(at, from, r.sampled, &r.Sample.From)
}

func before(at time.Time, from *connwarden.Source, other time.Time, there *connwarden.Source) bool {
	switch {
	case at.IsZero() != other.IsZero():
		return other.IsZero()
	case !at.Equal(other):
		return at.Before(other)
	}
	return cmp.Or(strings.Compare(from.Name, there.Name), cmp.Compare(from.Offset, there.Offset)) < 0
}

// sample makes f the row's sample.
func (r *row) sample(f *connwarden.Fault) {
	r.sampled = f.Time
	r.Code, r.Service = string(f.Code), f.Service
	r.Sample = connwarden.Sample{From: f.From, Text: bounded(f.Raw, textBound)}
	if r.Kind != nil {
		if r.Kind.Service != f.Service { // said through another daemon's log
			r.Code, r.Service = "", r.Kind.Service
		}
		r.module, r.site = bounded(f.Module, maxFingerprint), bounded(f.Site, maxFingerprint)
		r.script, r.limit = bounded(f.Script, textBound), limit(f.Message)
	}
}

// bounded copies at most n bytes, cut between characters.
func bounded(b []byte, n int) string {
	if len(b) <= n {
		return string(b)
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n])
}

// limit returns the first number in round brackets: "reached pm.max_children setting (5), consider raising it".
func limit(m []byte) string {
	for {
		i := bytes.IndexByte(m, '(')
		if i < 0 {
			return ""
		}
		m = m[i+1:]
		n := 0
		for n < len(m) && digit(m[n]) {
			n++
		}
		if n > 0 && n < len(m) && m[n] == ')' && n < 20 {
			return string(m[:n])
		}
	}
}

// minute counts m, keeping the latest minutes. Keeping the latest of a set is the same whatever order it came in.
func (r *row) minute(m minute) {
	n := len(r.minutes)
	i := n
	if n > 0 && r.minutes[n-1].at >= m.at {
		var found bool
		i, found = slices.BinarySearchFunc(r.minutes, m, func(a, b minute) int { return cmp.Compare(a.at, b.at) })
		if found {
			r.minutes[i].count += m.count
			return
		}
	}
	if n < minuteBound {
		r.minutes = slices.Insert(r.minutes, i, m)
		return
	}
	if i == 0 {
		return
	}
	copy(r.minutes, r.minutes[1:i])
	r.minutes[i-1] = m
}

// Merge adds o, which must have been made with the same key, to t. o must not be used after that.
func (t *Table) Merge(o *Table) {
	t.total += o.total
	t.lost += o.lost
	t.error += o.error
	joined := map[*row]bool{} // kinds' rows are met once for each of their keys
	for key, r := range o.rows {
		var k *Kind
		if o.kinds[r.Kind] == r {
			k = r.Kind
		}
		mine := t.rows[key]
		if mine == nil {
			if k == nil {
				k = r.Kind // of a kind whose rows stay apart, or nil
			}
			mine = t.add(key, k)
		}
		if !joined[r] {
			joined[r] = true
			mine.merge(r)
		}
	}
	// Kinds whose every key was let go.
	for k, r := range o.kinds {
		if joined[r] {
			continue
		}
		if t.kinds[k] == nil {
			t.kinds[k] = &row{Row: Row{Key: k.Key, Kind: k}}
		}
		t.kinds[k].merge(r)
	}
}

func (r *row) merge(o *row) {
	if r.Count == 0 || before(o.sampled, &o.Sample.From, r.sampled, &r.Sample.From) {
		r.Code, r.Service, r.Sample, r.sampled = o.Code, o.Service, o.Sample, o.sampled
		r.module, r.site, r.script, r.limit = o.module, o.site, o.script, o.limit
	}
	r.Count += o.Count
	r.Level = max(r.Level, o.Level)
	if !o.First.IsZero() && (r.First.IsZero() || o.First.Before(r.First)) {
		r.First = o.First
	}
	if o.Last.After(r.Last) {
		r.Last = o.Last
	}
	r.ips.merge(&o.ips)
	r.sites.merge(&o.sites)
	r.clients.merge(o.clients)
	r.names.merge(o.names)
	for _, m := range o.minutes {
		r.minute(m)
	}
}

// Top returns the n rows that were counted most, ties by key; all of them when n is not positive. The rows own
// what they hold.
func (t *Table) Top(n int) []Row {
	all := make([]*row, 0, len(t.rows)+len(t.kinds))
	for _, r := range t.rows {
		if t.kinds[r.Kind] != r {
			all = append(all, r)
		}
	}
	for _, r := range t.kinds {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Key, b.Key), strings.Compare(a.Service, b.Service),
			strings.Compare(a.Code, b.Code))
	})
	if n > 0 && n < len(all) {
		all = all[:n]
	}
	rows := make([]Row, len(all))
	for i, r := range all {
		rows[i] = r.Row
		rows[i].IPs, rows[i].Sites = r.ips.count(), r.sites.count()
		rows[i].Clients, rows[i].Names = topClients(r.clients), topSites(r.names)
		rows[i].Minutes = make([]Minute, len(r.minutes))
		for j, m := range r.minutes {
			rows[i].Minutes[j] = Minute{time.Unix(m.at*60, 0).In(t.zone), m.count}
		}
	}
	return rows
}
