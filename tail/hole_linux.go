package tail

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData returns the first offset from at on that is not in a hole of the file: size if there is none, and at itself
// where the file system does not know.
func nextData(f *os.File, at, size int64) int64 {
	next, err := f.Seek(at, unix.SEEK_DATA) // moves a position that nobody uses: all reads name their own
	switch {
	case err == nil:
		return next
	case errors.Is(err, unix.ENXIO):
		return size
	default:
		return at
	}
}
