package live

import (
	"context"
	"path/filepath"
	"testing"
)

// slowDisk is a history whose saving takes until it is let on, but for the first.
type slowDisk struct {
	saves int // of one goroutine at a time
	began chan struct{}
	on    chan struct{}
}

func (d *slowDisk) Load(context.Context) (*State, error) { return &State{}, nil }

func (d *slowDisk) Save(ctx context.Context, _ *State) error {
	if d.saves++; d.saves == 1 {
		return nil
	}
	if d.saves == 2 {
		close(d.began)
	}
	<-d.on
	return ctx.Err()
}

// Who is ended while the disk takes its time saves all and ends well.
func TestEndWhileSaving(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	d := &slowDisk{began: make(chan struct{}), on: make(chan struct{})}
	opt := options(t, log)
	opt.History = d
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, attack("198.51.100.7", 1))
	<-d.began
	r.stop()
	close(d.on)
	r.end()
	if d.saves < 3 {
		t.Errorf("it was saved %d times, want once more at the end", d.saves)
	}
}
