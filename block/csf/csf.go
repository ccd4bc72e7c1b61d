// Package csf denies through ConfigServer Firewall, by its own command line, so that csf and its lfd know of what is denied
// and keep it over a restart. An entry without end goes into csf's list of denials (csf -d), one with an end into its
// temporary list (csf -td), which lfd clears: without a running lfd nothing there would ever end, and then all go into the
// first list and whoever keeps the wish ends them.
//
// csf starts an interpreter for each entry, some tenths of a second, and its lists are short: 200 and 100 entries by
// default (DENY_IP_LIMIT, DENY_TEMP_IP_LIMIT). When one is full, csf silently drops the oldest entry, whoever made it; so
// what would not fit beside the entries of others is refused. csf tells failure by words and ends with status 0 all the
// same: each change is looked up in its lists afterwards, and its words are the error.
//
// The comment of an entry is our mark. Where csf can only take away an entry of others together with ours (csf -tr), it is
// left and the error says so. csf denies in chain INPUT, before it accepts open connections, which therefore fall silent;
// what address translation leads into a container goes round it.
//
// This driver was never run against a real csf: it is tested against a stand-in that does what csf's manual and its
// published source say, refusals included.
package csf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

// Options are what the caller knows.
type Options struct {
	// Name is in the comment of our entries, so that two instances do not meet: a letter, then letters, digits, "-" and
	// "_", at most 40 bytes. Each "-" becomes "_": csf takes "-d" and "-p" for options, also in the midst of a comment.
	Name string
	// Root is a folder that is treated as /; the program is looked for in its usr/sbin. Empty: the machine itself.
	Root string
}

// Driver speaks to csf. It belongs to one goroutine at a time.
type Driver struct {
	mark string
	root string
	run  program.Runner
	conf config
	most int
}

// Open reads csf's configuration. It changes nothing. The error wraps connwarden.ErrUnsupported where csf is not
// installed, is disabled, or is in its TESTING mode, in which it lifts its own rules every few minutes.
func Open(opt Options) (*Driver, error) {
	d := &Driver{mark: strings.ReplaceAll(opt.Name, "-", "_"), root: opt.Root, run: program.In()}
	if opt.Root != "" {
		d.run = program.In(filepath.Join(opt.Root, "usr", "sbin"))
	}
	if !validName(opt.Name) {
		return nil, d.failed("open", fmt.Errorf("name %q: want a letter, then letters, digits, - and _, at most 40 bytes", opt.Name), netip.Prefix{})
	}
	l, err := d.read()
	if err != nil {
		return nil, d.failed("open", err, netip.Prefix{})
	}
	if d.conf.denyLimit+d.conf.tempLimit > 0 {
		d.most = max(1, l.room(&d.conf)) // 0 would say that there is no bound
	}
	return d, nil
}

// Detect tells whether csf is there and in force, and why. It changes nothing.
func Detect(context.Context) (ok bool, why string) {
	d, err := Open(Options{Name: "connwarden"})
	if err != nil {
		return false, errors.Unwrap(err).Error()
	}
	why = "/etc/csf/csf.conf; lfd is running"
	if !d.conf.lfd {
		why = "/etc/csf/csf.conf; lfd is not running: csf ends nothing by itself"
	}
	return true, why
}

// Name returns "csf".
func (d *Driver) Name() string { return "csf" }

// Properties tell what csf's configuration allows, as it was when the driver was opened.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Expiry: d.conf.lfd, Scopes: []connwarden.ScopeKind{connwarden.ScopeAll},
		Prefixes: true, IPv6: d.conf.ipv6, Most: d.most, Lists: true,
		About: "csf's own lists: drops all that a source sends to this machine, open connections too; ports of containers go on",
	}
}

// Close does nothing: what is held stays held.
func (d *Driver) Close() error { return nil }

// Apply removes and adds, one command an entry.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	steps, err := d.steps(add, remove)
	if err != nil {
		return err
	}
	for i, s := range steps {
		if err := d.take(ctx, s); err != nil {
			if i > 0 || ctx.Err() != nil { // what was ended in its midst may have been done
				err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
			}
			return d.failed(s.op, err, s.target)
		}
	}
	return nil
}

