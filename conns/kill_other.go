//go:build !linux

package conns

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"

	"github.com/connwarden/connwarden"
)

func kill(context.Context, netip.Prefix) (int, error) {
	return 0, fmt.Errorf("%s: %w", runtime.GOOS, connwarden.ErrUnsupported)
}
