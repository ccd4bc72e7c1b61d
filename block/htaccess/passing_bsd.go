//go:build darwin || freebsd

package htaccess

import "golang.org/x/sys/unix"

// passing opens a folder on the way; nothing less than reading will do here.
const passing = unix.O_RDONLY
