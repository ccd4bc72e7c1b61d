package tell

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test's own program stand for the user's command and for sendmail.
func TestMain(m *testing.M) {
	if name := os.Getenv("HOME"); name == "/" && len(os.Args) > 1 && os.Args[1] == "stand-in" {
		standIn(os.Args[2:])
	}
	if strings.HasPrefix(filepath.Base(os.Args[0]), "sendmail") {
		standIn(append([]string{"keep", filepath.Join(filepath.Dir(os.Args[0]), "out")}, os.Args[1:]...))
	}
	os.Exit(m.Run())
}

func standIn(args []string) {
	switch args[0] {
	case "keep": // all that it is given, into a file
		in, _ := io.ReadAll(os.Stdin)
		doc, _ := json.Marshal(map[string]any{"args": args[2:], "env": os.Environ(), "in": string(in)})
		if err := os.WriteFile(args[1], doc, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "fail":
		fmt.Print(strings.Repeat("no good ", 10_000), "\x1b[31m")
		os.Exit(3)
	case "hang":
		select {}
	}
	os.Exit(0)
}

// server is a mail server.
type server struct {
	t        *testing.T
	l        net.Listener
	cert     tls.Certificate
	roots    *x509.CertPool
	starttls bool
	implicit bool
	auth     string // the mechanisms
	refuse   map[string]string

	mu    sync.Mutex
	mails []received
}

type received struct {
	from     string
	to       []string
	secure   bool
	user     string
	password string
	data     string
}

func newServer(t *testing.T, s *server) *server {
	t.Helper()
	s.t = t
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	made, _ := x509.ParseCertificate(der)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(made)
	if s.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if s.implicit {
		s.l = tls.NewListener(s.l, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := s.l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		s.l.Close()
		wait.Wait()
	})
	return s
}

// serve is RFC 5321 as far as a client of ours goes.
func (s *server) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	hear := func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			return "QUIT"
		}
		return strings.TrimRight(line, "\r\n")
	}
	m := received{secure: s.implicit}
	say("220 test ESMTP")
	for {
		line := hear()
		verb, rest, _ := strings.Cut(line, " ")
		if code := s.refuse[strings.ToUpper(verb)]; code != "" && (verb != "RCPT" || strings.Contains(rest, "bad@")) {
			say(code)
			continue
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-test")
			if s.starttls && !m.secure {
				say("250-STARTTLS")
			}
			if s.auth != "" {
				say("250-AUTH " + s.auth)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			if secure.Handshake() != nil {
				return
			}
			c, in, m.secure = secure, bufio.NewReader(secure), true
		case "AUTH":
			decode := func(text string) string { b, _ := base64.StdEncoding.DecodeString(text); return string(b) }
			how, first, _ := strings.Cut(rest, " ")
			if how == "PLAIN" {
				parts := strings.Split(decode(first), "\x00")
				m.user, m.password = parts[1], parts[2]
			} else {
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Username:")))
				m.user = decode(hear())
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Password:")))
				m.password = decode(hear())
			}
			if m.password != "right" {
				say("535 5.7.8 wrong: " + m.password)
				continue
			}
			say("235 welcome")
		case "MAIL":
			m.from = rest
			say("250 ok")
		case "RCPT":
			m.to = append(m.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				b.WriteString(l)
			}
			m.data = b.String()
			s.mu.Lock()
			s.mails = append(s.mails, m)
			s.mu.Unlock()
			say("250 taken")
		default:
			say("221 bye")
			return
		}
	}
}

func (s *server) sender(protect Protection, user, password string) *SMTP {
	return &SMTP{
		Server: s.l.Addr().String(), Protect: protect, User: user, Password: NewSecret(password), Roots: s.roots,
		From: mail.Address{Name: "connwarden", Address: "warden@example.com"}, To: []mail.Address{{Address: "admin@example.com"}, {Address: "bad@example.com"}},
	}
}

func TestSMTP(t *testing.T) {
	m := hostileMessage()
	for name, c := range map[string]struct {
		server  *server
		protect Protection
		user    string
		secure  bool
	}{
		"STARTTLS and PLAIN": {&server{starttls: true, auth: "LOGIN PLAIN"}, StartTLS, "me", true},
		"STARTTLS and LOGIN": {&server{starttls: true, auth: "LOGIN"}, StartTLS, "me", true},
		"TLS":                {&server{implicit: true, auth: "PLAIN"}, TLS, "me", true},
		"bare":               {&server{}, Bare, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.server)
			if err := s.sender(c.protect, c.user, "right").Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if len(s.mails) != 1 {
				t.Fatalf("%d mails", len(s.mails))
			}
			got := s.mails[0]
			if got.secure != c.secure || got.user != c.user || len(got.to) != 2 || !strings.HasPrefix(got.from, "FROM:<warden@example.com>") {
				t.Errorf("%+v", got)
			}
			if _, err := mail.ReadMessage(strings.NewReader(got.data)); err != nil {
				t.Errorf("%v\n%s", err, got.data)
			}
		})
	}
}

