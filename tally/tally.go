// Package tally counts readings by any key: exactly up to a bound, and beyond it with an error that it states.
//
// It never reads a file or a clock and starts no goroutine. Keys are copied, so nothing of a reading is kept. A table
// belongs to one goroutine; tables of the parts of a log are added up with Merge, and give what one table of the whole
// log would give: the very same below the bound, and within the stated error above it.
package tally

import "hash/maphash"

// seed makes the hashes of this process unpredictable, so that nobody can write a log whose keys all collide. All
// tables share it, because sketches are merged.
var seed = maphash.MakeSeed()

// salt is the same for short keys: odd numbers.
var salt = [3]uint64{newSeed()[0], newSeed()[0], newSeed()[0]}
