package hub

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/connwarden/connwarden/fleet"
)

// shared is a log that is read while it is written.
type shared struct {
	mu   sync.Mutex // guards text; leaf
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// What a host tries and may not is told by its name, and not a million times.
func TestDenied(t *testing.T) {
	var log shared
	h, err := Start(context.Background(), Options{
		State: t.TempDir(), Listen: "127.0.0.1:0", Names: []string{"127.0.0.1"}, Log: slog.New(slog.NewTextHandler(&log, nil)), Clock: time.Now, floods: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	dir := t.TempDir()
	if err := join(t, h, "evil.example.net").Save(dir); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(h.keys.ca)
	evil, err := nats.Connect("tls://"+h.Address(), nats.UserCredentials(filepath.Join(dir, "fleet", "user.creds")), nats.Secure(&tls.Config{RootCAs: pool}), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer evil.Close()
	const many = 5000
	for range many {
		if err := evil.Publish(fleet.GoneSubject("default", "victim"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := evil.SubscribeSync(fleet.AskSubject + "victim"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool {
		return strings.Contains(log.String(), `host=evil.example.net times=`) && strings.Contains(log.String(), "Subscription Violation")
	})
	if n := strings.Count(log.String(), "Violation"); n > many/10 {
		t.Errorf("it is told %d times", n)
	}
}
