package gather

import (
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
)

// recognise finds the format of a log and tells whether it is wanted.
func (one *Source) recognise(forced *logs.Format, want func(logs.Kind) bool, p *Problems) bool {
	head, err := one.File.Head(headSize)
	if err != nil && len(head) == 0 {
		p.Add(connwarden.Problem{What: one.Log.Shown, Why: Reason(err), Named: one.Named})
		return false
	}
	guess := logs.Detect(one.Log.Path, head)
	one.Format, one.Known = guess, guess != nil
	switch {
	case forced != nil:
		one.Format, one.Known = forced.WithHead(head), true
	case !one.Named && one.Log.Format != "":
		f, err := configured(&one.Log)
		switch {
		case err == nil && f.Kind == kindOf(one.Log.Kind):
			// What a daemon's own log is usually like is a guess of ours, worse than one from its lines.
			// But one whose lines may be a client's is not to be found out by them.
			if guess == nil || one.Log.Kind != host.Events || one.Log.Service == syslogService || f.Raw() {
				one.Format, one.Known = f, true
			}
		case err != nil && guess == nil:
			p.Say(one.Log.Shown, "its configured format is not understood: %v", err)
		}
	}
	if one.Known {
		one.Format = one.Format.WithEnd(one.File.End(endSize))
		if one.Named {
			one.Log.Trust = one.Format.Trust()
		}
		kind := one.Format.Kind
		if one.Named && !want(kind) && len(head) > 0 {
			p.Say(one.Log.Shown, "is %s; read it with connwarden %s", kindName[kind], kindCommand[kind])
		}
		return want(kind)
	}
	kind := logs.Access
	if !one.Named {
		if kind = kindOf(one.Log.Kind); one.Log.Kind == host.Events {
			if len(head) > 0 && want(kind) {
				p.Say(one.Log.Shown, "is in a form that is not known: not read")
			}
			return false
		}
		one.Format = fallback[kind]
		return want(kind)
	}
	// A named log of unknown format is read as the first kind that is wanted, so that its lines are counted.
	if !want(kind) {
		kind = logs.Error
	}
	one.Format = fallback[kind]
	return true
}

// endSize is how much of a log's end is looked at, in bytes: some lines.
const endSize = 4 << 10

// configured compiles the format that a server's configuration gives a log.
func configured(l *host.LogFile) (*logs.Format, error) {
	if l.Kind == host.Error && l.Service == "apache" {
		return logs.ErrorLogFormat(l.Format)
	}
	return logs.Lookup(l.Format)
}

// kindOf is what the lines of a log that the machine knows are to the room logs.
func kindOf(k host.Kind) logs.Kind {
	if k == host.Access {
		return logs.Access
	}
	return logs.Error
}

var (
	kindName    = map[logs.Kind]string{logs.Access: "an access log", logs.Error: "an error log"}
	kindCommand = map[logs.Kind]string{logs.Access: "pages", logs.Error: "errors"}
	fallback    = map[logs.Kind]*logs.Format{logs.Access: mustFormat("apache_combined"), logs.Error: mustFormat("apache_error")}
)

func mustFormat(name string) *logs.Format {
	f, err := logs.Lookup(name)
	if err != nil {
		panic(err) // a name of our own
	}
	return f
}

// Parser makes a parser for one source; fields are the parts of a request that are wanted, 0 all.
func (s *Sources) Parser(one *Source, fields connwarden.Fields) *logs.Parser {
	opt := logs.Options{
		Want: fields, Zone: s.opt.Zone, Now: s.reference(one), Site: []byte(one.Log.Site), Trust: one.Log.Trust, Auto: s.opt.Format == "",
		Zones: s.zones.find,
	}
	if fields == 0 || fields&connwarden.FieldClient != 0 { // who asks for no client need not look for a forwarded one
		opt.Proxies = s.proxies
	}
	return one.Format.NewParser(opt)
}

// reference is the moment that dates without a year are near to: when the log was last written.
func (s *Sources) reference(one *Source) time.Time {
	if t := one.File.ModTime(); !t.IsZero() {
		return t
	}
	return s.opt.Clock()
}
