package bots

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lookup asks the name service; [net.Resolver] does.
type Lookup interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options of a resolver. Their zero value asks the machine's own name servers for at most two seconds.
type Options struct {
	Lookup  Lookup
	Timeout time.Duration    // of one Prove; half of it is what one look-up may take
	Now     func() time.Time // for tests
}

// Resolver asks for names of addresses and whether they lead back, at most 16 at once, and remembers 8,192 answers: an hour what
// it found, a quarter of an hour that there was nothing, a minute that nobody answered. It may be used by any number of
// goroutines.
type Resolver struct {
	lookup  Lookup
	timeout time.Duration
	now     func() time.Time
	slots   chan struct{}

	mu    sync.Mutex
	cache map[cacheKey]cached
}

const (
	maxInFlight = 16
	maxCache    = 8192
	maxNames    = 8   // of one address; who has more has them for show
	maxName     = 253 // bytes of a name in its text form, RFC 1035

	ttlFound   = time.Hour
	ttlNothing = 15 * time.Minute
	ttlSilence = time.Minute
)

// cacheKey is a question to the name service: the names of an address, or whether a name leads to it.
type cacheKey struct {
	addr netip.Addr
	name string // "" asks for names
}

type cached struct {
	names []string
	back  bool
	known bool
	until time.Time
}

// NewResolver makes a resolver.
func NewResolver(o Options) *Resolver {
	r := &Resolver{lookup: o.Lookup, timeout: o.Timeout, now: o.Now, slots: make(chan struct{}, maxInFlight), cache: map[cacheKey]cached{}}
	if r.lookup == nil {
		r.lookup = net.DefaultResolver
	}
	if r.timeout <= 0 {
		r.timeout = 2 * time.Second
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// enter takes one of the places of those who may ask; false when the context ends before one is free.
func (r *Resolver) enter(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	default:
	}
	select {
	case r.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Resolver) leave() { <-r.slots }

// reverse returns the names of an address, cleaned; not known when nobody answered.
func (r *Resolver) reverse(ctx context.Context, a netip.Addr) (names []string, known bool) {
	c := r.ask(ctx, cacheKey{addr: a}, func(ctx context.Context) (c cached) {
		names, err := r.lookup.LookupAddr(ctx, a.String())
		for _, n := range names[:min(len(names), maxNames)] {
			if n = clean(n); n != "" {
				c.names = append(c.names, n)
			}
		}
		// Names beside an error are those that could be read of an answer with others that could not.
		c.known = len(c.names) > 0 || definite(err)
		return c
	})
	return c.names, c.known
}

// leadsBack tells whether a name's addresses hold the one given; not known when nobody answered.
func (r *Resolver) leadsBack(ctx context.Context, name string, a netip.Addr) (back, known bool) {
	network := "ip6"
	if a.Is4() {
		network = "ip4"
	}
	c := r.ask(ctx, cacheKey{a, name}, func(ctx context.Context) (c cached) {
		// The last dot keeps the machine's search domains out of it.
		addrs, err := r.lookup.LookupNetIP(ctx, network, name+".")
		c.back = slices.ContainsFunc(addrs, func(b netip.Addr) bool { return b.Unmap() == a })
		c.known = c.back || definite(err)
		return c
	})
	return c.back, c.known
}

// definite tells an answer, be it that there is nothing, from none.
func definite(err error) bool {
	var e *net.DNSError
	return err == nil || errors.As(err, &e) && e.IsNotFound
}

// ask answers from the cache or asks, for at most half of the time there is; in a context that is over it asks nobody.
func (r *Resolver) ask(ctx context.Context, key cacheKey, question func(context.Context) cached) cached {
	r.mu.Lock()
	c, ok := r.cache[key]
	r.mu.Unlock()
	if ok && r.now().Before(c.until) {
		return c
	}
	if ctx.Err() != nil {
		return cached{}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout/2)
	defer cancel()
	c = question(ctx)
	switch {
	case !c.known:
		c.until = r.now().Add(ttlSilence)
	case c.back || len(c.names) > 0:
		c.until = r.now().Add(ttlFound)
	default:
		c.until = r.now().Add(ttlNothing)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCache {
		r.forget()
	}
	r.cache[key] = c
	return c
}

// forget makes room: what is over goes, and if that is not enough, any half.
func (r *Resolver) forget() {
	now := r.now()
	for key, c := range r.cache {
		if now.After(c.until) {
			delete(r.cache, key)
		}
	}
	for key := range r.cache {
		if len(r.cache) <= maxCache/2 {
			return
		}
		delete(r.cache, key)
	}
}

// clean makes a name from outside fit to compare and to show: small letters, no last dot, nothing but what names are made of ("?"
// stands for everything else), not longer than a name may be.
func clean(name string) string {
	name = strings.TrimSuffix(name, ".")
	name = name[:min(len(name), maxName)]
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		default:
			return '?'
		}
	}, name)
}
