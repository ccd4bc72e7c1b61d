package conns

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/connwarden/connwarden"
)

// StateSet is a set of states: bit s stands for connwarden.State(s), as in the kernel's masks.
type StateSet uint32

// allStates is every state that has a word.
const allStates StateSet = 1<<connwarden.NumStates - 1

func stateBit(s connwarden.State) StateSet { return 1 << s }

func stateBits(list ...connwarden.State) StateSet {
	var s StateSet
	for _, st := range list {
		s |= stateBit(st)
	}
	return s
}

// Has tells whether st is in the set.
func (s StateSet) Has(st connwarden.State) bool { return s>>st&1 != 0 }

// Len returns how many states are in the set.
func (s StateSet) Len() int { return bits.OnesCount32(uint32(s)) }

// fold makes the two states of a half-open connection one: a request socket (NEW_SYN_RECV) is what ss and netstat
// call SYN-RECV, and nobody wants one without the other.
func (s StateSet) fold() StateSet {
	const half = 1<<connwarden.StateSynRecv | 1<<connwarden.StateNewSynRecv
	if s&half != 0 {
		s |= half
	}
	return s
}

// connected is ss's word for all but LISTEN and CLOSE.
var connected = allStates &^ stateBits(connwarden.StateUnknown, connwarden.StateListen, connwarden.StateClose)

// stateGroups are ss(8)'s words for several states, section "STATE-FILTER".
var stateGroups = map[string]StateSet{
	"all":          allStates,
	"connected":    connected,
	"synchronized": connected &^ stateBit(connwarden.StateSynSent),
	"bucket":       stateBits(connwarden.StateSynRecv, connwarden.StateNewSynRecv, connwarden.StateTimeWait),
	"big":          allStates &^ stateBits(connwarden.StateSynRecv, connwarden.StateNewSynRecv, connwarden.StateTimeWait),
}

// ParseStates reads a list of states joined by commas, in any case: the kernel's words, ss's ("estab", "syn-recv",
// "fin-wait-1", "unconn"), netstat's ("SYN_RECV", "FIN_WAIT1", "SYN_RCVD", "LISTENING"), and ss's groups: all,
// connected, synchronized, bucket, big. An unknown word is an error that names it; an empty list is an empty set.
func ParseStates(list string) (StateSet, error) {
	var set StateSet
	for word := range strings.SplitSeq(list, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word == "" {
			continue
		}
		if g, ok := stateGroups[word]; ok {
			set |= g
			continue
		}
		st, ok := stateWord([]byte(word))
		if !ok {
			return 0, fmt.Errorf("state %q: not known: use established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, "+
				"close, close-wait, last-ack, listen, closing, or a group: all, connected, synchronized, bucket, big", word)
		}
		set |= stateBit(st)
	}
	return set.fold(), nil
}

// maxStateWord is longer than any word below; longer input is no state.
const maxStateWord = 24

// stateWord reads one word of ss, netstat (Linux, BSD, macOS, Windows), conntrack or the kernel. Case, '-' and '_' do
// not matter. Besides English it knows the words of Windows in German, and of net-tools in German, Portuguese and Czech (its
// own translations, po/ of net-tools 2.10). It does not allocate.
func stateWord(b []byte) (connwarden.State, bool) {
	var buf [maxStateWord]byte
	if len(b) == 0 || len(b) > maxStateWord {
		return 0, false
	}
	n := 0
	for _, c := range b {
		switch {
		case c == '-' || c == '_':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		buf[n] = c
		n++
	}
	switch string(buf[:n]) {
	case "established", "estab", "hergestellt", "verbunden", "estabelecida", "spojeno":
		return connwarden.StateEstablished, true
	case "synsent", "synsent2", "syngesendet", "synenviado":
		return connwarden.StateSynSent, true
	case "synrecv", "synrcvd", "synreceived", "newsynrecv", "synempfangen", "synrecebido":
		return connwarden.StateSynRecv, true
	case "finwait1", "finwait", "finwarten1", "esperafin1":
		return connwarden.StateFinWait1, true
	case "finwait2", "finwarten2", "esperafin2":
		return connwarden.StateFinWait2, true
	case "timewait", "wartend":
		return connwarden.StateTimeWait, true
	case "close", "closed", "unconn", "unconnected", "fechar", "zavŘen":
		return connwarden.StateClose, true
	case "closewait", "schliessenwarten", "esperandofechar":
		return connwarden.StateCloseWait, true
	case "lastack", "Últimoack", "\xdaltimoack":
		return connwarden.StateLastAck, true
	case "listen", "listening", "ouÇa", "ou\xc7a", "naslouchÁ":
		return connwarden.StateListen, true
	case "closing", "fechando", "zavÍrÁ":
		return connwarden.StateClosing, true
	case "unknown":
		return connwarden.StateUnknown, true
	}
	return 0, false
}
