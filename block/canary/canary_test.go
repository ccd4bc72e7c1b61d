package canary_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block/canary"
)

// site is a server that answers by the address that asks.
func site(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, denied bool)) *httptest.Server {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole loopback network as own addresses")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		answer(w, r, host == canary.Denied.String())
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAnswersTellWhatHappened(t *testing.T) {
	for _, c := range []struct {
		name             string
		denied, allowed  int
		refused, inForce error
	}{
		{"in force", 403, 404, nil, nil},
		{"in force behind a password", 403, 401, nil, nil},
		{"no effect", 404, 404, nil, canary.ErrIneffective},
		{"all are refused", 403, 403, errors.ErrUnsupported, canary.ErrBroken},
		{"broken", 500, 500, errors.ErrUnsupported, canary.ErrBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t, func(w http.ResponseWriter, _ *http.Request, denied bool) {
				if denied {
					w.WriteHeader(c.denied)
				} else {
					w.WriteHeader(c.allowed)
				}
			})
			a, err := canary.Page{URL: s.URL}.Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if a.Denied != c.denied || a.Allowed != c.allowed {
				t.Errorf("got %v", a)
			}
			if err := a.Refusals(); (err == nil) != (c.refused == nil) {
				t.Errorf("refusals: %v", err)
			}
			if err := a.InForce(); !errors.Is(err, c.inForce) {
				t.Errorf("in force: %v, want %v", err, c.inForce)
			}
		})
	}
}

func TestTheSiteIsFoundByItsNameAtTheGivenAddress(t *testing.T) {
	var asked []string
	s := site(t, func(w http.ResponseWriter, r *http.Request, _ bool) {
		asked = append(asked, r.Host+r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
	})
	page := canary.Page{URL: "http://shop.example.com/blog/", At: netip.MustParseAddrPort(s.Listener.Addr().String())}
	if _, err := page.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 2 || asked[0] != asked[1] || !strings.HasPrefix(asked[0], "shop.example.com/blog/connwarden-") {
		t.Errorf("asked for %q", asked)
	}
	if _, err := page.Look(t.Context()); err != nil || asked[2] == asked[0] {
		t.Errorf("a second look asks for the same page %q, %v: a cache may answer", asked[2], err)
	}
}

// TestRedirectsStayOnThisMachine has a plain site send everyone to TLS, on a host whose name resolves to nothing.
func TestRedirectsStayOnThisMachine(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(secure.Close)
	port := netip.MustParseAddrPort(secure.Listener.Addr().String()).Port()
	plain := site(t, func(w http.ResponseWriter, r *http.Request, _ bool) {
		http.Redirect(w, r, "https://shop.invalid:"+strconv.Itoa(int(port))+r.URL.Path, http.StatusMovedPermanently)
	})
	page := canary.Page{URL: "http://shop.invalid/", At: netip.MustParseAddrPort(plain.Listener.Addr().String())}
	a, err := page.Look(t.Context())
	if err != nil || a.Denied != http.StatusTeapot || a.Allowed != http.StatusTeapot {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestARedirectInCirclesEnds(t *testing.T) {
	s := site(t, func(w http.ResponseWriter, r *http.Request, _ bool) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	if a, err := (canary.Page{URL: s.URL}).Look(t.Context()); err != nil || a.Allowed != http.StatusFound {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestPagesThatCannotBeAskedFor(t *testing.T) {
	for _, c := range []struct {
		page canary.Page
		is   error
	}{
		{canary.Page{}, nil},
		{canary.Page{URL: "ftp://shop.example.com/"}, nil},
		{canary.Page{URL: "http:///x"}, nil},
		{canary.Page{URL: "http://a/", At: netip.MustParseAddrPort("[::1]:80")}, connwarden.ErrUnsupported},
	} {
		_, err := c.page.Look(t.Context())
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%+v: %v", c.page, err)
		}
	}
}

func TestAServerThatNeverAnswersIsLeft(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := canary.Page{URL: "http://" + l.Addr().String()}.Look(ctx)
		done <- err
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

func TestReserved(t *testing.T) {
	for target, want := range map[string]bool{
		"127.0.0.77/32": true, "127.0.0.0/8": true, "0.0.0.0/0": true, "126.0.0.0/7": true, "192.0.2.0/24": false, "::1/128": false,
	} {
		if got := canary.Reserved(netip.MustParsePrefix(target)); got != want {
			t.Errorf("%s: %t", target, got)
		}
	}
}
