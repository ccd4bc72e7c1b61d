package gather

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/tail"
)

const (
	// headSize is what is read of a log to recognise its format: some hundred lines.
	headSize = 64 << 10
	// folderFiles bounds what one named folder may add: a server with ten thousand sites has some thirty thousand logs.
	folderFiles = 100_000
)

// Source is one log to read.
type Source struct {
	File   *tail.File
	Log    host.LogFile // what the machine knows of it; of a named one little but its name
	Named  bool         // by the user
	Format *logs.Format // never nil
	Known  bool         // Format fits, or is configured; else its lines are counted and not understood
	From   int64        // where the window begins in the text
	To     int64        // where it ends; 0: with the text
}

// Sources are the logs to be read, in an order that does not depend on chance.
type Sources struct {
	List   []*Source
	Found  int // logs that were named or found, whether or not they could be opened
	Bounds Bounds

	proxies *nets.Set
	zones   zones
	opt     *Options
}

// Open opens the logs that are wanted, each file once, recognises their formats and finds where the window begins in
// each. What could not be opened is among the problems; an error is about the options alone. Close the result.
func Open(ctx context.Context, opt *Options, want func(logs.Kind) bool, p *Problems) (*Sources, error) {
	s := &Sources{opt: opt, proxies: proxies(opt)}
	var forced *logs.Format
	if opt.Format != "" {
		f, err := logs.Lookup(opt.Format)
		if err != nil {
			return nil, err
		}
		forced = f
	}
	files := s.find(ctx, p)
	s.Found = len(files)
	seen := map[[2]uint64]bool{}
	for _, one := range files {
		file, err := tail.Open(one.Log.Path, tail.Options{Stdin: opt.Stdin, NoFollow: !one.Named && one.Log.Trust == connwarden.TrustLocal})
		if err != nil {
			p.Add(connwarden.Problem{What: one.Log.Shown, Why: Reason(err), Named: one.Named})
			continue
		}
		if dev, inode := file.ID(); inode != 0 {
			if seen[[2]uint64{dev, inode}] {
				file.Close()
				continue
			}
			seen[[2]uint64{dev, inode}] = true
		}
		one.File = file
		if !one.recognise(forced, want, p) {
			file.Close()
			continue
		}
		s.List = append(s.List, one)
	}
	if err := s.bound(); err != nil {
		s.Close()
		return nil, err
	}
	journal, until := s.journal(ctx, want, p)
	s.enter(p)
	s.cut(until, p)
	s.List = append(s.List, journal...)
	return s, nil
}

// Close closes all files.
func (s *Sources) Close() {
	for _, one := range s.List {
		one.File.Close()
	}
}

// proxies are those whose forwarding header is believed: the configured ones and, if wanted, the known CDNs.
func proxies(opt *Options) *nets.Set {
	configured := nets.New(opt.Proxies...)
	if opt.CDN {
		return nets.Union(nets.CDN(), configured)
	}
	return configured
}

// find lists the logs: those named, or those of the machine and of the configuration.
func (s *Sources) find(ctx context.Context, p *Problems) []*Source {
	var list []*Source
	for _, name := range s.opt.Files {
		list = append(list, named(name, p)...)
	}
	if len(s.opt.Files) > 0 {
		return list
	}
	found, troubles := s.opt.Host.Logs(ctx)
	p.Add(troubles...)
	front := frontOf(found)
	for _, l := range found {
		switch {
		// What PHP-FPM logs as requests, its web server has logged before, and what has a twin is in that.
		case l.Twin != "", l.Kind == host.Access && l.Service == "php-fpm":
		case l.Kind == host.Access && behind[l.Service] && front != "":
			p.Say(l.Shown, "not read, for %s, whose logs are read, is taken to stand before %s and to have logged the same requests: name it to have it read", front, l.Service)
		default:
			list = append(list, &Source{Log: l})
		}
	}
	for _, name := range s.opt.Extra {
		for _, one := range named(name, p) {
			one.Named = false
			list = append(list, one)
		}
	}
	return list
}

// behind are servers that mostly stand behind one of the fronts, which has logged each of their requests: to count it twice would be to
// accuse people of twice what they did.
var (
	behind = map[string]bool{"gitea": true, "grafana": true, "tomcat": true, "jetty": true}
	fronts = map[string]bool{"apache": true, "nginx": true, "litespeed": true, "lighttpd": true, "caddy": true, "traefik": true, "haproxy": true}
)

// frontOf returns the first of the fronts that has logged requests, "" when none has.
func frontOf(found []host.LogFile) string {
	for _, l := range found {
		if l.Kind == host.Access && fronts[l.Service] && l.Size > 0 {
			return l.Service
		}
	}
	return ""
}

// named turns an argument into logs; of a folder all regular files below it but those that are no logs.
func named(name string, p *Problems) []*Source {
	one := func(path string) *Source {
		return &Source{Named: true, Log: host.LogFile{Path: path, Shown: path, Site: host.SiteOf(path)}}
	}
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		return []*Source{one(name)}
	}
	var list []*Source
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			p.Add(connwarden.Problem{What: path, Why: Reason(cause(err)), Named: true})
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case len(list) >= folderFiles:
			p.Say(name, "holds more than %d files; the others were not read", folderFiles)
			return fs.SkipAll
		case isFile(path, d) && !host.Ignored(d.Name()):
			list = append(list, one(path))
		}
		return nil
	})
	if err != nil {
		p.Add(connwarden.Problem{What: name, Why: Reason(cause(err)), Named: true})
	}
	slices.SortFunc(list, func(a, b *Source) int { return cmp.Compare(a.Log.Path, b.Log.Path) })
	return list
}

// isFile tells of an entry of a folder whether it is a regular file, or a link to one: cPanel's folders of a user hold
// links to the logs of the sites.
func isFile(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular()
	}
	return d.Type().IsRegular()
}

// cause maps an error of the file system to the module's.
func cause(err error) error {
	if os.IsPermission(err) {
		return connwarden.ErrDenied
	}
	return err
}
