package rules

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/connwarden/connwarden/where"
)

// maxFile bounds a file of rules: the shipped ones are a tenth of it.
const maxFile = 4 << 20

// file is a file of rules as it is written.
type file struct {
	Rule []written `toml:"rule"`
}

type written struct {
	Name      string  `toml:"name"`
	About     string  `toml:"about"`
	Look      string  `toml:"look"`
	Where     string  `toml:"where"`
	By        string  `toml:"by"`
	Count     uint64  `toml:"count"`
	Distinct  string  `toml:"distinct"`
	Share     float64 `toml:"share"`
	Within    string  `toml:"within"`
	Score     int     `toml:"score"`
	Most      int     `toml:"most"`
	Family    string  `toml:"family"`
	Capped    bool    `toml:"capped"`
	Pass      string  `toml:"pass"`
	PassCount uint64  `toml:"pass_count"`
	Member    int     `toml:"member"`
	Why       string  `toml:"why"`
	Fires     string  `toml:"fires"`
	Spares    string  `toml:"spares"`
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	holes     = regexp.MustCompile(`\{[^{}]*\}`)
	holeWords = []string{"{count}", "{total}", "{distinct}", "{within}", "{value}", "{agent}", "{referer}"}
)

// Parse reads a file of rules. Every error in it is among errs, with the file's name, the line, what is wrong and what
// would be right; the rules without error are returned besides.
func Parse(name string, data []byte) (list []Rule, errs []error) {
	if len(data) > maxFile {
		return nil, []error{fmt.Errorf("%s: longer than %d bytes", name, maxFile)}
	}
	var f file
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			key := e.Key()[len(e.Key())-1]
			errs = append(errs, fmt.Errorf("%s:%d: there is no key %q: did you mean %q?", name, row, key, where.Nearest(key, keys)))
		}
		return nil, errs
	case errors.As(err, &wrong):
		row, column := wrong.Position()
		return nil, []error{fmt.Errorf("%s:%d:%d: %s", name, row, column, strings.TrimPrefix(wrong.Error(), "toml: "))}
	case err != nil:
		return nil, []error{fmt.Errorf("%s: %w", name, err)}
	}
	starts := headings(data)
	seen := map[string]bool{}
	for i, w := range f.Rule {
		line := 0
		if i < len(starts) {
			line = starts[i]
		}
		r, err := w.rule()
		if err == nil && seen[r.Name] {
			err = fmt.Errorf("name: %q stands twice in this file", r.Name)
		}
		seen[w.Name] = true
		if err != nil {
			label := w.Name
			if label == "" {
				label = fmt.Sprintf("number %d", i+1)
			}
			errs = append(errs, fmt.Errorf("%s:%d: rule %s: %w", name, line, label, err))
			continue
		}
		r.File, r.Line = name, line
		list = append(list, r)
	}
	if len(f.Rule) == 0 {
		errs = append(errs, fmt.Errorf("%s: holds no [[rule]]", name))
	}
	return list, errs
}

// keys are what a rule may hold.
var keys = []string{
	"name", "about", "look", "where", "by", "count", "distinct", "share", "within", "score", "most", "family", "capped", "pass", "pass_count", "member",
	"why", "fires", "spares",
}

// headings returns the lines on which rules begin. A heading within a text of several lines would mislead it, and no more
// than the number in a message.
func headings(data []byte) (list []int) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[[rule]]")) {
			list = append(list, n)
		}
	}
	return list
}

