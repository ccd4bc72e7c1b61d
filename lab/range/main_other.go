//go:build !linux

package main

import (
	"context"
	"fmt"
	"os"
)

func command(context.Context, settings) int {
	fmt.Fprintln(os.Stderr, "range: needs Linux: network namespaces")
	return 1
}
