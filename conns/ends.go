package conns

import (
	"context"

	"github.com/connwarden/connwarden"
)

// Ends calls end with each TCP connection of this network namespace that ends, until ctx is done, so that those count too
// that live between two looks. The kernel tells them when a socket is destroyed (sock_diag's groups SKNLGRP_INET_TCP_DESTROY
// and its like of IPv6, Linux 4.5), with the addresses of both ends and without a direction; a connection in SYN-RECV or
// TIME-WAIT has no such socket. end must not keep what it is given. lost is called when the kernel had more to tell than
// was read in time; how many it does not say.
//
// Any user may hear. The error wraps [connwarden.ErrDenied] where the system forbids it all the same, and
// [connwarden.ErrUnsupported] where the kernel does not tell; that ctx is done is none.
func Ends(ctx context.Context, end func(*connwarden.Conn), lost func()) error {
	return ends(ctx, end, lost)
}
