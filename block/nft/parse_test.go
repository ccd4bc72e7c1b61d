package nft

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// nested makes an attribute of others.
func nested(kind uint16, parts ...[]byte) []byte {
	const flag = 0x8000
	return value(kind|flag, slices.Concat(parts...))
}

func value(kind uint16, v []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(v)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, v...)
	return append(b, make([]byte, -len(b)&3)...)
}

func word(kind uint16, s string) []byte { return value(kind, append([]byte(s), 0)) }

func number(kind uint16, n uint64) []byte { return value(kind, binary.BigEndian.AppendUint64(nil, n)) }

func number32(kind uint16, n uint32) []byte {
	return value(kind, binary.BigEndian.AppendUint32(nil, n))
}

// someElement is an element with an end and a count, laid out as Linux 6.18 does.
func someElement(key ...byte) []byte {
	return nested(attrListElem,
		nested(attrElemKey, value(attrDataValue, key)),
		nested(attrElemExpr, word(attrExprName, "counter"), nested(attrExprData, number(attrCounterBytes, 840), number(attrCounterPackets, 14))),
		number(4, 3_600_000), number(attrElemExpiration, 3_599_250))
}

func someElements(n int) []byte {
	var list [][]byte
	for i := range n {
		list = append(list, someElement(192, 0, byte(i>>8), byte(i)))
	}
	return slices.Concat([]byte{1, 0, 0, 7}, word(1, "connwarden"), word(2, "ip4-32"), nested(attrElemList, list...))
}

func TestElements(t *testing.T) {
	endless := nested(attrListElem, nested(attrElemKey, value(attrDataValue, []byte{192, 0, 2, 8})))
	m := slices.Concat([]byte{1, 0, 0, 7}, word(1, "connwarden"), word(2, "ip4-32"), nested(attrElemList, someElement(192, 0, 2, 7), endless))
	got := slices.Collect(elements(m))
	if len(got) != 2 {
		t.Fatalf("%d elements, want 2", len(got))
	}
	if e := got[0]; !slices.Equal(e.key, []byte{192, 0, 2, 7}) || !e.ends || e.left != 3_599_250*time.Millisecond || e.hits != (block.Hits{Packets: 14, Bytes: 840}) {
		t.Errorf("first: %+v", e)
	}
	if e := got[1]; !slices.Equal(e.key, []byte{192, 0, 2, 8}) || e.ends || e.hits != (block.Hits{}) {
		t.Errorf("second: %+v", e)
	}
	if n := testing.AllocsPerRun(10, func() {
		for range elements(m) {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// What is cut short is left out, not made up.
	for cut := range m {
		for e := range elements(m[:cut]) {
			t.Fatalf("cut at %d of %d: %+v", cut, len(m), e)
		}
	}
}

func TestParseRule(t *testing.T) {
	lookup := nested(attrListElem, word(attrExprName, "lookup"), nested(attrExprData, word(attrLookupSet, "ip4-32")))
	verdict := func(code int32, chain string) []byte {
		parts := [][]byte{number32(attrVerdictCode, uint32(code))}
		if chain != "" {
			parts = append(parts, word(attrVerdictChain, chain))
		}
		return nested(attrListElem, word(attrExprName, "immediate"),
			nested(attrExprData, number32(1, 0), nested(attrImmediateData, nested(attrDataVerdict, parts...))))
	}
	message := func(exprs ...[]byte) []byte {
		return slices.Concat([]byte{1, 0, 0, 7}, word(1, "connwarden"), word(attrRuleChain, "incoming"), nested(attrRuleExprs, exprs...))
	}
	for _, tt := range []struct {
		what string
		m    []byte
		want rule
	}{
		{"drop", message(lookup, verdict(0, "")), rule{chain: "incoming", set: "ip4-32", drop: true}},
		{"accept", message(lookup, verdict(1, "")), rule{chain: "incoming", set: "ip4-32"}},
		{"jump", message(lookup, verdict(-3, "ports-25")), rule{chain: "incoming", set: "ip4-32", jump: "ports-25"}},
		{"no verdict", message(lookup), rule{chain: "incoming", set: "ip4-32"}},
		{"nothing", nil, rule{}},
	} {
		if got := parseRule(tt.m); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, got, tt.want)
		}
	}
}

func TestParseHook(t *testing.T) {
	m := slices.Concat([]byte{1, 0, 0, 7}, word(attrChainType, "filter"),
		nested(attrChainHook, number32(attrHookNum, 0), number32(attrHookPrio, ^uint32(309))))
	if got, want := parseHook(m), (hook{"filter", 0, -310}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parseHook(m[:8]); got != (hook{}) {
		t.Errorf("cut short: %+v", got)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(someElements(3))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 7, 0xff, 0xff, 3, 0})
	f.Fuzz(func(t *testing.T, m []byte) {
		n := 0
		for e := range elements(m) {
			n++
			if e.left < 0 || len(e.key) > len(m) {
				t.Errorf("%+v", e)
			}
		}
		if n*4 > len(m) {
			t.Errorf("%d elements in %d bytes", n, len(m))
		}
		parseRule(m)
		parseHook(m)
	})
}

func BenchmarkElements(b *testing.B) {
	m := someElements(270) // what one read brings
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	for b.Loop() {
		for e := range elements(m) {
			if len(e.key) != 4 {
				b.Fatal(e)
			}
		}
	}
}
