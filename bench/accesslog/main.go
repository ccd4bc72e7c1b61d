// Command accesslog writes an access log in combined format whose addresses, paths, agents and sizes are skewed like
// those of a real server: a few are met again and again, most once. The same seed gives the same bytes.
//
//	accesslog -bytes 1073741824 -seed 1 FILE
//
// With -flood every request has an address and a path of its own, but one in fifty, which is always the same.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// Sizes of the populations, near to what a shared server with some hundred sites sees in a week.
const (
	addresses = 150_000
	paths     = 40_000
	agents    = 800
	referers  = 5_000
)

var extensions = []string{"", "", "", "/", "/", ".html", ".php", ".css", ".js", ".png", ".jpg", ".webp", ".xml"}

var browsers = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0",
	"Mozilla/5.0 (compatible; ExampleBot/2.%d; +https://bot.example.com/)",
	"okhttp/4.%d",
}

type world struct {
	rng                        *rand.Rand
	addr, path, agent, referer []string
	pickAddr, pickPath         *rand.Zipf
	pickAgent, pickReferer     *rand.Zipf
}

func main() {
	size := flag.Int64("bytes", 1<<30, "stop after so many bytes")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	flood := flag.Bool("flood", false, "every request from another address for another path")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: accesslog [-bytes N] [-seed N] FILE")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *size, *seed, *flood); err != nil {
		fmt.Fprintln(os.Stderr, "accesslog:", err)
		os.Exit(1)
	}
}

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, seed))
	w := &world{rng: rng}
	for range addresses {
		if rng.IntN(8) == 0 {
			var b [16]byte
			b[0], b[1] = 0x20, byte(rng.IntN(16))
			for i := 2; i < 16; i++ {
				b[i] = byte(rng.IntN(256))
			}
			w.addr = append(w.addr, netip.AddrFrom16(b).String())
			continue
		}
		w.addr = append(w.addr, fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(223), rng.IntN(256), rng.IntN(256), 1+rng.IntN(254)))
	}
	for range paths {
		p := ""
		for range 1 + rng.IntN(4) {
			p += "/" + word(rng)
		}
		w.path = append(w.path, p+extensions[rng.IntN(len(extensions))])
	}
	for range agents {
		w.agent = append(w.agent, fmt.Sprintf(browsers[rng.IntN(len(browsers))], rng.IntN(160)))
	}
	for range referers {
		w.referer = append(w.referer, "https://"+word(rng)+".example/"+word(rng))
	}
	w.pickAddr = rand.NewZipf(rng, 1.15, 20, addresses-1)
	w.pickPath = rand.NewZipf(rng, 1.1, 30, paths-1)
	w.pickAgent = rand.NewZipf(rng, 1.3, 10, agents-1)
	w.pickReferer = rand.NewZipf(rng, 1.2, 5, referers-1)
	return w
}

func word(rng *rand.Rand) string {
	b := make([]byte, 3+rng.IntN(9))
	for i := range b {
		b[i] = byte('a' + rng.IntN(26))
	}
	return string(b)
}

func write(name string, size int64, seed uint64, flood bool) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w, out := newWorld(seed), bufio.NewWriterSize(f, 1<<20)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	line := make([]byte, 0, 1024)
	for n := int64(0); n < size; n += int64(len(line)) {
		if w.rng.IntN(12) == 0 {
			at = at.Add(time.Second)
		}
		if flood {
			line = w.flood(line[:0], at)
		} else {
			line = w.line(line[:0], at)
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (w *world) flood(b []byte, at time.Time) []byte {
	stamp := at.Format("02/Jan/2006:15:04:05 -0700")
	if w.rng.IntN(50) == 0 {
		return fmt.Appendf(b, "198.51.100.7 - - [%s] \"GET /culprit HTTP/1.1\" 200 1 \"-\" \"-\"\n", stamp)
	}
	n := w.rng.Uint32()
	return fmt.Appendf(b, "%d.%d.%d.%d - - [%s] \"GET /r/%x HTTP/1.1\" 200 1 \"-\" \"-\"\n", 1+n>>24%223, n>>16&255, n>>8&255, n&255, stamp, w.rng.Uint64())
}

func (w *world) line(b []byte, at time.Time) []byte {
	client := w.pickAddr.Uint64()
	b = append(b, w.addr[client]...)
	b = append(b, " - - ["...)
	b = at.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	switch kind := w.rng.IntN(100); {
	case kind == 0: // TLS on a plain port
		return append(b, "\\x16\\x03\\x01\\x02\\x00\" 400 226 \"-\" \"-\"\n"...)
	case kind < 4: // a search, each of them new
		b = append(append(b, "GET /?s="...), word(w.rng)...)
	case kind < 6:
		b = append(b, "POST /wp-login.php"...)
	default:
		b = append(append(b, "GET "...), w.path[w.pickPath.Uint64()]...)
	}
	status := 200
	switch w.rng.IntN(40) {
	case 0, 1, 2:
		status = 304
	case 3:
		status = 404
	case 4:
		status = 301
	}
	b = append(b, ` HTTP/1.1" `...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(w.rng.ExpFloat64()*20_000), 10)
	b = append(b, ` "`...)
	if w.rng.IntN(3) == 0 {
		b = append(b, '-')
	} else {
		b = append(b, w.referer[w.pickReferer.Uint64()]...)
	}
	b = append(b, `" "`...)
	b = append(b, w.agent[(client+w.pickAgent.Uint64())%agents]...)
	return append(b, "\"\n"...)
}
