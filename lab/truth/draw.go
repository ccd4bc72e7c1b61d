package truth

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/nets"
)

// What is drawn by lot: times, words, addresses, agents.

func (w *World) chance(p float64) bool { return w.Float64() < p }

func (w *World) pick(list ...string) string { return list[w.IntN(len(list))] }

// some returns n different ones of a list, in any order.
func (w *World) some(n int, list []string) []string {
	out := make([]string, 0, n)
	for _, i := range w.Perm(len(list))[:min(n, len(list))] {
		out = append(out, list[i])
	}
	return out
}

// from returns a number from a to b, both in.
func (w *World) from(a, b int) int { return a + w.IntN(b-a+1) }

func (w *World) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.Int64N(int64(b-a)+1))
}

// moment is one from which something of that length still fits.
func (w *World) moment(lasts time.Duration) time.Time {
	return w.Begin.Add(w.between(0, max(0, w.Length-lasts)))
}

var syllables = strings.Fields("ba be bi bo da de di do fa fe ga go ka ke ki ko la le li lo ma me mi mo na ne no pa pe po ra re ri ro sa se si so ta te ti to va ve vi wo za zo ster burg feld hof tal ton man")

// word is a name that means nothing.
func (w *World) word() string {
	var b strings.Builder
	for range 2 + w.IntN(3) {
		b.WriteString(w.pick(syllables...))
	}
	return b.String()
}

// letters is a random text of small letters and digits.
func (w *World) letters(n int) string {
	const set = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = set[w.IntN(len(set))]
	}
	return string(b)
}

func (w *World) slug() string {
	words := make([]string, w.from(1, 4))
	for i := range words {
		words[i] = w.word()
	}
	return strings.Join(words, "-")
}

// stranger is an address that nobody has yet and that belongs to no known crawler or delivery network; one in twelve is IPv6.
func (w *World) stranger() netip.Addr {
	for {
		var a netip.Addr
		if w.chance(1.0 / 12) {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:], w.Uint64())
			binary.BigEndian.PutUint64(b[8:], w.Uint64())
			b[0], b[1] = 0x2a, byte(w.from(0, 0x10))
			a = netip.AddrFrom16(b)
		} else {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], w.Uint32())
			a = netip.AddrFrom4(b)
		}
		if _, known := operators().At(a); usable(a) && !known && w.truth[key(a)] == nil && !nets.Fronts().Contains(a) {
			return a
		}
	}
}

// usable are addresses that a peer on the internet may have, but for those of Automattic, whose services innocents use.
func usable(a netip.Addr) bool {
	b := a.As16()
	return a.IsGlobalUnicast() && !a.IsPrivate() && (a.Is6() || b[12] > 0 && b[12] < 224 && b[12] != 127 && b[12] != 192 && b[12] != 198 && b[12] != 203 && b[12] != 100)
}

// neighbour is another address of the same /24 or /48 that nobody has yet.
func (w *World) neighbour(a netip.Addr) netip.Addr {
	for {
		b := a.As16()
		if a.Is4() {
			b[15] = byte(w.from(1, 254))
		} else {
			binary.BigEndian.PutUint16(b[6:], uint16(w.Uint32()))
		}
		n := netip.AddrFrom16(b).Unmap()
		if w.truth[key(n)] == nil {
			return n
		}
		if w.chance(0.01) {
			return w.stranger() // the network is full
		}
	}
}

// within is an address of a prefix.
func (w *World) within(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		if w.chance(0.5) {
			b[i/8] |= 1 << (7 - i%8)
		}
	}
	return netip.AddrFrom16(b).Unmap()
}

//go:embed ranges.txt
var rangesText string

// ranges are published ranges of crawlers and services, by name, as operators had them in 2026.
var ranges = func() map[string][]netip.Prefix {
	m := map[string][]netip.Prefix{}
	s := bufio.NewScanner(strings.NewReader(rangesText))
	for s.Scan() {
		name, rest, ok := strings.Cut(s.Text(), " ")
		if !ok || name == "#" {
			continue
		}
		for _, p := range strings.Fields(rest) {
			m[name] = append(m[name], netip.MustParsePrefix(p))
		}
	}
	return m
}()

// operators are the whole of what is published.
var operators = sync.OnceValue(func() *bots.Set {
	set, _ := bots.Load("")
	return set
})

// known is an address out of a published list that nobody has yet.
func (w *World) known(name string) netip.Addr {
	list := ranges[name]
	for {
		if a := w.within(list[w.IntN(len(list))]); w.truth[key(a)] == nil || w.truth[key(a)] == w.kind {
			return a
		}
	}
}

// browser is the agent of a person.
func (w *World) browser() string {
	chrome := fmt.Sprintf("%d.0.0.0", w.from(109, 142))
	switch w.IntN(10) {
	case 0:
		v := w.from(115, 144)
		return fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%d.0", w.pick("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10.15"), v, v)
	case 1, 2:
		v := w.from(15, 18)
		return fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS %d_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.%d Mobile/15E148 Safari/604.1", v, w.from(0, 6), v, w.from(0, 6))
	case 3, 4:
		return fmt.Sprintf("Mozilla/5.0 (Linux; Android %d; %s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s Mobile Safari/537.36", w.from(10, 15), w.pick("K", "SM-G991B", "Pixel 7", "M2101K6G"), chrome)
	case 5:
		v := w.from(15, 18)
		return fmt.Sprintf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.%d Safari/605.1.15", v, w.from(0, 6))
	case 6:
		return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s Safari/537.36 Edg/%s", chrome, chrome)
	default:
		return fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s Safari/537.36", w.pick("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7"), chrome)
	}
}

// robot is the agent of a script that does not hide much, or hides badly.
func (w *World) robot() string {
	return w.pick("-", "Mozilla/5.0", "python-requests/2.31.0", "python-requests/2.27.1", "Go-http-client/1.1", "curl/7.88.1", "curl/8.5.0", "Java/1.8.0_201", "okhttp/4.9.0",
		"Mozilla/5.0 (Windows NT 6.1; WOW64; rv:40.0) Gecko/20100101 Firefox/40.1", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "Mozlila/5.0 (Linux; Android 7.0; SM-G892A Bulid/NRD90M; wv)",
		"Mozilla/5.0 (X11; Ubuntu; Linux i686; rv:28.0) Gecko/20100101 Firefox/28.0", "python-httpx/0.27.0", "aiohttp/3.9.1", "PHP/7.4", "axios/1.6.2", "node-fetch/1.0", "Wget/1.21.3",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.108 Safari/537.36", "Mozilla/5.0 (compatible)", "GuzzleHttp/7")
}

// disguise is a browser's agent or a script's, as attackers have it.
func (w *World) disguise() string {
	if w.chance(0.55) {
		return w.browser()
	}
	return w.robot()
}
