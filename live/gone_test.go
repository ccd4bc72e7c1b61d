package live

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// A log that was deleted is read to its end and left after an hour, with all that was kept of it; one of its name that comes later is
// followed like any new one.
func TestLeavesDeletedLogs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows deletes no file that is open")
	}
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	name := func(day int) string { return filepath.Join(logs, fmt.Sprintf("day-%d.access.log", day)) }
	const days = 5
	for day := range days {
		appendTo(t, name(day), attack("198.51.100.9", 1)) // from before: muted
	}
	var later atomic.Int64
	opt := options(t, logs)
	opt.Clock = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	opt.History = File(filepath.Join(dir, "watch.json"))
	asks := make(chan chan<- *Present)
	opt.Asks, opt.Metrics = asks, &Metrics{}
	// passes lets hours pass, a few minutes at a time, until something is so.
	passes := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !is(); runtime.Gosched() {
			later.Add(int64(5 * time.Minute))
			answer := make(chan *Present, 1)
			asks <- answer
			<-answer
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	r := start(t, opt)
	if s := await[*Start](r); s.Logs != days {
		t.Fatalf("%d logs are followed", s.Logs)
	}
	for day := range days {
		appendTo(t, name(day), attack("198.51.100.7", 1))
	}
	settled(t, opt.Metrics, days) // all were opened
	for day := range days - 1 {
		appendTo(t, name(day), attack("198.51.100.7", 1))
		if err := os.Remove(name(day)); err != nil {
			t.Fatal(err)
		}
	}
	passes("deleted logs are followed for ever", func() bool { return opt.Metrics.logs.Load() == 1 })
	passes("places of deleted logs are kept", func() bool {
		s, err := opt.History.Load(t.Context())
		return err == nil && len(s.Logs) == 1 && s.Lines == 2*days-1
	})
	appendTo(t, name(0), attack("198.51.100.7", 2))
	passes("a log that came again is not followed", func() bool { return opt.Metrics.logs.Load() == 2 })
	settled(t, opt.Metrics, 2*days+1)
	if end, _ := r.end(); end.Lines != 2*days+1 {
		t.Errorf("%d lines, want %d", end.Lines, 2*days+1)
	}
}
