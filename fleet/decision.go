package fleet

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// Kind is what was decided.
type Kind uint8

const (
	KindBlock  Kind = iota // nobody there is let in
	KindPardon             // an operator let it go: nothing blocks it by itself
	KindAllow              // it is never blocked
)

var kindWords = [...]string{"block", "pardon", "allow"}

// Kinds are all there are.
func Kinds() []Kind { return []Kind{KindBlock, KindPardon, KindAllow} }

// String returns "block", "pardon" or "allow".
func (k Kind) String() string { return kindWords[min(int(k), len(kindWords)-1)] }

// ParseKind reads what String wrote.
func ParseKind(word string) (Kind, bool) {
	i := slices.Index(kindWords[:], word)
	return Kind(max(0, i)), i >= 0
}

// MarshalText returns the word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Key tells decisions apart: each host has one of a kind on a target in a scope.
type Key struct {
	Group, Host string // words
	Kind        Kind
	Target      netip.Prefix // masked; IPv4 never in IPv6 clothes
	Scope       connwarden.Scope
}

// Subject is where the key's value is written. Addresses are hexadecimal: neither dots nor colons may stand in a token.
func (k *Key) Subject() string { return string(k.appendTo(nil)) }

func (k *Key) appendTo(b []byte) []byte {
	for _, word := range [...]string{decisionsPrefix, k.Group, ".", k.Host, ".", k.Kind.String(), "."} {
		b = append(b, word...)
	}
	a := k.Target.Addr().As16()
	part := a[:]
	if k.Target.Addr().Is4() {
		part = a[12:]
	}
	b = append(hex.AppendEncode(b, part), '-')
	b = append(strconv.AppendInt(b, int64(k.Target.Bits()), 10), '.')
	return append(b, scopeWord(k.Scope)...)
}

// Shareable tells whether a scope means the same on another host: a folder does not.
func Shareable(s connwarden.Scope) bool {
	return s.Kind == connwarden.ScopeAll || s.Kind == connwarden.ScopeLogins || s.Kind == connwarden.ScopePorts
}

func scopeWord(s connwarden.Scope) string {
	if s.Kind == connwarden.ScopePorts {
		return "ports-" + strings.ReplaceAll(s.Detail, ",", "_")
	}
	return s.Kind.String()
}

// maxPorts is what the command line lets an operator name.
const maxPorts = 64

func parseScope(word string) (connwarden.Scope, error) {
	list, ports := strings.CutPrefix(word, "ports-")
	switch {
	case word == "all":
		return connwarden.Scope{}, nil
	case word == "logins":
		return connwarden.Scope{Kind: connwarden.ScopeLogins}, nil
	case !ports || strings.Count(list, "_") >= maxPorts:
		return connwarden.Scope{}, errors.New("its scope is none that hosts share")
	}
	var numbers []uint16
	for one := range strings.SplitSeq(list, "_") {
		n, err := strconv.ParseUint(one, 10, 16)
		if err != nil {
			return connwarden.Scope{}, errors.New("its ports are no numbers")
		}
		numbers = append(numbers, uint16(n))
	}
	return connwarden.Ports(numbers...), nil
}

func parsePrefix(word string) (p netip.Prefix, err error) {
	digits, length, _ := strings.Cut(word, "-")
	var b [16]byte
	if len(digits) != 8 && len(digits) != 32 {
		return p, errors.New("its target is no address")
	}
	n, err := hex.Decode(b[:], []byte(digits))
	if err != nil {
		return p, errors.New("its target is no address")
	}
	addr, _ := netip.AddrFromSlice(b[:n])
	bits, err := strconv.Atoi(length)
	if p = netip.PrefixFrom(addr, bits); err != nil || !p.IsValid() || p != p.Masked() || addr.Is4In6() {
		return netip.Prefix{}, errors.New("its target is no masked prefix")
	}
	return p, nil
}

// errGone is what parseKey says of the hub's word that a host is gone; the key has its group and name.
var errGone = errors.New("the host is gone")

// parseKey reads a subject. Each key has one spelling: what is written otherwise is refused.
func parseKey(subject string) (k Key, err error) {
	rest, ok := strings.CutPrefix(subject, decisionsPrefix)
	var words [5]string
	n := 0
	for more := ok; more && n < len(words); n++ {
		words[n], rest, more = strings.Cut(rest, ".")
		ok = !more // or there are more than five
	}
	if n < 3 || !isWord(words[0]) || !isWord(words[1]) {
		return k, errors.New("it is no key of a decision")
	}
	k.Group, k.Host = words[0], words[1]
	if n == 3 && words[2] == "gone" {
		return k, errGone
	}
	if n != 5 || !ok {
		return k, errors.New("it is no key of a decision")
	}
	if k.Kind, ok = ParseKind(words[2]); !ok {
		return k, errors.New("it decides what is not known here")
	}
	if k.Target, err = parsePrefix(words[3]); err != nil {
		return k, err
	}
	if k.Scope, err = parseScope(words[4]); err != nil {
		return k, err
	}
	var own [512]byte
	if string(k.appendTo(own[:0])) != subject {
		return k, errors.New("its key is spelled oddly")
	}
	return k, nil
}

// Decision is what a host decided.
type Decision struct {
	Key
	// For is how long it lasts from when the engine took it, in whole seconds and at most a Lease.
	For time.Duration
	// Until is when it ends by the clock of its host; zero: when it is taken back. Its host alone goes by it, to tell
	// whether the bucket still says what it wants; all others go by For.
	Until time.Time
	Score int // of the verdict; an operator's is 100
	By    connwarden.Origin
	Why   string // hostile text may stand in it
}

const (
	maxWhy = 300
	maxBy  = 100
)

// encode makes the value of a decision.
func (d *Decision) encode() ([]byte, error) {
	v := value{Version: version, For: int64(min(d.For, Lease) / time.Second), Score: d.Score, By: clip(d.By.String(), maxBy), Why: clip(d.Why, maxWhy)}
	if !d.Until.IsZero() {
		v.Until = d.Until.UnixMilli()
	}
	return json.Marshal(v)
}

// decode reads the value of a key. What it returns is within all bounds.
func (d *Decision) decode(b []byte) error {
	if len(b) > MaxDecision {
		return fmt.Errorf("its value has more than %d bytes", MaxDecision)
	}
	v, err := readValue(b)
	if err != nil {
		return errors.New("its value is no JSON of ours")
	}
	switch {
	case v.Version != version:
		return fmt.Errorf("its value has the version %d, which this connwarden cannot read", v.Version)
	case v.For < 1 || v.For > int64(Lease/time.Second):
		return fmt.Errorf("it lasts %d seconds, which is not between 1 and %d", v.For, int64(Lease/time.Second))
	case v.Score < 0 || v.Score > 100:
		return fmt.Errorf("its score of %d is none", v.Score)
	case len(v.Why) > maxWhy || len(v.By) > maxBy || !utf8.ValidString(v.Why) || !utf8.ValidString(v.By):
		return errors.New("its reason is too long")
	}
	d.For, d.Score, d.By, d.Why = time.Duration(v.For)*time.Second, v.Score, connwarden.ParseOrigin(v.By), v.Why
	d.Until = time.Time{}
	if v.Until != 0 {
		d.Until = time.UnixMilli(v.Until)
	}
	return nil
}
