package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/host"
)

// TestSites tells where sites are served, which a proof by asking them needs.
func TestSites(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/apache2/apache2.conf": strings.Join([]string{
			"<VirtualHost *:80>", "ServerName a.example", "DocumentRoot /var/www/a/", "</VirtualHost>",
			"<VirtualHost [2001:db8::1]:443 192.0.2.1:443>", "ServerName a.example", "DocumentRoot /var/www/a", "SSLEngine On", "</VirtualHost>",
			"<VirtualHost _default_:8080>", "ServerAlias b.example", "DocumentRoot /var/www/b", "</VirtualHost>",
			"<VirtualHost 192.0.2.1>", "ServerName c.example", "DocumentRoot /var/www/c", "</VirtualHost>",
			"<VirtualHost [2001:db8::1]:80>", "ServerName d.example", "DocumentRoot /var/www/d", "</VirtualHost>",
			"<VirtualHost *:http>", "ServerName e.example", "DocumentRoot /", "</VirtualHost>",
			"<VirtualHost *:99999>", "ServerName f.example", "DocumentRoot /var/www/f", "</VirtualHost>",
		}, "\n"),
		"etc/nginx/nginx.conf": "http { server { server_name n.example; root /var/www/n; } }",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sites, problems := host.New(root).Sites()
	var got []string
	for _, s := range sites {
		got = append(got, fmt.Sprint(s.Server, " ", s.Name, " ", s.Dir, " ", s.Addr, " ", s.Port, " ", s.TLS))
	}
	want := []string{
		"apache a.example /var/www/a invalid IP 80 false", "apache a.example /var/www/a 192.0.2.1 443 true", "apache b.example /var/www/b invalid IP 8080 false",
		"apache c.example /var/www/c invalid IP 0 false", "apache d.example /var/www/d invalid IP 0 false", "apache f.example /var/www/f invalid IP 0 false",
		"nginx n.example /var/www/n invalid IP 0 false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || len(problems) > 0 {
		t.Errorf("problems %v\n%s\nwant\n%s", problems, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
