// Package cpanel denies by account on a cPanel machine, as the customer's own page "IP Blocker" does: for visits to all
// sites of one account, by lines that cPanel writes into the account's .htaccess files.
//
// cPanel's list has no room for a mark. So what we add is first written down in a file of ours, and ours is what stands
// both there and on cPanel's list. A target that the customer has put on the list stays his: it is denied already, is not
// listed as ours, and is not taken away by us.
//
// It was written from the documentation of UAPI (BlockIP, version 11.138) and of cPanel API 2 (DenyIp::listdenyips, which
// has no successor), and tested against stand-ins that answer as their examples do, refusals included. cPanel itself was
// not at hand.
package cpanel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

const name = "cpanel"

// Account is an account of cPanel.
type Account struct {
	User string // its name
	// Dir is the folder of its main site, as a rule /home/USER/public_html: the detail of the scopes that the driver
	// takes. All sites of the account are denied, not only this one.
	Dir string
}

// Options are what the caller knows.
type Options struct {
	Accounts []Account
	// State is the file that says what we added, absolute, in a folder that only root writes to.
	State string
	// Run starts programs; nil: program.In().
	Run program.Runner
}

// Driver speaks to cPanel by the programs uapi and cpapi2, as root. It belongs to one goroutine at a time.
type Driver struct{ opt Options }

// userName is what cPanel takes for the name of an account.
var userName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Open checks the options and asks nobody.
func Open(opt Options) (*Driver, error) {
	if opt.Run == nil {
		opt.Run = program.In()
	}
	var err error
	if !filepath.IsAbs(opt.State) {
		err = fmt.Errorf("state file %q is not an absolute path", opt.State)
	}
	for i, a := range opt.Accounts {
		switch {
		case !userName.MatchString(a.User):
			err = fmt.Errorf("%q is no name of an account", a.User)
		case !filepath.IsAbs(a.Dir):
			err = fmt.Errorf("account %s: folder %q is not an absolute path", a.User, a.Dir)
		case slices.ContainsFunc(opt.Accounts[:i], func(o Account) bool { return o.User == a.User || o.Dir == a.Dir }):
			err = fmt.Errorf("account %s or folder %s is named twice", a.User, a.Dir)
		}
	}
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "open", Err: err}
	}
	return &Driver{opt}, nil
}

// Detect asks for the list of the first account. It changes nothing.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	d, err := Open(opt)
	switch {
	case err != nil:
		return false, err.Error()
	case len(opt.Accounts) == 0:
		return false, "no account is known"
	}
	_, err = d.listed(ctx, opt.Accounts[0].User)
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
		return false, "program cpapi2 is not installed"
	case err != nil:
		return false, err.Error()
	}
	return true, fmt.Sprintf("cPanel answers for account %s; %d accounts are known", opt.Accounts[0].User, len(opt.Accounts))
}

// Name returns "cpanel".
func (d *Driver) Name() string { return name }

// Properties tell of a list by account without ends.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes: []connwarden.ScopeKind{connwarden.ScopeSite}, Prefixes: true, IPv6: true, Lists: true,
		About: "visits to all sites of one cPanel account, by its IP Blocker; connections stay possible",
	}
}

func scope(dir string) connwarden.Scope {
	return connwarden.Scope{Kind: connwarden.ScopeSite, Detail: dir}
}

// List asks for the lists of all accounts and returns what we added.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	ours, err := read(d.opt.State)
	var list []block.Entry
	for _, a := range d.opt.Accounts {
		if err != nil || len(ours[a.User]) == 0 {
			continue
		}
		var listed map[netip.Prefix]bool
		listed, err = d.listed(ctx, a.User)
		for p := range ours[a.User] {
			if listed[p] {
				list = append(list, block.Entry{Target: p, Scope: scope(a.Dir)})
			}
		}
	}
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	return list, nil
}

// change is what a wish means for one account: what is to be taken from and put on cPanel's list, and written down.
type change struct {
	user                string
	remove, forget, add []netip.Prefix // forget: what somebody else took from the list already
}

