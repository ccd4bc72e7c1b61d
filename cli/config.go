package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web"
)

// File is a configuration file, exactly as written: nil means that the file does not say.
type File struct {
	Zone  *string `toml:"tz" comment:"zone of times that logs write without one"`
	Since *string `toml:"since" comment:"how far back a review looks"`
	Top   *int    `toml:"top" comment:"rows of a table"`
	Logs  struct {
		Files   []string `toml:"files" comment:"logs or folders to read besides those that are found"`
		Proxies []string `toml:"trusted_proxies" comment:"proxies whose X-Forwarded-For is believed"`
		CDN     *bool    `toml:"trust_cdn" comment:"believe the published ranges of CDNs likewise"`
	} `toml:"logs"`
	Geo struct {
		Files []string `toml:"files" comment:"MaxMind DB files of networks and countries, believed before the shipped table"`
	} `toml:"geo"`
	Rules struct {
		Folder *string  `toml:"folder" comment:"rules of one's own"`
		Off    []string `toml:"off" comment:"names of rules that do not count here"`
	} `toml:"rules"`
	Block       blockFile      `toml:"block"`
	Actions     actionsFile    `toml:"actions"`
	Log         logFile        `toml:"log"`
	Metrics     metricsFile    `toml:"metrics"`
	Sites       []siteFile     `toml:"site" comment:"how some sites differ"`
	Maintenance []windowFile   `toml:"maintenance" comment:"times of the week in which less is blocked"`
	Notify      []notifyFile   `toml:"notify" comment:"whom the daemon tells, and how"`
	History     historyFile    `toml:"history"`
	ClickHouse  clickhouseFile `toml:"clickhouse"`
	Daemon      daemonFile     `toml:"daemon"`
	Fleet       fleetFile      `toml:"fleet"`
}

// Plan is what will be done: every setting with its origin.
type Plan struct {
	Zone       *time.Location
	Since      string
	Top        int
	Logs       []string
	Proxies    []netip.Prefix
	CDN        bool
	Geo        []string // MaxMind DB files
	Rules      string   // folder of the user's own
	RulesOff   []string // names
	Block      blockPlan
	Actions    actionsPlan
	Policy     live.Policy
	Log        logPlan
	Metrics    *web.Place // nil: not served
	Notify     []channelPlan
	History    historyPlan
	ClickHouse clickhousePlan
	Daemon     daemonPlan
	Fleet      fleetPlan
	StateDir   string
	WatchDir   string // where the daemon keeps what it saw; StateDir, or a folder in it that is its reader's
	File       string
	values     []report.Value
}

// defaultConfig is where the configuration is looked for when --config does not say.
func defaultConfig(getenv func(string) string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(getenv("ProgramData"), "connwarden", "config.toml")
	}
	return "/etc/connwarden/config.toml"
}

// loadFile reads a configuration file. An unknown key, a wrong type and a syntax error name file and line.
func loadFile(name string) (*File, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f File
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(&f)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		row, _ := unknown.Errors[0].Position()
		return nil, fmt.Errorf("%s:%d: there is no setting %q; connwarden config lists them", name, row, strings.Join(unknown.Errors[0].Key(), "."))
	case errors.As(err, &wrong):
		row, column := wrong.Position()
		return nil, fmt.Errorf("%s:%d:%d: %s", name, row, column, strings.TrimPrefix(wrong.Error(), "toml: "))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &f, nil
}

