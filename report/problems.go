package report

import (
	"fmt"
	"slices"
	"strings"
)

// sameWhy is how many problems of one cause are told one by one; of more the first are named.
const sameWhy = 3

// Told puts problems into lines, cleaned: those of one cause into one line, where the first of them stood. To someone who is not
// root nearly everything is denied.
func Told(ps []Problem) []string {
	of := map[string][]string{}
	for _, p := range ps {
		if what := Clean(p.What); !slices.Contains(of[p.Why], what) {
			of[p.Why] = append(of[p.Why], what)
		}
	}
	var lines []string
	for _, p := range ps {
		all, why := of[p.Why], Clean(p.Why)
		delete(of, p.Why)
		if more := len(all) - sameWhy; more > 0 {
			lines = append(lines, fmt.Sprintf("%s and %d more: %s", strings.Join(all[:sameWhy], ", "), more, why))
			continue
		}
		for _, what := range all {
			if what == "" {
				lines = append(lines, why)
			} else {
				lines = append(lines, what+": "+why)
			}
		}
	}
	return lines
}
