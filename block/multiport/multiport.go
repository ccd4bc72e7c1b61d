// Package multiport has what rules of iptables with the match "multiport" share: which scopes fit into one, and the words of
// a rule as iptables prints it. It opens nothing.
package multiport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
)

// Most is how many ports one rule may name (XT_MULTI_PORTS in linux/netfilter/xt_multiport.h).
const Most = 15

// Fits returns nil if a scope is everything, or ports that fit into one rule; else an error that wraps
// connwarden.ErrUnsupported.
func Fits(s connwarden.Scope) error {
	ports := s.PortList()
	if s == (connwarden.Scope{}) || s.Kind == connwarden.ScopePorts && s == connwarden.Ports(ports...) && len(ports) <= Most {
		return nil
	}
	return fmt.Errorf("scope %q: want all, or 1 to %d ports, ascending: %w", s, Most, connwarden.ErrUnsupported)
}

// Words parts a line of iptables-save into words; iptables quotes those with blanks.
func Words(line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		if rest, quoted := strings.CutPrefix(line, `"`); quoted {
			word, line, _ = strings.Cut(rest, `"`)
		} else {
			word, line, _ = strings.Cut(line, " ")
		}
		words = append(words, word)
	}
	return words
}

// After is the word that follows an option, or nothing.
func After(words []string, option string) string {
	if i := slices.Index(words, option); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}
