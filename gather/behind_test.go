package gather

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
)

// A request that a front server has logged is not read again from what stands behind it, and that is said.
func TestBehind(t *testing.T) {
	for _, c := range []struct{ name, front, want, said string }{
		{"a front", "192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] \"GET / HTTP/1.1\" 200 5\n", "/var/log/nginx/access.log", "/var/log/grafana/grafana.log"},
		{"a front that has nothing to do", "", "/var/log/grafana/grafana.log /var/log/nginx/access.log", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range map[string]string{
				"var/log/nginx/access.log":    c.front,
				"var/log/grafana/grafana.log": "logger=context t=2026-11-22T14:03:07Z level=info msg=\"Request Completed\" method=GET path=/ status=200 remote_addr=192.0.2.7 time_ms=1\n",
			} {
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s, p := Sources{opt: &Options{Host: host.New(root)}}, Problems{}
			var got []string
			for _, one := range s.find(context.Background(), &p) {
				got = append(got, one.Log.Shown)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("read are %v, want %s", got, c.want)
			}
			said := slices.ContainsFunc(p, func(one connwarden.Problem) bool { return one.What == c.said && strings.Contains(one.Why, "nginx") })
			if said != (c.said != "") {
				t.Errorf("problems are %v", p)
			}
		})
	}
}
