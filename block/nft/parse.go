package nft

import (
	"encoding/binary"
	"iter"
	"strings"
	"time"

	"github.com/connwarden/connwarden/block"
)

// Attributes of nf_tables messages that are read, from include/uapi/linux/netfilter/nf_tables.h.
const (
	genHeaderLen = 4 // struct nfgenmsg

	attrListElem = 1 // NFTA_LIST_ELEM

	attrGenID = 1

	attrTableName  = 1
	attrTableFlags = 2

	attrChainHook = 4
	attrChainType = 7
	attrHookNum   = 1
	attrHookPrio  = 2

	attrRuleChain = 2
	attrRuleExprs = 4

	attrExprName = 1
	attrExprData = 2

	attrLookupSet = 1

	attrImmediateData = 2
	attrDataValue     = 1
	attrDataVerdict   = 2
	attrVerdictCode   = 1
	attrVerdictChain  = 2

	attrSetName = 2

	attrElemList       = 3
	attrElemKey        = 1
	attrElemExpiration = 5
	attrElemExpr       = 7

	attrCounterBytes   = 1
	attrCounterPackets = 2

	tableDormant = 1
	verdictDrop  = 0
)

// attrs are the kinds and values of the attributes in b, borrowed. What is cut short is left out.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		const flags = 0xc000 // nested, network byte order
		for len(b) >= 4 {
			size := int(binary.NativeEndian.Uint16(b))
			if size < 4 || size > len(b) || !yield(binary.NativeEndian.Uint16(b[2:])&^flags, b[4:size]) {
				return
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

// find follows a path of nested attributes; nil if it ends before.
func find(b []byte, path ...uint16) []byte {
	for _, want := range path {
		var next []byte
		for kind, v := range attrs(b) {
			if kind == want {
				next = v
				break
			}
		}
		b = next
	}
	return b
}

// body is what follows the header of a message.
func body(m []byte) []byte { return m[min(genHeaderLen, len(m)):] }

func text(v []byte) string { return strings.TrimRight(string(v), "\x00") }

// is compares a text attribute without making a string of it.
func is(v []byte, want string) bool { return len(v) == len(want)+1 && string(v[:len(want)]) == want }

func be32(v []byte) uint32 {
	if len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

func be64(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// element is one of a set, as the kernel tells it.
type element struct {
	key  []byte        // borrowed
	ends bool          // it has an end,
	left time.Duration // so far away
	hits block.Hits
}

// elements are those in a message of set elements.
func elements(m []byte) iter.Seq[element] {
	return func(yield func(element) bool) {
		for _, one := range attrs(find(body(m), attrElemList)) {
			var e element
			for kind, v := range attrs(one) {
				switch kind {
				case attrElemKey:
					e.key = find(v, attrDataValue)
				case attrElemExpiration:
					const most = uint64(1<<63-1) / uint64(time.Millisecond)
					e.ends, e.left = true, time.Duration(min(be64(v), most))*time.Millisecond
				case attrElemExpr:
					if data := find(v, attrExprData); is(find(v, attrExprName), "counter") {
						e.hits = block.Hits{Packets: be64(find(data, attrCounterPackets)), Bytes: be64(find(data, attrCounterBytes))}
					}
				}
			}
			if !yield(e) {
				return
			}
		}
	}
}

// rule is what matters of a rule: its chain, the set that it looks up last, and where it leads.
type rule struct {
	chain, set string
	drop       bool
	jump       string // the chain that it goes to
}

// parseRule reads a message of a rule.
func parseRule(m []byte) rule {
	r := rule{chain: text(find(body(m), attrRuleChain))}
	for _, expr := range attrs(find(body(m), attrRuleExprs)) {
		data := find(expr, attrExprData)
		switch text(find(expr, attrExprName)) {
		case "lookup":
			r.set = text(find(data, attrLookupSet))
		case "immediate":
			verdict := find(data, attrImmediateData, attrDataVerdict)
			code := find(verdict, attrVerdictCode)
			r.drop = len(code) == 4 && be32(code) == verdictDrop
			r.jump = text(find(verdict, attrVerdictChain))
		}
	}
	return r
}

// hook is where a base chain hangs.
type hook struct {
	kind     string // "filter"
	number   uint32
	priority int32
}

// parseHook reads a message of a chain; the zero value is that of a chain without a hook.
func parseHook(m []byte) hook {
	h := find(body(m), attrChainHook)
	return hook{text(find(body(m), attrChainType)), be32(find(h, attrHookNum)), int32(be32(find(h, attrHookPrio)))}
}
