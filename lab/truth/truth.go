// Package truth makes the logs of servers on which everybody is known, has them reviewed, and counts who was taken for what.
//
// A [World] is one server over some hours: what its web server, sshd, mail, FTP and database daemons wrote, in their own forms
// and in the order of time, while attackers and innocents of many kinds came and went. All that happens is drawn from a seed, so
// that a world can be made again; every address has one [Kind], and that is the truth that verdicts are held against.
//
// The kinds are told as they behave, from logs of real servers and the documentation of tools, and know nothing of the rules
// that judge them. It is plumbing for tests and for bench/truth; it reads no clock and asks no name server.
package truth

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Role is what a kind deserves.
type Role uint8

const (
	Attack   Role = iota // should be seen, at least as suspicious
	Innocent             // must not be malicious
	Crawler              // proves itself by its address, and must not even be suspicious
)

var roleWords = [...]string{"attack", "innocent", "crawler"}

// String returns the word.
func (r Role) String() string { return roleWords[r] }

// Kind is one way to behave.
type Kind struct {
	Name string
	Role Role
	Mass bool // it takes many addresses to do it
	play func(w *World)
}

// Kinds returns all kinds: attacks first.
func Kinds() []Kind {
	var all []Kind
	for _, list := range [][]Kind{
		bruteKinds, rapidKinds, scanKinds, injectKinds, floodKinds, spamKinds, shellKinds, mailKinds, fileKinds, toolKinds,
		visitorKinds, customerKinds, serviceKinds, ownerKinds, houseKinds, lookalikeKinds, meanwhileKinds, formKinds, strayKinds, crawlerKinds, shellFriends, mailFriends, fileFriends, deskKinds,
	} {
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b Kind) int { return cmp.Compare(a.Role, b.Role) })
	return all
}

// World is one server and all who came to it.
type World struct {
	*rand.Rand
	Begin  time.Time
	Length time.Duration

	site    site
	machine machine
	kind    *Kind // the one that plays
	truth   map[netip.Addr]*Kind
	logs    map[string][]line
	sieges  []siege
	target  string // the account that the attack in hand is after
}

// line is one line of a log, and the order in which it was written among those of one moment.
type line struct {
	at   time.Time
	text string
}

// Cast says who comes to a world: how many kinds of attack, how often each is played, and how often each innocent kind is.
type Cast struct {
	Attacks, Plays, Innocents int
	Only                      string // this kind of attack alone; "" draws
}

// New makes a world of a seed.
func New(seed uint64, cast Cast) *World {
	r := rand.New(rand.NewPCG(seed, 0x636f6e6e77617264))
	w := &World{
		Rand: r, Begin: epoch.Add(time.Duration(r.IntN(12*24)) * time.Hour).Add(time.Duration(r.IntN(3600)) * time.Second),
		Length: time.Duration(8+r.IntN(14)) * time.Hour, truth: map[netip.Addr]*Kind{}, logs: map[string][]line{},
	}
	w.site, w.machine = w.newSite(), w.newMachine()
	all := Kinds()
	split := slices.IndexFunc(all, func(k Kind) bool { return k.Role != Attack })
	attacks, others := all[:split], all[split:]
	if cast.Only != "" {
		attacks = slices.DeleteFunc(attacks, func(k Kind) bool { return k.Name != cast.Only })
	}
	for _, i := range r.Perm(len(attacks))[:min(cast.Attacks, len(attacks))] {
		w.plays(&attacks[i], cast.Plays)
	}
	for i := range others {
		w.plays(&others[i], cast.Innocents)
	}
	return w
}

// epoch is before the first moment of every world: the shipped ranges of crawlers are not a year from it.
var epoch = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// plays has a kind come n times; a mass comes once.
func (w *World) plays(k *Kind, n int) {
	w.kind, w.target = k, ""
	if k.Mass {
		n = min(n, 1)
	}
	for range n {
		k.play(w)
	}
}

// Truth is the kind of every address; of IPv6 of every /64.
func (w *World) Truth() map[netip.Addr]*Kind { return w.truth }

// KindOf returns the kind of an address, nil when it never came.
func (w *World) KindOf(a netip.Addr) *Kind { return w.truth[key(a)] }

// key is what one peer is known by: an IPv4 address, or an IPv6 /64.
func key(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, _ := a.Prefix(64)
	return p.Addr()
}

// Write writes the logs into a folder and returns their names, in order.
func (w *World) Write(dir string) ([]string, error) {
	var names []string
	for name, lines := range w.logs {
		slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
		var text bytes.Buffer
		for _, l := range lines {
			text.WriteString(l.text)
			text.WriteByte('\n')
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
			return nil, fmt.Errorf("write a world: %w", err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Lines returns the first lines that an address left, at most n of each log.
func (w *World) Lines(a netip.Addr, n int) []string {
	var out []string
	text := a.String()
	for _, name := range slices.Sorted(maps.Keys(w.logs)) {
		left := n
		for _, l := range w.logs[name] {
			if left > 0 && strings.Contains(l.text, text) {
				out = append(out, l.text)
				left--
			}
		}
	}
	return out
}
