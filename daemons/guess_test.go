package daemons

import "testing"

// TestGuessesAreKnown proves that whatever a message is guessed to be of, somebody reads it.
func TestGuessesAreKnown(t *testing.T) {
	for _, list := range beginnings {
		for _, b := range list {
			if !Knows(b.program) && string(b.program) != "pam" {
				t.Errorf("%q is guessed of %s, which nobody reads", b.begin, b.program)
			}
			if got := Guess([]byte(b.begin + "somebody")); string(got) != string(b.program) {
				t.Errorf("%q is of %s, not of %s", b.begin, got, b.program)
			}
		}
	}
	for _, text := range []string{"", "x", "somebody said that Failed password for root from 203.0.113.9 port 22 ssh2", "GET / HTTP/1.1", "203.0.113.9 - -"} {
		if got := Guess([]byte(text)); got != nil {
			t.Errorf("%q is guessed of %s", text, got)
		}
	}
}

// TestGuesses proves that the messages of services whose logs may come without a tag are known by themselves.
func TestGuesses(t *testing.T) {
	for _, service := range []string{"sshd", "dropbear", "vsftpd", "roundcube", "webmin", "phpmyadmin"} {
		known, all := 0, 0
		for _, s := range samples(t, service) {
			m, _ := s.message(t)
			if noted(&m) == "none" {
				continue
			}
			all++
			if program := Guess(m.Text); program != nil {
				known++
				if got := noted(&Message{program, m.Text}); got != noted(&m) {
					t.Errorf("%s: %s, as %s %s", m.Text, noted(&m), program, got)
				}
			}
		}
		if known*10 < all*8 {
			t.Errorf("%s: only %d of %d messages are known by themselves", service, known, all)
		}
	}
}