func (w *written) rule() (Rule, error) {
	r := Rule{
		Name: w.Name, About: w.About, Where: strings.TrimSpace(w.Where), Count: w.Count, Distinct: w.Distinct, Share: w.Share, Score: w.Score,
		Most: w.Most, Family: w.Family, Capped: w.Capped, Pass: w.Pass, PassCount: w.PassCount, Member: w.Member, Why: w.Why, Fires: w.Fires, Spares: w.Spares,
	}
	look := slices.Index(lookWords[:], w.Look)
	if look < 0 {
		return r, fmt.Errorf("look: %q is none of %s", w.Look, strings.Join(lookWords[:], ", "))
	}
	r.Look = Look(look)
	if w.By == "" {
		w.By = "ip"
	}
	by := slices.Index(byWords[:], w.By)
	if by < 0 || !slices.Contains(groups[look], By(by)) {
		return r, fmt.Errorf("by: a %s has no %q; group by one of %s", r.Look, w.By, words(groups[look]))
	}
	r.By = By(by)
	if w.Within != "" {
		d, err := time.ParseDuration(w.Within)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return r, fmt.Errorf("within: %q is no time from 1s to 24h; write 30s, 5m, 1h", w.Within)
		}
		r.Within = d
	}
	if r.Count == 0 {
		r.Count = 1
	}
	if r.Family == "" {
		r.Family, _, _ = strings.Cut(r.Name, "-")
	}
	switch {
	case strings.Contains(r.Why, "{agent}"):
		r.Example = ExampleAgent
	case strings.Contains(r.Why, "{referer}"):
		r.Example = ExampleReferer
	}
	if r.Most == 0 {
		r.Most = min(r.Score+10, 99)
	}
	return r, r.check()
}

func words(list []By) string {
	var names []string
	for _, b := range list {
		names = append(names, b.String())
	}
	return strings.Join(names, ", ")
}

func (r *Rule) check() error {
	switch {
	case !nameForm.MatchString(r.Name):
		return fmt.Errorf("name: %q is not made of small letters, digits and single hyphens", r.Name)
	case r.About == "":
		return errors.New("about: missing; say in one sentence what the peer does")
	case r.Score < 1 || r.Score > 99 || r.Most < r.Score || r.Most > 99:
		return fmt.Errorf("score: from 1 to 99, and most not below it; here %d and %d", r.Score, r.Most)
	case r.Distinct != "" && !slices.Contains(distinct[r.Look], r.Distinct):
		return fmt.Errorf("distinct: of a %s only %s can be counted so, not %q", r.Look, strings.Join(distinct[r.Look], ", "), r.Distinct)
	case r.Distinct != "" && r.Distinct == r.By.String():
		return fmt.Errorf("distinct: all readings of a group have the same %s", r.Distinct)
	case r.Share < 0 || r.Share > 1 || r.Share > 0 && (r.Look != Requests || r.By != ByIP && r.Member == 0):
		return errors.New("share: a part from 0 to 1 of the requests of an address")
	case r.Count > 1 && r.Within == 0 && r.Look != Connections:
		return errors.New("within: missing; say in which time so many are too many, for example 5m")
	case r.Within != 0 && r.Look == Connections:
		return errors.New("within: connections are counted at one instant")
	case r.Member != 0 && (r.By == ByIP || r.Look == Connections):
		return errors.New("member: only a rule by net, asn, site, path, agent, user or service has members")
	case r.Member < 0 || r.Member > 99:
		return fmt.Errorf("member: a score from 1 to 99, not %d", r.Member)
	case r.By == ByIP && ((r.Pass == "") != (r.PassCount == 0) || r.Pass != "" && r.PassCount <= r.Count):
		return errors.New("pass and pass_count belong together, and pass_count is more than count")
	case r.By != ByIP && (r.PassCount != 0 || r.Pass != "" && r.Member == 0):
		return errors.New("pass: of a group it spares the member who passed, and asks for no pass_count")
	case r.Where == "" && (r.Look != Requests || r.By != ByIP && r.By != ByNet):
		return errors.New("where: missing; only requests by ip or by net may be counted all")
	case r.Where == "" && !r.Capped:
		return errors.New("capped: a rule without a condition judges by volume alone, which honest users have too; write capped = true")
	case strings.TrimSpace(r.Fires) == "" && r.Look != Connections:
		return errors.New("fires: missing; give log lines that must fire the rule")
	case strings.TrimSpace(r.Spares) == "" && r.Look != Connections:
		return errors.New("spares: missing; give log lines that look alike and must not fire it")
	}
	for _, hole := range holes.FindAllString(r.Why, -1) {
		if !slices.Contains(holeWords, hole) {
			return fmt.Errorf("why: there is no %s; use %s", hole, strings.Join(holeWords, " "))
		}
	}
	if r.Why == "" {
		return errors.New("why: missing; say what was seen, with {count} and {within}")
	}
	_, err := compile([]Rule{*r}, true)
	return err
}
