package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readPAM reads "pam_MODULE(SERVICE:auth): authentication failure; logname=%s uid=%d euid=%d tty=%s ruser=%s rhost=%s  user=%s"
// (Linux-PAM, modules/pam_unix/support.c; other modules copied it), its older form "(pam_unix) authentication failure; …" and
// the sum "PAM 2 more authentication failures; …".
//
// The user is the peer's and ends the line; for some services (dovecot, vsftpd) ruser is the same name again, before the
// address. So the address is between two texts of the peer's, and it is the one that parts two equal names. Without a remote
// host (su, sudo, a console) nobody is accused.
func readPAM(s string, e *connwarden.Event) bool {
	service := ""
	if open := strings.IndexByte(s, '('); open >= 0 && open < len("pam_")+24 {
		if inner, ok := between(s[open:], "(", ":"); ok && strings.IndexByte(inner, ' ') < 0 {
			service = inner
		}
	}
	if e.Service == "" {
		e.Service = pamService(service)
	}
	e.Voice = connwarden.VoicePAM
	if sum, ok := strings.CutPrefix(s, "PAM "); ok {
		e.More = number(sum[:digits(sum)]) - 1
	}
	switch service {
	case "su", "su-l", "sudo", "sudo-i", "polkit-1", "cron", "crond", "runuser", "systemd-user":
		return false
	}
	if _, what, ok := strings.Cut(s[:min(len(s), 64)], "): access denied for user `"); ok && strings.HasPrefix(s, "pam_access(") && what != "" {
		// pam_access.c: "access denied for user `%s' from `%s'", whose end is the host, or a terminal.
		head, host, ok := lastCut(strings.TrimSuffix(s, "'"), "' from `")
		_, user, _ := strings.Cut(head, "): access denied for user `")
		return ok && isAddress(host) && say(e, connwarden.EventNotAllowed, host, user)
	}
	i := strings.Index(s, "authentication failure")
	if i < 0 || i > 64 {
		return false
	}
	_, rest, ok := strings.Cut(s[i:], " ruser=")
	if !ok {
		return false
	}
	const rhost = " rhost="
	if tail, ok := strings.CutPrefix(rest, rhost); ok && (service == "sshd" || strings.Count(tail, rhost) == 0) {
		// sshd sets no ruser.
		host, user, _ := pamTail(tail)
		return host != "" && say(e, connwarden.EventAuthFailed, host, user)
	}
	// A place is possible when the line ends behind its host, or goes on with the user. The right one always is; a name of a host counts as
	// much as an address.
	places := 0
	host, user := "", ""
	for at := 0; ; {
		i := strings.Index(rest[at:], rhost)
		if i < 0 {
			break
		}
		at += i
		ruser := rest[:at]
		at += len(rhost)
		h, u, ok := pamTail(rest[at:])
		if !ok {
			continue
		}
		if ruser != "" && ruser == u {
			return say(e, connwarden.EventAuthFailed, h, u)
		}
		if places++; places > 1 && h != host {
			return false
		}
		host, user = h, u
	}
	return host != "" && say(e, connwarden.EventAuthFailed, host, user)
}

// pamTail reads "HOST", "HOST user=NAME" or "HOST  user=NAME"; ok is false when something else follows the host.
func pamTail(s string) (host, user string, ok bool) {
	host, rest := word(s)
	rest = strings.TrimPrefix(rest, " ")
	user, ok = strings.CutPrefix(rest, "user=")
	return host, user, ok || rest == ""
}

// pamService is the constant for a PAM service's name.
func pamService(s string) string {
	switch s {
	case "sshd":
		return "sshd"
	case "dovecot":
		return "dovecot"
	case "vsftpd":
		return "vsftpd"
	case "proftpd":
		return "proftpd"
	case "pure-ftpd":
		return "pure-ftpd"
	case "webmin":
		return "webmin"
	case "usermin":
		return "usermin"
	case "login", "remote":
		return "login"
	}
	return "pam"
}
