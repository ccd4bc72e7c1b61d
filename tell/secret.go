package tell

import (
	"errors"
	"net/url"
	"strings"
)

// Secret is a text that is never printed: formatting and JSON show that there is one. Reveal gives it.
type Secret struct{ text string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal is the text itself.
func (s Secret) Reveal() string { return s.text }

// String is "(secret)", or nothing where there is none.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "(secret)"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// scrub takes secrets out of an error: those of the room net/http name the whole address, and servers echo what they were
// sent. The error's chain ends here, so that nothing prints it again.
func scrub(err error, secrets ...Secret) error {
	if err == nil {
		return nil
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	return errors.New(hide(err.Error(), secrets...))
}

func hide(text string, secrets ...Secret) string {
	for _, s := range secrets {
		for _, form := range []string{s.text, url.PathEscape(s.text), url.QueryEscape(s.text)} {
			if len(form) > 3 {
				text = strings.ReplaceAll(text, form, "(secret)")
			}
		}
	}
	return text
}
