//go:build unix

package cli

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"
)

// notifier tells systemd what it is given. Without NOTIFY_SOCKET nobody wants to know.
func (c *command) notifier() func(state string) {
	name := c.env.Getenv("NOTIFY_SOCKET")
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	return func(state string) {
		if name == "" {
			return
		}
		if conn, err := net.Dial("unixgram", name); err == nil {
			_, _ = conn.Write([]byte(state))
			conn.Close()
		}
	}
}

// beat tells systemd that the daemon is ready and lives (sd_notify(3), WatchdogSec=). Without NOTIFY_SOCKET nobody wants to
// know; nil then.
func (c *command) beat(ctx context.Context) func(ready bool) {
	name := c.env.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	conn, err := net.Dial("unixgram", name)
	if err != nil {
		return nil
	}
	context.AfterFunc(ctx, func() { _, _ = conn.Write([]byte("STOPPING=1")) })
	var every time.Duration
	if us, err := strconv.ParseInt(c.env.Getenv("WATCHDOG_USEC"), 10, 64); err == nil {
		every = time.Duration(us) * time.Microsecond / 3
	}
	var last time.Time
	return func(ready bool) {
		now := c.env.Now()
		switch {
		case ready:
			_, _ = conn.Write([]byte("READY=1"))
		case every > 0 && now.Sub(last) >= every:
			_, _ = conn.Write([]byte("WATCHDOG=1"))
			last = now
		}
	}
}
