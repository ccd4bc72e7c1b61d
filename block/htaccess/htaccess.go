// Package htaccess denies by site: a marked section of ours in the .htaccess file of the site's folder, which Apache and
// its kin read at each request. It needs no firewall and no restart, and shuts nobody out of other sites.
//
// The section stands at the head of the file and is written whole; all other bytes of the file stay as they are. The
// file is replaced in one step, keeps owner and mode, and is made and taken away by us where there was none. Sites belong
// to users, so no link is followed, neither for the file nor in the path of its folder.
//
// What a server makes of the section is not known before it is asked: AllowOverride None ignores it, a narrower
// AllowOverride answers 500 to everyone, "Satisfy Any" lets everyone in. So a section is marked as not proved until a page
// of the site was asked for before and after: the address canary.Denied, which the section names too, must be refused and
// its neighbour must not. Otherwise the section that stood there before is put back, and the error says what to set. A
// section that is found without proof, because we died in between, counts as nothing.
package htaccess

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/canary"
)

// Site is a folder whose .htaccess file may be written.
type Site struct {
	// Dir is the folder that the server reads access rules from, as a rule the document root: absolute, clean and
	// without links, as filepath.EvalSymlinks returns it. It is the detail of the scopes that the driver takes.
	Dir string
	// Page is where the site can be asked. Without it nothing is proved: what is written is believed to be in force.
	Page canary.Page
	// Form is the language of the server.
	Form Form
}

// Options are what the caller knows.
type Options struct {
	Sites []Site
	// Restart, if not nil, is called after each change of a file in the form Rewrite: OpenLiteSpeed reads such files
	// when it starts and not again.
	Restart func(ctx context.Context) error
}

// Driver writes the files of some sites. It belongs to one goroutine at a time.
type Driver struct {
	sites   []Site
	restart func(ctx context.Context) error
}

const name = "htaccess"

// Open checks the options and touches nothing.
func Open(opt Options) (*Driver, error) {
	for i, s := range opt.Sites {
		var err error
		switch {
		case !filepath.IsAbs(s.Dir) || filepath.Clean(s.Dir) != s.Dir || strings.ContainsAny(s.Dir, "\x00\r\n"):
			err = fmt.Errorf("site folder %q is not an absolute, clean path", s.Dir)
		case slices.ContainsFunc(opt.Sites[:i], func(o Site) bool { return o.Dir == s.Dir }):
			err = fmt.Errorf("site folder %q is named twice", s.Dir)
		case s.Form >= formEnd:
			err = fmt.Errorf("site folder %q: form %d is not known", s.Dir, s.Form)
		case s.Page.URL != "":
			err = s.Page.Check()
		}
		if err != nil {
			return nil, &block.Error{Driver: name, Op: "open", Target: s.Dir, Err: err}
		}
	}
	return &Driver{slices.Clone(opt.Sites), opt.Restart}, nil
}

// Detect tells for how many of the sites the file could be written, and why not for the first of the others. It changes
// nothing and asks no server.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	if len(opt.Sites) == 0 {
		return false, "no folder of a site is known"
	}
	good, first := 0, ""
	for _, s := range opt.Sites {
		err := ctx.Err()
		if err == nil {
			err = writable(s.Dir)
		}
		if err == nil {
			good++
		} else if first == "" {
			first = "; " + err.Error()
		}
	}
	return good > 0, fmt.Sprintf("%d of %d sites take a .htaccess file%s", good, len(opt.Sites), first)
}

// Name returns "htaccess".
func (d *Driver) Name() string { return name }

// Properties tell of a list that is asked for at each request and ends nothing by itself.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes: []connwarden.ScopeKind{connwarden.ScopeSite}, Prefixes: true, IPv6: true, Lists: true,
		About: "requests to one site, by a section of ours in its .htaccess file; connections stay possible",
	}
}

// List reads the files. A site whose folder is gone has nothing.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	var list []block.Entry
	for _, s := range d.sites {
		err := ctx.Err()
		var sec section
		if err == nil {
			sec, err = read(s.Dir)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, &block.Error{Driver: name, Op: "list", Target: s.Dir, Err: err}
		}
		for _, target := range sec.inForce() {
			list = append(list, block.Entry{Target: target, Scope: scope(s.Dir)})
		}
	}
	return list, nil
}

