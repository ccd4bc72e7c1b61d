package nft

import (
	"testing"

	"github.com/connwarden/connwarden/internal/netnstest"
)

// published are the ports of a scene that everybody reaches: its server's own and the container's.
var published = []int{80, 8080}

// newScene is a scene whose container is published, beside somebody else's filter, and the driver at its server.
func newScene(t *testing.T) (s *netnstest.Scene, d *Driver) {
	t.Helper()
	s = netnstest.NewScene(t)
	s.Publish()
	load(t, s, `
table inet filter {
	chain input { type filter hook input priority filter; policy accept; ct state established,related accept; }
}`)
	netnstest.In(t, s.Server, func() (err error) {
		d, err = Open(Options{})
		return err
	})
	t.Cleanup(func() { d.Close() })
	return s, d
}

// load gives nft a file at the server.
func load(t *testing.T, s *netnstest.Scene, text string) {
	t.Helper()
	netnstest.In(t, s.Server, func() error { return nftFile(text) })
}
