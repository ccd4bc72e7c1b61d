package logs

import (
	"bytes"
	"os"
	"testing"

	"github.com/connwarden/connwarden"
)

type counter struct{ n, bytes int64 }

func (c *counter) Conn(*connwarden.Conn) {}
func (c *counter) Request(r *connwarden.Request) {
	c.n++
	c.bytes += r.Size
}
func (c *counter) Event(*connwarden.Event) {}
func (c *counter) Fault(*connwarden.Fault) {}

func BenchmarkReal(b *testing.B) {
	block, err := os.ReadFile("/tmp/logs/16m.log")
	if err != nil {
		b.Skip(err)
	}
	p := combined.NewParser(Options{})
	var c counter
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		if s := p.Parse(connwarden.Source{}, block, &c); s.Unparsed > 0 {
			b.Fatal(s)
		}
	}
	b.ReportMetric(float64(bytes.Count(block, []byte("\n")))*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mlines/s")
}