func scope(dir string) connwarden.Scope {
	return connwarden.Scope{Kind: connwarden.ScopeSite, Detail: dir}
}

// Apply changes the files, one site after the other. Where a page is known and something is added, it is asked for
// before and after, and a change that breaks the site or has no effect is taken back; the error then wraps
// connwarden.ErrUnsupported and canary.ErrBroken or canary.ErrIneffective. What is only taken away needs no proof.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	plan, err := d.plan(add, remove)
	if err != nil {
		return err
	}
	for i, c := range plan {
		if err := d.change(ctx, c); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
			}
			return &block.Error{Driver: name, Op: c.op(), Target: c.Dir, Err: err}
		}
	}
	return nil
}

// change is what becomes of one site.
type change struct {
	Site
	add, remove []netip.Prefix
}

func (c *change) op() string {
	if len(c.add) > 0 {
		return "add"
	}
	return "remove"
}

// after returns the section that follows another. It keeps the order of targets, so that the same list makes the same
// text.
func (c *change) after(sec section) section {
	held := make(map[netip.Prefix]bool, len(sec.targets)+len(c.add))
	for _, p := range sec.inForce() {
		held[p] = true
	}
	for _, p := range c.remove {
		delete(held, p)
	}
	for _, p := range c.add {
		held[p] = true
	}
	targets := make([]netip.Prefix, 0, len(held))
	for p := range held {
		targets = append(targets, p)
	}
	slices.SortFunc(targets, netip.Prefix.Compare)
	return section{targets: targets}
}

