package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Exit codes, by CLI.md.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitFinding = 3 // --fail-on was met; wins over exitPartial
	exitPartial = 4
)

// exitError carries an exit code. An error without text has been told already.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage is an error of the person at the keyboard, with what to do instead.
func usage(hint, format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...), hint}
}

// hintFor tells what to try next. It is the only place that does.
func hintFor(err error) string {
	var e *exitError
	if errors.As(err, &e) && e.hint != "" {
		return e.hint
	}
	var wall *block.Error
	switch {
	case errors.As(err, &wall) && errors.Is(err, connwarden.ErrUnsupported):
		return "connwarden doctor tells which firewalls can be used here"
	case errors.Is(err, connwarden.ErrDenied), errors.Is(err, fs.ErrPermission):
		return "try it as root (sudo)"
	case errors.Is(err, connwarden.ErrUnsupported):
		return "saved text works on every system: see connwarden conns --from"
	default:
		return ""
	}
}
