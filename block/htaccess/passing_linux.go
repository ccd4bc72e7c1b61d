package htaccess

import "golang.org/x/sys/unix"

// passing opens a folder on the way.
const passing = unix.O_PATH
