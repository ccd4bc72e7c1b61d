package gather

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

// Source is one log to read.
type Source struct {
	File   *tail.File
	Log    host.LogFile // what the machine knows of it; of a named one little but its name
	Named  bool         // by the user
	Format *logs.Format // never nil
	Known  bool         // Format fits, or is configured; else its lines are counted and not understood
	From   int64        // where the window begins in the text
}

// Sources are the logs to be read, in an order that does not depend on chance.
type Sources struct {
	List   []*Source
	Found  int // logs that were named or found, whether or not they could be opened
	Bounds Bounds

	proxies *nets.Set
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
	if err := s.enter(p); err != nil {
		s.Close()
		return nil, err
	}
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
	for _, l := range found {
		// What PHP-FPM logs as requests, its web server has logged before, and what has a twin is in that.
		if l.Twin == "" && (l.Kind != host.Access || l.Service != "php-fpm") {
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

// recognise finds the format of a log and tells whether it is wanted.
func (one *Source) recognise(forced *logs.Format, want func(logs.Kind) bool, p *Problems) bool {
	head, err := one.File.Head(headSize)
	if err != nil && len(head) == 0 {
		p.Add(connwarden.Problem{What: one.Log.Shown, Why: Reason(err), Named: one.Named})
		return false
	}
	guess := logs.Detect(one.Log.Path, head)
	one.Format, one.Known = guess, guess != nil
	switch {
	case forced != nil:
		one.Format, one.Known = forced, true
	case !one.Named && one.Log.Kind == host.Access && one.Log.Format != "":
		if f, err := logs.Lookup(one.Log.Format); err == nil {
			one.Format, one.Known = f, true
		} else if guess == nil {
			p.Say(one.Log.Shown, "its configured format is not understood: %v", err)
		}
	}
	if one.Known {
		if one.Named {
			one.Log.Trust = trust(one.Format.Name)
		}
		kind := one.Format.Kind
		if one.Named && !want(kind) && len(head) > 0 {
			p.Say(one.Log.Shown, "is %s; read it with connwarden %s", kindName[kind], kindCommand[kind])
		}
		return want(kind)
	}
	kind := logs.Access
	if !one.Named {
		switch one.Log.Kind {
		case host.Error, host.Slow:
			kind = logs.Error
		case host.Login:
			return false
		}
		one.Format = fallback[kind]
		return want(kind)
	}
	// A named log of unknown format is read as the first kind that is wanted, so that its lines are counted.
	if !want(kind) {
		kind = logs.Error
	}
	one.Format = fallback[kind]
	return true
}

// trust tells who can write a line of a log that somebody named, by its format: of nginx's error log a client, of syslog
// and of PHP's a local account, of all others the daemon alone. Of logs that were found the machine tells better.
func trust(format string) connwarden.Trust {
	carrier, _, _ := strings.Cut(format, "/")
	switch carrier {
	case "nginx_error":
		return connwarden.TrustOutside
	case "syslog", "kernel", "php_error":
		return connwarden.TrustLocal
	default:
		return connwarden.TrustRoot
	}
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

// Parser makes a parser for one source; fields are the parts of a request that are wanted, 0 all.
func (s *Sources) Parser(one *Source, fields connwarden.Fields) *logs.Parser {
	opt := logs.Options{
		Want: fields, Zone: s.opt.Zone, Now: s.reference(one), Site: []byte(one.Log.Site), Trust: one.Log.Trust, Auto: s.opt.Format == "",
	}
	if fields == 0 || fields&connwarden.FieldClient != 0 { // who asks for no client need not look for a forwarded one
		opt.Proxies = s.proxies
	}
	return one.Format.NewParser(opt)
}

// reference is the moment that dates without a year are near to: when the log was last written.
func (s *Sources) reference(one *Source) time.Time {
	if t := one.File.ModTime(); !t.IsZero() {
		return t
	}
	return s.opt.Clock()
}

// enter finds now, the bounds of the window, and the place in each log where it begins.
func (s *Sources) enter(p *Problems) error {
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
	if s.Bounds, err = s.opt.resolve(now); err != nil || s.Bounds.Since.IsZero() {
		return err
	}
	var older []*Source
	for _, one := range s.List {
		if !one.File.Plain() || !one.Known {
			continue
		}
		clock := s.clock(one)
		at, err := tail.Seek(one.File, s.Bounds.Since, clock)
		if err != nil {
			p.Say(one.Log.Shown, "the beginning of the window was not found, it is read from its start: %v", err)
			continue
		}
		if one.From = at; at == 0 {
			older = append(older, s.rotated(one, clock, p)...)
		}
	}
	s.List = append(s.List, older...)
	return nil
}

// rotated returns the older pieces of a log that the window reaches into.
func (s *Sources) rotated(one *Source, clock func([]byte) (time.Time, bool), p *Problems) []*Source {
	if first := s.firstTime(one.File, clock); !first.IsZero() && first.Before(s.Bounds.Since) {
		return nil
	}
	have := map[[2]uint64]bool{}
	for _, other := range s.List {
		dev, inode := other.File.ID()
		have[[2]uint64{dev, inode}] = true
	}
	var list []*Source
	for _, path := range tail.Rotated(one.Log.Path) {
		file, err := tail.Open(path, tail.Options{NoFollow: one.Log.Trust == connwarden.TrustLocal})
		if err != nil {
			p.Add(connwarden.Problem{What: path, Why: Reason(err)})
			continue
		}
		dev, inode := file.ID()
		if inode != 0 && have[[2]uint64{dev, inode}] || file.ModTime().Before(s.Bounds.Since) {
			file.Close()
			continue // written for the last time before the window, as are those behind it, but dates may be odd: look at all
		}
		piece := &Source{File: file, Log: one.Log, Format: one.Format, Known: one.Known}
		piece.Log.Path, piece.Log.Shown = path, path
		if file.Plain() {
			piece.From, _ = tail.Seek(file, s.Bounds.Since, clock)
		}
		list = append(list, piece)
	}
	return list
}

// clock returns a function that tells the time of one line of a log.
func (s *Sources) clock(one *Source) func([]byte) (time.Time, bool) {
	parser := s.Parser(one, connwarden.FieldTime)
	var stamp stampSink
	return func(line []byte) (time.Time, bool) {
		stamp.at = time.Time{}
		parser.Parse(connwarden.Source{Name: one.Log.Shown}, line, &stamp)
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
func (s *Sources) firstTime(f *tail.File, clock func([]byte) (time.Time, bool)) time.Time {
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
func (s *Sources) lastTime() time.Time {
	var stamp stampSink
	for _, one := range s.List {
		var block []byte
		if one.File.Plain() {
			block = lastBlock(one.File)
		} else if s.opt.Since == nil && s.opt.Until == nil {
			continue // found while reading
		}
		if block != nil {
			parser := s.Parser(one, connwarden.FieldTime)
			parser.Parse(connwarden.Source{}, block, &stamp)
			parser.Flush(&stamp)
			continue
		}
		parser := s.Parser(one, connwarden.FieldTime)
		tail.Scan(context.Background(), []tail.Job{{File: one.File, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
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
