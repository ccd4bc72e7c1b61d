// Package canary shows whether a web server of this machine refuses whom it is told to refuse. The server is told to
// refuse one address of the loopback network besides all others; a page is then asked for from that address and from
// its neighbour. Only the first may be refused.
//
// Every connection goes to this machine, whatever an address or a redirect says.
package canary

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

var (
	// Denied is the address that servers are told to refuse.
	Denied = netip.MustParseAddr("127.0.0.77")
	// Allowed is the address that nobody refuses.
	Allowed = netip.MustParseAddr("127.0.0.78")
)

// Reserved tells whether a target is of the loopback network, from which pages are asked for: denying it would prove
// nothing and shut out this machine.
func Reserved(target netip.Prefix) bool { return target.Overlaps(netip.MustParsePrefix("127.0.0.0/8")) }

// Page is a site and where its server listens. The zero Page is none: nothing can be asked.
type Page struct {
	URL string         // of the site's front page: "https://shop.example.com/"
	At  netip.AddrPort // an address of this machine; zero: 127.0.0.1 and the URL's port
}

// Answers are the statuses of one look.
type Answers struct {
	Page            string // what was asked for
	Denied, Allowed int    // what either address was answered
}

// String returns "403 to 127.0.0.77, 404 to 127.0.0.78 at http://…".
func (a Answers) String() string {
	return fmt.Sprintf("%d to %v, %d to %v at %s", a.Denied, Denied, a.Allowed, Allowed, a.Page)
}

const (
	patience  = 20 * time.Second // a shop that is busy takes seconds for a page that it has not
	redirects = 5
)

// Check tells whether the page can be asked for at all: the URL is one of http or https, and the address is IPv4, since
// IPv6 has only one loopback address.
func (p Page) Check() error {
	u, err := url.Parse(p.URL)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("URL %q is not one of http or https with a host", p.URL)
	case p.At.IsValid() && !p.At.Addr().Unmap().Is4():
		return fmt.Errorf("%v is not IPv4, which alone has a second loopback address to ask from: %w", p.At, connwarden.ErrUnsupported)
	}
	return nil
}

// Look asks for a page that does not exist from both addresses, under a name that no cache has seen: pages that exist
// may answer 403 by themselves, or from a cache.
func (p Page) Look(ctx context.Context) (Answers, error) {
	if err := p.Check(); err != nil {
		return Answers{}, err
	}
	u, _ := url.Parse(p.URL)
	u = u.JoinPath("connwarden-" + strings.ToLower(rand.Text()[:10]))
	a := Answers{Page: u.String()}
	var err error
	if a.Allowed, err = p.ask(ctx, u, Allowed); err == nil {
		a.Denied, err = p.ask(ctx, u, Denied)
	}
	if err != nil {
		return a, fmt.Errorf("ask for %s: %w", a.Page, err)
	}
	return a, nil
}

// Refusals says why a look before anything is changed forbids the change: who is refused already, or sees a server's
// error, would tell nothing after it.
func (a Answers) Refusals() error {
	switch {
	case a.Allowed == http.StatusForbidden:
		return fmt.Errorf("the site refuses everyone already (%v): nothing could be told from its answers", a)
	case a.Allowed >= http.StatusInternalServerError:
		return fmt.Errorf("the site is broken already (%v)", a)
	}
	return nil
}

// ErrBroken is what InForce wraps when the neighbour is refused too, or sees a server's error.
var ErrBroken = errors.New("the site broke")

// ErrIneffective is what InForce wraps when the refused address is not refused.
var ErrIneffective = errors.New("nothing changed")

// InForce returns nil if the one address is refused and the other is not.
func (a Answers) InForce() error {
	switch {
	case a.Allowed >= http.StatusInternalServerError, a.Allowed == http.StatusForbidden:
		return fmt.Errorf("%w: %v", ErrBroken, a)
	case a.Denied != http.StatusForbidden:
		return fmt.Errorf("%w: %v", ErrIneffective, a)
	}
	return nil
}

// ask asks for a page and follows redirects, which send plain requests to TLS before a site's own rules are read.
func (p Page) ask(ctx context.Context, u *url.URL, from netip.Addr) (status int, err error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	at := p.At
	for range redirects {
		if !at.IsValid() {
			at = netip.AddrPortFrom(p.host(), port(u))
		}
		var location string
		status, location, err = get(ctx, u, from, at)
		if err != nil || location == "" {
			return status, err
		}
		next, err := u.Parse(location)
		if err != nil || next.Scheme != "http" && next.Scheme != "https" {
			return status, nil // a redirect to nowhere is an answer as well
		}
		if next.Scheme != u.Scheme || next.Port() != u.Port() {
			at = netip.AddrPort{}
		}
		u = next
	}
	return status, nil
}

// host is the address that every connection goes to.
func (p Page) host() netip.Addr {
	if p.At.IsValid() {
		return p.At.Addr().Unmap()
	}
	return netip.MustParseAddr("127.0.0.1")
}

func port(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// get asks for one page on a connection of its own. It starts no goroutine that opens a socket: a caller that is in a
// network namespace stays in it.
func get(ctx context.Context, u *url.URL, from netip.Addr, at netip.AddrPort) (status int, location string, err error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.DialContext(ctx, "tcp4", at.String())
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, "", err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if u.Scheme == "https" {
		// Our own machine at its own address: its certificate, which may have ended or be self-made, proves nothing more.
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Close = true
	req.Header.Set("User-Agent", "connwarden")
	req.Header.Set("Accept", "*/*")
	if err := req.Write(conn); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 1<<20)), req)
	if err != nil {
		return 0, "", err
	}
	resp.Body.Close()
	if resp.StatusCode/100 == 3 {
		location = resp.Header.Get("Location")
	}
	return resp.StatusCode, location, nil
}
