package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/canary"
	"github.com/connwarden/connwarden/block/cpanel"
	"github.com/connwarden/connwarden/block/cphulk"
	"github.com/connwarden/connwarden/block/csf"
	"github.com/connwarden/connwarden/block/firewalld"
	"github.com/connwarden/connwarden/block/htaccess"
	"github.com/connwarden/connwarden/block/ipset"
	"github.com/connwarden/connwarden/block/iptables"
	"github.com/connwarden/connwarden/block/nft"
	"github.com/connwarden/connwarden/block/nginx"
	"github.com/connwarden/connwarden/block/null"
	"github.com/connwarden/connwarden/block/plesk"
	"github.com/connwarden/connwarden/block/windows"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/store"
	"github.com/connwarden/connwarden/where"
)

// machine is what a driver is opened for.
type machine struct {
	mark  string             // names what is ours in a firewall: "connwarden", of another state folder with a hash
	state string             // the state folder
	sites []string           // folders of sites that were named
	pages map[string]string  // of sites their addresses
	found func() []host.Site // the sites of the web servers here
	null  block.Driver       // the firewall that refuses nothing
}

// driver is a firewall by the name that --with knows.
type driver struct {
	name string
	// detect tells whether it can be used here, and why or why not. It changes nothing.
	detect func(ctx context.Context, m machine) (usable bool, why string)
	open   func(m machine) (block.Driver, error)
	// first is whether it may be chosen by itself. The first that opens is: it is nearest to the wire and sees what comes
	// for containers too. The others are asked for by name; firewalld's users get nft, whose table its reloads leave alone.
	first bool
}

// behindProxies tells whether a driver refuses who comes through a trusted proxy: web servers do, firewalls see the proxy.
func behindProxies(name string) bool {
	return name == "htaccess" || name == "nginx" || name == "cpanel"
}

