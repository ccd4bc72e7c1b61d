package store

import (
	"sync"
	_ "unsafe" // linkname

	"modernc.org/memory"
)

// SQLite's allocator keeps what SQLite freed, up to 4 MiB and as much again as was ever in use, and the module that has it offers no way
// to it. These are its variables; a version of it that does not have them does not link.
var (
	//go:linkname allocator modernc.org/libc.allocator
	allocator memory.Allocator
	//go:linkname allocatorMu modernc.org/libc.allocatorMu
	allocatorMu sync.Mutex // guards allocator
)

// Trim gives back what SQLite freed, of all databases of this process.
func Trim() {
	allocatorMu.Lock()
	defer allocatorMu.Unlock()
	_ = allocator.Trim() // what cannot be given back stays
}