// plan compares a wish with cPanel's lists.
func (d *Driver) plan(ctx context.Context, ours record, add, remove []block.Entry) ([]*change, error) {
	if err := d.check(add, remove); err != nil {
		return nil, err
	}
	var plan []*change
	for _, a := range d.opt.Accounts {
		here := func(e block.Entry) bool { return e.Scope == scope(a.Dir) }
		if !slices.ContainsFunc(add, here) && !slices.ContainsFunc(remove, here) {
			continue
		}
		listed, err := d.listed(ctx, a.User)
		if err != nil {
			return nil, &block.Error{Driver: name, Op: "list", Target: a.User, Err: err}
		}
		c := &change{user: a.User}
		for _, e := range remove {
			p := e.Target.Masked()
			switch {
			case !here(e) || !ours[a.User][p]:
			case listed[p]:
				c.remove = append(c.remove, p)
				delete(listed, p)
			default:
				c.forget = append(c.forget, p)
			}
		}
		for _, e := range add {
			if p := e.Target.Masked(); here(e) && !listed[p] {
				c.add = append(c.add, p)
				listed[p] = true
			}
		}
		plan = append(plan, c)
	}
	return plan, nil
}

// check refuses what cannot be held.
func (d *Driver) check(add, remove []block.Entry) error {
	known := map[connwarden.Scope]bool{}
	for _, a := range d.opt.Accounts {
		known[scope(a.Dir)] = true
	}
	props := d.Properties()
	for _, e := range add {
		err := props.Holds(e)
		if err == nil && !known[e.Scope] {
			err = fmt.Errorf("no account has the folder %q: %w", e.Scope.Detail, connwarden.ErrUnsupported)
		}
		if err != nil {
			return &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	for _, e := range remove {
		if e.Scope.Kind == connwarden.ScopeSite && !known[e.Scope] {
			err := fmt.Errorf("no account has the folder %q: %w", e.Scope.Detail, connwarden.ErrNotFound)
			return &block.Error{Driver: name, Op: "remove", Target: e.Target.String(), Err: err}
		}
	}
	return nil
}

// Apply takes away and adds, one target a call: cPanel takes no more.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	ours, err := read(d.opt.State)
	if err != nil {
		return &block.Error{Driver: name, Op: "open", Err: err}
	}
	plan, err := d.plan(ctx, ours, add, remove)
	if err != nil {
		return err
	}
	return d.do(ctx, ours, plan)
}

// do carries a plan out. What is added is written down before, and what is taken away after, so that nothing of ours is
// ever on a list that we do not know of.
func (d *Driver) do(ctx context.Context, ours record, plan []*change) error {
	done := 0
	fail := func(op, target string, err error) error {
		if done > 0 {
			err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
		}
		return &block.Error{Driver: name, Op: op, Target: target, Err: err}
	}
	for _, c := range plan {
		for _, p := range c.remove {
			if err := d.blockIP(ctx, c.user, "remove_ip", p); err != nil {
				return fail("remove", block.Show(p), err)
			}
			done++
			delete(ours[c.user], p)
		}
		for _, p := range c.forget {
			delete(ours[c.user], p)
		}
		for _, p := range c.add {
			ours.put(c.user, p)
		}
		if len(c.remove)+len(c.forget)+len(c.add) > 0 {
			if err := write(d.opt.State, ours); err != nil {
				return fail("add", c.user, err)
			}
		}
		for _, p := range c.add {
			if err := d.blockIP(ctx, c.user, "add_ip", p); err != nil {
				return fail("add", block.Show(p), err)
			}
			done++
		}
	}
	return nil
}

// Flush takes away what we added, and the file that says so, unless it speaks of accounts that are not known.
func (d *Driver) Flush(ctx context.Context) error {
	ours, err := read(d.opt.State)
	var all []block.Entry
	for _, a := range d.opt.Accounts {
		for p := range ours[a.User] {
			all = append(all, block.Entry{Target: p, Scope: scope(a.Dir)})
		}
	}
	if err == nil {
		err = d.Apply(ctx, nil, all)
	}
	if e := (*block.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return &block.Error{Driver: name, Op: "flush", Err: err}
	}
	return nil
}

// Plan returns the commands.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	ours, err := read(d.opt.State)
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "open", Err: err}
	}
	plan, err := d.plan(ctx, ours, add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, c := range plan {
		for _, p := range c.remove {
			lines = append(lines, "uapi "+strings.Join(arguments(c.user, "remove_ip", p), " "))
		}
		for _, p := range c.add {
			lines = append(lines, "uapi "+strings.Join(arguments(c.user, "add_ip", p), " "))
		}
	}
	return lines, nil
}

// Close does nothing: what is on the lists stays.
func (d *Driver) Close() error { return nil }
