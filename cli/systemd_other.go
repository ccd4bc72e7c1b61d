//go:build !linux

package cli

// reloading is what systemd would be told.
func reloading() string { return "RELOADING=1" }
