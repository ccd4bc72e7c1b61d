// Package faults makes sense of error lines: it takes names and numbers out of them so that equal faults are one
// ([Fingerprint]), knows a catalogue of common faults with their meaning and remedy ([Find]), and counts them
// ([Table]).
//
// It never opens a file, reads a clock or starts a goroutine. What it is given is borrowed: whatever it keeps it
// copies. The catalogue is embedded, read at first use and immutable after that, so [Find] may be called from many
// goroutines; a [Table] belongs to one. It builds and works alike on every system.
package faults
