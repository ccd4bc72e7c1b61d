//go:build !unix

package csf

import "os"

func share(*os.File) error { return nil }