// step is one command.
type step struct {
	op     string // "add" or "remove"
	verb   string // csf's option
	target netip.Prefix
	until  time.Time // of -td
}

// args are the words of the command. Of less than two seconds csf makes an hour.
func (d *Driver) args(s step) []string {
	switch args := []string{s.verb, word(s.target)}; s.verb {
	case "-td":
		left := max(2, (time.Until(s.until)+time.Second-1)/time.Second)
		return append(args, strconv.FormatInt(int64(left), 10), d.mark)
	case "-d":
		return append(args, d.mark)
	default:
		return args
	}
}

// done tells whether csf's lists show what the command was to do.
func (s *step) done(l *lists) bool {
	switch s.verb {
	case "-d":
		return l.deny[s.target]
	case "-dr":
		return !l.deny[s.target]
	case "-td":
		return !l.temp[s.target].IsZero()
	default:
		return l.temp[s.target].IsZero()
	}
}

// take runs a command and looks whether it did what it was told.
func (d *Driver) take(ctx context.Context, s step) error {
	args := d.args(s)
	out, err := d.run(ctx, "csf", args...)
	if err != nil {
		return err
	}
	l, err := d.read()
	if err != nil {
		return err
	}
	if !s.done(l) {
		return fmt.Errorf("csf %s: it says %q", strings.Join(args, " "), saying(out, word(s.target)))
	}
	return nil
}

// saying is the line of csf's words that names the target, or the first.
func saying(out []byte, target string) string {
	first := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, target) {
			return line[:min(len(line), 300)]
		}
		if first == "" {
			first = line
		}
	}
	return first[:min(len(first), 300)]
}

