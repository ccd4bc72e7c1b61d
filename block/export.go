package block

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// ExportFormats are the names that Export knows.
var ExportFormats = []string{"list", "crowdsec", "fail2ban"}

// Export writes blocks for other programs: "list" is one target a line, "crowdsec" what cscli decisions import takes, and
// "fail2ban" what fail2ban-client banned prints. None of them knows ports, sites or logins, so only blocks of everything
// are written, each target once with its latest end; the number of those left out is returned.
func Export(w io.Writer, format string, blocks []Held, now time.Time) (left int, err error) {
	var targets []Held
	seen := map[netip.Prefix]int{}
	for _, h := range blocks {
		if h.Scope.Kind != connwarden.ScopeAll {
			left++
			continue
		}
		if i, ok := seen[h.Target]; ok {
			targets[i].Until = later(targets[i].Until, h.Until)
			continue
		}
		seen[h.Target] = len(targets)
		targets = append(targets, h)
	}
	out := bufio.NewWriter(w)
	switch format {
	case "list":
		for _, h := range targets {
			fmt.Fprintln(out, Show(h.Target))
		}
	case "crowdsec":
		err = exportDecisions(out, targets, now)
	case "fail2ban":
		words := make([]string, len(targets))
		for i, h := range targets {
			words[i] = "'" + Show(h.Target) + "'"
		}
		fmt.Fprintf(out, "[{'connwarden': [%s]}]\n", strings.Join(words, ", "))
	default:
		return 0, fmt.Errorf("format %q is none of %s", format, strings.Join(ExportFormats, ", "))
	}
	if err != nil {
		return left, err
	}
	return left, out.Flush()
}

// forever is what a block without end is given where a list must have one.
const forever = 10 * 365 * 24 * time.Hour

func exportDecisions(w io.Writer, targets []Held, now time.Time) error {
	type decision struct {
		Duration string `json:"duration"`
		Reason   string `json:"reason"`
		Scope    string `json:"scope"`
		Type     string `json:"type"`
		Value    string `json:"value"`
	}
	list := make([]decision, len(targets))
	for i, h := range targets {
		d := decision{Reason: firstOf(h.Why, "connwarden"), Scope: "ip", Type: "ban", Value: Show(h.Target)}
		if !h.Target.IsSingleIP() {
			d.Scope = "range"
		}
		left := forever
		if !h.Until.IsZero() {
			left = max(h.Until.Sub(now), time.Second).Round(time.Second)
		}
		d.Duration = left.String()
		list[i] = d
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(slices.Clip(list))
}
