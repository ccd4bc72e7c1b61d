//go:build unix

package tail

import (
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFile opens a regular file for reading. It never waits: a pipe put in the file's place after the look at it
// would hold up the program for ever.
func openFile(name string, noFollow bool) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if noFollow {
		flags |= unix.O_NOFOLLOW
	}
	return os.OpenFile(name, flags, 0)
}

// openPipe opens a named pipe, which waits for its writer.
func openPipe(name string) func() (io.Reader, error) {
	return func() (io.Reader, error) { return os.OpenFile(name, os.O_RDONLY|unix.O_NOCTTY, 0) }
}

// wakePipe lets go of an opening that still waits for a writer.
func wakePipe(name string) {
	if w, err := os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
		w.Close()
	}
}

func identity(info fs.FileInfo) (dev, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino)
	}
	return 0, 0
}
