package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reloading is what systemd is told when a reload begins: READY=1 ends it (Type=notify-reload wants to know when it began).
func reloading() string {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return "RELOADING=1"
	}
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", t.Nano()/1000)
}
