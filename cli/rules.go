package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/watch"
)

// loadRules reads the shipped rules and those of the user's folder, which win by name.
func (c *command) loadRules(p *Plan) (*rules.Set, error) {
	var list []rules.Rule
	files := rules.Shipped()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, errs := rules.Parse("shipped/"+name, files[name])
		if len(errs) > 0 {
			return nil, errors.Join(errs...)
		}
		list = rules.Merge(list, more)
	}
	own, err := readRules(p.Rules, false)
	if err != nil {
		return nil, err
	}
	list = rules.Merge(list, own)
	list = slices.DeleteFunc(list, func(r rules.Rule) bool { return slices.Contains(p.RulesOff, r.Name) })
	return rules.Compile(list)
}

// readRules reads the rule files of a folder, or one file. That there is no folder is an error only if it was named.
func readRules(place string, named bool) ([]rules.Rule, error) {
	info, err := os.Stat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read rules: %w", err)
	}
	names := []string{place}
	if info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(place, "*.toml")); err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
	}
	var list []rules.Rule
	var all []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			all = append(all, fmt.Errorf("read rules: %w", err))
			continue
		}
		more, errs := rules.Parse(name, text)
		all = append(all, errs...)
		list = rules.Merge(list, more)
	}
	return list, errors.Join(all...)
}

func (c *command) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List, show, check and test the rules",
		Long: `Rules say what harms: which lines of a log speak against a peer, grouped by what, and how many within which time are too many.
Those that ship with the program are joined by the files in /etc/connwarden/rules.d; a rule there replaces the shipped one of
the same name. docs/rules.md teaches the language.

Exit codes: 0 done; 1 a rule is wrong or fails its examples; 2 used wrongly.`,
		Example: "  connwarden rules list\n  connwarden rules show wordpress-login-bruteforce\n  connwarden rules check my-rules.toml\n  connwarden rules test",
		Args:    cobra.NoArgs,
		RunE:    c.rulesList,
	}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "One line a rule", Args: cobra.NoArgs, RunE: c.rulesList},
		&cobra.Command{Use: "show NAME...", Short: "The whole of a rule, as it is written in a file", Args: cobra.MinimumNArgs(1), RunE: c.rulesShow},
		&cobra.Command{Use: "check [FILE|DIR...]", Short: "Read rules and say what is wrong with them", RunE: c.rulesCheck},
		&cobra.Command{Use: "test [NAME|FILE...]", Short: "Run the examples of rules: what must fire them, and what they must spare", RunE: c.rulesTest},
	)
	return cmd
}

func (c *command) ruleSet() (*rules.Set, error) {
	p, err := c.start()
	if err != nil {
		return nil, err
	}
	return c.loadRules(p)
}

func (c *command) rulesList(*cobra.Command, []string) error {
	set, err := c.ruleSet()
	if err != nil {
		return err
	}
	d := rulesDocument(set.Rules)
	return c.print(d, func(t *report.Text, w io.Writer) error { return t.Rules(w, d) }, func(v *report.CSV) error { return v.Rules(d) })
}

func rulesDocument(list []rules.Rule) *report.Rules {
	d := &report.Rules{Schema: report.SchemaRules, Rules: make([]report.Rule, len(list)), Problems: []report.Problem{}}
	for i := range list {
		d.Rules[i] = ruleDocument(&list[i])
	}
	return d
}

func ruleDocument(r *rules.Rule) report.Rule {
	return report.Rule{
		Name: r.Name, About: r.About, Look: r.Look.String(), Where: r.Where, By: r.By.String(), Count: r.Count, Distinct: r.Distinct,
		Within: r.Within.Seconds(), Score: r.Score, Most: r.Most, Family: r.Family, Capped: r.Capped, Member: r.Member, File: r.File, Line: r.Line,
	}
}

func (c *command) rulesShow(_ *cobra.Command, args []string) error {
	set, err := c.ruleSet()
	if err != nil {
		return err
	}
	for _, name := range args {
		i := slices.IndexFunc(set.Rules, func(r rules.Rule) bool { return r.Name == name })
		if about := judge.About(name); i < 0 && about != "" {
			return usage("it cannot be changed", "%q comes from no rule of the language: %s", name, about)
		}
		if i < 0 {
			return usage("connwarden rules list names them all", "there is no rule %q", name)
		}
		if c.flags.json {
			if err := report.JSON(c.env.Stdout, ruleDocument(&set.Rules[i])); err != nil {
				return err
			}
			continue
		}
		if _, err := io.WriteString(c.env.Stdout, rules.Format(&set.Rules[i])); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) rulesCheck(_ *cobra.Command, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	var list []rules.Rule
	var wrong error
	if len(args) == 0 {
		set, err := c.loadRules(p)
		if err == nil {
			list = set.Rules
		}
		wrong = err
	}
	for _, name := range args {
		more, err := readRules(name, true)
		list, wrong = append(list, more...), errors.Join(wrong, err)
	}
	if wrong != nil && !c.flags.json && !c.flags.csv {
		return wrong
	}
	d := rulesDocument(list)
	if wrong != nil {
		for line := range strings.Lines(wrong.Error()) {
			d.Problems = append(d.Problems, report.Problem{What: "rules", Why: strings.TrimSuffix(line, "\n")})
		}
	}
	return c.printRules(d, func(w io.Writer) { fmt.Fprintf(w, "%d rules, nothing wrong\n", len(list)) })
}

// printRules prints what was found out about rules: the document, or for people a sentence. Each problem is a failure.
func (c *command) printRules(d *report.Rules, say func(io.Writer)) error {
	err := c.print(d, func(_ *report.Text, w io.Writer) error { say(w); return nil }, func(v *report.CSV) error { return v.Rules(d) })
	if err == nil && len(d.Problems) > 0 {
		return &exitError{code: exitFailed}
	}
	return err
}

func (c *command) rulesTest(_ *cobra.Command, args []string) error {
	set, err := c.ruleSet()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, a := range args {
		if slices.ContainsFunc(set.Rules, func(r rules.Rule) bool { return r.Name == a }) {
			wanted[a] = true
			continue
		}
		if !strings.ContainsAny(a, "./\\") {
			return usage("connwarden rules list names them all", "there is no rule and no file %q", a)
		}
		list, err := readRules(a, true)
		if err != nil {
			return err
		}
		for _, r := range list {
			wanted[r.Name] = true
		}
		if set, err = rules.Compile(rules.Merge(set.Rules, list)); err != nil {
			return err
		}
	}
	d := rulesDocument(nil)
	tested, failed := 0, 0
	d.Tested, d.Failed = &tested, &failed
	for i := range set.Rules {
		r := &set.Rules[i]
		if len(args) > 0 && !wanted[r.Name] {
			continue
		}
		tested++
		d.Rules = append(d.Rules, ruleDocument(r))
		if err := watch.TestRule(set, r); err != nil {
			failed++
			d.Problems = append(d.Problems, report.Problem{What: fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Name), Why: err.Error()})
		}
	}
	return c.printRules(d, func(w io.Writer) {
		for _, p := range d.Problems {
			fmt.Fprintf(w, "%s: %s\n", report.Clean(p.What), report.Clean(p.Why))
		}
		fmt.Fprintf(w, "%d rules tested, %d failed\n", tested, failed)
	})
}
