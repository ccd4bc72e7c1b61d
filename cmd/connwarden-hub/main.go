// Command connwarden-hub is the engine of a fleet of connwardens: NATS with JetStream inside, and who may join it.
package main

import (
	"context"
	"os"

	"github.com/connwarden/connwarden/hub"
)

func main() {
	os.Exit(hub.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}
