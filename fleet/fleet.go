// Package fleet shares decisions between hosts over NATS JetStream: who is blocked, let go or never to be blocked, each
// as a key of a replicated bucket with its own time to live.
//
// A host writes only keys that begin with its own group and name; the engine sees to that. What other hosts wrote is
// hostile text until it was parsed, and a wish until this host's own guard agreed: the room decides what is asked of
// the machine, and [Host] does it or refuses. Nothing here waits for the engine but the agent's own goroutine.
//
// Hosts read the bucket by sequence, from where they stopped. What the engine publishes about a new key is only a hint
// that there is something to read, since within an account a hint can be forged and a stored key cannot.
//
// It runs on every system.
package fleet

import (
	"fmt"
	"strings"
	"time"
)

// Streams and subjects that hosts and hub agree upon. The streams are key-value buckets of NATS, by name and subject.
const (
	DecisionsStream = "KV_decisions"
	decisionsPrefix = "$KV.decisions."
	HostsStream     = "KV_hosts"
	hostsPrefix     = "$KV.hosts."

	// AllDecisions and AllHosts are what the streams take.
	AllDecisions = decisionsPrefix + ">"
	AllHosts     = hostsPrefix + ">"
	// AllHints is where the engine says that a decision was stored, by its headers alone.
	AllHints = "fleet.hint.>"
	// JoinSubject, LeaveSubject and RevokeSubject are what the hub answers on, followed by a token's key, by group and name
	// of who leaves, and by the names of who revokes whom.
	JoinSubject   = "fleet.join."
	LeaveSubject  = "fleet.leave."
	RevokeSubject = "fleet.revoke."

	// BornSubject has a word that tells one bucket from another that took its place.
	BornSubject = decisionsPrefix + "born"
	// AskSubject, followed by a host, asks it for its review.
	AskSubject = "fleet.ask."

	directGet = "$JS.API.DIRECT.GET."
	// GetDecisions and GetHosts are how the streams are read.
	GetDecisions = directGet + DecisionsStream
	GetHosts     = directGet + HostsStream
)

const (
	// Lease is how long a decision lasts at other hosts, at most. What is to last longer is renewed every day by its host,
	// so that nothing outlives a host that is gone for good.
	Lease = 7 * 24 * time.Hour
	// MarkerTTL is how long, in the engine's words, the mark stays that a key was taken back: longer than any lease, so that whoever was away for
	// less reads it, and for whoever was away for longer the decision has ended by itself.
	MarkerTTL = "192h"
	// MaxDecision bounds the value of a key: a reason of 300 bytes that JSON escapes sixfold fits.
	MaxDecision = 4 << 10
	// maxWord bounds names of groups and hosts; that of a label in the DNS, four times.
	maxWord = 253
)

// DecisionSubjects is what a host writes decisions of a kind to.
func DecisionSubjects(group, host string, kind Kind) string {
	return decisionsPrefix + group + "." + host + "." + kind.String() + ".*.*"
}

// HostDecisions are all keys of a host.
func HostDecisions(group, host string) string { return decisionsPrefix + group + "." + host + ".>" }

// GoneSubject is where the hub says that all decisions of a host are void.
func GoneSubject(group, host string) string { return decisionsPrefix + group + "." + host + ".gone" }

// StatusSubject is where a host tells how it is.
func StatusSubject(group, host string) string { return hostsPrefix + group + "." + host }

// Inbox is where answers to a host come, followed by a word of its own.
func Inbox(host string) string { return "_INBOX_" + host }

// Word makes of a name one token of a subject: small letters, digits, hyphens, and an underscore for each dot.
func Word(name string) (string, error) {
	word := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(name, ".")), ".", "_")
	if !isWord(word) {
		return "", fmt.Errorf("%q cannot be a name here: letters, digits, hyphens and dots, at most %d", clip(name, maxWord), maxWord)
	}
	return word, nil
}

// Name is the name that Word was given, but for large letters.
func Name(word string) string { return strings.ReplaceAll(word, "_", ".") }

func isWord(s string) bool {
	if s == "" || len(s) > maxWord {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// clip cuts a text at a length in bytes, between two characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}