// drivers are all there are, in the order in which one is chosen.
func drivers() []driver {
	return []driver{
		{"nft", func(ctx context.Context, _ machine) (bool, string) { return nft.Detect(ctx) },
			func(m machine) (block.Driver, error) { return opened(nft.Open(nft.Options{Name: m.mark})) }, true},
		{"ipset", func(ctx context.Context, _ machine) (bool, string) { return ipset.Detect(ctx) },
			func(m machine) (block.Driver, error) { return opened(ipset.Open(ipset.Options{Name: m.mark})) }, true},
		{"iptables", func(ctx context.Context, _ machine) (bool, string) { return iptables.Detect(ctx) },
			func(m machine) (block.Driver, error) { return opened(iptables.Open(iptables.Options{Name: m.mark})) }, true},
		{"firewalld", func(ctx context.Context, _ machine) (bool, string) { return firewalld.Detect(ctx) },
			func(m machine) (block.Driver, error) {
				return opened(firewalld.Open(firewalld.Options{Name: m.mark}))
			}, false},
		{"htaccess", func(ctx context.Context, m machine) (bool, string) { return htaccess.Detect(ctx, m.htaccess()) },
			func(m machine) (block.Driver, error) { return opened(htaccess.Open(m.htaccess())) }, false},
		{"nginx", func(ctx context.Context, _ machine) (bool, string) { return nginx.Detect(ctx, nginx.Options{}) },
			func(machine) (block.Driver, error) { return opened(nginx.Open(nginx.Options{})) }, false},
		{"csf", func(ctx context.Context, _ machine) (bool, string) { return csf.Detect(ctx) },
			func(m machine) (block.Driver, error) { return opened(csf.Open(csf.Options{Name: m.mark})) }, false},
		{"plesk", func(ctx context.Context, _ machine) (bool, string) { return plesk.Detect(ctx, plesk.Options{}) },
			func(machine) (block.Driver, error) { return opened(plesk.Open(plesk.Options{})) }, false},
		{"cphulk", func(ctx context.Context, _ machine) (bool, string) { return cphulk.Detect(ctx, cphulk.Options{}) },
			func(machine) (block.Driver, error) { return opened(cphulk.Open(cphulk.Options{})) }, false},
		{"cpanel", func(ctx context.Context, m machine) (bool, string) { return cpanel.Detect(ctx, m.cpanel()) },
			func(m machine) (block.Driver, error) { return opened(cpanel.Open(m.cpanel())) }, false},
		{"windows", func(ctx context.Context, _ machine) (bool, string) {
			if runtime.GOOS != "windows" {
				return false, "not Windows"
			}
			return windows.Detect(ctx, windows.Options{})
		},
			func(machine) (block.Driver, error) {
				if runtime.GOOS != "windows" {
					return nil, &block.Error{Driver: "windows", Op: "open", Err: connwarden.ErrUnsupported}
				}
				return opened(windows.Open(windows.Options{}))
			}, true},
		{"null", func(context.Context, machine) (bool, string) {
			return true, "always there; it refuses nothing"
		},
			func(m machine) (block.Driver, error) { return m.null, nil }, false},
	}
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[D block.Driver](d D, err error) (block.Driver, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// driverNames are the names that --with knows here.
func (c *command) driverNames() (names []string) {
	for _, d := range c.drivers() {
		names = append(names, d.name)
	}
	return names
}

// drivers are those of the environment, then the machine's.
func (c *command) drivers() []driver { return append(slices.Clone(c.env.firewalls), drivers()...) }

// mark derives the names of tables and sets from the state folder, so that two instances never touch each other.
func mark(state string) string {
	if standard, _ := stateDir(func(string) string { return "" }); state == standard && runtime.GOOS != "windows" {
		return "connwarden"
	}
	abs, err := filepath.Abs(state)
	if err != nil {
		abs = state
	}
	sum := sha256.Sum256([]byte(abs))
	return "connwarden-" + hex.EncodeToString(sum[:4])
}

// htaccess are the options of that driver: each folder that was named now, by the configuration or by a block before, with
// its page by our configuration or the server's, in the language of the server that runs here.
func (m machine) htaccess() htaccess.Options {
	form := htaccess.Apache24
	servers, _ := host.New("").Servers()
	for _, s := range servers {
		if s.Name == "litespeed" {
			form = htaccess.Rewrite
		}
	}
	var opt htaccess.Options
	for _, dir := range m.allSites() {
		opt.Sites = append(opt.Sites, htaccess.Site{Dir: dir, Page: m.page(dir), Form: form})
	}
	return opt
}

// page is where a site can be asked whether it refuses: by our configuration, else by the server's if that says it beyond doubt.
func (m machine) page(dir string) canary.Page {
	if url := m.pages[dir]; url != "" {
		return canary.Page{URL: url}
	}
	var page canary.Page
	for _, s := range m.found() {
		if s.Name == "" || s.Port == 0 || resolved(s.Dir) != dir {
			continue
		}
		p := canary.Page{URL: "http://" + s.Name + "/"}
		if s.TLS {
			p.URL = "https://" + s.Name + "/"
		}
		p.At = netip.AddrPortFrom(s.Addr, s.Port)
		if !s.Addr.IsValid() {
			p.At = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.Port)
		}
		if p.Check() == nil && (page.URL == "" || !s.TLS) {
			page = p // rather without TLS, whose certificate would only be looked at here
		}
	}
	return page
}

// siteDir is the folder of a site that is named by its folder or its host name.
func (m machine) siteDir(name string) (string, error) {
	dirs := map[string]bool{}
	if !strings.ContainsRune(name, filepath.Separator) {
		for _, s := range m.found() {
			if strings.EqualFold(s.Name, name) {
				dirs[resolved(s.Dir)] = true
			}
		}
	}
	switch {
	case len(dirs) > 1:
		return "", usage("name the folder", "--site: %s has the folders %s", name, strings.Join(slices.Sorted(maps.Keys(dirs)), ", "))
	case len(dirs) == 1:
		name = slices.Collect(maps.Keys(dirs))[0]
	}
	dir, err := filepath.Abs(name)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", m.noSite(name)
	}
	if err == nil {
		var info fs.FileInfo
		if info, err = os.Stat(dir); err == nil && !info.IsDir() {
			return "", m.noSite(name)
		}
	}
	if err != nil {
		return "", usage("the host name of a site that the web server's configuration names, or the folder that it reads .htaccess from", "--site: %w", err)
	}
	return dir, nil
}

// noSite says that there is no such site, and which is called most like it.
func (m machine) noSite(name string) error {
	var names []string
	for _, s := range m.found() {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	hint := "name the folder that the web server reads .htaccess from: no configuration that was found here names a site"
	if near := where.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s? Or name the folder that the web server reads .htaccess from", near)
	}
	return usage(hint, "--site %s: neither a site of the web server's configuration nor a folder", name)
}

// resolved is a folder without links; itself where that cannot be seen.
func resolved(dir string) string {
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		return to
	}
	return dir
}

