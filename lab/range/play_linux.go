package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden/lab"
)

// What is waited for, at most. None is a measure: an attacker stops asking when nobody answers, an innocent one must be
// answered on the slowest machine.
const (
	attackerPatience = 500 * time.Millisecond // to be connected
	answerPatience   = 30 * time.Second
	blockPatience    = 12 * time.Second // from the end of an attack to the last block
	givesUp          = 2                // tries in vain after which one who is blocked ends
	givesUpUnblocked = 10               // and one who is not: the server was too slow
)

// ask is one request.
type ask struct {
	host, method, path, body, referer, agent string
	port                                     uint16     // 0: 80
	to                                       netip.Addr // zero: the machine
}

// play is a scenario while it runs.
type play struct {
	*ground
	name  string
	mark  int // messages told before
	began time.Time

	mu       sync.Mutex // guards the rest; leaf
	attack   map[netip.Addr]bool
	innocent map[netip.Addr]bool
	silent   map[netip.Addr]bool // innocents who cannot be asked whether they still get through
	served   []served
	cut      map[netip.Addr]time.Time // who was no longer answered
	troubles []string
}

// served is a request of an attacker that was answered.
type served struct {
	by   netip.Addr
	sent time.Time
}

// send sends a request on a connection of its own and reads the answer.
func (p *play) send(from netip.Addr, patience time.Duration, r ask) (status int, err error) {
	to := r.to
	if !to.IsValid() {
		to = server4
		if from.Is6() {
			to = server6
		}
	}
	port := r.port
	if port == 0 {
		port = 80
	}
	conn, err := p.lab.Dial(from, netip.AddrPortFrom(to, port))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := lab.Connected(conn, patience); err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	return exchange(conn, patience, r)
}

// exchange sends a request on a connection and reads the answer whole.
func exchange(conn net.Conn, patience time.Duration, r ask) (status int, err error) {
	if err := conn.SetDeadline(time.Now().Add(max(patience, 3*time.Second))); err != nil {
		return 0, err
	}
	method, agent := r.method, r.agent
	if method == "" {
		method = http.MethodGet
	}
	if agent == "" {
		agent = firefox
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n", method, r.path, r.host, agent)
	if r.referer != "" {
		fmt.Fprintf(&b, "Referer: %s\r\n", r.referer)
	}
	if method == http.MethodPost {
		kind := "application/x-www-form-urlencoded"
		if strings.HasPrefix(r.body, "<?xml") {
			kind = "text/xml"
		}
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", kind, len(r.body))
	}
	b.WriteString("\r\n" + r.body)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 8<<20))
	return resp.StatusCode, err
}

// attacks lets each of the attackers do its n requests, all at once. Who is blocked gives up soon.
func (p *play) attacks(list []netip.Addr, n int, what func(who, i int) ask) {
	p.each(list, n, func(from netip.Addr, who, i int) bool {
		_, err := p.send(from, attackerPatience, what(who, i))
		return err == nil
	})
}

// each lets each attacker try n times; try tells whether it was answered.
func (p *play) each(list []netip.Addr, n int, try func(from netip.Addr, who, i int) bool) {
	p.mu.Lock()
	for _, a := range list {
		p.attack[a] = true
	}
	p.mu.Unlock()
	var all sync.WaitGroup
	for who, from := range list {
		all.Go(func() {
			refused, slow := 0, 0
			for i := 0; i < n && refused < givesUp && slow < givesUpUnblocked && p.t.Context().Err() == nil; i++ {
				sent := time.Now()
				if !try(from, who, i) {
					if _, ok := blocked(blocks(p.watch.all(p.mark)), from); ok {
						refused++
					} else {
						slow++
					}
					p.mu.Lock()
					if _, ok := p.cut[from]; !ok {
						p.cut[from] = sent
					}
					p.mu.Unlock()
					continue
				}
				p.mu.Lock()
				p.served = append(p.served, served{from, sent})
				p.mu.Unlock()
			}
		})
	}
	all.Wait()
}

