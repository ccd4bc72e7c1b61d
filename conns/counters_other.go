//go:build !linux

package conns

import (
	"runtime"

	"github.com/connwarden/connwarden"
)

func readCounters() (Counters, []connwarden.Problem) {
	return Counters{}, []connwarden.Problem{{What: "connection counters", Why: connwarden.ErrUnsupported.Error() + " (" + runtime.GOOS + ")"}}
}
