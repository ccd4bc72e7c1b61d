//go:build !linux

package nft

import (
	"context"
	"runtime"

	"github.com/connwarden/connwarden/block"
)

// Driver is never made here: nftables is Linux's.
type Driver struct{ block.Driver }

// Open returns an error that wraps connwarden.ErrUnsupported.
func Open(Options) (*Driver, error) {
	return nil, &block.Error{Driver: Name, Op: "open", Err: unsupported("nftables on %s", runtime.GOOS)}
}

// Detect says no.
func Detect(context.Context) (ok bool, why string) {
	return false, "nftables is Linux's and this is " + runtime.GOOS
}
