// Package report holds what the program answers: the documents of CLI.md with their JSON keys, and the faces that
// render one as text for people or as CSV. It also owns the cleaning of hostile bytes: nothing that came from a log,
// a socket or a name server reaches a terminal or a file but through [Clean], [Text] or [CSV].
//
// It never looks anything up, opens nothing and reads no clock. Documents own their strings. A document is written by
// one goroutine and then only read; rendering is safe for concurrent use.
package report

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// Schemas of the documents, by CLI.md. A field may be added without a new number; a change of meaning needs one.
const (
	SchemaConns  = "connwarden.conns/1"
	SchemaPages  = "connwarden.pages/1"
	SchemaErrors = "connwarden.errors/1"
	SchemaReview = "connwarden.review/1"
	SchemaDoctor = "connwarden.doctor/1"
	SchemaConfig = "connwarden.config/1"
)

// Problem is something that could not be seen or done.
type Problem struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Rest sums the rows that were left out of a table.
type Rest struct {
	Rows  uint64 `json:"rows"`
	Count uint64 `json:"count"`
}

// Conns is the answer of the command conns.
type Conns struct {
	Schema    string            `json:"schema"`
	Host      string            `json:"host"`
	Time      time.Time         `json:"time"`
	Source    string            `json:"source"`
	By        string            `json:"by"`
	Direction string            `json:"direction,omitempty"` // "guessed" when the text held no listeners
	Total     uint64            `json:"total"`
	Distinct  uint64            `json:"distinct"`
	States    map[string]uint64 `json:"states"`
	Rows      []ConnRow         `json:"rows"`
	Rest      Rest              `json:"rest"`
	Unparsed  uint64            `json:"unparsed,omitempty"` // lines of saved text that are no connection and no header
	Problems  []Problem         `json:"problems"`
}

// ConnRow is one row of [Conns]. Proto and Dir are given by port and by conn; the addresses by conn alone.
type ConnRow struct {
	Key       string            `json:"key"`
	Truncated bool              `json:"truncated,omitempty"` // the key is the beginning of an address, of which the text had no more
	Count     uint64            `json:"count"`
	Share     float64           `json:"share"`
	In        uint64            `json:"in"`
	Out       uint64            `json:"out"`
	Proto     string            `json:"proto,omitempty"`
	Dir       string            `json:"dir,omitempty"`
	Local     string            `json:"local,omitempty"`
	Remote    string            `json:"remote,omitempty"`
	State     string            `json:"state,omitempty"`
	Namespace string            `json:"netns,omitempty"`
	Process   *Process          `json:"process,omitempty"`
	States    map[string]uint64 `json:"states"`
	Ports     map[string]uint64 `json:"ports"`
	Processes map[string]uint64 `json:"processes,omitempty"`
}

// Process is the program behind a socket.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// Pages is the answer of the command pages.
type Pages struct {
	Schema   string            `json:"schema"`
	By       string            `json:"by"`
	Lines    int64             `json:"lines"`
	Parsed   int64             `json:"parsed"`
	Unparsed int64             `json:"unparsed"`
	Counted  uint64            `json:"counted"` // requests in the window that met every --where
	Bytes    uint64            `json:"bytes"`   // sent to clients, by the log
	Status   map[string]uint64 `json:"status"`
	First    *time.Time        `json:"first"` // null when nothing was counted
	Last     *time.Time        `json:"last"`
	Distinct uint64            `json:"distinct"`
	MaxError uint64            `json:"max_error"` // the most by which a count may be too high; 0: exact
	Rows     []PageRow         `json:"rows"`
	Rest     Rest              `json:"rest"`
	Files    []File            `json:"files"`
	Problems []Problem         `json:"problems"`
}

// PageRow is one row of [Pages].
type PageRow struct {
	Key      string            `json:"key"`
	Keys     []string          `json:"keys,omitempty"` // the parts, when --by names several
	Count    uint64            `json:"count"`
	Share    float64           `json:"share"`
	Bytes    uint64            `json:"bytes"`
	Status   map[string]uint64 `json:"status"`
	IPs      *uint64           `json:"ips"` // distinct clients; null when not asked for
	MaxError uint64            `json:"max_error,omitempty"`
}

// File is a log that was read.
type File struct {
	Name     string `json:"name"`
	Format   string `json:"format"` // "" when no format fits
	Lines    int64  `json:"lines"`
	Unparsed int64  `json:"unparsed"`
	Cut      int64  `json:"cut,omitempty"` // lines over 1 MiB, of which only the first was read
}

