package block_test

import (
	"testing"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
)

func TestMemoryJournal(t *testing.T) {
	kept := map[string]*block.MemoryJournal{}
	blocktest.RunJournal(t, func(_ testing.TB, dir string) block.Journal {
		if kept[dir] == nil {
			kept[dir] = &block.MemoryJournal{}
		}
		return kept[dir]
	})
}
