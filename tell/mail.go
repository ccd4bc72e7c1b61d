package tell

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// mailLimit is how much text a mail holds, in bytes.
const mailLimit = 64 << 10

// Protection is how a mail server is spoken to.
type Protection string

// Protections of a connection to a mail server.
const (
	StartTLS Protection = "starttls" // plain first, then TLS, or not at all: the usual port is 587
	TLS      Protection = "tls"      // TLS from the first byte: 465
	Bare     Protection = "none"     // no TLS; without a password, or on this machine alone
)

// SMTP sends by a mail server.
type SMTP struct {
	Server   string // host:port
	Protect  Protection
	User     string // "": no authentication
	Password Secret
	From     mail.Address
	To       []mail.Address
	Roots    *x509.CertPool // nil: the system's
}

// Send delivers the message to the server.
func (s *SMTP) Send(ctx context.Context, m *Message) error {
	err := s.send(ctx, m)
	var some *Partial
	if errors.As(err, &some) {
		return err
	}
	var code *textproto.Error
	if errors.As(err, &code) && code.Code >= 500 {
		return &Permanent{scrub(err, s.Password)}
	}
	var never *Permanent
	if err == nil || errors.As(err, &never) {
		return err
	}
	return scrub(err, s.Password)
}

func (s *SMTP) send(ctx context.Context, m *Message) (err error) {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return &Permanent{err}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // it is closed then
	defer stop()
	conf := &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.Protect == TLS {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Hello(heloName(m.Host)); err != nil {
		return err
	}
	if s.Protect == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return &Permanent{errors.New("the server offers no STARTTLS; nothing was sent")}
		}
		if err := c.StartTLS(conf); err != nil {
			return err
		}
	}
	if s.User != "" {
		if err := s.login(c, host); err != nil {
			return err
		}
	}
	if err := c.Mail(s.From.Address); err != nil {
		return err
	}
	var refused []error
	for _, to := range s.To {
		if err := c.Rcpt(to.Address); err != nil {
			refused = append(refused, err)
		}
	}
	if len(refused) == len(s.To) {
		return errors.Join(refused...)
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	text, err := compose(m, s.From, s.To)
	if err != nil {
		return &Permanent{err}
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it was taken
	if len(refused) > 0 {
		return &Partial{errors.Join(refused...)}
	}
	return nil
}

// login proves who we are, never in the clear but on this machine.
func (s *SMTP) login(c *smtp.Client, host string) error {
	_, secure := c.TLSConnectionState()
	if !secure && !onThisMachine(host) {
		return &Permanent{errors.New("the password would be sent in the clear: set tls")}
	}
	ok, offered := c.Extension("AUTH")
	if !ok {
		return &Permanent{errors.New("the server asks for no password; leave user away")}
	}
	for _, how := range strings.Fields(offered) {
		switch strings.ToUpper(how) {
		case "PLAIN":
			return c.Auth(&plainAuth{s.User, s.Password})
		case "LOGIN":
			if !slices.Contains(strings.Fields(strings.ToUpper(offered)), "PLAIN") {
				return c.Auth(&loginAuth{s.User, s.Password})
			}
		}
	}
	return &Permanent{fmt.Errorf("the server knows neither PLAIN nor LOGIN but %q", offered)}
}

func onThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}

// plainAuth is RFC 4616's. That of the standard library insists on its own idea of a secure host.
type plainAuth struct {
	user     string
	password Secret
}

func (a *plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password.Reveal()), nil
}

func (a *plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than PLAIN has")
	}
	return nil, nil
}

// loginAuth is what some servers offer instead: they ask for the name and then for the password.
type loginAuth struct {
	user     string
	password Secret
}

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch q := strings.ToLower(string(asked)); {
	case strings.HasPrefix(q, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(q, "pass"):
		return []byte(a.password.Reveal()), nil
	}
	return nil, errors.New("the server asks for neither a name nor a password")
}

// heloName is our name as servers accept it.
func heloName(host string) string {
	for _, r := range host {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.') {
			return "localhost"
		}
	}
	if host == "" {
		return "localhost"
	}
	return host
}

// compose writes the mail: plain text alone, so that nothing in it is markup. Headers hold our own words, encoded.
func compose(m *Message, from mail.Address, to []mail.Address) ([]byte, error) {
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	header := func(k, v string) {
		fmt.Fprintf(&b, "%s: %s\r\n", k, strings.NewReplacer("\r", "", "\n", "").Replace(v))
	}
	header("From", from.String())
	list := make([]string, len(to))
	for i := range to {
		list[i] = to[i].String()
	}
	fmt.Fprintf(&b, "To: %s\r\n", strings.Join(list, ",\r\n "))
	header("Subject", mime.QEncoding.Encode("utf-8", "[connwarden] "+m.Title()))
	header("Date", m.Time.Format(time.RFC1123Z))
	header("Message-ID", "<"+hex.EncodeToString(id[:])+"@"+heloName(m.Host)+">")
	header("Auto-Submitted", "auto-generated") // RFC 3834: no absence notes in return
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	if m.Urgent() {
		header("X-Priority", "1")
	}
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	if _, err := q.Write([]byte(strings.ReplaceAll(m.Text(mailLimit, plain), "\n", "\r\n"))); err != nil {
		return nil, err
	}
	err := q.Close()
	return b.Bytes(), err
}
