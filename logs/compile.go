package logs

import (
	"fmt"
	"strings"
	"time"
)

// builder makes a layout from the fields and texts of a format string, in the order in which they stand there.
type builder struct {
	l    layout
	text []byte // since the last field
	spec string
	had  map[part]int // how good the field is that a part comes from already
}

// meaning is what a directive of a format string stands for.
type meaning struct {
	what part
	unit time.Duration
	// rank: of several fields that say the same part the first of the highest rank is read.
	rank int
}

func newBuilder(spec string) *builder { return &builder{spec: spec, had: map[part]int{}} }

func (b *builder) literal(s string) { b.text = append(b.text, s...) }

// field adds a field; name and at (counted from 0, in the format string) are for the error.
func (b *builder) field(f meaning, clock *strftime, name string, at int) error {
	if len(b.l.steps) > 0 && len(b.text) == 0 {
		last := &b.l.steps[len(b.l.steps)-1]
		switch {
		case last.what == partURI && f.what == partQuery || last.what == partPath && f.what == partQuery:
			// "%U%q" and "$uri$is_args$args" make a target together.
			b.drop(last)
			last.what = partURI
			return nil
		case f.what == partPath || f.what == partURI:
			b.add(f, clock, true)
			return nil
		}
		return fmt.Errorf("log format %q: nothing stands between %s at %d and what is before it, so no one can tell where it begins", b.spec, name, at+1)
	}
	b.add(f, clock, false)
	return nil
}

func (b *builder) add(f meaning, clock *strftime, joined bool) {
	if f.what != partSkip {
		if rank, ok := b.had[f.what]; ok && rank >= f.rank {
			f.what, clock = partSkip, nil
		} else {
			for i := range b.l.steps {
				if ok && b.l.steps[i].what == f.what {
					b.drop(&b.l.steps[i])
				}
			}
			b.had[f.what] = f.rank
		}
	}
	b.l.steps = append(b.l.steps, step{lead: b.text, what: f.what, unit: f.unit, clock: clock, joined: joined})
	b.text = nil
}

// port takes a port into the host or client that it follows, as in "%v:%p": an address of IPv6 has colons of its own, so
// the text between cannot part them.
func (b *builder) port() bool {
	if len(b.l.steps) == 0 || string(b.text) != ":" {
		return false
	}
	last := &b.l.steps[len(b.l.steps)-1]
	if last.what != partHost && last.what != partClient {
		return false
	}
	last.port = true
	b.text = nil
	return true
}

// goesOn takes more of a time into the one that it follows, as in "%{%F %T}t.%{msec_frac}t %{%z}t".
func (b *builder) goesOn(clock *strftime) bool {
	if len(b.l.steps) == 0 || len(b.text) > 3 {
		return false
	}
	last := &b.l.steps[len(b.l.steps)-1]
	if last.what != partTime || last.clock == nil {
		return false
	}
	for _, c := range b.text {
		last.clock.ops = append(last.clock.ops, 0, c)
	}
	last.clock.ops, b.text = append(last.clock.ops, clock.ops...), nil
	return true
}

func (b *builder) drop(st *step) { st.what, st.clock = partSkip, nil }

// format ends the building. need is how many fields a complete line has, 0 for all.
func (b *builder) format(name string, need int) (*Format, error) {
	if len(b.l.steps) == 0 {
		return nil, fmt.Errorf("log format %q: has no field", b.spec)
	}
	_, time := b.had[partTime]
	_, date := b.had[partDate]
	if !time && !date {
		return nil, fmt.Errorf("log format %q: has no time (%%t, $time_local), without which a line says nothing", b.spec)
	}
	b.l.tail, b.l.need = b.text, need
	if need == 0 {
		b.l.need = len(b.l.steps)
	}
	l := &b.l
	if f := l.family(); f != nil {
		return f, nil
	}
	l.lacks = lacking(l.parts)
	return &Format{Name: name, layout: l, read: func(p *Parser, line []byte) grade { return p.readLayout(l, line) }}, nil
}

// family is the format of the common log format's family that a layout is word for word, nil when it is none: those are
// read three times as fast. Behind the agent only a forwarding header may stand, as in nginx's "main".
func (l *layout) family() *Format {
	const (
		line   = `{client} {} {user} [{time}] "{request}" {status} {size}`
		agents = ` "{referer}" "{agent}"`
	)
	// nginx writes a dash where the identity stands.
	text := strings.Replace(strings.TrimSuffix(l.String(), ` "{forward}"`), "{client} - ", "{client} {} ", 1)
	switch text {
	case line + agents:
		return combined
	case "{host} " + line + agents:
		return vhost
	case line:
		return common
	case "{host} " + line:
		return vhostCommon
	}
	return nil
}

// String writes a layout with the parts of the common log format in braces, and anything else as "{?}".
func (l *layout) String() string {
	words := map[part]string{
		partSkip: "", partClient: "client", partUser: "user", partTime: "time", partRequest: "request", partStatus: "status",
		partSize: "size", partReferer: "referer", partAgent: "agent", partForward: "forward", partHost: "host",
	}
	var b strings.Builder
	for i := range l.steps {
		st := &l.steps[i]
		word, ok := words[st.what]
		if !ok || st.clock != nil || st.joined {
			word = "?"
		}
		b.Write(st.lead)
		b.WriteString("{" + word + "}")
	}
	b.Write(l.tail)
	return b.String()
}

// unescape undoes what a configuration file needs inside quotes: \" \\ \t \n.
var unescape = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\t`, "\t", `\n`, "", `\'`, "'")

// header is what a request's or an answer's header stands for.
func header(name string) meaning {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
	case "referer", "referrer":
		return meaning{what: partReferer}
	case "user-agent":
		return meaning{what: partAgent}
	case "host":
		return meaning{what: partHost, rank: 1}
	case "x-forwarded-for":
		return meaning{what: partForward, rank: 2}
	case "forwarded":
		return meaning{what: partForward, rank: 1}
	case "cf-connecting-ip":
		return meaning{what: partReal, rank: 3}
	case "true-client-ip":
		return meaning{what: partReal, rank: 2}
	case "x-real-ip", "x-client-ip", "fastly-client-ip":
		return meaning{what: partReal, rank: 1}
	case "x-forwarded-host":
		return meaning{what: partHost}
	}
	return meaning{}
}
