package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// entry is one of crawler-user-agents.json.
type entry struct {
	Pattern   string   `json:"pattern"`
	Instances []string `json:"instances"`
	Tags      []string `json:"tags"`
}

// instead replaces patterns that are too short for the room's matcher (four bytes, ends included) or that people's own
// browsers hold too, by what their samples show; those without any replacement are such browsers.
var instead = map[string][]string{
	`Y!J`:       {"Y!J-", "Y!J/"},
	`ds9`:       {"^ds9 "},
	`BW\/`:      {" BW/"},
	`RED\/`:     {"^RED/"}, // "Infrared/", "Shared/"
	`EZID`:      {"EZID link"},
	`008\/`:     {"^008/"}, // a version that ends so
	`Devin`:     {"Devin/", "Devin "},
	`Sogou`:     {"Sogou*pider"}, // SogouMobileBrowser
	`Viber`:     {"^Viber"},
	`Notion\/`:  {"^Notion/"},
	`Tumblr\/`:  {"^Tumblr/"},
	`Bluesky\/`: {"^Bluesky/"},

	`MetaIAB Facebook`: {}, // the browser inside Facebook's own application
	`Code\/1\.`:        {}, // that of an editor
	`Trae\/`:           {},
	`Fluid`:            {},
}

// readAgents makes the list of patterns, by tag, and that of all sample agents, each with the names, joined by "|", that it may
// claim: none for people's browsers.
func readAgents(file string) (patterns, samples string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return "", "", fmt.Errorf("read %s: %w", file, err)
	}
	byTag := map[string][]string{}
	var sample strings.Builder
	for _, e := range entries {
		texts, replaced := instead[e.Pattern]
		if !replaced {
			re, err := syntax.Parse(e.Pattern, syntax.Perl)
			if err != nil {
				return "", "", fmt.Errorf("read %s: pattern %q: %w", file, e.Pattern, err)
			}
			if texts, err = expand(re); err != nil {
				return "", "", fmt.Errorf("read %s: pattern %q: %w", file, e.Pattern, err)
			}
		}
		var names []string
		for _, text := range texts {
			text = strings.Trim(text, "*")
			if strings.Count(text, "*") > 1 || len(text) < 4 || strings.ContainsAny(text, "\n\t") {
				return "", "", fmt.Errorf("read %s: pattern %q becomes %q, which the matcher cannot hold", file, e.Pattern, text)
			}
			name, line := plain(text), text
			if first := plain(texts[0]); first != name && strings.EqualFold(first, name) {
				name, line = first, line+"\t"+first
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			if !slices.Contains(byTag[e.Tags[0]], line) {
				byTag[e.Tags[0]] = append(byTag[e.Tags[0]], line)
			}
		}
		for _, agent := range e.Instances {
			fmt.Fprintf(&sample, "%s\t%s\n", strings.Join(names, "|"), agent)
		}
	}
	var b strings.Builder
	b.WriteString("# Patterns of npm crawler-user-agents 1.60.0, MIT licence, copyright (c) 2017 Martin Monperrus; see NOTICE.\n")
	tags := make([]string, 0, len(byTag))
	for tag := range byTag {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	for _, tag := range tags {
		fmt.Fprintf(&b, "@%s\n%s\n", tag, strings.Join(byTag[tag], "\n"))
	}
	return b.String(), sample.String(), nil
}

// plain takes off what marks ends and what surrounds a name: the room does the same.
func plain(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.Trim(text, "^$"), "http://"), "https://")
	text, _, _ = strings.Cut(text, "*")
	if i := strings.Index(text, " ("); i > 0 {
		text = text[:i]
	}
	return strings.Trim(text, " /;()-")
}

// expand lists the texts that a pattern stands for. "^" and "$" mark the ends, "*" any text between.
func expand(re *syntax.Regexp) ([]string, error) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}, nil
		}
		out := []string{""} // "[wW]" is parsed as a letter of either case
		for _, r := range re.Rune {
			var next []string
			for _, head := range out {
				next = append(next, head+string(unicode.ToUpper(r)), head+string(unicode.ToLower(r)))
			}
			out = next
		}
		return out, nil
	case syntax.OpEmptyMatch:
		return []string{""}, nil
	case syntax.OpBeginText, syntax.OpBeginLine:
		return []string{"^"}, nil
	case syntax.OpEndText, syntax.OpEndLine:
		return []string{"$"}, nil
	case syntax.OpStar, syntax.OpPlus, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"*"}, nil
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(out) == 4 {
					return []string{"*"}, nil
				}
				out = append(out, string(r))
			}
		}
		return out, nil
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			texts, err := expand(sub)
			if err != nil {
				return nil, err
			}
			out = append(out, texts...)
		}
		// "([^-]|$)" says only what must not follow; the longest match is taken anyhow.
		if slices.Contains(out, "*") && slices.Contains(out, "$") {
			return []string{"*"}, nil
		}
		return out, nil
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			texts, err := expand(sub)
			if err != nil {
				return nil, err
			}
			var next []string
			for _, head := range out {
				for _, tail := range texts {
					next = append(next, stars(head+tail))
				}
			}
			out = next
		}
		return out, nil
	default:
		return nil, fmt.Errorf("no texts for %s", re)
	}
}

// stars makes "*.*" and "**" one star: what is between two of them is too little to look for.
func stars(s string) string {
	s = strings.ReplaceAll(s, "*.*", "*")
	for strings.Contains(s, "**") {
		s = strings.ReplaceAll(s, "**", "*")
	}
	return s
}
