package truth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// Name is what a peer or group is called by [Court.Follow].
func Name(p *report.Peer) string { return strings.TrimLeft(p.Kind+" "+p.Addr, " ") }

// Follow has a daemon follow logs that were empty when it began and get the lines of files, of a machine whose root is dir. It returns the worst that
// the daemon said of each address, and of each group after the word for its kind.
func (c *Court) Follow(ctx context.Context, dir string, files []string, now time.Time) (map[string]report.Peer, error) {
	said := map[string]report.Peer{}
	opt := live.Options{
		Options: gather.Options{Window: gather.Window{Clock: func() time.Time { return now }}, Host: host.New(dir), Zone: time.UTC, CDN: true, Stdin: strings.NewReader("")},
		Rules:   c.rules, Networks: c.who.Networks, Bots: c.who.Bots, Once: true, History: live.File(filepath.Join(dir, "watch.json")),
		Tell: func(m any) {
			if v, ok := m.(*live.Verdict); ok {
				if name := Name(&v.Peer); v.Score >= said[name].Score {
					said[name] = v.Peer
				}
			}
		},
	}
	followed := filepath.Join(dir, "followed")
	if err := os.MkdirAll(followed, 0o700); err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	for _, name := range files {
		opt.Files = append(opt.Files, filepath.Join(followed, filepath.Base(name)))
	}
	for _, full := range []bool{false, true} {
		for i, name := range opt.Files {
			var text []byte
			if full {
				var err error
				if text, err = os.ReadFile(files[i]); err != nil {
					return nil, fmt.Errorf("follow: %w", err)
				}
			}
			if err := os.WriteFile(name, text, 0o600); err != nil {
				return nil, fmt.Errorf("follow: %w", err)
			}
		}
		if err := live.Run(ctx, opt); err != nil {
			return nil, fmt.Errorf("follow: %w", err)
		}
	}
	return said, nil
}
