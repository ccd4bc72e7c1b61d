package logs

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	"github.com/connwarden/connwarden"
)

// counter is the cheapest sink that still looks at every request.
type counter struct{ requests, bytes int64 }

func (c *counter) Conn(*connwarden.Conn)   {}
func (c *counter) Event(*connwarden.Event) {}
func (c *counter) Fault(*connwarden.Fault) {}
func (c *counter) Request(r *connwarden.Request) {
	c.requests++
	c.bytes += r.Size
}

// combinedLog makes n lines whose fields vary as those of a real log do: one in eight clients has IPv6, one line in
// fifty is noise, a second holds a dozen lines.
func combinedLog(n int) []byte {
	rng := rand.New(rand.NewSource(1))
	agents := []string{
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "curl/7.88.1", "-",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 Mobile/10A5376e Safari/8536.25 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	}
	var b bytes.Buffer
	for i := range n {
		if rng.Intn(8) == 0 {
			fmt.Fprintf(&b, "2001:db8:%x:%x::%x", rng.Intn(65536), rng.Intn(65536), rng.Intn(65536))
		} else {
			fmt.Fprintf(&b, "%d.%d.%d.%d", 1+rng.Intn(223), rng.Intn(256), rng.Intn(256), rng.Intn(256))
		}
		second := i / 12
		fmt.Fprintf(&b, " - - [22/Nov/2026:%02d:%02d:%02d +0000] ", second/3600%24, second/60%60, second%60)
		if rng.Intn(50) == 0 {
			fmt.Fprintf(&b, "\"\\x16\\x03\\x01\\x02\" 400 %d \"-\" \"-\"\n", rng.Intn(1000))
			continue
		}
		fmt.Fprintf(&b, "\"GET /presentations/%x/images/%x.png?v=%d HTTP/1.1\" 200 %d \"http://www.example.com/%x/\" \"%s\"\n",
			rng.Intn(1000), rng.Intn(100000), rng.Intn(9), rng.Intn(100000), rng.Intn(1000), agents[rng.Intn(len(agents))])
	}
	return b.Bytes()
}

func BenchmarkCombined(b *testing.B) {
	block := combinedLog(5000)
	lines := bytes.Count(block, []byte("\n"))
	b.Run("parse", func(b *testing.B) {
		p := combined.NewParser(Options{})
		var c counter
		b.SetBytes(int64(len(block)))
		b.ReportAllocs()
		for b.Loop() {
			if s := p.Parse(connwarden.Source{}, block, &c); s.Parsed != int64(lines) {
				b.Fatal(s)
			}
		}
	})
	// The floor: only the line ends are looked for.
	b.Run("lines", func(b *testing.B) {
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			n := 0
			for rest := block; len(rest) > 0; n++ {
				rest = rest[bytes.IndexByte(rest, '\n')+1:]
			}
			if n != lines {
				b.Fatal(n)
			}
		}
	})
}