// Errors is the answer of the command errors.
type Errors struct {
	Schema   string     `json:"schema"`
	By       string     `json:"by"`
	Lines    int64      `json:"lines"`
	Parsed   int64      `json:"parsed"`
	Unparsed int64      `json:"unparsed"`
	Counted  uint64     `json:"counted"` // entries in the window
	First    *time.Time `json:"first"`
	Last     *time.Time `json:"last"`
	Distinct uint64     `json:"distinct"`
	Rows     []ErrorRow `json:"rows"`
	Rest     Rest       `json:"rest"`
	Files    []File     `json:"files"`
	Problems []Problem  `json:"problems"`
}

// ErrorRow is one row of [Errors].
type ErrorRow struct {
	Key     string     `json:"key"`
	Code    string     `json:"code"`
	Service string     `json:"service"`
	Level   string     `json:"level"`
	Count   uint64     `json:"count"`
	Share   float64    `json:"share"`
	First   *time.Time `json:"first"`
	Last    *time.Time `json:"last"`
	IPs     uint64     `json:"ips"`
	Clients []Part     `json:"clients"` // the addresses behind most of it
	Sites   []Part     `json:"sites"`   // likewise
	Minutes []Minute   `json:"minutes"` // the latest minutes that had any
	Sample  *Sample    `json:"sample"`
	Meaning string     `json:"meaning"`
	Remedy  string     `json:"remedy"`
}

// Part is how much of a row one name has. Beyond two dozen different names a count may be Over too high.
type Part struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
	Over  uint64 `json:"over,omitempty"`
}

// Minute is how many entries one minute had.
type Minute struct {
	Start time.Time `json:"start"`
	Count uint64    `json:"count"`
}

// Sample is a line shown as it stands in its source.
type Sample struct {
	File   string `json:"file"`
	Line   *int64 `json:"line"` // null when the file was entered in its middle
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

// Review is the answer of the command review.
type Review struct {
	Schema   string     `json:"schema"`
	Host     string     `json:"host"`
	Time     time.Time  `json:"time"`
	Since    *time.Time `json:"since"` // start of the window; null: from the first line
	Load     *Load      `json:"load"`
	Conns    *Conns     `json:"conns"` // null when not looked at
	Ports    []ConnRow  `json:"ports"` // the same connections by port
	Pages    *Pages     `json:"pages"`
	Errors   *Errors    `json:"errors"`
	Events   *Events    `json:"events"` // logins, mail and what else daemons say of peers; null when no log was read
	Pressure []Pressure `json:"pressure"`
	Peers    []Peer     `json:"peers"`
	Groups   []Peer     `json:"groups"`
	Findings []Finding  `json:"findings"`
	Followed bool       `json:"followed,omitempty"` // by a daemon, which knows this without reading the logs again; then pages has no rows
	Logs     int        `json:"logs,omitempty"`     // that the daemon follows
	Rates    []Rate     `json:"rates,omitempty"`    // what it counted, minute by minute
	At       *time.Time `json:"at,omitempty"`       // the past moment that it is about
	History  *History   `json:"history,omitempty"`  // what the daemon wrote down of then
	Fleet    *Member    `json:"fleet,omitempty"`    // of the page and the screen, where this host is in one
	Partial  bool       `json:"partial"`            // a source that the user named could not be read
	Problems []Problem  `json:"problems"`
}

// Events counts what logs say of peers besides requests.
type Events struct {
	Counted uint64            `json:"counted"`
	Kinds   map[string]uint64 `json:"kinds"` // auth_failed, auth_passed, …
}

// Load is how busy the machine is.
type Load struct {
	One     float64 `json:"one"` // load average of a minute
	Five    float64 `json:"five"`
	Fifteen float64 `json:"fifteen"`
	Cores   int     `json:"cores"`
}

// Pressure is a limit of the machine and how near it is.
type Pressure struct {
	What  string  `json:"what"`
	About string  `json:"about,omitempty"` // which one, when there are several: a listener's address
	Value float64 `json:"value"`
	Limit float64 `json:"limit,omitempty"` // 0: it has none
	Level string  `json:"level"`           // ok, warning or critical
	Why   string  `json:"why"`
}

// Peer is one address and what is thought of it.
type Peer struct {
	Addr     string            `json:"addr"`             // of a group its name
	Prefix   string            `json:"prefix,omitempty"` // of an IPv6 address: the /64 that is judged as one, whose lowest address seen it is
	Kind     string            `json:"kind,omitempty"`   // of a group: net, asn, site, path, agent, user or service
	Verdict  string            `json:"verdict"`
	LevelNow string            `json:"level_now"`
	Score    int               `json:"score"`
	Open     uint64            `json:"open"` // connections now
	Requests uint64            `json:"requests"`
	Bytes    uint64            `json:"bytes"`
	Status   map[string]uint64 `json:"status"`
	First    *time.Time        `json:"first"`
	Last     *time.Time        `json:"last"`
	Network  *Network          `json:"network"` // null when not known
	Bot      *Bot              `json:"bot"`     // null when it does not claim to be one
	Name     string            `json:"name"`
	Evidence []Evidence        `json:"evidence"`
	Exempt   string            `json:"exempt"`
	Via      string            `json:"via,omitempty"` // "proxy": all its requests came by way of trusted proxies, which a firewall sees in its place
	Blocked  *Block            `json:"blocked"`       // by the journal; null when it is not
	Next     []string          `json:"next"`
}

// Judged is the /64 that an IPv6 address is judged with; "" of IPv4, also of one that is translated.
func Judged(a netip.Addr) string {
	if a = a.Unmap(); !a.Is6() {
		return ""
	}
	p := netip.PrefixFrom(a.WithZone(""), 64)
	if connwarden.Translates(p) {
		return ""
	}
	return p.Masked().String()
}

// Target is what a block of a peer is of.
func (p *Peer) Target() string { return cmp.Or(p.Prefix, p.Addr) }

// Network is where an address belongs.
type Network struct {
	Prefix  string `json:"prefix"`
	ASN     uint32 `json:"asn"`
	Org     string `json:"org"`
	Country string `json:"country"`
}

// Bot is what an agent claims to be, and whether that is proved.
type Bot struct {
	Claim string `json:"claim"`
	Proof string `json:"proof"`
	How   string `json:"how"`
}

// Evidence is one reason for a verdict.
type Evidence struct {
	Rule    string     `json:"rule"`
	Why     string     `json:"why"`
	Score   int        `json:"score"`
	Count   uint64     `json:"count"`
	Window  float64    `json:"window"` // seconds; 0: an instant
	First   *time.Time `json:"first"`
	Last    *time.Time `json:"last"`
	Samples []Sample   `json:"samples"`
}

// Finding is something that needs a person.
type Finding struct {
	Level  string   `json:"level"` // critical, warning or info
	Title  string   `json:"title"`
	Detail string   `json:"detail"`
	Addr   string   `json:"addr,omitempty"` // the peer it is about
	Next   []string `json:"next"`
}

// Doctor is the answer of the command doctor.
type Doctor struct {
	Schema   string    `json:"schema"`
	Host     string    `json:"host"`
	Time     time.Time `json:"time"`
	Probes   []Probe   `json:"probes"`
	Problems []Problem `json:"problems"`
}

// Probe is one question to the machine and its answer.
type Probe struct {
	Area   string `json:"area"`
	Name   string `json:"name"`
	Answer string `json:"answer"` // yes, no or unknown
	Why    string `json:"why"`
}

// Config is the answer of the command config.
type Config struct {
	Schema   string    `json:"schema"`
	File     string    `json:"file"` // the file that was read; "" when there is none
	Values   []Value   `json:"values"`
	Problems []Problem `json:"problems"`
}

// Value is one setting in force.
type Value struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"` // "default", "flag --tz", "environment TZ", "file:line"
}

