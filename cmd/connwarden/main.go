// Command connwarden answers who is connected to this server, what they want, what is failing and who of them is harmful.
package main

import (
	"os"

	"github.com/connwarden/connwarden/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
