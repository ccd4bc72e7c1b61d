//go:build !linux

package cli

import "runtime/debug"

// ease gives back what a start needed and following does not.
func ease() { debug.FreeOSMemory() }
