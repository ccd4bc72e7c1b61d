//go:build !linux

package block

import "github.com/connwarden/connwarden"

// system tells that gateways and logins are not looked for here.
func (f *facts) system() {
	f.problems = append(f.problems, connwarden.Problem{What: "gateways and logins", Why: "not looked for on this system"})
}
