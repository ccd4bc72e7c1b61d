package report

import (
	"fmt"
	"strings"
	"time"
)

// Progress is one line for a terminal: a bar, bytes, rate and the time left. total is in the same bytes as done, 0
// when it is not known.
func Progress(done, total int64, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 1e-3)
	s := fmt.Sprintf("%s read, %s/s", CellSize(uint64(max(done, 0))), CellSize(uint64(max(rate, 0))))
	if total <= 0 || done <= 0 {
		return s
	}
	const columns = 24
	part := min(float64(done)/float64(total), 1)
	full := int(part * columns)
	left := time.Duration(float64(total-done) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("[%s%s] %3.0f%%  %s  %v left", strings.Repeat("#", full), strings.Repeat(".", columns-full), part*100, s, max(left, 0))
}
