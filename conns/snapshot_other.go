//go:build !linux

package conns

import (
	"context"
	"fmt"
	"runtime"

	"github.com/connwarden/connwarden"
)

func snapshot(context.Context, Options, connwarden.Sink) (*Result, error) {
	return nil, fmt.Errorf("look at the sockets of %s: %w: save the output of netstat -an and give it to --from",
		runtime.GOOS, connwarden.ErrUnsupported)
}
