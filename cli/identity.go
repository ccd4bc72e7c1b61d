package cli

import (
	"fmt"
	"time"

	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
)

// networks is who can be asked where an address belongs: what is shipped or was refreshed, and the user's own files.
func (c *command) networks(p *Plan) watch.Identity {
	table, err := geo.Load(p.StateDir)
	if err != nil {
		fmt.Fprintf(c.env.Stderr, "connwarden: %s\n", report.Clean(err.Error()))
	}
	id := watch.Identity{Networks: table}
	if len(p.Geo) > 0 {
		own, err := geo.OpenMMDB(p.Geo...)
		if err != nil {
			fmt.Fprintf(c.env.Stderr, "connwarden: %s\n", report.Clean(err.Error()))
		} else {
			id.Networks = geo.Prefer(own, table)
		}
	}
	return id
}

// identity is who can be asked about addresses.
func (c *command) identity(p *Plan) watch.Identity {
	id := c.networks(p)
	set, problems := bots.Load(p.StateDir)
	for _, one := range problems {
		fmt.Fprintf(c.env.Stderr, "connwarden: %s: %s\n", report.Clean(one.What), report.Clean(one.Why))
	}
	id.Bots = set
	if !c.flags.noDNS {
		d, _ := time.ParseDuration(c.flags.dnsTimeout) // checked by start
		id.Resolver = bots.NewResolver(bots.Options{Timeout: d})
	}
	return id
}
