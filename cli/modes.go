package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// siteFile is one section [[site]] of the configuration.
type siteFile struct {
	Names    []string `toml:"names" comment:"the sites it is about; *.example.com is every name below"`
	Mode     *string  `toml:"mode" comment:"suggest or enforce (default: that of [actions])"`
	RulesOff []string `toml:"rules_off" comment:"names of rules that do not count there"`
	Drivers  []string `toml:"drivers" comment:"the firewalls to block with (default: those of [block])"`
	Folder   *string  `toml:"folder" comment:"deny this site alone, by the access rules in its folder"`
}

// windowFile is one section [[maintenance]] of the configuration.
type windowFile struct {
	Days []string `toml:"days" comment:"on which it begins: mon to sun (default: every day)"`
	From string   `toml:"from" comment:"the time of day when it begins: 02:00"`
	To   string   `toml:"to" comment:"and ends; if that is not later, on the next day"`
	Zone *string  `toml:"zone" comment:"(default: tz)"`
	What *string  `toml:"what" comment:"quiet: block nothing that a deployment provokes; suggest: block nothing"`
}

// quietFile is where the command quiet leaves word, in the state folder.
const quietFile = "quiet.json"

// planPolicy reads what differs by site and by time. The actions and the state folder are planned before.
func (p *Plan) planPolicy(f *File, drivers []string, inFile func(string) string) error {
	policy := live.Policy{Suggest: p.Actions.Mode == modeSuggest, Quiet: filepath.Join(p.StateDir, quietFile)}
	origin, mutes := "default", live.Mutes()
	if f.Actions.Mutes != nil {
		mutes, origin = f.Actions.Mutes, inFile("actions.quiet_mutes")
		policy.Mutes = mutes
	}
	p.set("actions.quiet_mutes", mutes, origin)
	for i := range f.Sites {
		key := fmt.Sprintf("site[%d]", i)
		s, err := planSite(&f.Sites[i], drivers, func(k string) string { return inFile(key + "." + k) })
		if err != nil {
			return err
		}
		policy.Sites = append(policy.Sites, s)
		p.set(key, siteWords(&s), inFile(key))
	}
	for i := range f.Maintenance {
		key := fmt.Sprintf("maintenance[%d]", i)
		w, err := p.planWindow(&f.Maintenance[i], func(k string) string { return inFile(key + "." + k) })
		if err != nil {
			return err
		}
		policy.Windows = append(policy.Windows, w)
		p.set(key, windowWords(&w), inFile(key))
	}
	p.Policy = policy
	return nil
}

func planSite(f *siteFile, drivers []string, at func(string) string) (s live.Site, err error) {
	if len(f.Names) == 0 {
		return s, usage(`names = ["shop.example.com"]`, "%s: no site is named", at("names"))
	}
	for _, name := range f.Names {
		s.Names = append(s.Names, strings.ToLower(name))
	}
	if f.Mode != nil {
		if s.Mode = *f.Mode; s.Mode != modeSuggest && s.Mode != modeEnforce {
			return s, usage("suggest or enforce", "%s: %q", at("mode"), s.Mode)
		}
	}
	for _, name := range f.Drivers {
		if !slices.Contains(drivers, name) {
			return s, usage("one or more of "+strings.Join(drivers, ", "), "%s: there is no firewall %q", at("drivers"), name)
		}
	}
	s.Off, s.Drivers = f.RulesOff, f.Drivers
	if f.Folder != nil {
		if s.Folder = filepath.Clean(*f.Folder); !filepath.IsAbs(*f.Folder) {
			return s, usage("name it with its whole path", "%s: %q", at("folder"), *f.Folder)
		}
		if len(s.Drivers) == 0 {
			s.Drivers = []string{"htaccess"}
		}
	}
	for _, name := range s.Drivers {
		switch one := slices.Contains(bySite, name); {
		case one && s.Folder == "":
			return s, usage("name the folder that its web server reads .htaccess from", "%s: %s denies by site", at("folder"), name)
		case !one && s.Folder != "" && slices.Contains(shipped(), name):
			return s, usage("leave folder away, or block with one of "+strings.Join(bySite, ", "), "%s: %s does not deny one site alone", at("drivers"), name)
		}
	}
	return s, nil
}

// bySite are the firewalls that deny a site alone.
var bySite = []string{"htaccess", "cpanel"}

// shipped are the names of the machine's firewalls.
func shipped() (names []string) {
	for _, d := range drivers() {
		names = append(names, d.name)
	}
	return names
}