// What a mail server refuses for good is not tried again, a password is neither sent in the clear nor repeated in an error.
func TestSMTPRefused(t *testing.T) {
	m := hostileMessage()
	var never *Permanent
	s := newServer(t, &server{starttls: true, auth: "PLAIN"})
	err := s.sender(StartTLS, "me", "wrong-one").Send(t.Context(), m)
	if !errors.As(err, &never) || strings.Contains(err.Error(), "wrong-one") {
		t.Errorf("a wrong password: %v", err)
	}
	err = s.sender(StartTLS, "me", "right").Send(t.Context(), m)
	if err != nil {
		t.Error(err)
	}
	stranger := s.sender(StartTLS, "me", "right")
	stranger.Roots = nil
	if err := stranger.Send(t.Context(), m); err == nil || len(s.mails) != 1 {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	if err := newServer(t, &server{}).sender(StartTLS, "", "").Send(t.Context(), m); !errors.As(err, &never) {
		t.Errorf("no STARTTLS: %v", err)
	}
	var some *Partial
	half := newServer(t, &server{refuse: map[string]string{"RCPT": "550 no such user"}})
	if err := half.sender(Bare, "", "").Send(t.Context(), m); !errors.As(err, &some) || len(half.mails) != 1 {
		t.Errorf("one of two recipients: %v", err)
	}
	busy := newServer(t, &server{refuse: map[string]string{"MAIL": "451 later"}})
	if err := busy.sender(Bare, "", "").Send(t.Context(), m); err == nil || errors.As(err, &never) {
		t.Errorf("later: %v", err)
	}
	elsewhere := &SMTP{Server: "192.0.2.1:25", Protect: Bare, User: "me", Password: NewSecret("x"), From: mail.Address{Address: "a@b.c"}}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := elsewhere.Send(ctx, m); err == nil {
		t.Error("sent though it was to end")
	}
}

// A server that says nothing holds up no longer than is waited for.
func TestSMTPSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	s := &SMTP{Server: l.Addr().String(), Protect: Bare, From: mail.Address{Address: "a@example.com"}, To: []mail.Address{{Address: "b@example.com"}}}
	if err := s.Send(ctx, hostileMessage()); err == nil {
		t.Error("no error")
	}
}

func TestCommand(t *testing.T) {
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is told by HOME that it is one")
	}
	out := filepath.Join(t.TempDir(), "out")
	m := hostileMessage()
	c := &Command{Args: []string{me, "stand-in", "keep", out, "$(id)", "a b; c"}}
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := kept(t, out)
	if !slices.Equal(got.Args, []string{"$(id)", "a b; c"}) || !slices.Contains(got.Env, "CONNWARDEN_KIND=malicious") || !slices.Contains(got.Env, "CONNWARDEN_COUNT=1") {
		t.Errorf("%+v", got)
	}
	var doc struct{ Schema string }
	if err := json.Unmarshal([]byte(got.In), &doc); err != nil || doc.Schema != Schema {
		t.Errorf("%v: %s", err, got.In)
	}
	for _, e := range got.Env {
		if strings.ContainsAny(e, "\x1b\r\n") {
			t.Errorf("environment %q", e)
		}
	}

	err = (&Command{Args: []string{me, "stand-in", "fail"}}).Send(t.Context(), m)
	if err == nil || len(err.Error()) > 2*maxOutput || !strings.Contains(err.Error(), "status 3: no good") || strings.Contains(said(err), "\x1b") {
		t.Errorf("%v", err)
	}
	err = (&Command{Args: []string{me, "stand-in", "hang"}, Time: 50 * time.Millisecond}).Send(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("%v", err)
	}
	var never *Permanent
	if err := (&Command{Args: []string{"/nowhere/program"}}).Send(t.Context(), m); !errors.As(err, &never) {
		t.Errorf("%v", err)
	}
}

type given struct {
	Args, Env []string
	In        string
}

func kept(t *testing.T, name string) (g given) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSendmail(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no sendmail")
	}
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "sendmail")
	if err := os.Symlink(me, name); err != nil {
		t.Fatal(err)
	}
	s := &Sendmail{Path: name, From: mail.Address{Address: "warden@example.com"}, To: []mail.Address{{Address: "a@example.com"}, {Address: "-oQ/tmp@example.com"}}}
	if err := s.Send(t.Context(), hostileMessage()); err != nil {
		t.Fatal(err)
	}
	got := kept(t, filepath.Join(dir, "out"))
	if !slices.Equal(got.Args, []string{"-i", "-f", "warden@example.com", "--", "a@example.com", "-oQ/tmp@example.com"}) || strings.Contains(got.In, "\r") {
		t.Errorf("%q\n%s", got.Args, got.In)
	}
	if m, err := mail.ReadMessage(strings.NewReader(got.In)); err != nil || m.Header.Get("Bcc") != "" {
		t.Errorf("%v\n%s", err, got.In)
	}
}

// TestAll tries every channel and says of each what came of it.
func TestTestAll(t *testing.T) {
	good, bad := &place{}, &place{fail: func(int) error { return errors.New("refused") }}
	errs := TestAll(t.Context(), "web3", time.Now(), []Channel{{Name: "good", Sender: good}, {Name: "bad", Sender: bad}})
	if errs[0] != nil || errs[1] == nil || errs[1].Error() != "bad: refused" || len(good.got) != 1 || bad.try != 1 {
		t.Errorf("%v", errs)
	}
}

// What sendmail cannot do inside walls is said with what can be done instead.
func TestAdvice(t *testing.T) {
	failed := &Permanent{errors.New("status 75: mail system configuration error")}
	for _, c := range []struct {
		err    error
		walled bool
		want   bool
	}{{nil, true, false}, {failed, false, false}, {failed, true, true}} {
		err := advised(c.err, c.walled)
		if got := err != nil && strings.Contains(err.Error(), "localhost:25"); got != c.want {
			t.Errorf("%v, walled %t: %v", c.err, c.walled, err)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v became %v", c.err, err)
		}
	}
}
