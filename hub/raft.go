package hub

import (
	"time"
	_ "unsafe" // linkname
)

// How soon the nodes of a cluster notice that the leader of a bucket is gone: until they elect another, what hosts decide
// waits. The engine's own 4 to 9 seconds cannot be configured. These are its variables; a version of it that does not have
// them does not link. The leader speaks five times a second, so that at least seven of its words must be lost before anybody
// stands for election; a node that gets no processor for that long costs an election and nothing else.
var (
	//go:linkname hbInterval github.com/nats-io/nats-server/v2/server.hbInterval
	hbInterval time.Duration
	//go:linkname minElectionTimeout github.com/nats-io/nats-server/v2/server.minElectionTimeout
	minElectionTimeout time.Duration
	//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
	maxElectionTimeout time.Duration
)

func init() {
	hbInterval, minElectionTimeout, maxElectionTimeout = 200*time.Millisecond, 1500*time.Millisecond, 2*time.Second
}
