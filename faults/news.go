package faults

import "github.com/connwarden/connwarden"

// News tells whether a fault is below a warning and nothing that its owner must act on.
func News(f *connwarden.Fault) bool {
	if f.Level == connwarden.LevelUnknown || f.Level > connwarden.LevelNotice {
		return false
	}
	kind := Find(f)
	return kind == nil || !kind.Press
}
