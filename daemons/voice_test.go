package daemons

import (
	"testing"

	"github.com/connwarden/connwarden"
)

// TestVoices: what is said of one failure more than once is said by different voices, and a line that tells of several
// failures says how many.
func TestVoices(t *testing.T) {
	for _, c := range []struct {
		program, text string
		voice         connwarden.Voice
		times         uint32
		missing       bool
	}{
		{"sshd", "Failed password for root from 198.51.100.1 port 4022 ssh2", connwarden.VoiceOwn, 1, false},
		{"sshd", "Failed password for invalid user bob from 198.51.100.1 port 4022 ssh2", connwarden.VoiceOwn, 1, true},
		{"sshd", "message repeated 5 times: [ Failed password for root from 198.51.100.1 port 4022 ssh2]", connwarden.VoiceOwn, 5, false},
		{"sshd", "message repeated 99999999999 times: [ Failed password for root from 198.51.100.1 port 4022 ssh2]", connwarden.VoiceOwn, maxTimes, false},
		{"sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.1  user=root", connwarden.VoicePAM, 1, false},
		{"sshd", "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.1  user=root", connwarden.VoicePAM, 2, false},
		{"sshd", "error: PAM: Authentication failure for root from 198.51.100.1", connwarden.VoiceChecker, 1, false},
		{"sshd", "Invalid user bob from 198.51.100.1 port 4022", connwarden.VoiceName, 1, true},
		{"sshd", "Connection closed by invalid user bob 198.51.100.1 port 4022 [preauth]", connwarden.VoiceEnd, 1, true},
		{"sshd", "Received disconnect from 198.51.100.1 port 4022:14: No supported authentication methods available [preauth]", connwarden.VoiceEnd, 1, false},
		{"sshd", "error: maximum authentication attempts exceeded for root from 198.51.100.1 port 4022 ssh2 [preauth]", connwarden.VoiceOwn, 1, false},
		{"sshd", "Disconnecting authenticating user root 198.51.100.1 port 4022: Too many authentication failures [preauth]", connwarden.VoiceEnd, 1, false},
		{"dovecot", "imap-login: Disconnected (auth failed, 3 attempts in 12 secs): user=<carol>, method=PLAIN, rip=198.51.100.1, lip=192.0.2.10", connwarden.VoiceOwn, 3, false},
		{"dovecot", "imap-login: Disconnected (auth failed, 1 attempts): user=<(auth failed, 900 attempts>, method=PLAIN, rip=198.51.100.1, lip=192.0.2.10", connwarden.VoiceOwn, 1, false},
		{"dovecot", "auth: passwd-file(carol,198.51.100.1,<a>): unknown user", connwarden.VoiceChecker, 1, true},
		{"dovecot", "auth: passwd-file(carol,198.51.100.1,<a>): Password mismatch", connwarden.VoiceChecker, 1, false},
		{"postfix/smtpd", "warning: unknown[198.51.100.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", connwarden.VoiceOwn, 1, false},
		{"openvpn", "198.51.100.1:51022 VERIFY ERROR: depth=0, error=certificate has expired: CN=anna", connwarden.VoiceChecker, 1, false},
		{"openvpn", "198.51.100.1:51022 TLS Error: TLS handshake failed", connwarden.VoiceOwn, 1, false},
		{"postfix/smtpd", "disconnect from unknown[198.51.100.1] ehlo=1 auth=0/3 quit=1 commands=2/5", connwarden.VoiceEnd, 3, false},
	} {
		var e connwarden.Event
		if !Read(&Message{[]byte(c.program), []byte(c.text)}, &e) || !e.Kind.Hostile() {
			t.Errorf("%s: accuses nobody", c.text)
		}
		if e.Voice != c.voice || e.More+1 != c.times || e.Missing != c.missing {
			t.Errorf("%s: voice %d, %d times, account missing %t; want %d, %d, %t", c.text, e.Voice, e.More+1, e.Missing, c.voice, c.times, c.missing)
		}
	}
}