func siteWords(s *live.Site) string {
	text := strings.Join(s.Names, " ")
	if s.Mode != "" {
		text += "; " + s.Mode
	}
	if len(s.Off) > 0 {
		text += "; without " + strings.Join(s.Off, ", ")
	}
	if len(s.Drivers) > 0 {
		text += "; with " + strings.Join(s.Drivers, ", ")
	}
	if s.Folder != "" {
		text += "; in " + s.Folder
	}
	return text
}

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (p *Plan) planWindow(f *windowFile, at func(string) string) (w live.Window, err error) {
	w.Zone = p.Zone
	for _, d := range f.Days {
		i := slices.Index(dayNames[:], strings.ToLower(d))
		if i < 0 {
			return w, usage("mon, tue, wed, thu, fri, sat, sun", "%s: %q", at("days"), d)
		}
		w.Days[i] = true
	}
	if len(f.Days) == 0 {
		w.Days = [7]bool{true, true, true, true, true, true, true}
	}
	for _, one := range []struct {
		key, text string
		to        *time.Duration
	}{{"from", f.From, &w.From}, {"to", f.To, &w.To}} {
		t, err := time.Parse("15:04", one.text)
		if err != nil {
			return w, usage("a time of day such as 02:30", "%s: %q", at(one.key), one.text)
		}
		*one.to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if f.Zone != nil {
		if w.Zone, err = time.LoadLocation(*f.Zone); err != nil {
			return w, usage("name a zone as in /usr/share/zoneinfo: UTC, Europe/Berlin", "%s: there is no zone %q", at("zone"), *f.Zone)
		}
	}
	if f.What != nil {
		switch *f.What {
		case "quiet":
		case modeSuggest:
			w.Suggest = true
		default:
			return w, usage("quiet or suggest", "%s: %q", at("what"), *f.What)
		}
	}
	return w, nil
}

func windowWords(w *live.Window) string {
	var days []string
	for i, on := range w.Days {
		if on {
			days = append(days, dayNames[i])
		}
	}
	what := "quiet"
	if w.Suggest {
		what = modeSuggest
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour, d/time.Minute%60) }
	return fmt.Sprintf("%s; %s to %s %s on %s", what, clock(w.From), clock(w.To), w.Zone, strings.Join(days, " "))
}

// quietDoc is the answer of the command quiet.
type quietDoc struct {
	Schema string     `json:"schema"`
	Quiet  bool       `json:"quiet"`
	Since  *time.Time `json:"since,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Why    string     `json:"why,omitempty"`
}

func (c *command) quietCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "quiet [D|off]",
		Short: "Tell the daemon of a deployment: block nothing for a while that it provokes",
		Long: `For the time D (15m, 1h) connwarden watch judges and tells as ever, and blocks nobody for what a deployment makes innocent
visitors do: many requests, missing files, errors, connections that pile up. Who guesses passwords or injects is blocked
all the same. Without D it says whether it is quiet; off ends it.

What was counted meanwhile is not acted upon afterwards either: for each rule the quiet lasts until its window has passed.
Put it before and after the deployment's own commands; weekly times are better written as [[maintenance]] in the
configuration. It works by a file in the state folder, whether or not the daemon runs.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden quiet 15m --why \"release 42\"\n  connwarden quiet\n  connwarden quiet off",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := c.start()
			if err != nil {
				return err
			}
			word := ""
			if len(args) > 0 {
				word = args[0]
			}
			return c.quiet(p, word, why)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for whoever asks later, a `TEXT`")
	return cmd
}

// longestQuiet is the longest time of quiet that one command asks for: a deployment that lasts longer is none.
const longestQuiet = 24 * time.Hour

func (c *command) quiet(p *Plan, word, why string) error {
	if word != "" && runtime.GOOS != "windows" && os.Geteuid() > 0 && c.env.Getenv("CONNWARDEN_STATE_DIR") == "" {
		fmt.Fprintln(c.env.Stderr, "connwarden: told to a daemon of this account alone; that of the machine is told with sudo")
	}
	now := c.env.Now().UTC().Truncate(time.Millisecond)
	q, err := live.LoadQuiet(p.Policy.Quiet)
	if err != nil && word == "" {
		return err
	}
	on := q != nil && now.Before(q.Until)
	switch {
	case word == "":
		if why != "" {
			return usage("connwarden quiet 15m --why TEXT", "--why: for how long?")
		}
	case word == "off":
		if !on {
			return c.quietly(&live.Quiet{}, now)
		}
		q.Until = now
		if err := live.SaveQuiet(p.Policy.Quiet, q); err != nil {
			return err
		}
	default:
		d, err := parseSpan(word)
		if err == nil && (d < time.Second || d > longestQuiet) {
			err = errors.New("it is not between a second and a day")
		}
		if err != nil {
			return usage("15m, 1h, or off", "%q: %w", word, err)
		}
		next := &live.Quiet{Since: now, Until: now.Add(d), Why: why}
		if on && q.Since.Before(now) {
			next.Since = q.Since // it goes on
		}
		if q = next; len(why) > 1000 {
			return usage("a sentence", "--why: longer than 1000 bytes")
		}
		if err := live.SaveQuiet(p.Policy.Quiet, q); err != nil {
			return err
		}
	}
	return c.quietly(q, now)
}

func (c *command) quietly(q *live.Quiet, now time.Time) error {
	d := quietDoc{Schema: "connwarden.quiet/1"}
	if q != nil && now.Before(q.Until) {
		d = quietDoc{d.Schema, true, report.When(q.Since), report.When(q.Until), report.Clean(q.Why)}
	}
	return c.print(&d, func(_ *report.Text, w io.Writer) error {
		if !d.Quiet {
			_, err := fmt.Fprintln(w, "not quiet")
			return err
		}
		text := "quiet until " + d.Until.Local().Format("2006-01-02 15:04:05 MST")
		if d.Why != "" {
			text += ": " + d.Why
		}
		_, err := fmt.Fprintln(w, text+"; to end it: connwarden quiet off")
		return err
	}, nil)
}
