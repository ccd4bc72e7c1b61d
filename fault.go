package connwarden

import (
	"net/netip"
	"time"
)

// Level is how grave a fault is, by the words of syslog (RFC 5424, 6.2.1).
type Level uint8

const (
	LevelUnknown Level = iota
	LevelDebug
	LevelInfo
	LevelNotice
	LevelWarning
	LevelError
	LevelCritical
	LevelAlert
	LevelEmergency
)

var levelWords = [...]string{"unknown", "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// String returns syslog's word, in full.
func (l Level) String() string { return word(levelWords[:], int(l)) }

// MarshalText returns the word.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Fault is one entry of an error log. An entry may span lines (a PHP stack trace): Message is then all of it.
type Fault struct {
	Time    time.Time // zero when the line has none
	Level   Level
	Service string // "apache", "nginx", "php-fpm", "php", …: a constant of the reader
	Module  []byte // "proxy_fcgi", "core"; the pool of PHP-FPM
	Code    []byte // "AH00161"; nothing when the daemon numbers nothing
	Site    []byte // virtual host or server name
	Client  netip.Addr
	Request []byte // the request line quoted in the message, when the daemon quotes it
	Script  []byte // the file that failed, when the message says so
	Message []byte // without time, level, pid, client and code
	From    Source
	Raw     []byte // the first line, whole
}
