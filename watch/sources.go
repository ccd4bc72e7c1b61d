package watch

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// source is one log to read.
type source struct {
	file   *tail.File
	log    host.LogFile // what the machine knows of it; zero for a named one
	named  bool
	format *logs.Format
	known  bool // a format fits, or is configured
	from   int64
}

// sources is what is to be read, in an order that does not depend on chance.
type sources struct {
	list    []*source
	bounds  bounds
	proxies *nets.Set
	opt     *Options
}

// gather opens the logs that are wanted and finds where the window begins in each.
func gather(ctx context.Context, opt *Options, want func(logs.Kind) bool, p *problems) (*sources, error) {
	s := &sources{opt: opt}
	s.proxies = proxies(opt)
	var forced *logs.Format
	if opt.Format != "" {
		f, err := logs.Lookup(opt.Format)
		if err != nil {
			return nil, err
		}
		forced = f
	}
	files := s.find(ctx, p)
	seen := map[[2]uint64]bool{}
	for _, one := range files {
		file, err := tail.Open(one.log.Path, tail.Options{Stdin: opt.Stdin, NoFollow: !one.named && one.log.Trust == connwarden.TrustLocal})
		if err != nil {
			p.add(connwarden.Problem{What: one.log.Shown, Why: reason(err), Named: one.named})
			continue
		}
		if dev, inode := file.ID(); inode != 0 {
			if seen[[2]uint64{dev, inode}] {
				file.Close()
				continue
			}
			seen[[2]uint64{dev, inode}] = true
		}
		one.file = file
		if !one.recognise(forced, want, p) {
			file.Close()
			continue
		}
		s.list = append(s.list, one)
	}
	return s, s.enter(p)
}

// close closes all files.
func (s *sources) close() {
	for _, one := range s.list {
		one.file.Close()
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
func (s *sources) find(ctx context.Context, p *problems) []*source {
	var list []*source
	for _, name := range s.opt.Files {
		list = append(list, named(name, p)...)
	}
	if len(s.opt.Files) > 0 {
		return list
	}
	found, troubles := s.opt.Host.Logs(ctx)
	p.add(troubles...)
	for _, l := range found {
		// What PHP-FPM logs as requests, its web server has logged before, and what has a twin is in that.
		if l.Twin == "" && (l.Kind != host.Access || l.Service != "php-fpm") {
			list = append(list, &source{log: l})
		}
	}
	for _, name := range s.opt.Extra {
		for _, one := range named(name, p) {
			one.named = false
			list = append(list, one)
		}
	}
	return list
}

// named turns an argument into logs; of a folder all regular files below it but those that are no logs.
func named(name string, p *problems) []*source {
	one := func(path string) *source {
		return &source{named: true, log: host.LogFile{Path: path, Shown: path, Site: host.SiteOf(path)}}
	}
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		return []*source{one(name)}
	}
	var list []*source
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			p.add(connwarden.Problem{What: path, Why: reason(cause(err)), Named: true})
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case len(list) >= folderFiles:
			p.say(name, "holds more than %d files; the others were not read", folderFiles)
			return fs.SkipAll
		case isFile(path, d) && !host.Ignored(d.Name()):
			list = append(list, one(path))
		}
		return nil
	})
	if err != nil {
		p.add(connwarden.Problem{What: name, Why: reason(cause(err)), Named: true})
	}
	slices.SortFunc(list, func(a, b *source) int { return cmp.Compare(a.log.Path, b.log.Path) })
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

// recognise finds the format of a log and tells whether it is wanted.
func (one *source) recognise(forced *logs.Format, want func(logs.Kind) bool, p *problems) bool {
	head, err := one.file.Head(headSize)
	if err != nil && len(head) == 0 {
		p.add(connwarden.Problem{What: one.log.Shown, Why: reason(err), Named: one.named})
		return false
	}
	guess := logs.Detect(one.log.Path, head)
	one.format, one.known = guess, guess != nil
	switch {
	case forced != nil:
		one.format, one.known = forced, true
	case !one.named && one.log.Kind == host.Access && one.log.Format != "":
		if f, err := logs.Lookup(one.log.Format); err == nil {
			one.format, one.known = f, true
		} else if guess == nil {
			p.say(one.log.Shown, "its configured format is not understood: %v", err)
		}
	}
	if one.known {
		kind := one.format.Kind
		if one.named && !want(kind) && len(head) > 0 {
			p.say(one.log.Shown, "is %s; read it with connwarden %s", kindName[kind], kindCommand[kind])
		}
		return want(kind)
	}
	kind := logs.Access
	if !one.named {
		switch one.log.Kind {
		case host.Error, host.Slow:
			kind = logs.Error
		case host.Login:
			return false
		}
		one.format = fallback[kind]
		return want(kind)
	}
	// A named log of unknown format is read as the first kind that is wanted, so that its lines are counted.
	if !want(kind) {
		kind = logs.Error
	}
	one.format = fallback[kind]
	return true
}

var (
	kindName    = map[logs.Kind]string{logs.Access: "an access log", logs.Error: "an error log"}
	kindCommand = map[logs.Kind]string{logs.Access: "pages", logs.Error: "errors"}
	fallback    = map[logs.Kind]*logs.Format{logs.Access: mustFormat("apache_combined"), logs.Error: mustFormat("apache_error")}
)

func mustFormat(name string) *logs.Format {
	f, err := logs.Lookup(name)
	if err != nil {
		panic(err) // a name of our own
	}
	return f
}

