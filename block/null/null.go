// Package null is the firewall that refuses nothing: blocks are written into the journal and no packet is touched, so that
// a machine can be watched before it is defended.
package null

import (
	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Open returns the driver. It forgets what it was told when the process ends, so that its blocks are listed as wanted and
// never as in force.
func Open() block.Driver {
	return &block.Memory{Label: "null", Claims: block.Properties{
		Expiry: true, Prefixes: true, IPv6: true, Scopes: []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		About: "nothing: blocks are written down and refuse no packet",
	}}
}
