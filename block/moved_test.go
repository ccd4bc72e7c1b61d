package block_test

import (
	"context"
	"testing"

	"github.com/connwarden/connwarden/block"
)

// stamped is a firewall of the kernel that counts its changes, and how often it is listed.
type stamped struct {
	*block.Memory
	n     uint64
	lists int
}

func (f *stamped) Stamp(context.Context) (uint64, error) { return f.n, nil }

func (f *stamped) List(ctx context.Context) ([]block.Entry, error) {
	f.lists++
	return f.Memory.List(ctx)
}

func (f *stamped) Apply(ctx context.Context, add, remove []block.Entry) error {
	f.n++
	return f.Memory.Apply(ctx, add, remove)
}

// TestMoved sees what others do to a firewall, and neither what the keeper does itself nor where nothing is wanted.
func TestMoved(t *testing.T) {
	s := newScene(t)
	s.fw.Claims.Kernel = true
	fw := &stamped{Memory: s.fw}
	s.k.Open = func(context.Context, string) (block.Driver, error) { return fw, nil }
	moved := func(want bool, when string) {
		t.Helper()
		before := fw.lists
		if got, err := s.k.Moved(t.Context()); err != nil || got != want || fw.lists != before {
			t.Errorf("%s: moved %v, %v after %d lists; want %v after none", when, got, err, fw.lists-before, want)
		}
	}
	moved(false, "nothing is wanted")
	s.blocked(request("192.0.2.7/32"))
	moved(true, "never compared")
	s.sync(1, 0, 0, 0)
	moved(false, "compared")
	s.blocked(request("192.0.2.8/32", byRule))
	moved(false, "after a block of our own")
	if err := fw.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fw.n++
	moved(true, "after somebody's flush")
	s.blocked(request("192.0.2.9/32", byRule))
	moved(true, "after somebody's flush and a block of our own")
	s.sync(3, 2, 0, 0)
	moved(false, "put back")
	s.fw.Fail = func(string, block.Entry) error { return context.Canceled }
	if _, list, err := s.k.Sync(t.Context(), "fw"); err != nil || list[0].Err == nil {
		t.Fatalf("%+v, %v; want that it fails", list, err)
	}
	s.fw.Fail = nil
	moved(true, "after a comparing that failed")

	// Without a number it may be, in the kernel.
	s.k.Open = func(context.Context, string) (block.Driver, error) { return s.fw, nil }
	s.restart()
	s.sync(3, 0, 0, 0)
	moved(true, "of a firewall that does not tell")
	s.fw.Claims.Kernel = false
	moved(false, "of files")
}
