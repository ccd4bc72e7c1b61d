//go:build !linux

package tail

// notices are not asked for here: all logs are looked at by Tick.
type notices struct{}

func newNotices(*Follower) (*notices, error) { return nil, nil }

func (*notices) take()                     {}
func (*notices) folders(*trail)            {}
func (*notices) watch(*trail, *generation) {}
func (*notices) unwatch(*generation)       {}
func (*notices) forget(*trail)             {}
func (*notices) close() error              { return nil }
