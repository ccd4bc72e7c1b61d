package logs

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestCPU(t *testing.T) {
	if os.Getenv("CPU") == "" {
		t.Skip()
	}
	block := combinedLog(200000)
	if f := os.Getenv("CPUFILE"); f != "" {
		block, _ = os.ReadFile(f)
	}
	p := combined.NewParser(Options{})
	var c counter
	best := 0.0
	for range 30 {
		var a, b syscall.Rusage
		syscall.Getrusage(0, &a)
		for rest := block; len(rest) > 0; {
			n := min(len(rest), 1<<20)
			for n < len(rest) && rest[n-1] != '\n' {
				n++
			}
			p.Parse(connwarden.Source{}, rest[:n], &c)
			rest = rest[n:]
		}
		syscall.Getrusage(0, &b)
		d := float64(b.Utime.Nano()-a.Utime.Nano()) / 1e9
		best = max(best, float64(len(block))/d/1e6)
	}
	fmt.Printf("best %.0f MB/s of CPU time\n", best)
}
