//go:build unix

package host

import (
	"io/fs"
	"os"
	"syscall"
)

func ownerOf(info fs.FileInfo) owner {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}
	}
	return owner{uid: st.Uid, gid: st.Gid, mode: info.Mode(), known: true}
}

// identity is what makes two names one file.
func identity(info fs.FileInfo) (dev, inode uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // the types differ between systems
}

func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
}
