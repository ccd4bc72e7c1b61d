package bots

import (
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
)

// matcher finds which of many texts an agent holds, in one pass. Every text is filed under the rarest four bytes in it; at each
// place of the agent one bit tells whether any text has the four bytes there, and only then are texts compared. So the work is
// the agent's length and a few comparisons, whatever the agent says.
type matcher struct {
	bots  []connwarden.Bot
	texts []text // by bucket, once settled

	bits    [1 << hashBits / 64]uint64
	buckets [1<<bucketBits + 1]uint16
}

const (
	hashBits   = 15
	bucketBits = 12
	maxAgent   = 1024 - 2
	begin, end = 0x02, 0x03 // stand before and behind the agent, so that a text may ask for them
)

// text is what an agent may hold.
type text struct {
	text  string // in small letters, which match any, unless exact
	rest  string // must follow, anywhere behind; "" for most
	gram  uint32 // four bytes of text, as folded
	at    uint8  // where they are
	rank  uint8
	exact bool
	bot   uint16
}

// add files texts under a bot: "^" and "$" stand for the agent's ends, "*" for anything.
func (m *matcher) add(rank uint8, bot connwarden.Bot, exact bool, texts ...string) {
	m.bots = append(m.bots, bot)
	for _, s := range texts {
		if !exact {
			s = strings.ToLower(s)
		}
		if strings.HasPrefix(s, "^") {
			s = string(rune(begin)) + s[1:]
		}
		if strings.HasSuffix(s, "$") {
			s = s[:len(s)-1] + string(rune(end))
		}
		first, rest, _ := strings.Cut(s, "*")
		m.texts = append(m.texts, text{text: first, rest: rest, rank: rank, exact: exact, bot: uint16(len(m.bots) - 1)})
	}
}

// ordinary is what browsers say: four bytes out of it would be found in every agent.
const ordinary = "mozilla/5.0 (windows nt 10.0; win64; x64; rv:128.0) gecko/20100101 firefox/128.0 (x11; linux x86_64) applewebkit/537.36 " +
	"(khtml, like gecko) chrome/126.0.0.0 mobile safari/537.36 edg/126.0 (macintosh; intel mac os x 10_15_7) version/17.5 " +
	"(iphone; cpu iphone os 17_5 like mac os x) mobile/15e148 (linux; android 10; k) (compatible; msie 9.0; trident/5.0) .net clr " +
	"(compatible; bot/1.0; +http://www.example.com/bot.html) +https://"

// settle chooses the four bytes of each text and files it. Nothing may be added afterwards.
func (m *matcher) settle() {
	var count [1 << hashBits]uint16
	for i := range len(ordinary) - 3 {
		count[hash(gramAt(ordinary, i))] = 1000
	}
	for _, t := range m.texts {
		for i := range len(t.text) - 3 {
			count[hash(gramAt(t.text, i))]++
		}
	}
	for i := range m.texts {
		t := &m.texts[i]
		for k := range min(len(t.text)-3, 256) {
			if g := gramAt(t.text, k); k == 0 || count[hash(g)] < count[hash(t.gram)] {
				t.gram, t.at = g, uint8(k)
			}
		}
	}
	slices.SortStableFunc(m.texts, func(a, b text) int { return int(bucket(hash(a.gram))) - int(bucket(hash(b.gram))) })
	for i, t := range m.texts {
		h := hash(t.gram)
		m.bits[h/64] |= 1 << (h % 64)
		m.buckets[bucket(h)+1] = uint16(i + 1)
	}
	for i := range len(m.buckets) - 1 {
		m.buckets[i+1] = max(m.buckets[i+1], m.buckets[i])
	}
}

func gramAt(s string, i int) uint32 {
	return fold(uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24)
}

// fold makes letters small, all four at once. It also joins some other bytes, which the comparison tells apart.
func fold(gram uint32) uint32 { return gram | 0x20202020 }

func hash(gram uint32) uint32   { return gram * 2654435761 >> (32 - hashBits) }
func bucket(hash uint32) uint32 { return hash >> (hashBits - bucketBits) }

// find returns the index of the bot that the agent claims to be, or -1.
func (m *matcher) find(agent []byte) int {
	var room [maxAgent + 2]byte
	n := 1 + copy(room[1:1+maxAgent], agent)
	room[0] = begin
	if len(agent) <= maxAgent {
		room[n] = end
		n++
	}
	framed := room[:n]
	best := -1
	var gram uint32
	for i, c := range framed {
		gram = gram>>8 | uint32(c)<<24
		folded := fold(gram)
		h := hash(folded)
		if m.bits[h/64]&(1<<(h%64)) == 0 || i < 3 {
			continue
		}
		b := bucket(h)
		for k := int(m.buckets[b]); k < int(m.buckets[b+1]); k++ {
			t := &m.texts[k]
			if t.gram == folded && (best < 0 || t.before(&m.texts[best])) && t.in(framed, i-3-int(t.at)) {
				best = k
			}
		}
	}
	if best < 0 {
		return -1
	}
	return int(m.texts[best].bot)
}

// before tells whether a text is rather believed than another.
func (t *text) before(o *text) bool {
	return t.rank < o.rank || t.rank == o.rank && len(t.text)+len(t.rest) > len(o.text)+len(o.rest)
}

// in tells whether the text stands at a place of the agent and is a claim there.
func (t *text) in(agent []byte, at int) bool {
	if at < 0 || len(agent)-at < len(t.text) || !t.same(agent[at:at+len(t.text)], t.text) {
		return false
	}
	if after(agent[:at], "like ") || after(agent[:at], "following ") {
		return false
	}
	if t.rest == "" {
		return true
	}
	for agent = agent[at+len(t.text):]; len(agent) >= len(t.rest); agent = agent[1:] {
		if t.same(agent[:len(t.rest)], t.rest) {
			return true
		}
	}
	return false
}

// same compares bytes of one length.
func (t *text) same(agent []byte, want string) bool {
	if t.exact {
		return string(agent) == want
	}
	return equal(agent, want)
}

// equal compares in any case; want is in small letters.
func equal(agent []byte, want string) bool {
	for i, c := range agent {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

func after(agent []byte, word string) bool {
	return len(agent) >= len(word) && equal(agent[len(agent)-len(word):], word)
}
