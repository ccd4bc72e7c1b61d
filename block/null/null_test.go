package null_test

import (
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/null"
)

func TestConformance(t *testing.T) {
	blocktest.Run(t, func(testing.TB) block.Driver { return null.Open() }, blocktest.Options{
		Life:    100 * time.Millisecond,
		Foreign: func(testing.TB) func(testing.TB) { return func(testing.TB) {} },
		Traces:  func(testing.TB) string { return "" },
	})
}