// visits is a request of someone innocent, which must be answered as wanted.
func (p *play) visits(from netip.Addr, r ask, wanted ...int) {
	p.spare(from)
	status, err := p.send(from, answerPatience, r)
	if err != nil {
		p.trouble("%s: %s%s: %v", from, r.host, r.path, err)
	} else if len(wanted) > 0 && !slices.Contains(wanted, status) {
		p.trouble("%s: %s%s: status %d", from, r.host, r.path, status)
	}
}

// spare notes someone who must not be harmed.
func (p *play) spare(list ...netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range list {
		p.innocent[a] = true
	}
}

// framed notes someone who must not be harmed, and who never asks for anything.
func (p *play) framed(a netip.Addr) {
	p.spare(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent[a] = true
}

func (p *play) trouble(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.troubles) < 20 {
		p.troubles = append(p.troubles, fmt.Sprintf(format, args...))
	}
}

// crowd does something for each of many at once, at most eight at a time.
func crowd(list []netip.Addr, do func(i int, a netip.Addr)) {
	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for i, a := range list {
		room <- struct{}{}
		all.Go(func() {
			do(i, a)
			<-room
		})
	}
	all.Wait()
}

// hold opens connections that stay open, and says a few bytes on each. They are closed by the function returned.
func (p *play) hold(from netip.Addr, port uint16, n int, say string) (end func()) {
	var list []net.Conn
	to := server4
	if from.Is6() {
		to = server6
	}
	for range n {
		conn, err := p.lab.Dial(from, netip.AddrPortFrom(to, port))
		if err != nil {
			break
		}
		list = append(list, conn)
		sent := time.Now()
		err = lab.Connected(conn, attackerPatience)
		if err == nil {
			_, err = io.WriteString(conn, say)
		}
		p.mu.Lock()
		if err != nil {
			if _, ok := p.cut[from]; !ok {
				p.cut[from] = sent
			}
			p.mu.Unlock()
			break
		}
		p.served = append(p.served, served{from, sent})
		p.mu.Unlock()
	}
	return func() {
		for _, c := range list {
			c.Close()
		}
	}
}

// smtp speaks a line and wants the answer to begin with a code; it returns the answer.
func smtp(conn net.Conn, in *bufio.Reader, line string) (string, error) {
	if line != "" {
		if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
			return "", err
		}
	}
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return text, err
		}
		if len(text) < 4 || text[3] == ' ' {
			return text, nil
		}
	}
}

// mailServer connects to a port of the mail server.
func (p *play) mailServer(from netip.Addr, port uint16, patience time.Duration) (net.Conn, error) {
	to := server4
	if from.Is6() {
		to = server6
	}
	conn, err := p.lab.Dial(from, netip.AddrPortFrom(to, port))
	if err != nil {
		return nil, err
	}
	if err = lab.Connected(conn, patience); err == nil {
		err = conn.SetDeadline(time.Now().Add(max(patience, 10*time.Second)))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// mailbox logs in over IMAP, and returns what the server says to that.
func (p *play) mailbox(from netip.Addr, patience time.Duration, user, password string) (answer string, err error) {
	conn, err := p.mailServer(from, 143, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := in.ReadString('\n'); err != nil { // the greeting
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "a LOGIN %q %q\r\n", user, password); err != nil {
		return "", err
	}
	for !strings.HasPrefix(answer, "a ") {
		if answer, err = in.ReadString('\n'); err != nil {
			return answer, err
		}
	}
	_, err = io.WriteString(conn, "b LOGOUT\r\n")
	return answer, err
}

// mailed speaks with the mail server and returns its answer to the last line.
func (p *play) mailed(from netip.Addr, patience time.Duration, lines ...string) (last string, err error) {
	conn, err := p.mailServer(from, 25, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, line := range append([]string{""}, lines...) {
		if last, err = smtp(conn, in, line); err != nil {
			return last, err
		}
	}
	_, err = smtp(conn, in, "QUIT")
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return last, err
}
