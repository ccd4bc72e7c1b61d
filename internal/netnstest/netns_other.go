//go:build !linux

package netnstest

import "testing"

// Root skips the test: there are no network namespaces here.
func Root(t testing.TB) {
	t.Helper()
	t.Skip("needs Linux: makes network namespaces")
}

// Run skips the test.
func Run(t testing.TB, fn func()) { Root(t) }

// In skips the test.
func In(t testing.TB, name string, fn func() error) { Root(t) }

// Named skips the test.
func Named(t testing.TB) string {
	Root(t)
	return ""
}

// Pair skips the test.
func Pair(t testing.TB) (a, b string) {
	Root(t)
	return "", ""
}

// Command skips the test.
func Command(t testing.TB, name string, args ...string) string {
	Root(t)
	return ""
}