// plan joins flags, environment, file and defaults, in this order of strength.
func (c *command) plan() (*Plan, error) {
	p := &Plan{Zone: time.Local, Since: "1h", Top: 10, CDN: true}
	f := &File{}
	name, named := c.flags.config, c.flags.config != ""
	if !named {
		name = defaultConfig(c.env.Getenv)
	}
	switch read, err := loadFile(name); {
	case err == nil:
		f, p.File = read, name
	case named || !errors.Is(err, fs.ErrNotExist):
		return nil, &exitError{exitFailed, fmt.Errorf("read configuration: %w", err), "mend the file, or name another with --config"}
	}
	inFile := func(key string) string { return p.File + ": " + key }

	zone, origin := "", "default (the machine's zone)"
	if tz := c.env.Getenv("TZ"); tz != "" {
		origin = "environment TZ"
	}
	if f.Zone != nil {
		zone, origin = *f.Zone, inFile("tz")
	}
	if c.flags.zone != "" {
		zone, origin = c.flags.zone, "flag --tz"
	}
	if zone != "" {
		z, err := time.LoadLocation(zone)
		if err != nil {
			return nil, usage("name a zone as in /usr/share/zoneinfo: UTC, Europe/Berlin", "%s: there is no zone %q", origin, zone)
		}
		p.Zone = z
	}
	p.set("tz", p.Zone.String(), origin)

	origin = "default"
	if f.Since != nil {
		p.Since, origin = *f.Since, inFile("since")
		if _, err := parseMoment(p.Since, p.Zone); err != nil {
			return nil, usage("try 15m, 1h, 2d, yesterday or a date", "%s: %w", origin, err)
		}
	}
	if c.flags.since != "" {
		p.Since, origin = c.flags.since, "flag --since"
	}
	p.set("since", p.Since, origin)

	origin = "default"
	if f.Top != nil {
		if *f.Top < 0 {
			return nil, usage("0 shows all rows", "%s: %d is no number of rows", inFile("top"), *f.Top)
		}
		p.Top, origin = *f.Top, inFile("top")
	}
	if c.flags.top >= 0 {
		p.Top, origin = c.flags.top, "flag --top"
	}
	p.set("top", p.Top, origin)

	origin = "default"
	if f.Logs.Files != nil {
		p.Logs, origin = f.Logs.Files, inFile("logs.files")
	}
	p.set("logs.files", p.Logs, origin)

	origin = "default"
	for _, text := range f.Logs.Proxies {
		origin = inFile("logs.trusted_proxies")
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, usage("write an address or a prefix: 10.0.0.1, 10.0.0.0/8", "%s: %q is neither", origin, text)
		}
		p.Proxies = append(p.Proxies, prefix)
	}
	p.set("logs.trusted_proxies", f.Logs.Proxies, origin)

	origin = "default"
	if f.Logs.CDN != nil {
		p.CDN, origin = *f.Logs.CDN, inFile("logs.trust_cdn")
	}
	p.set("logs.trust_cdn", p.CDN, origin)

	origin = "default"
	if f.Geo.Files != nil {
		p.Geo, origin = f.Geo.Files, inFile("geo.files")
	}
	p.set("geo.files", p.Geo, origin)

	p.Rules, origin = filepath.Join(filepath.Dir(defaultConfig(c.env.Getenv)), "rules.d"), "default"
	if f.Rules.Folder != nil {
		p.Rules, origin = *f.Rules.Folder, inFile("rules.folder")
	}
	p.set("rules.folder", p.Rules, origin)

	origin = "default"
	if f.Rules.Off != nil {
		p.RulesOff, origin = f.Rules.Off, inFile("rules.off")
	}
	p.set("rules.off", p.RulesOff, origin)

	if err := p.planBlock(&f.Block, c.driverNames(), inFile); err != nil {
		return nil, err
	}
	if err := p.planActions(&f.Actions, inFile); err != nil {
		return nil, err
	}

	p.StateDir, origin = stateDir(c.env.Getenv)
	p.set("state_dir", p.StateDir, origin)
	if err := p.planPolicy(f, c.driverNames(), inFile); err != nil {
		return nil, err
	}
	if err := p.planLog(&f.Log, &c.flags, inFile); err != nil {
		return nil, err
	}
	if err := p.planMetrics(&f.Metrics, &c.flags, inFile); err != nil {
		return nil, err
	}
	if err := p.planNotify(f.Notify, inFile); err != nil {
		return nil, err
	}
	if err := p.planHistory(&f.History, inFile); err != nil {
		return nil, err
	}
	if err := p.planClickHouse(&f.ClickHouse, inFile); err != nil {
		return nil, err
	}
	if err := p.planDaemon(&f.Daemon, inFile); err != nil {
		return nil, err
	}
	if err := p.planFleet(&f.Fleet, inFile); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) set(key string, value any, origin string) {
	p.values = append(p.values, report.Value{Key: key, Value: value, Origin: origin})
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// stateDir is where the program keeps what it must remember.
func stateDir(getenv func(string) string) (dir, origin string) {
	if d := getenv("CONNWARDEN_STATE_DIR"); d != "" {
		return d, "environment CONNWARDEN_STATE_DIR"
	}
	switch {
	case runtime.GOOS == "windows":
		return filepath.Join(getenv("ProgramData"), "connwarden", "state"), "default"
	case os.Geteuid() == 0:
		return "/var/lib/connwarden", "default"
	case getenv("XDG_STATE_HOME") != "":
		return filepath.Join(getenv("XDG_STATE_HOME"), "connwarden"), "environment XDG_STATE_HOME"
	default:
		return filepath.Join(getenv("HOME"), ".local", "state", "connwarden"), "default"
	}
}
