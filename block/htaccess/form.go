package htaccess

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/block"
)

// Form is the language in which a server is told to refuse.
type Form uint8

const (
	// Apache24 is that of Apache 2.4: a section that is merged after all folders, so that a rule of a subfolder does not
	// cancel it, and with AuthMerging, so that a password that was needed before is still needed.
	Apache24 Form = iota
	// Apache22 is that of Apache 2.2 and of mod_access_compat: "Deny from" and no Order, so that it opens nothing that
	// another line has closed. Subfolders with an Order of their own cancel it, and it replaces an Order that the server's
	// configuration has for the same folder.
	Apache22
	// Rewrite is for LiteSpeed, whose free edition reads nothing but rewrite rules from such files.
	Rewrite

	formEnd
)

// leads are what lines with targets begin with, in any form. Rewrite rules hold patterns, so that a comment beside them
// holds the targets.
var leads = [...]string{leadApache24, leadApache22, leadRewrite}

const (
	leadApache24 = "Require not ip "
	leadApache22 = "Deny from "
	leadRewrite  = "# deny "
)

// perLine is how many targets stand in one line: one a line costs Apache ten times as much at each request, and a line of
// more than 8,190 bytes is an error for everyone (MAX_STRING_LEN of httpd.h). Fifty of the longest are 2,200.
const perLine = 50

// rules writes the lines that deny.
func (f Form) rules(targets []netip.Prefix, line func(words ...string)) {
	switch f {
	case Apache22:
		each(targets, leadApache22, line)
	case Rewrite:
		each(targets, leadRewrite, line)
		rewriteRules(targets, line)
	default:
		line(`<If "true">`)
		line("AuthMerging And")
		line("<RequireAll>")
		line("Require all granted")
		each(targets, leadApache24, line)
		line("</RequireAll>")
		line("</If>")
	}
}

func each(targets []netip.Prefix, lead string, line func(words ...string)) {
	for part := range slices.Chunk(targets, perLine) {
		words := make([]string, len(part))
		for i, p := range part {
			words[i] = block.Show(p)
		}
		line(lead, strings.Join(words, " "))
	}
}

// remedy says what the server's configuration needs.
func (f Form) remedy(dir string) string {
	needs := "AllowOverride AuthConfig"
	switch f {
	case Apache22:
		needs = "AllowOverride Limit"
	case Rewrite:
		needs = "AllowOverride FileInfo and Options FollowSymLinks"
	}
	return "it needs " + needs + ` in its section <Directory "` + dir + `">`
}
