//go:build !linux

package conns

import (
	"context"
	"fmt"
	"runtime"

	"github.com/connwarden/connwarden"
)

func ends(context.Context, func(*connwarden.Conn), func()) error {
	return fmt.Errorf("hear of connections that end on %s: %w", runtime.GOOS, connwarden.ErrUnsupported)
}