// parser makes a parser for one source; want 0 is all parts of a request.
func (s *sources) parser(one *source, fields connwarden.Fields) *logs.Parser {
	return one.format.NewParser(logs.Options{
		Want: fields, Zone: s.opt.Zone, Now: s.reference(one), Site: []byte(one.log.Site), Trust: one.log.Trust, Proxies: s.proxies, Auto: s.opt.Format == "",
	})
}

// reference is the moment that dates without a year are near to: when the log was last written.
func (s *sources) reference(one *source) time.Time {
	if t := one.file.ModTime(); !t.IsZero() {
		return t
	}
	return s.opt.Clock()
}

// enter finds now, the bounds of the window, and the place in each log where it begins.
func (s *sources) enter(p *problems) error {
	now := s.opt.Now
	if now.IsZero() {
		now = s.opt.Clock()
		if len(s.opt.Files) > 0 {
			if last := s.lastTime(); !last.IsZero() {
				now = last
			}
		}
	}
	var err error
	if s.bounds, err = s.opt.resolve(now); err != nil || s.bounds.since.IsZero() {
		return err
	}
	var older []*source
	for _, one := range s.list {
		if !one.file.Plain() || !one.known {
			continue
		}
		clock := s.clock(one)
		at, err := tail.Seek(one.file, s.bounds.since, clock)
		if err != nil {
			p.say(one.log.Shown, "the beginning of the window was not found, it is read from its start: %v", err)
			continue
		}
		if one.from = at; at == 0 {
			older = append(older, s.rotated(one, clock, p)...)
		}
	}
	s.list = append(s.list, older...)
	return nil
}

// rotated returns the older pieces of a log that the window reaches into.
func (s *sources) rotated(one *source, clock func([]byte) (time.Time, bool), p *problems) []*source {
	if first := s.firstTime(one.file, clock); !first.IsZero() && first.Before(s.bounds.since) {
		return nil
	}
	have := map[[2]uint64]bool{}
	for _, other := range s.list {
		dev, inode := other.file.ID()
		have[[2]uint64{dev, inode}] = true
	}
	var list []*source
	for _, path := range tail.Rotated(one.log.Path) {
		file, err := tail.Open(path, tail.Options{NoFollow: one.log.Trust == connwarden.TrustLocal})
		if err != nil {
			p.add(connwarden.Problem{What: path, Why: reason(err)})
			continue
		}
		dev, inode := file.ID()
		if inode != 0 && have[[2]uint64{dev, inode}] || file.ModTime().Before(s.bounds.since) {
			file.Close()
			continue // written for the last time before the window, as are those behind it, but dates may be odd: look at all
		}
		piece := &source{file: file, log: one.log, format: one.format, known: one.known}
		piece.log.Path, piece.log.Shown = path, path
		if file.Plain() {
			piece.from, _ = tail.Seek(file, s.bounds.since, clock)
		}
		list = append(list, piece)
	}
	return list
}

// clock returns a function that tells the time of one line of a log.
func (s *sources) clock(one *source) func([]byte) (time.Time, bool) {
	parser := s.parser(one, connwarden.FieldTime)
	var stamp stampSink
	return func(line []byte) (time.Time, bool) {
		stamp.at = time.Time{}
		parser.Parse(connwarden.Source{Name: one.log.Shown}, line, &stamp)
		parser.Flush(&stamp)
		return stamp.at, !stamp.at.IsZero()
	}
}

// stampSink keeps the latest time of what it is given.
type stampSink struct{ at time.Time }

func (s *stampSink) Conn(*connwarden.Conn)         {}
func (s *stampSink) Request(r *connwarden.Request) { s.see(r.Time) }
func (s *stampSink) Event(e *connwarden.Event)     { s.see(e.Time) }
func (s *stampSink) Fault(f *connwarden.Fault)     { s.see(f.Time) }

func (s *stampSink) see(t time.Time) {
	if t.After(s.at) {
		s.at = t
	}
}

// firstTime is the time of the first line that has one.
func (s *sources) firstTime(f *tail.File, clock func([]byte) (time.Time, bool)) time.Time {
	head, _ := f.Head(headSize)
	for line := range strings.Lines(string(head)) {
		if t, ok := clock([]byte(strings.TrimRight(line, "\r\n"))); ok {
			return t
		}
	}
	return time.Time{}
}

// lastTime is the latest time at the end of the named logs. Streams and archives are read through for it, which is
// asked for only when a window counts back from their end.
func (s *sources) lastTime() time.Time {
	var stamp stampSink
	for _, one := range s.list {
		var block []byte
		if one.file.Plain() {
			block = lastBlock(one.file)
		} else if s.opt.Since == nil && s.opt.Until == nil {
			continue // found while reading
		}
		if block != nil {
			parser := s.parser(one, connwarden.FieldTime)
			parser.Parse(connwarden.Source{}, block, &stamp)
			parser.Flush(&stamp)
			continue
		}
		parser := s.parser(one, connwarden.FieldTime)
		tail.Scan(context.Background(), []tail.Job{{File: one.file, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
			parser.Parse(connwarden.Source{Offset: b.Offset}, b.Data, &stamp)
		})
		parser.Flush(&stamp)
	}
	return stamp.at
}

// lastBlock reads the last lines of a plain file.
func lastBlock(f *tail.File) []byte {
	from := max(f.Size()-headSize, 0)
	var block []byte
	tail.Scan(context.Background(), []tail.Job{{File: f, From: from, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
		block = append(block, b.Data...)
	})
	if from > 0 { // the first line is cut off
		if _, rest, found := strings.Cut(string(block), "\n"); found {
			return []byte(rest)
		}
	}
	return append([]byte{}, block...)
}
