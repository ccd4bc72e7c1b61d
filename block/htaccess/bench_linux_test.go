package htaccess_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/connwarden/connwarden/block/htaccess"
)

// BenchmarkRealApache is what a request costs with 10,000 addresses against none, side by side: the same server, one
// request after the other on one connection, a site with the section and one without.
func BenchmarkRealApache(b *testing.B) {
	for form, name := range map[htaccess.Form]string{htaccess.Apache24: "2.4", htaccess.Apache22: "2.2", htaccess.Rewrite: "rewrite"} {
		for _, n := range []int{0, 1_000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				around(b, "All", func(a *apache) { a.requests(b, form, n) })
			})
		}
	}
}

func (a *apache) requests(b *testing.B, form htaccess.Form, n int) {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255))
	}
	check(b, a.open(form).Apply(b.Context(), a.entries(list...), nil))
	conn, err := net.Dial("tcp", "127.0.0.1:80")
	check(b, err)
	defer func() { conn.Close() }()
	r := bufio.NewReader(conn)
	left := 90 // of the hundred requests that Apache takes on one connection
	for b.Loop() {
		if left--; left < 0 {
			b.StopTimer()
			conn.Close()
			conn, err = net.Dial("tcp", "127.0.0.1:80")
			check(b, err)
			r.Reset(conn)
			left = 90
			b.StartTimer()
		}
		fmt.Fprint(conn, "HEAD /index.html HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodHead})
		check(b, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatalf("status %d", resp.StatusCode)
		}
	}
}
