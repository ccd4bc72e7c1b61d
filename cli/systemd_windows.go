package cli

import "context"

// beat has nobody to tell here.
func (c *command) beat(context.Context) func(ready bool) { return nil }

// notifier has nobody to tell here.
func (c *command) notifier() func(string) { return func(string) {} }
