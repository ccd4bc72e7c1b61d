// Package null is the firewall that refuses nothing: blocks are written into the journal and no packet is touched, so that
// a machine can be watched before it is defended.
package null

import (
	"context"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Open returns the driver, which may be shared by several goroutines. It forgets what it was told when the process ends, so that its blocks are
// listed as wanted and never as in force.
func Open() block.Driver {
	return &driver{memory: block.Memory{Label: "null", Claims: block.Properties{
		Expiry: true, Prefixes: true, IPv6: true, Scopes: []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		About: "nothing: blocks are written down and refuse no packet",
	}}}
}

// driver is a memory for several.
type driver struct {
	mu     sync.Mutex // guards memory, but for what never changes
	memory block.Memory
}

func (d *driver) Name() string { return d.memory.Name() }

func (d *driver) Properties() block.Properties { return d.memory.Properties() }

func (d *driver) List(ctx context.Context) ([]block.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory.List(ctx)
}

func (d *driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory.Apply(ctx, add, remove)
}

func (d *driver) Flush(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory.Flush(ctx)
}

func (d *driver) Close() error { return d.memory.Close() }
