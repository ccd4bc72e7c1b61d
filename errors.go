package connwarden

import "errors"

// Errors that callers branch on, with errors.Is.
var (
	// ErrUnsupported: this system or this build cannot do it. Asking again will not help.
	ErrUnsupported = errors.New("not supported here")
	// ErrDenied: a privilege is missing. Root would help.
	ErrDenied = errors.New("permission denied")
	// ErrNotFound: what was named is not there.
	ErrNotFound = errors.New("not found")
	// ErrExempt: what must never be blocked. An operator may insist, one target at a time.
	ErrExempt = errors.New("must not be blocked")
	// ErrPartial: some of it was done before it failed, and stands.
	ErrPartial = errors.New("done in part")
)

// Problem is something that could not be seen or done. It never stops the rest of the work.
type Problem struct {
	What string // the object: a path, a namespace, a firewall; hostile when it came from outside
	Why  string // a sentence fragment: "permission denied: needs root"
	// Named tells that a user named the source on the command line; then the exit code says so.
	Named bool
}
