package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Place is where the page is served, as --listen names it.
type Place struct {
	Network string // tcp or unix
	Address string // 127.0.0.1:4790, or the name of a socket
	Local   bool   // nobody but users of this machine reaches it
}

// ParsePlace reads "127.0.0.1:4790", "[::1]:0", ":4790" (every address of this machine) and "unix:/run/connwarden.sock".
func ParsePlace(text string) (Place, error) {
	if name, ok := strings.CutPrefix(text, "unix:"); ok {
		if !filepath.IsAbs(name) {
			return Place{}, fmt.Errorf("%q: name the socket with its whole path, as in unix:/run/connwarden.sock", text)
		}
		return Place{Network: "unix", Address: name, Local: true}, nil
	}
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		return Place{}, fmt.Errorf("%q is no address with a port, as in 127.0.0.1:4790: %w", text, err)
	}
	a, err := netip.ParseAddr(host)
	local := err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
	if strings.EqualFold(host, "localhost") {
		text = strings.Replace(text, host, "127.0.0.1", 1) // whatever a name server says of it
	}
	return Place{Network: "tcp", Address: text, Local: local}, nil
}

// Listen opens the place. A socket is readable by its owner alone from the moment on that it has its name; one that
// nobody answers on any more is replaced, anything else of that name is an error.
func (p Place) Listen(ctx context.Context) (net.Listener, error) {
	var conf net.ListenConfig
	if p.Network != "unix" {
		return conf.Listen(ctx, p.Network, p.Address)
	}
	info, err := os.Lstat(p.Address)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("listen %s: %w, and is no socket", p.Address, fs.ErrExist)
	default:
		if c, err := net.DialTimeout("unix", p.Address, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("listen %s: somebody listens there already", p.Address)
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(p.Address), ".connwarden-") // 0700: nobody sees the socket before it is ready
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "s")
	l, err := conf.Listen(ctx, "unix", name)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it goes by another name soon
	if err := errors.Join(os.Chmod(name, 0o600), os.Rename(name, p.Address)); err != nil {
		l.Close()
		return nil, err
	}
	return &named{l, p.Address}, nil
}

// named is a listener that takes its name away when it ends.
type named struct {
	net.Listener
	name string
}

func (l *named) Close() error {
	os.Remove(l.name)
	return l.Listener.Close()
}

// maxConnections bounds what strangers can make us keep open.
const maxConnections = 256

// Serve answers on l until ctx ends, over TLS if conf is not nil. It closes l and, in the end, the server itself.
func (s *Server) Serve(ctx context.Context, l net.Listener, conf *tls.Config) error {
	return s.serve(ctx, l, conf, s)
}

func (s *Server) serve(ctx context.Context, l net.Listener, conf *tls.Config, handler http.Handler) error {
	l = Few(l)
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	h := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug), // what strangers do wrong
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		s.Close()
		return err
	case <-ctx.Done():
	}
	s.Close() // streams end, so that the server can
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	err := h.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = h.Close()
	}
	if e := <-ended; err == nil && !errors.Is(e, http.ErrServerClosed) {
		err = e
	}
	return err
}

// Few bounds how many connections of a listener are open at once; others wait.
func Few(l net.Listener) net.Listener {
	return &few{Listener: l, free: make(chan struct{}, maxConnections), done: make(chan struct{})}
}

// few is a listener with so many connections at most; others wait until one ends.
type few struct {
	net.Listener
	free chan struct{}
	once sync.Once
	done chan struct{}
}

func (l *few) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, free: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *few) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// SelfSigned makes a certificate for the names, good for a year, with a key that is never written down.
func SelfSigned(names []string, now time.Time) (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return cert, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "connwarden"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Fingerprint is what a browser shows of a certificate: its SHA-256 in hexadecimal.
func Fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}
