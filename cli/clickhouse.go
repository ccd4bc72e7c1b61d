package cli

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/warehouse"
)

// clickhouseFile is the section [clickhouse] of the configuration.
type clickhouseFile struct {
	URL          string `toml:"url" comment:"the HTTP interface of a ClickHouse that the daemon's history is sent to as well"`
	Database     string `toml:"database" comment:"default: connwarden"`
	User         string `toml:"user" comment:"default: default"`
	PasswordFile string `toml:"password_file" comment:"a file with the password alone"`
	CAFile       string `toml:"ca_file" comment:"certificates of who signed the server's, if the system does not know them"`
	Host         string `toml:"host" comment:"what this host is called there (default: its name)"`
	Spool        string `toml:"spool" comment:"how much may wait here while the server is away: 64M"`
}

// clickhousePlan is where history is sent; without a URL nowhere.
type clickhousePlan struct {
	clickhouseFile
	bound int64 // of the spool, in bytes
}

func (p *Plan) planClickHouse(f *clickhouseFile, inFile func(string) string) error {
	p.ClickHouse = clickhousePlan{*f, warehouse.DefaultBound}
	if *f == (clickhouseFile{}) {
		p.set("clickhouse", "", "default")
		return nil
	}
	at := func(key string) string { return inFile("clickhouse." + key) }
	if why := badURL(f.URL); why != "" {
		return usage(`url = "https://clickhouse.example.com:8443/"`, "%s: %s", at("url"), why)
	}
	if f.Database != "" {
		if err := warehouse.CheckDatabase(f.Database); err != nil {
			return usage(`database = "connwarden"`, "%s: %w", at("database"), err)
		}
	}
	if f.Spool != "" {
		const least = 1 << 20
		n, err := parseSize(f.Spool)
		if err != nil || n < least {
			return usage("write 64M or 1G; the least is 1M", "%s: %q", at("spool"), f.Spool)
		}
		p.ClickHouse.bound = n
	}
	u, err := url.Parse(f.URL) // which badURL has seen
	if err != nil {
		return err
	}
	p.set("clickhouse", fmt.Sprintf("%s://%s, database %s, as %s", u.Scheme, u.Host, cmp.Or(f.Database, "connwarden"), cmp.Or(f.User, "default")), inFile("clickhouse"))
	return nil
}

// warehouse begins to send; nil if nothing is to be sent.
func (c *command) warehouse(p *Plan) (*warehouse.Warehouse, error) {
	f := &p.ClickHouse
	if f.URL == "" {
		return nil, nil
	}
	password, err := secret("", f.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	opt := warehouse.Options{
		URL: f.URL, Database: f.Database, User: f.User, Password: password.Reveal(), Host: f.Host,
		Spool: filepath.Join(p.WatchDir, "clickhouse"), Bound: f.bound, Log: c.logger(p, new(slog.LevelVar)),
	}
	if f.CAFile != "" {
		text, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
		if opt.Roots = x509.NewCertPool(); !opt.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("clickhouse: %s holds no certificate", f.CAFile)
		}
	}
	if opt.Host == "" {
		if opt.Host, err = os.Hostname(); err != nil {
			return nil, errors.Join(errors.New(`clickhouse: this host has no name; write host = "web1"`), err)
		}
	}
	return warehouse.Open(opt)
}

// shipFigures adds the figures of what is sent.
func shipFigures(w *warehouse.Warehouse, e *live.Exposition) {
	s := w.Stats()
	e.Family("connwarden_clickhouse_files_total", "counter", "Files of history that the ClickHouse took, that it refused for good, and that found no room here.")
	e.Sample(float64(s.Sent), "result", "sent")
	e.Sample(float64(s.Refused), "result", "refused")
	e.Sample(float64(s.Dropped), "result", "dropped")
	e.Family("connwarden_clickhouse_waiting_bytes", "gauge", "What waits for the ClickHouse.")
	e.Sample(float64(s.Bytes))
}
