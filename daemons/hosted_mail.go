package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// splitZimbra: "2026-11-22 14:03:07,123 WARN  [THREAD] [CONTEXT] security - cmd=Auth; …" (audit.log).
func splitZimbra(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	switch level, _ := word(text); level {
	case "INFO", "WARN", "ERROR":
	default:
		return "", "", "", false
	}
	_, _, ok = zimbraParts(text)
	return stamp, "", text, ok
}

// zimbraParts finds context and message of what the log of security holds. A thread may be named by the address that was asked for, in which no
// blank stands; all values have their semicolons doubled and no line ends (ZimbraLog.java, encodeArg).
func zimbraParts(s string) (context, said string, ok bool) {
	_, s = word(s)
	thread, s, ok := strings.Cut(strings.TrimLeft(s, " "), "] [")
	if !ok || thread == "" || thread[0] != '[' || strings.IndexByte(thread, ' ') >= 0 {
		return "", "", false
	}
	end := 0
	for !strings.HasPrefix(s[end:], "]") {
		_, _, n := zimbraPair(s[end:])
		if n == 0 {
			return "", "", false
		}
		end += n
	}
	said, ok = strings.CutPrefix(s[end:], "] security - ")
	return s[:end], said, ok
}

// zimbraPair is the "KEY=VALUE;" that s begins with, as written, and its length; 0 without one.
func zimbraPair(s string) (key, value string, n int) {
	eq := strings.IndexByte(s, '=')
	if eq <= 0 || eq > 16 {
		return "", "", 0
	}
	for i := eq + 1; i < len(s); i++ {
		if s[i] != ';' {
			continue
		}
		if i+1 < len(s) && s[i+1] == ';' {
			i++
			continue
		}
		return s[:eq], s[eq+1 : i], i + 1
	}
	return "", "", 0
}

// readZimbra reads Zimbra's audit.log. Behind its own proxy the peer is the "oip" of the context; what a proxy of others says is several.
func readZimbra(s string, e *connwarden.Event) bool {
	context, said, ok := zimbraParts(s)
	if !ok {
		return false
	}
	host := ""
	for context != "" {
		key, value, n := zimbraPair(context)
		if key == "oip" || key == "ip" && host == "" {
			host = value
		}
		context = context[n:]
	}
	command, user, why := "", "", ""
	for said != "" {
		key, value, n := zimbraPair(said)
		if n == 0 {
			break
		}
		switch key {
		case "cmd":
			command = value
		case "account":
			user = value
		case "error":
			why = value
		}
		said = strings.TrimLeft(said[n:], " ")
	}
	kind := failed
	switch {
	case command != "Auth" && command != "AdminAuth":
		return false
	case why == "":
		kind = passed
	case !strings.HasPrefix(why, "authentication failed for "):
		return false
	}
	a, ok := address(host)
	return ok && sayOf(e, kind, a, user, "")
}

// readAmavis reads what amavisd has blocked: "(01234-05) Blocked SPAM {…}, [ADDR]:PORT [ADDR] <…> -> <…>, …", without the braces before 2.7. The
// first address is the client's, the second one of the mail's own. Of a client that is one of ours a bank of policies is named before.
func readAmavis(s string, e *connwarden.Event) bool {
	id, rest, ok := strings.Cut(s, ") Blocked ")
	if !ok || id == "" || id[0] != '(' || strings.IndexByte(id, ' ') >= 0 {
		return false
	}
	switch {
	case strings.HasPrefix(rest, "SPAM, "), strings.HasPrefix(rest, "SPAM {"), strings.HasPrefix(rest, "INFECTED ("):
	default:
		return false
	}
	_, rest, ok = strings.Cut(rest, ", ")
	if ok && strings.HasPrefix(rest, "[") {
		host, behind, closed := strings.Cut(rest[1:], "]")
		return closed && (behind == "" || behind[0] == ' ' || behind[0] == ':') && isAddress(host) && say(e, spam, host, "")
	}
	return false
}
