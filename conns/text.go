package conns

import (
	"context"
	"io"

	"github.com/connwarden/connwarden"
)

func Read(ctx context.Context, r io.Reader, name string, opt Options, sink connwarden.Sink) (*Result, error) {
	return nil, nil
}