// steps compares what is wanted with what is there: removals, then additions. It refuses what cannot be held.
func (d *Driver) steps(add, remove []block.Entry) ([]step, error) {
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	l, err := d.read()
	if err != nil {
		return nil, d.failed("list", err, netip.Prefix{})
	}
	p := d.Properties()
	now := time.Now()
	wanted := map[netip.Prefix]time.Time{}
	gone := map[netip.Prefix]bool{}
	for _, e := range remove {
		gone[e.Target] = gone[e.Target] || e.Scope == connwarden.Scope{}
	}
	var order []netip.Prefix
	for _, e := range add {
		if err := holds(&p, e); err != nil {
			return nil, d.failed("add", err, e.Target)
		}
		if d.conf.lfd && !e.Until.IsZero() && !e.Until.After(now) {
			gone[e.Target] = true
			continue
		}
		if !d.conf.lfd {
			e.Until = time.Time{}
		}
		if _, twice := wanted[e.Target]; !twice {
			order = append(order, e.Target)
		}
		wanted[e.Target] = e.Until
	}
	left := len(wanted)
	for _, target := range l.ours() {
		if _, again := wanted[target]; !again && !gone[target] {
			left++
		}
	}
	if room := l.room(&d.conf); len(wanted) > 0 && left > room {
		return nil, d.failed("add", fmt.Errorf("%d entries where csf has room for %d (DENY_IP_LIMIT, DENY_TEMP_IP_LIMIT in /etc/csf/csf.conf, less the entries of others): %w",
			left, room, connwarden.ErrUnsupported), netip.Prefix{})
	}
	var steps []step
	for _, target := range l.ours() {
		if _, again := wanted[target]; gone[target] && !again {
			if steps, err = d.lift(steps, l, target); err != nil {
				return nil, err
			}
		}
	}
	for _, target := range order {
		if steps, err = d.deny(steps, l, target, wanted[target]); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// lift appends what takes a target away, from both lists.
func (d *Driver) lift(steps []step, l *lists, target netip.Prefix) ([]step, error) {
	if l.deny[target] {
		steps = append(steps, step{op: "remove", verb: "-dr", target: target})
	}
	if !l.temp[target].IsZero() {
		if whose, too := l.theirs[target]; too {
			return nil, d.failed("remove", fmt.Errorf("csf -tr would also lift what is not ours, %q; look with csf -t, then lift it by hand", whose), target)
		}
		steps = append(steps, step{op: "remove", verb: "-tr", target: target})
	}
	return steps, nil
}

// deny appends what denies a target until a time. csf does not move an end: what has another is lifted first, which
// leaves a gap of some tenths of a second.
func (d *Driver) deny(steps []step, l *lists, target netip.Prefix, until time.Time) ([]step, error) {
	end, timed := l.temp[target], !l.temp[target].IsZero()
	switch {
	case until.IsZero() && l.deny[target], timed && !l.deny[target] && end.Sub(until).Abs() <= time.Second:
		return steps, nil
	case until.IsZero():
		steps = append(steps, step{op: "add", verb: "-d", target: target})
		if !timed {
			return steps, nil
		}
		return d.lift(steps, &lists{temp: l.temp, theirs: l.theirs}, target)
	}
	steps, err := d.lift(steps, l, target)
	if err != nil {
		return nil, err
	}
	return append(steps, step{op: "add", verb: "-td", target: target, until: until}), nil
}

// List returns the entries of csf's lists that have our mark.
func (d *Driver) List(context.Context) ([]block.Entry, error) {
	l, err := d.read()
	if err != nil {
		return nil, d.failed("list", err, netip.Prefix{})
	}
	var list []block.Entry
	for _, target := range l.ours() {
		e := block.Entry{Target: target}
		if !l.deny[target] {
			e.Until = l.temp[target]
		}
		list = append(list, e)
	}
	return list, nil
}

// Flush lifts all that has our mark.
func (d *Driver) Flush(ctx context.Context) error {
	l, err := d.read()
	if err != nil {
		return d.failed("flush", err, netip.Prefix{})
	}
	var steps []step
	for _, target := range l.ours() {
		if steps, err = d.lift(steps, l, target); err != nil {
			return err
		}
	}
	for _, s := range steps {
		if err := d.take(ctx, s); err != nil {
			return d.failed("flush", err, s.target)
		}
	}
	return nil
}

// Prove asks csf which rule of iptables, or which of its sets, denies the target.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (string, error) {
	p := d.Properties()
	if err := holds(&p, e); err != nil {
		return "", d.failed("prove", err, e.Target)
	}
	l, err := d.read()
	if err != nil {
		return "", d.failed("prove", err, e.Target)
	}
	if !l.deny[e.Target] && l.temp[e.Target].IsZero() {
		return "", d.failed("prove", fmt.Errorf("csf's lists do not have it: %w", connwarden.ErrNotFound), e.Target)
	}
	out, err := d.run(ctx, "csf", "-g", word(e.Target))
	if err != nil {
		return "", d.failed("prove", err, e.Target)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if strings.Contains(line, " DENYIN ") || strings.HasPrefix(line, "IPSET: Set:chain_") && strings.Contains(line, "DENY") {
			return "csf -g: " + strings.Join(fields, " "), nil
		}
	}
	return "", d.failed("prove", fmt.Errorf("it is in csf's lists, but csf -g shows no rule: is csf stopped? %w", connwarden.ErrNotFound), e.Target)
}

// Plan returns the command lines that would be run.
func (d *Driver) Plan(_ context.Context, add, remove []block.Entry) ([]string, error) {
	steps, err := d.steps(add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, "csf "+strings.Join(d.args(s), " "))
	}
	return lines, nil
}

// holds tells whether an entry can be held, the number aside.
func holds(p *block.Properties, e block.Entry) error {
	if e.Scope.Kind == connwarden.ScopeAll && e.Scope.Detail != "" {
		return fmt.Errorf("scope %q: %w", e.Scope, connwarden.ErrUnsupported)
	}
	return p.Holds(e)
}

// word writes a target as csf does: an address without its length.
func word(target netip.Prefix) string {
	if target.IsSingleIP() {
		return target.Addr().String()
	}
	return target.String()
}

func validName(name string) bool {
	if name == "" || len(name) > 40 {
		return false
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return true
}

func (d *Driver) failed(op string, err error, target netip.Prefix) error {
	e := &block.Error{Driver: d.Name(), Op: op, Err: err}
	if target.IsValid() {
		e.Target = target.String()
	}
	return e
}