// plan sorts entries by site and refuses what cannot be held, before anything is changed.
func (d *Driver) plan(add, remove []block.Entry) ([]*change, error) {
	changes := map[string]*change{}
	of := func(e block.Entry) (*change, error) {
		if c := changes[e.Scope.Detail]; c != nil {
			return c, nil
		}
		i := slices.IndexFunc(d.sites, func(s Site) bool { return s.Dir == e.Scope.Detail })
		if i < 0 {
			return nil, fmt.Errorf("no site has the folder %q", e.Scope.Detail)
		}
		changes[e.Scope.Detail] = &change{Site: d.sites[i]}
		return changes[e.Scope.Detail], nil
	}
	props := d.Properties()
	for _, e := range remove {
		if e.Scope.Kind != connwarden.ScopeSite {
			continue // never held
		}
		c, err := of(e)
		if err != nil {
			return nil, &block.Error{Driver: name, Op: "remove", Target: e.Target.String(), Err: fmt.Errorf("%w: %w", err, connwarden.ErrNotFound)}
		}
		c.remove = append(c.remove, e.Target.Masked())
	}
	for _, e := range add {
		err := props.Holds(e)
		var c *change
		if err == nil {
			if c, err = of(e); err != nil {
				err = fmt.Errorf("%w: %w", err, connwarden.ErrUnsupported)
			}
		}
		if err == nil && canary.Reserved(e.Target) {
			err = fmt.Errorf("the loopback network is where proofs come from: %w", connwarden.ErrUnsupported)
		}
		if err != nil {
			return nil, &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
		c.add = append(c.add, e.Target.Masked())
	}
	var list []*change
	for _, s := range d.sites {
		if c := changes[s.Dir]; c != nil {
			list = append(list, c)
		}
	}
	return list, nil
}

// change brings one file to what is wanted and proves it.
func (d *Driver) change(ctx context.Context, c *change) error {
	was, err := read(c.Dir)
	if errors.Is(err, fs.ErrNotExist) && len(c.add) == 0 {
		return nil // the folder is gone, and with it what it denied
	}
	if err != nil {
		return err
	}
	next := c.after(was)
	if !was.unproved && slices.Equal(next.targets, was.targets) {
		return nil
	}
	prove := len(c.add) > 0 && c.Page.URL != ""
	if prove {
		before, err := c.Page.Look(ctx)
		if err == nil {
			err = before.Refusals()
		}
		if err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	next.unproved = prove
	if err := d.write(ctx, c.Site, next); err != nil {
		return err
	}
	if !prove {
		return nil
	}
	if err := c.proved(ctx); err != nil {
		// The site must not stay broken because whoever asked for the block has gone.
		if back := d.write(context.WithoutCancel(ctx), c.Site, was); back != nil {
			return fmt.Errorf("%w; what stood there before could not be put back: %w", err, back)
		}
		return fmt.Errorf("%w; what stood there before was put back", err)
	}
	return mark(c.Site)
}

// proved asks the site, and says what to set if it does not refuse as it should.
func (c *change) proved(ctx context.Context) error {
	answers, err := c.Page.Look(ctx)
	if err == nil {
		err = answers.InForce()
	}
	switch {
	case errors.Is(err, canary.ErrIneffective):
		return fmt.Errorf("%w: the server does not heed %s: %s; behind a proxy of this machine it also needs mod_remoteip: %w",
			err, filepath.Join(c.Dir, fileName), c.Form.remedy(c.Dir), connwarden.ErrUnsupported)
	case errors.Is(err, canary.ErrBroken):
		return fmt.Errorf("%w: the server's error log names what it refuses; %s: %w", err, c.Form.remedy(c.Dir), connwarden.ErrUnsupported)
	}
	return err
}

func (d *Driver) write(ctx context.Context, s Site, sec section) error {
	err := update(s.Dir, s.Form, func(section) section { return sec })
	if err == nil && s.Form == Rewrite && d.restart != nil {
		if err = d.restart(ctx); err != nil {
			err = fmt.Errorf("restart the server, so that it reads %s: %w", filepath.Join(s.Dir, fileName), err)
		}
	}
	return err
}

// mark takes the mark of what is not proved away. No server needs to read that.
func mark(s Site) error {
	return update(s.Dir, s.Form, func(sec section) section {
		sec.unproved = false
		return sec
	})
}

// Flush takes our section out of every file, and the files away that we made.
func (d *Driver) Flush(ctx context.Context) error {
	for i, s := range d.sites {
		err := ctx.Err()
		var was section
		if err == nil {
			was, err = read(s.Dir)
		}
		if err == nil && was.present {
			err = d.write(ctx, s, section{})
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if i > 0 {
			err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
		}
		return &block.Error{Driver: name, Op: "flush", Target: s.Dir, Err: err}
	}
	return nil
}

// Prove asks the entry's site for a page. The error wraps connwarden.ErrUnsupported where no page is known.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (seen string, err error) {
	seen, err = d.prove(ctx, e)
	if err != nil {
		return "", &block.Error{Driver: name, Op: "prove", Target: e.Target.String(), Err: err}
	}
	return seen, nil
}

func (d *Driver) prove(ctx context.Context, e block.Entry) (string, error) {
	i := slices.IndexFunc(d.sites, func(s Site) bool { return scope(s.Dir) == e.Scope })
	if i < 0 {
		return "", fmt.Errorf("no site has the scope %s: %w", e.Scope, connwarden.ErrNotFound)
	}
	c := change{Site: d.sites[i]}
	sec, err := read(c.Dir)
	if err != nil {
		return "", err
	}
	if !slices.Contains(sec.inForce(), e.Target.Masked()) {
		return "", fmt.Errorf("%s does not deny it: %w", filepath.Join(c.Dir, fileName), connwarden.ErrNotFound)
	}
	if c.Page.URL == "" {
		return "", fmt.Errorf("no address of the site is known, so that it cannot be asked: %w", connwarden.ErrUnsupported)
	}
	answers, err := c.Page.Look(ctx)
	if err == nil {
		err = answers.InForce()
	}
	if err != nil {
		return "", err
	}
	return "listed in " + filepath.Join(c.Dir, fileName) + "; the server answers " + answers.String(), nil
}

// Plan returns the sections that Apply would write, each after a line with the file's name.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	changes, err := d.plan(add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, c := range changes {
		err := ctx.Err()
		var was section
		if err == nil {
			was, err = read(c.Dir)
		}
		if err != nil {
			return nil, &block.Error{Driver: name, Op: c.op(), Target: c.Dir, Err: err}
		}
		next := c.after(was)
		if slices.Equal(next.targets, was.inForce()) {
			continue
		}
		file := filepath.Join(c.Dir, fileName)
		if len(next.targets) == 0 {
			lines = append(lines, "take our section out of "+file)
			continue
		}
		lines = append(lines, "write to the head of "+file+":")
		text := strings.TrimSuffix(string(next.render(c.Form, "\n")), "\n")
		lines = append(lines, strings.Split(text, "\n")...)
	}
	return lines, nil
}

// Close does nothing: what is written stays in force.
func (d *Driver) Close() error { return nil }
