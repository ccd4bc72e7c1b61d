package nginx

import "time"

// SetSettling shortens how long Apply waits for nginx to do what it will not do.
func SetSettling(d *Driver, most time.Duration) { d.settling = most }
