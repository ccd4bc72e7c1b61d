package gather

import (
	"strings"
	"sync"
	"time"
)

// maxZones bounds how many names of time zones are looked up: a machine's logs have one or two, and what a log says is
// hostile.
const maxZones = 64

// zones finds time zones by their names, each once. It may be used from several goroutines.
type zones struct {
	mu    sync.Mutex
	known map[string]*time.Location // nil: there is no such zone
}

// find returns a zone, nil when there is none of that name.
func (z *zones) find(name string) *time.Location {
	if len(name) > 40 || name == "" || name == "Local" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-") != "" {
		return nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	zone, ok := z.known[name]
	if ok || len(z.known) >= maxZones {
		return zone
	}
	if z.known == nil {
		z.known = map[string]*time.Location{}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		zone = nil
	}
	z.known[strings.Clone(name)] = zone // the name may be part of a line
	return zone
}
