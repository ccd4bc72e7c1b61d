package web

import (
	"crypto/subtle"
	_ "embed"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// pageHeader must be on whatever changes something. A page of another origin cannot set it without being asked for
	// permission first, which is never given.
	pageHeader = "X-Connwarden"

	policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

	maxBody = 16 << 10 // bytes of a request's body
)

// guard lets requests pass that come from whoever has the token and, if from a browser, from our own page.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)

	change := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch {
	case !s.known(r.Host):
		refuse(w, http.StatusMisdirectedRequest, "this page is not called "+r.Host)
		return
	case !s.sameOrigin(r):
		refuse(w, http.StatusForbidden, "asked for by a page of another origin")
		return
	case change && r.Method != http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, "GET or POST")
		return
	case change && r.Header.Get("Origin") == "":
		refuse(w, http.StatusForbidden, "a change must name its origin")
		return
	}
	if r.URL.Path == "/login" || r.URL.Path == styleName {
		s.mux.ServeHTTP(w, r)
		return
	}
	shown := !change && s.inAddress(r)
	if shown && r.URL.Path == "/" {
		s.admit(w, r)
		return
	}
	if !shown && !s.admitted(r) {
		s.unknown(w, r)
		return
	}
	if change && r.Header.Get(pageHeader) == "" {
		refuse(w, http.StatusForbidden, "a change needs the header "+pageHeader)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// known tells whether a request means us by the name it calls us. A name server that lies can make any name point here,
// but no address and not localhost.
func (s *Server) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(s.opt.Names, func(n string) bool { return strings.EqualFold(n, name) })
}

// sameOrigin tells whether a request can come from our page or from no page at all. Following a link to the page is
// allowed: what it shows then needs the cookie, which a browser withholds.
func (s *Server) sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		scheme := "http"
		if s.opt.TLS {
			scheme = "https"
		}
		u, err := url.Parse(origin)
		return err == nil && u.Scheme == scheme && u.Host == r.Host && u.User == nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	default:
		return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.URL.Path == "/"
	}
}

// admitted tells whether a request carries the session's cookie, or the token as programs send it.
func (s *Server) admitted(r *http.Request) bool {
	if s.opt.Token == "" && s.opt.Password == "" {
		return true
	}
	if c, err := r.Cookie(s.cookie(r)); err == nil && s.is(c.Value, s.session) {
		return true
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && s.opt.Token != "" && s.is(bearer, s.opt.Token)
}

// inAddress tells whether the token stands in what is asked for, as in the address that connwarden web prints. That is
// enough to read.
func (s *Server) inAddress(r *http.Request) bool {
	token := r.URL.Query().Get("token")
	return token != "" && s.opt.Password == "" && s.opt.Token != "" && s.is(token, s.opt.Token)
}

// is compares in a time that tells nothing of where two texts differ.
func (s *Server) is(given, wanted string) bool {
	a, b := digest(given), digest(wanted)
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// cookie is the name of the session's cookie. Cookies do not know ports: two pages on one machine must not overwrite
// each other's.
func (s *Server) cookie(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "connwarden_" + port
	}
	return "connwarden"
}

// admit gives the browser the session's cookie and takes the token out of its address.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: s.cookie(r), Value: s.session, Path: "/", HttpOnly: true, Secure: s.opt.TLS, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// unknown answers who has not shown that he may ask.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		refuse(w, http.StatusUnauthorized, "no token; connwarden web prints the address to open")
		return
	}
	s.door(w, http.StatusUnauthorized, "")
}

// login takes the password.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.opt.Password == "":
		refuse(w, http.StatusNotFound, "there is no password")
	case r.Method == http.MethodGet:
		s.door(w, http.StatusOK, "")
	case !s.tries.allow():
		s.door(w, http.StatusTooManyRequests, "Too many attempts. Wait a minute.")
	case !s.is(r.PostFormValue("password"), s.opt.Password):
		s.opt.Log.Warn("wrong password", "from", r.RemoteAddr)
		s.door(w, http.StatusUnauthorized, "That is not the password.")
	default:
		s.admit(w, r)
	}
}

// limiter allows ten attempts a minute, whoever makes them.
type limiter struct {
	clock func() time.Time
	mu    sync.Mutex
	since time.Time
	n     int
}

func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.clock(); now.Sub(l.since) >= time.Minute {
		l.since, l.n = now, 0
	}
	l.n++
	return l.n <= 10
}
