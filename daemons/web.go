package daemons

import "github.com/connwarden/connwarden"

// wording is how a daemon words its messages, for daemons of which nothing more need be known; the first template that fits is the message's.
type wording []template

func (w wording) read(text string, e *connwarden.Event) bool {
	for i := range w {
		if w[i].read(text, e) {
			return true
		}
	}
	return false
}

const (
	failed  = connwarden.EventAuthFailed
	refused = connwarden.EventNotAllowed
	limited = connwarden.EventLimitHit
	probed  = connwarden.EventProbe
	spam    = connwarden.EventSpam
	broken  = connwarden.EventBadHandshake
	filter  = connwarden.EventFilterHit
	passed  = connwarden.EventAuthPassed
	opened  = connwarden.EventConnected
	closed  = connwarden.EventClosed
	other   = connwarden.EventOther
)

// wordsWordPress is of what the plugins WP fail2ban, WP Fail2Ban Redux and their like tell syslog.
var wordsWordPress = wording{
	says(failed, "Authentication failure for %u from %a"),
	says(failed, "Authentication attempt for unknown user %u from %a"),
	says(failed, "Wordpress authentication failure for %u from %a"),
	says(failed, "Empty username from %a"),
	says(refused, "Blocked authentication attempt for %u from %a"),
	says(refused, "Blocked username authentication attempt for %u from %a"),
	says(probed, "Blocked user enumeration attempt from %a"),
	says(failed, "XML-RPC authentication failure for %u from %a"),
	says(failed, "XML-RPC authentication failure from %a"),
	says(failed, "XML-RPC authentication attempt for unknown user %u from %a"),
	says(probed, "XML-RPC multicall authentication failure from %a"),
	says(probed, "XML-RPC multicall authentication failure for %u from %a"),
	says(failed, "REST authentication failure for %u from %a"),
	says(failed, "REST authentication attempt for unknown user %u from %a"),
	says(probed, "Pingback error %n generated from %a"),
	says(probed, "Untrusted X-Forwarded-For header from %a"),
	says(spam, "Spam comment %n from %a"),
	says(spam, "Spammed comment from %a"),
	says(spam, "Comment post not found from %a"),
	says(spam, "Comment post not found %n from %a"),
	says(spam, "Comments closed on post from %a"),
	says(spam, "Comments closed on post %n from %a"),
	says(spam, "Comment attempt on %w post from %a"),
	says(spam, "Comment attempt on %w post %n from %a"),
	says(passed, "Accepted password for %u from %a"),
	says(other, "Pingback requested from %a"),
	says(other, "Comment %n"),
}

// wordsOldFTP is of wu-ftpd and the BSDs' ftpd.
var wordsOldFTP = wording{
	says(failed, "Failed login from %w [%a]"),
	says(failed, "failed login from %w [%a]"),
	says(failed, "failed login from %w [%a], %u"),
	says(limited, "repeated login failures from %w [%a]"),
	says(limited, "repeated login failures from %a"),
	says(limited, "repeated login failures from %a (%w)"),
	says(failed, "FAILED LOGIN %n FROM %a, %u"),
	says(failed, "FTP LOGIN FAILED FROM %a, %u"),
	says(failed, "FTP LOGIN FAILED FROM %w [%a], %u"),
	says(failed, "FTP LOGIN REFUSED (%*) FROM %w [%a], %u"),
	says(refused, "FTP LOGIN REFUSED (username in /etc/ftpusers) FROM %a, %u"),
	says(refused, "ANONYMOUS FTP LOGIN REFUSED FROM %a, %u"),
	says(passed, "FTP LOGIN FROM %w [%a], %u"),
	says(passed, "FTP LOGIN FROM %a as %u"),
}

// wordsEvasive is of Apache's mod_evasive, which tells syslog.
var wordsEvasive = wording{
	says(limited, "Blacklisting address %a: possible DoS attack."),
	says(limited, "Blacklisting address %a: possible attack."),
}
