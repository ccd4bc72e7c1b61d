package tell

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// asked is what an HTTP server was sent.
type asked struct {
	path   string
	header http.Header
	body   []byte
}

func endpoint(t *testing.T, status int, answer string, header ...string) (*httptest.Server, *[]asked) {
	t.Helper()
	var list []asked
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		list = append(list, asked{r.URL.Path, r.Header, body})
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	return s, &list
}

func roots(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func TestPost(t *testing.T) {
	s, list := endpoint(t, 200, "ok")
	m := hostileMessage()
	for name, p := range map[string]*Post{
		"webhook":  {URL: NewSecret(s.URL + "/hook"), Bearer: NewSecret("token-1"), Sign: NewSecret("key"), Header: map[string]string{"X-Site": "a"}, Body: Webhook},
		"slack":    {URL: NewSecret(s.URL + "/services/T0/B0/XYZ"), Body: Slack},
		"discord":  {URL: NewSecret(s.URL + "/api/webhooks/1/abc"), Body: Discord},
		"telegram": {URL: TelegramURL(s.URL, NewSecret("123:ABC")), Body: Telegram("-100")},
		"ntfy":     {URL: NewSecret(s.URL), User: "me", Pass: NewSecret("right"), Body: Ntfy("alerts")},
	} {
		p.Roots = roots(s)
		*list = nil
		if err := p.Send(t.Context(), m); err != nil || len(*list) != 1 {
			t.Fatalf("%s: %v, asked %d times", name, err, len(*list))
		}
		got := (*list)[0]
		if !json.Valid(got.body) || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %s %s", name, got.header, got.body)
		}
		switch name {
		case "webhook":
			h := hmac.New(sha256.New, []byte("key"))
			h.Write(got.body)
			if got.header.Get("X-Connwarden-Signature") != "sha256="+hex.EncodeToString(h.Sum(nil)) || got.header.Get("Authorization") != "Bearer token-1" || got.header.Get("X-Site") != "a" {
				t.Errorf("%s: %v", name, got.header)
			}
		case "telegram":
			if got.path != "/bot123:ABC/sendMessage" {
				t.Errorf("%s: %s", name, got.path)
			}
		case "ntfy":
			if user, pass, ok := (&http.Request{Header: got.header}).BasicAuth(); !ok || user != "me" || pass != "right" {
				t.Errorf("%s: %v", name, got.header)
			}
		}
	}
}

// What a server answers decides whether it is tried again, and no error tells a secret.
func TestPostRefused(t *testing.T) {
	m := hostileMessage()
	for status, want := range map[int]string{301: "never", 400: "never", 403: "never", 404: "never", 408: "again", 429: "later", 500: "again", 503: "later"} {
		s, _ := endpoint(t, status, "bad token SECRET-PATH-1 and SECRET-BEARER \x1b[31m", "Retry-After", "17", "Location", "https://192.0.2.1/")
		p := &Post{URL: NewSecret(s.URL + "/SECRET-PATH-1"), Bearer: NewSecret("SECRET-BEARER"), Body: Slack, Roots: roots(s)}
		err := p.Send(t.Context(), m)
		var never *Permanent
		var later *Later
		got := "again"
		if errors.As(err, &never) {
			got = "never"
		} else if errors.As(err, &later) {
			got = "later"
			if later.After != 17*time.Second {
				t.Errorf("after %v", later.After)
			}
		}
		if got != want || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d: %s, want %s: %v", status, got, want, err)
		}
	}
	s, list := endpoint(t, 200, "")
	address := s.URL
	p := &Post{URL: NewSecret(address + "/SECRET-PATH-1"), Body: Slack}
	if err := p.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "SECRET") || len(*list) > 0 {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	s.Close()
	if err := p.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("nobody there: %v", err)
	}
	if err := (&Post{URL: NewSecret("::SECRET-PATH-1"), Body: Slack}).Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("no URL: %v", err)
	}
}
