package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readDropbear reads Dropbear (svr-auth*.c, svr-session.c). The peer is "ADDR:PORT" (getaddrstring), the name stands before
// it in quotes, and dropbear_exit of a session adds " from <ADDR:PORT>" and the reason, or ends with it (svr_dropbear_exit).
func readDropbear(s string, e *connwarden.Event) bool {
	s = strings.TrimSuffix(s, ", extra auth required")
	failed := connwarden.EventAuthFailed
	switch {
	case strings.HasPrefix(s, "Child connection from "):
		return dropbearPeer(e, connwarden.EventConnected, s[len("Child connection from "):], "")
	case strings.HasPrefix(s, "Exit before auth"), strings.HasPrefix(s, "exit before auth"):
		return dropbearExit(s, e)
	case strings.HasPrefix(s, "Exit ("):
		// "Exit (NAME) from <ADDR:PORT>: REASON": an account that has logged in.
		name, rest, ok := strings.Cut(s[len("Exit ("):], ") from <")
		host, _, good := strings.Cut(rest, ">: ")
		return ok && good && dropbearPeer(e, connwarden.EventClosed, host, name)
	}
	head, host, ok := lastCut(s, " from ")
	if !ok || strings.IndexByte(host, ' ') >= 0 {
		return false
	}
	switch {
	case strings.HasPrefix(s, "Bad password attempt for '"), strings.HasPrefix(s, "bad password attempt for '"),
		strings.HasPrefix(s, "Bad PAM password attempt for '"), strings.HasPrefix(s, "Too-long password attempt for '"),
		strings.HasPrefix(s, "Pubkey auth bad signature for '"):
		return dropbearPeer(e, failed, host, dropbearName(head))
	case strings.HasPrefix(s, "Login attempt for nonexistent user"), strings.HasPrefix(s, "login attempt for nonexistent user"):
		return nobody(dropbearPeer(e, failed, host, dropbearName(head)), e)
	case strings.HasPrefix(s, "Login attempt with wrong user "):
		return dropbearPeer(e, failed, host, beyond(head, len("Login attempt with wrong user ")))
	case strings.HasPrefix(s, "Password auth succeeded for '"), strings.HasPrefix(s, "password auth succeeded for '"),
		strings.HasPrefix(s, "PAM password auth succeeded for '"), strings.HasPrefix(s, "Pubkey auth succeeded for '"),
		strings.HasPrefix(s, "pubkey auth succeeded for '"), strings.HasPrefix(s, "Auth succeeded with blank password for '"):
		return dropbearPeer(e, connwarden.EventAuthPassed, host, dropbearName(head))
	}
	return false
}

// dropbearName is what stands between the first quote and the last one before the address, without what is said of a key.
func dropbearName(head string) string {
	if i := strings.LastIndex(head, "' with "); i >= 0 && strings.HasPrefix(head[1:], "ubkey ") {
		head = head[:i+1]
	}
	_, name, ok := strings.Cut(head, "'")
	if i := strings.LastIndexByte(name, '\''); ok && i >= 0 {
		return name[:i]
	}
	return ""
}

func dropbearPeer(e *connwarden.Event, kind connwarden.EventKind, host, user string) bool {
	a, ok := addressWithPort(host)
	return ok && sayOf(e, kind, a, user, "")
}

// dropbearExit reads "Exit before auth from <ADDR:PORT>: (user 'NAME', N fails): REASON" (since 2020.79) and the older "Exit
// before auth (user 'NAME', N fails): Max auth tries reached - user 'NAME' from ADDR:PORT".
func dropbearExit(s string, e *connwarden.Event) bool {
	rest, ok := strings.CutPrefix(s, "Exit before auth from <")
	if !ok {
		if !strings.Contains(s, ": Max auth tries reached - user ") {
			return false
		}
		head, host, ok := lastCut(s, " from ")
		if !ok {
			return false
		}
		_, tail, _ := lastCut(head, ": Max auth tries reached - user ")
		return dropbearPeer(e, connwarden.EventLimitHit, host, strings.Trim(tail, "'"))
	}
	host, why, ok := strings.Cut(rest, ">: ")
	if !ok {
		return false
	}
	kind := connwarden.EventClosed
	user, _ := between(why, "(user '", "',")
	switch {
	case strings.Contains(why, "Max auth tries reached"):
		kind = connwarden.EventLimitHit
	case strings.HasPrefix(why, "Bad") || strings.HasPrefix(why, "No matching algo"):
		kind = connwarden.EventBadHandshake
	}
	return dropbearPeer(e, kind, host, user)
}
