package connwarden

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ScopeKind says what of a target is denied.
type ScopeKind uint8

const (
	ScopeAll    ScopeKind = iota // everything
	ScopePorts                   // some ports of ours
	ScopeSite                    // one site, by the folder that its server reads access rules from
	ScopeLogins                  // logins alone, as cPHulk does
)

var scopeWords = [...]string{"all", "ports", "site", "logins"}

// String returns "all", "ports", "site" or "logins".
func (k ScopeKind) String() string { return word(scopeWords[:], int(k)) }

// Scope is what a block denies. It is comparable: ports are kept sorted in text.
type Scope struct {
	Kind   ScopeKind
	Detail string // of ports "80,443", ascending; of a site its folder; else nothing
}

// Ports returns the scope of some ports; of none it is everything.
func Ports(ports ...uint16) Scope {
	if len(ports) == 0 {
		return Scope{}
	}
	ports = slices.Clone(ports)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(int(p))
	}
	return Scope{ScopePorts, strings.Join(words, ",")}
}

// PortList returns the ports of a scope of ports, ascending, and nothing of any other.
func (s Scope) PortList() []uint16 {
	if s.Kind != ScopePorts {
		return nil
	}
	var list []uint16
	for word := range strings.SplitSeq(s.Detail, ",") {
		if n, err := strconv.ParseUint(word, 10, 16); err == nil {
			list = append(list, uint16(n))
		}
	}
	return list
}

// String returns the kind, and after a colon the detail: "all", "ports:80,443", "site:/var/www/shop", "logins".
func (s Scope) String() string {
	if s.Detail == "" {
		return s.Kind.String()
	}
	return s.Kind.String() + ":" + s.Detail
}

// ParseScope reads what String wrote; ok is false for anything else.
func ParseScope(text string) (s Scope, ok bool) {
	kind, detail, _ := strings.Cut(text, ":")
	i := slices.Index(scopeWords[:], kind)
	if i < 0 {
		return Scope{}, false
	}
	return Scope{ScopeKind(i), detail}, true
}

// OriginKind says who wanted a block.
type OriginKind uint8

const (
	ByOperator OriginKind = iota // a person, at the command line or the page
	ByRule                       // a verdict of ours
	ByFleet                      // another host
)

var originWords = [...]string{"operator", "rule", "fleet"}

// String returns "operator", "rule" or "fleet".
func (k OriginKind) String() string { return word(originWords[:], int(k)) }

// Origin is who wanted a block: of an operator the account's name, of a rule its name, of the fleet the host's.
type Origin struct {
	Kind OriginKind
	Name string
}

// String returns the kind, and after a colon the name if there is one.
func (o Origin) String() string {
	if o.Name == "" {
		return o.Kind.String()
	}
	return o.Kind.String() + ":" + o.Name
}

// ParseOrigin reads what String wrote; an unknown kind is an operator's.
func ParseOrigin(text string) Origin {
	kind, name, _ := strings.Cut(text, ":")
	return Origin{OriginKind(max(0, slices.Index(originWords[:], kind))), name}
}

// BlockKey tells blocks apart: one target may be denied in several scopes and by several drivers.
type BlockKey struct {
	Target netip.Prefix // masked; IPv4 never in IPv6 clothes
	Scope  Scope
	Driver string
}

// Compare orders keys by target, scope and driver.
func (k BlockKey) Compare(o BlockKey) int {
	return cmp.Or(k.Target.Compare(o.Target), cmp.Compare(k.Scope.String(), o.Scope.String()), cmp.Compare(k.Driver, o.Driver))
}

// Block is a denial that is wanted or in force.
type Block struct {
	BlockKey
	Since    time.Time
	Until    time.Time // zero: until it is lifted
	By       Origin
	Why      string // a sentence; may quote hostile text
	Forced   bool   // an operator insisted although the guard refused
	Revision int64  // of the journal's entry that made it; later is higher
}

// Expired tells whether the block has ended by now.
func (b *Block) Expired(now time.Time) bool { return !b.Until.IsZero() && !now.Before(b.Until) }
