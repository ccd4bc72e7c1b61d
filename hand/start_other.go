//go:build !linux

package hand

import (
	"io"
	"net"
	"os"

	"github.com/connwarden/connwarden"
)

// Variable is how a reader knows that it is one.
const Variable = "CONNWARDEN_HAND"

// Account is whom the reader runs as.
type Account struct{ UID, GID uint32 }

// LookupAccount finds none: there is no reader but on Linux.
func LookupAccount(string) (Account, error) { return Account{}, connwarden.ErrUnsupported }

// Reader is a process that reads.
type Reader struct{ Talk net.Conn }

// Start starts none.
func Start(Account, []string, []string, io.Writer, io.Writer, *net.UnixListener) (*Reader, error) {
	return nil, connwarden.ErrUnsupported
}

// PID is none.
func (r *Reader) PID() int { return 0 }

// Signal reaches nobody.
func (r *Reader) Signal(os.Signal) error { return connwarden.ErrUnsupported }

// Wait waits for nothing.
func (r *Reader) Wait() error { return connwarden.ErrUnsupported }

// Inherited is nothing.
func Inherited(string) (*Client, *net.UnixListener, <-chan struct{}, error) {
	return nil, nil, nil, connwarden.ErrUnsupported
}
