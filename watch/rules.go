package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/rules"
)

// exampleStart is when the examples of rules happen.
var exampleStart = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// TestRule runs a rule's two examples through the whole set: what must fire it and what must not. It returns what is
// wrong, nil when all is right.
func TestRule(set *rules.Set, r *rules.Rule) error {
	for _, example := range []struct {
		text string
		want bool
	}{{r.Fires, true}, {r.Spares, false}} {
		if example.text == "" {
			continue
		}
		fired, read, err := fires(set, r.Name, example.text)
		switch {
		case err != nil:
			return err
		case read == 0:
			return fmt.Errorf("no line of this example can be read as a request, event or fault:\n%s", example.text)
		case example.want && !fired:
			return errors.New("does not fire on its own example")
		case !example.want && fired:
			return errors.New("fires on the example that it must spare")
		}
	}
	return nil
}

// fires judges an example and tells whether a rule fired, and how many readings there were.
func fires(set *rules.Set, name, example string) (fired bool, read int64, err error) {
	text, err := rules.Expand(example, exampleStart)
	if err != nil {
		return false, 0, err
	}
	first := judge.New(judge.Options{Rules: set, Place: examplePlace})
	read = parseExample(text, first)
	if second := first.Second(); second != nil {
		again := second.Table()
		parseExample(text, again)
		first.Adopt(again)
	}
	peers, groups := first.Verdicts(exampleStart.Add(24 * time.Hour))
	for _, v := range append(peers, groups...) {
		if hasEvidence(v.Evidence, name) {
			return true, read, nil
		}
	}
	return false, read, nil
}

// examplePlace is where an address in an example belongs: those of one /16 have the same network operator.
func examplePlace(a netip.Addr) (connwarden.Network, bool) {
	b := a.As16()
	n := connwarden.Network{ASN: 1<<16 | uint32(b[0])<<8 | uint32(b[1]), Country: rules.ExampleCountry(a)}
	if a.Is4() {
		n.ASN = 1<<16 | uint32(b[12])<<8 | uint32(b[13])
	}
	return n, true
}

func hasEvidence(list []connwarden.Evidence, rule string) bool {
	for _, e := range list {
		if e.Rule == rule {
			return true
		}
	}
	return false
}

func parseExample(text []byte, sink connwarden.Sink) int64 {
	format := logs.Detect("example", text)
	if format == nil {
		return 0
	}
	p := format.NewParser(logs.Options{
		Want: connwarden.AllFields, Zone: time.UTC, Now: exampleStart.Add(24 * time.Hour), Trust: connwarden.TrustRoot, Auto: true,
	})
	stats := p.Parse(connwarden.Source{Name: "example", Line: 1}, text, sink)
	p.Flush(sink)
	return stats.Parsed
}
