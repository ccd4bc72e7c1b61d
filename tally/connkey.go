package tally

import (
	"fmt"
	"strings"
)

// ConnKey is what connections are counted by.
type ConnKey uint8

const (
	ConnByIP   ConnKey = iota
	ConnByNet          // /24 and /64
	ConnByPort         // the service's port, protocol and direction kept apart
	ConnByState
	ConnByProcess // the program's name
	ConnByConn    // one row each
	ConnByCountry // as Conns.Place knows it
	ConnByASN     // likewise: number and name
)

var connKeyWords = [...]string{"ip", "net", "port", "state", "process", "conn", "country", "asn"}

// String returns CLI.md's word.
func (k ConnKey) String() string {
	if int(k) < len(connKeyWords) {
		return connKeyWords[k]
	}
	return "unknown"
}

// ParseConnKey reads CLI.md's word.
func ParseConnKey(s string) (ConnKey, error) {
	for i, w := range connKeyWords {
		if s == w {
			return ConnKey(i), nil
		}
	}
	return 0, fmt.Errorf("key %q: not one of %s", s, strings.Join(connKeyWords[:], ", "))
}