// Words of Line.Reading.
const (
	ReadingNone    = "none"
	ReadingRequest = "request"
	ReadingEvent   = "event"
	ReadingFault   = "fault"
)

// Line is how one line of a log is read: an answer of the command explain.
type Line struct {
	File    string     `json:"file"`
	Line    int64      `json:"line"`
	Format  string     `json:"format"`
	Reading string     `json:"reading"`
	Time    *time.Time `json:"time"`   // null when the line has none
	Client  *string    `json:"client"` // the address that the line is about, or null; accused only if Hostile
	Service string     `json:"service"`
	Kind    string     `json:"kind"` // of an event; of a request: http, tls, empty, garbage; of a fault its level
	Hostile bool       `json:"hostile"`
	User    string     `json:"user"`
	Trust   string     `json:"trust"` // who can write such a line: root, local or outside
	Rules   []string   `json:"rules"` // that the line touches, those on volume last
	For     []string   `json:"for"`   // those of them in which it speaks for the peer, as a login that succeeded does
	Volume  int        `json:"-"`     // how many of them are on volume: most requests touch some
}

// JSON writes doc as one line. HTML characters are left as they are: the page escapes for itself.
func JSON(w io.Writer, doc any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

// Share is part/total to three decimals, 0 of nothing.
func Share(part, total uint64) float64 {
	if total == 0 {
		return 0
	}
	return math.Round(float64(part)/float64(total)*1000) / 1000
}

// When returns nil for the zero time, so that JSON says null instead of year 1.
func When(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

var classWords = [6]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Classes names the status classes that are not zero; index 0 is "none": the log gave no status.
func Classes(c [6]uint64) map[string]uint64 {
	m := make(map[string]uint64, 3)
	for i, n := range c {
		if n > 0 {
			m[classWords[i]] = n
		}
	}
	return m
}
