package web

import "testing"

// SeedPast writes a history into a state folder, for pictures; set by the tests that may know how.
var SeedPast func(t *testing.T, dir string)