// cpanel are the options of that driver: the accounts whose homes, /home/USER as a rule, hold the sites.
func (m machine) cpanel() cpanel.Options {
	opt := cpanel.Options{State: filepath.Join(m.state, "cpanel.blocks")}
	for _, dir := range m.allSites() {
		parts := strings.Split(dir, "/")
		if len(parts) < 4 || !strings.HasPrefix(parts[1], "home") {
			continue
		}
		user := parts[2]
		if !slices.ContainsFunc(opt.Accounts, func(a cpanel.Account) bool { return a.User == user }) {
			opt.Accounts = append(opt.Accounts, cpanel.Account{User: user, Dir: dir})
		}
	}
	return opt
}

// allSites are the folders of sites that were named or that the journal knows blocks of.
func (m machine) allSites() []string {
	sites := append(slices.Clone(m.sites), blockedSites(m.state)...)
	slices.Sort(sites)
	return slices.Compact(sites)
}

// blockedSites are the folders of sites that the journal knows blocks of.
func blockedSites(state string) (dirs []string) {
	if !store.Exists(state) {
		return nil
	}
	ctx := context.Background()
	s, err := store.Open(ctx, state)
	if err != nil {
		return nil // whoever needs the journal says so
	}
	defer s.Close()
	all, _ := s.Wishes(ctx)
	for _, w := range all {
		if w.Scope.Kind == connwarden.ScopeSite {
			dirs = append(dirs, w.Scope.Detail)
		}
	}
	return dirs
}

// firewalls opens drivers by name, once.
type firewalls struct {
	list    []driver
	machine machine
	open    map[string]block.Driver
}

// firewalls are those of the machine, with our marks.
func (c *command) firewalls(p *Plan) *firewalls {
	c.null.Do(func() { c.nothing = null.Open() })
	m := machine{mark: mark(p.StateDir), state: p.StateDir, pages: p.Block.Sites, null: c.nothing}
	m.found = sync.OnceValue(func() []host.Site {
		list, _ := host.New("").Sites() // what of a configuration cannot be read is told by doctor
		return list
	})
	for dir := range p.Block.Sites {
		m.sites = append(m.sites, dir)
	}
	slices.Sort(m.sites)
	return &firewalls{list: c.drivers(), machine: m}
}

// get opens a driver, or returns the one that is open.
func (f *firewalls) get(_ context.Context, name string) (block.Driver, error) {
	if d := f.open[name]; d != nil {
		return d, nil
	}
	for _, d := range f.list {
		if d.name != name {
			continue
		}
		o, err := d.open(f.machine)
		if err != nil {
			return nil, err
		}
		if f.open == nil {
			f.open = map[string]block.Driver{}
		}
		f.open[name] = o
		return o, nil
	}
	return nil, fmt.Errorf("firewall %q: %w", name, connwarden.ErrNotFound)
}

// choose returns the names of the drivers to block with: those named, else those of the configuration, else the first that
// opens. A scope of sites is htaccess's.
func (f *firewalls) choose(ctx context.Context, named, configured []string, site bool) ([]string, error) {
	switch {
	case len(named) > 0:
		return named, nil
	case site:
		return []string{"htaccess"}, nil
	case len(configured) > 0:
		return configured, nil
	}
	var reasons []error
	for _, d := range f.list {
		if !d.first {
			continue
		}
		_, err := f.get(ctx, d.name)
		if err == nil {
			return []string{d.name}, nil
		}
		reasons = append(reasons, err)
		if errors.Is(err, connwarden.ErrDenied) {
			break // the others are no nearer to hand for who is not root
		}
	}
	if len(reasons) == 1 {
		return nil, reasons[0]
	}
	return nil, fmt.Errorf("no firewall can be used: %w", errors.Join(reasons...))
}

// splitNames reads the values of --with: names, or lists of them.
func splitNames(values []string) (names []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// blocking tells of each firewall whether connwarden could block with it, and which it would choose.
func (c *command) blocking(ctx context.Context, p *Plan) (probes []report.Probe) {
	walls := c.firewalls(p)
	chosen := ""
	for _, d := range walls.list {
		usable, why := d.detect(ctx, walls.machine)
		answer := host.No
		if usable {
			answer = host.Yes
			if d.first && chosen == "" && len(p.Block.Drivers) == 0 {
				chosen = d.name
				why = "chosen by itself: " + why
			}
		}
		if slices.Contains(p.Block.Drivers, d.name) {
			why = "chosen by the configuration: " + why
		}
		probes = append(probes, report.Probe{Area: "blocking", Name: d.name, Answer: answer.String(), Why: report.Clean(why)})
	}
	return probes
}
