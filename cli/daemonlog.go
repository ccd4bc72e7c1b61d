package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/connwarden/connwarden/live"
)

// logFile is the section [log] of the configuration.
type logFile struct {
	Level  *string `toml:"level" comment:"what the daemon says of itself on standard error: debug, info, warn or error"`
	Format *string `toml:"format" comment:"text or json (default: json with --json)"`
}

// logPlan is how the daemon speaks of itself.
type logPlan struct {
	Level slog.Level
	JSON  bool
}

// Words of its format.
const (
	logText = "text"
	logJSON = "json"
)

// planLog reads the section, over which the flags win.
func (p *Plan) planLog(f *logFile, flags *flags, inFile func(string) string) error {
	level, origin := "warn", "default"
	if f.Level != nil {
		level, origin = *f.Level, inFile("log.level")
	}
	if flags.logLevel != "" {
		level, origin = flags.logLevel, "flag --log-level"
	}
	switch level {
	case "debug", "info", "warn", "error":
	default:
		return usage("debug, info, warn or error", "%s: %q", origin, level)
	}
	if err := p.Log.Level.UnmarshalText([]byte(level)); err != nil {
		return usage("debug, info, warn or error", "%s: %w", origin, err)
	}
	p.set("log.level", level, origin)
	format, origin := logText, "default"
	if flags.json {
		format, origin = logJSON, "flag --json"
	}
	if f.Format != nil {
		format, origin = *f.Format, inFile("log.format")
	}
	if flags.logFormat != "" {
		format, origin = flags.logFormat, "flag --log-format"
	}
	if format != logText && format != logJSON {
		return usage("text or json", "%s: %q", origin, format)
	}
	p.Log.JSON = format == logJSON
	p.set("log.format", format, origin)
	return nil
}

// logger is the daemon's log. What it did stands on standard output; here it says how it fares.
func (c *command) logger(p *Plan, level *slog.LevelVar) *slog.Logger {
	level.Set(p.Log.Level)
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.StringValue(a.Value.Time().In(p.Zone).Format(time.RFC3339))
		}
		return a
	}}
	if p.Log.JSON {
		return slog.New(slog.NewJSONHandler(c.env.Stderr, opt))
	}
	return slog.New(slog.NewTextHandler(c.env.Stderr, opt))
}

// logged writes a message of the pipeline to the log. Its texts are clean already.
func logged(log *slog.Logger, m any) {
	switch m := m.(type) {
	case *live.Start:
		log.Info("following", "logs", m.Logs, "polled", m.Polled, "journal", m.Journal, "mode", m.Mode, "drivers", m.Drivers, "resumed", m.Resumed)
	case *live.Verdict:
		log.Debug("verdict", "subject", m.Addr, "verdict", m.Verdict, "score", m.Score, "acted_upon", m.Proved, "held", m.Held)
	case *live.Block:
		if !log.Enabled(context.Background(), slog.LevelDebug) { // of these there may be 100,000 at once
			return
		}
		log.Debug(m.Type, "target", m.Target, "drivers", m.Drivers, "why", m.Why)
	case *live.Problem:
		if m.Alarm {
			log.Error("alarm", "what", m.What, "why", m.Why)
		} else {
			log.Debug("problem", "what", m.What, "why", m.Why)
		}
	case *live.Mode:
		log.Info("mode", "mode", m.Mode, "quiet", m.Quiet, "until", m.Until, "why", m.Why)
	case *live.Reload:
		if m.Done {
			log.Info("configuration read again")
		} else {
			log.Error("configuration refused; the one before stays in force", "why", m.Why)
		}
	case *live.End:
		log.Info("ended", "lines", m.Lines, "unparsed", m.Unparsed, "verdicts", m.Verdicts, "blocks", m.Blocks)
	}
}
