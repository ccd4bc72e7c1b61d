package logs

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	"github.com/connwarden/connwarden"
)

// jsonLog makes n lines as nginx with escape=json and Caddy write them.
func jsonLog(n int, caddy bool) []byte {
	rng := rand.New(rand.NewSource(1))
	agent := `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36`
	var b bytes.Buffer
	for i := range n {
		ip := fmt.Sprintf("%d.%d.%d.%d", 1+rng.Intn(223), rng.Intn(256), rng.Intn(256), rng.Intn(256))
		path := fmt.Sprintf("/presentations/%x/images/%x.png?v=%d", rng.Intn(1000), rng.Intn(100000), rng.Intn(9))
		if caddy {
			fmt.Fprintf(&b, `{"level":"info","ts":%d.%07d,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"%s","remote_port":"41342","client_ip":"%s","proto":"HTTP/2.0","method":"GET","host":"www.example.com","uri":"%s","headers":{"User-Agent":["%s"],"Accept":["*/*"],"Accept-Encoding":["gzip, deflate, br"],"Referer":["https://www.example.com/"]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"www.example.com"}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":%d,"status":200,"resp_headers":{"Server":["Caddy"],"Content-Encoding":["gzip"],"Content-Type":["text/html; charset=utf-8"],"Vary":["Accept-Encoding"]}}`+"\n",
				1795356187+i/12, rng.Intn(1e7), ip, ip, path, agent, rng.Intn(100000))
			continue
		}
		fmt.Fprintf(&b, `{"time_iso8601":"2026-11-22T14:%02d:%02d+00:00","remote_addr":"%s","remote_user":"","request":"GET %s HTTP/1.1","status":200,"body_bytes_sent":%d,"request_time":0.0%02d,"http_referer":"https://www.example.com/","http_user_agent":"%s","http_x_forwarded_for":"","upstream_response_time":"0.004"}`+"\n",
			i/720%60, i/12%60, ip, path, rng.Intn(100000), rng.Intn(100), agent)
	}
	return b.Bytes()
}

func BenchmarkJSON(b *testing.B) {
	for _, c := range []struct {
		name  string
		f     *Format
		caddy bool
	}{{"nginx", anyJSON, false}, {"caddy", caddyJSON, true}} {
		b.Run(c.name, func(b *testing.B) {
			block := jsonLog(2000, c.caddy)
			p := c.f.NewParser(Options{})
			var sink counter
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				if s := p.Parse(connwarden.Source{}, block, &sink); s.Parsed != 2000 {
					b.Fatal(s)
				}
			}
		})
	}
	// The floor of this machine at this moment, to compare with.
	b.Run("lines", func(b *testing.B) {
		block := jsonLog(2000, false)
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			for rest := block; len(rest) > 0; {
				rest = rest[bytes.IndexByte(rest, '\n')+1:]
			}
		}
	})
}

func TestJSONEscapes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`a\"b\\c\/d`, `a"b\c/d`},
		{`\n\t\r\b\f`, "\n\t\r\b\f"},
		{`\u0022\u00e9\u20ac`, `"é€`},
		{`\ud83d\ude00`, "😀"},
		{`\ud83d`, "\ufffd"},
		{`\ud83dx`, "\ufffdx"},
		{`\ude00\ud83d`, "\ufffd\ufffd"},
		{`\u12`, `\u12`},
		{`\uzzzz`, `\uzzzz`},
		{`\x22\x16`, `\x22\x16`},
		{`\`, `\`},
		{`x\`, `x\`},
	} {
		var s scratch
		if got := s.undo([]byte(c.in)); string(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
	}
}
