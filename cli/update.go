package cli

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/report"
	refresh "github.com/connwarden/connwarden/update"
)

// updateFlags are those of update alone.
type updateFlags struct{ from string }

func (c *command) updateCommand() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update [SOURCE...]",
		Short: "Refresh networks, countries and crawler ranges",
		Long: `Gets the table of networks and countries and the address ranges of crawlers, monitors and proxies from those who publish
them, or only the sources named. What comes is checked before it replaces what is there: it must have come whole and
encrypted, be readable to its end, not have shrunk below half, and name no private addresses. If anything is wrong, what
is there stays. Everything is in the state folder (see connwarden config); no other command downloads anything.

--from takes them from a mirror: the state folder of another machine, as a folder or as a URL under which its files are.
The sources are ` + strings.Join(sourceNames(), ", ") + `.`,
		Example:   "  connwarden update\n  connwarden update networks googlebot\n  connwarden update --from https://mirror.example.net/connwarden --json",
		ValidArgs: sourceNames(),
		RunE:      func(cmd *cobra.Command, args []string) error { return c.update(cmd, f, args) },
	}
	cmd.Flags().StringVar(&f.from, "from", "", "take everything from the mirror `URL|DIR`")
	return cmd
}

func sourceNames() (names []string) {
	for _, s := range refresh.Sources() {
		names = append(names, s.Name)
	}
	return names
}

func (c *command) update(cmd *cobra.Command, f updateFlags, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if c.flags.csv {
		return usage("use --json", "--csv: this command prints no rows")
	}
	sources, err := chooseSources(args)
	if err != nil {
		return err
	}
	if err := c.checkMirror(f.from); err != nil {
		return err
	}
	opt := refresh.Options{Dir: p.StateDir, From: f.from, Sources: sources, Agent: "connwarden/" + Version, Clock: c.env.Now}
	if c.env.ErrTerminal {
		fmt.Fprintf(c.env.Stderr, "asking %d sources\x1b[K", len(sources))
		opt.Done = func(done, total int) { fmt.Fprintf(c.env.Stderr, "\r%d of %d sources\x1b[K", done, total) }
	}
	outcomes := refresh.Run(cmd.Context(), opt)
	if c.env.ErrTerminal {
		fmt.Fprint(c.env.Stderr, "\r\x1b[K")
	}
	d := newUpdateDoc(p.StateDir, c.env.Now(), outcomes)
	if err := c.print(d, func(_ *report.Text, w io.Writer) error { return d.text(w) }, nil); err != nil {
		return err
	}
	switch {
	case d.Absent == len(outcomes):
		return &exitError{exitFailed, fmt.Errorf("update: %s has nothing of it", f.from), "name the state folder of another machine, or the URL under which its files are"}
	case d.Failed+d.Absent == len(outcomes):
		return &exitError{exitFailed, fmt.Errorf("update: nothing could be refreshed; what is there stays"), ""}
	default:
		return c.partial(d.Problems, d.Failed > 0)
	}
}

// chooseSources returns the sources with these names, of no names all.
func chooseSources(names []string) ([]refresh.Source, error) {
	all := refresh.Sources()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []refresh.Source
	for _, s := range all {
		if slices.Contains(names, s.Name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(s refresh.Source) bool { return s.Name == name }) {
			return nil, usage("one of "+strings.Join(sourceNames(), ", "), "there is no source %q", name)
		}
	}
	return chosen, nil
}

// checkMirror tells what cannot be a mirror, and what would need a name server that may not be asked.
func (c *command) checkMirror(from string) error {
	const hint = "name a folder, or a URL that begins with https://"
	if u, err := url.Parse(from); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if u.Host == "" {
			return usage(hint, "--from %q names no host", from)
		}
		if _, err := netip.ParseAddr(u.Hostname()); c.flags.noDNS && err != nil {
			return usage("name the mirror by its address", "--no-dns: %s is a name", u.Hostname())
		}
		return nil
	}
	if from == "" {
		if c.flags.noDNS {
			return usage("take them from a mirror: --from DIR", "--no-dns: the sources are known by name")
		}
		return nil
	}
	if info, err := os.Stat(from); err != nil {
		return usage(hint, "--from: %w", err)
	} else if !info.IsDir() {
		return usage(hint, "--from %s is no folder", from)
	}
	return nil
}

// updateDoc is what update answers.
type updateDoc struct {
	Schema    string           `json:"schema"`
	Time      time.Time        `json:"time"`
	Dir       string           `json:"dir"` // the state folder
	Updated   int              `json:"updated"`
	Unchanged int              `json:"unchanged"`
	Absent    int              `json:"absent"`
	Failed    int              `json:"failed"`
	Sources   []updateSource   `json:"sources"`
	Problems  []report.Problem `json:"problems"`
}

// updateSource is what became of one source.
type updateSource struct {
	Name    string     `json:"name"`
	State   string     `json:"state"` // updated, unchanged, absent (the mirror has none), failed
	File    string     `json:"file"`  // in the state folder
	From    string     `json:"from"`
	Entries int        `json:"entries"` // in force now
	Before  int        `json:"before"`
	Date    *time.Time `json:"date"` // of what is in force now; null if there is nothing, or it does not say
	Bytes   int64      `json:"bytes"`
	Took    float64    `json:"took"`
	Why     string     `json:"why"` // it failed
}

func newUpdateDoc(dir string, now time.Time, outcomes []refresh.Outcome) *updateDoc {
	d := &updateDoc{Schema: "connwarden.update/1", Time: now, Dir: dir, Sources: []updateSource{}, Problems: []report.Problem{}}
	for _, o := range outcomes {
		s := updateSource{
			Name: o.Source, State: string(o.State), File: o.File, From: o.From, Entries: o.Entries, Before: o.Before,
			Date: report.When(o.Date), Bytes: o.Bytes, Took: o.Took.Seconds(),
		}
		switch o.State {
		case refresh.Updated:
			d.Updated++
		case refresh.Unchanged:
			d.Unchanged++
		case refresh.Absent:
			d.Absent++
		case refresh.Failed:
			d.Failed++
			s.Why = o.Err.Error()
			d.Problems = append(d.Problems, report.Problem{What: o.Source, Why: s.Why})
		}
		d.Sources = append(d.Sources, s)
	}
	return d
}

func (d *updateDoc) text(w io.Writer) error {
	width := 0
	for _, s := range d.Sources {
		width = max(width, len(s.Name))
	}
	for _, s := range d.Sources {
		if _, err := fmt.Fprintf(w, "%-*s  %-9s  %s\n", width, s.Name, s.State, report.Clean(s.said())); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d updated, %d unchanged, %d failed, in %s\n", d.Updated, d.Unchanged, d.Failed, report.Clean(d.Dir))
	return err
}

// said is the sentence about a source.
func (s *updateSource) said() string {
	what := "prefixes"
	if s.Name == refresh.Networks {
		what = "networks"
	}
	have := fmt.Sprintf("%d %s", s.Entries, what)
	if s.Date != nil {
		have += " of " + s.Date.Format(time.DateOnly)
	}
	still := "still " + have
	if s.Entries == 0 {
		still = "there is none"
	}
	switch refresh.State(s.State) {
	case refresh.Updated:
		return fmt.Sprintf("%s, %d before", have, s.Before)
	case refresh.Failed:
		return s.Why + "; " + still
	case refresh.Absent:
		return "not in the mirror; " + still
	default:
		return have
	}
}
