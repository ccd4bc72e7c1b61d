package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Request is what someone in the world asks the machine for, on a connection of its own.
type Request struct {
	From    string // the client's address; one of 198.51.100.0/24, 203.0.113.0/24, 2001:db8:1::/48
	Port    uint16 // 0: 80
	Host    string // the site
	Method  string // nothing: GET
	Target  string // path and query
	Agent   string // nothing: that of a browser
	Referer string
	Body    string // of a form
}

// browser is the agent of requests that name none.
const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// Answer is what came back.
type Answer struct {
	Status int
	Body   string
}

// Held is a request that was sent and whose answer has not been read.
type Held struct {
	l    *Lab
	what Request
	conn net.Conn
}

// Do sends a request and returns its answer. The test fails when the machine does not answer.
func (l *Lab) Do(r Request) Answer {
	l.t.Helper()
	return l.Send(r).Answer()
}

// Send sends a request and leaves the answer to [Held.Answer].
func (l *Lab) Send(r Request) *Held {
	l.t.Helper()
	conn := l.Connect(r.From, r.Port)
	l.write(conn, r)
	return &Held{l, r, conn}
}

// Try sends a request and returns the answer's status, or 0 if a connection does not come about within a time.
func (l *Lab) Try(r Request, within time.Duration) (status int) {
	l.t.Helper()
	conn, err := l.dial("tcp", r.From, r.Port, within)
	if err != nil {
		return 0
	}
	l.write(conn, r)
	return (&Held{l, r, conn}).Answer().Status
}

// write writes a request.
func (l *Lab) write(conn net.Conn, r Request) {
	l.t.Helper()
	method, agent := r.Method, r.Agent
	if method == "" {
		method = http.MethodGet
	}
	if agent == "" {
		agent = browser
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n", method, r.Target, r.Host, agent)
	if r.Referer != "" {
		fmt.Fprintf(&b, "Referer: %s\r\n", r.Referer)
	}
	if r.Body != "" || method == http.MethodPost {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n" + r.Body)
	_, err := io.WriteString(conn, b.String())
	l.check(err)
}

// Answer reads the answer.
func (h *Held) Answer() Answer {
	h.l.t.Helper()
	defer h.conn.Close()
	resp, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	if err != nil {
		h.l.t.Fatalf("%+v: no answer: %v\n%s", h.what, err, h.l.ended())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.l.t.Fatalf("%+v: half an answer: %v", h.what, err)
	}
	return Answer{resp.StatusCode, string(body)}
}

// Connect opens a connection from an address of the world to a port of the machine (0: 80). It is closed with the test
// if not before.
func (l *Lab) Connect(from string, port uint16) net.Conn {
	l.t.Helper()
	conn, err := l.dial("tcp", from, port, patience)
	l.check(err)
	return conn
}

func (l *Lab) dial(network, from string, port uint16, within time.Duration) (conn net.Conn, err error) {
	l.t.Helper()
	client, err := netip.ParseAddr(from)
	l.check(err)
	to := netip.MustParseAddr(Addr4)
	if client.Is6() {
		to = netip.MustParseAddr(Addr6)
	}
	if port == 0 {
		port = 80
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0)), Timeout: within}
	if network == "udp" {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(client, 0))
	}
	// The socket belongs to the namespace of the thread that makes it, for good.
	err = l.world.do(func() (err error) {
		conn, err = dialer.DialContext(l.t.Context(), network, netip.AddrPortFrom(to, port).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	l.t.Cleanup(func() { conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(patience))
}
