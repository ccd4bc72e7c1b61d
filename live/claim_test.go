package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
)

// nobody knows no name.
type nobody struct{}

func (nobody) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
}

func (nobody) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// TestImpostor: who says he is a search engine and is not is blocked although he does nothing that a rule forbids.
func TestImpostor(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, _ := keeper()
	set, problems := bots.Load(t.TempDir())
	if len(problems) > 0 {
		t.Fatal(errors.New(problems[0].Why))
	}
	opt.Keeper, opt.Drivers, opt.Bots, opt.Resolver = k, []string{"wall"}, set, bots.NewResolver(bots.Options{Lookup: nobody{}})
	r := start(t, opt)
	await[*Start](r)
	line := func(addr, agent string) string {
		return fmt.Sprintf("%s - - [%s] \"GET /post/ HTTP/1.1\" 200 512 \"-\" %q\n", addr, time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), agent)
	}
	const google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	appendTo(t, log, line("66.249.66.1", google)+line("9.9.9.9", "Mozilla/5.0")+line("8.8.4.4", google))
	if b := await[*Block](r); b.Target != "8.8.4.4/32" || b.Who != "impostor-crawler" {
		t.Errorf("block %+v", b)
	}
	if end, rest := r.end(); end.Blocks != 1 || end.Verdicts != 1 {
		t.Errorf("end %+v after %v", end, rest)
	}
}

// TestProxied: who comes through a trusted proxy is accused and not blocked, for a firewall would never meet him; neither
// is the proxy. Who also comes directly is blocked.
func TestProxied(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, _ := keeper()
	opt.Keeper, opt.Drivers = k, []string{"wall"}
	opt.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.80/32")}
	opt.Format = `%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"`
	r := start(t, opt)
	await[*Start](r)
	through := func(addr string) string {
		return strings.ReplaceAll(strings.ReplaceAll(attack(addr, 12), addr+" - -", "192.0.2.80 - -"), "\"Mozilla/5.0\"", "\"Mozilla/5.0\" \""+addr+"\"")
	}
	appendTo(t, log, through("198.51.100.7"))
	if v := await[*Verdict](r); v.Addr != "198.51.100.7" || v.Verdict != connwarden.VerdictMalicious || !v.Proved || v.Held != behindProxy {
		t.Errorf("verdict %+v", v)
	}
	direct := strings.ReplaceAll(attack("198.51.100.8", 1), "\"Mozilla/5.0\"", "\"Mozilla/5.0\" \"-\"")
	appendTo(t, log, direct+through("198.51.100.8"))
	if b := await[*Block](r); b.Target != "198.51.100.8/32" {
		t.Errorf("block %+v", b)
	}
	appendTo(t, log, strings.ReplaceAll(attack("192.0.2.80", 20), "\"Mozilla/5.0\"", "\"Mozilla/5.0\" \"-\""))
	if v := await[*Verdict](r); v.Addr != "192.0.2.80" || v.Proved || !strings.Contains(v.Exempt, "trusted proxy") {
		t.Errorf("verdict %+v", v)
	}
	if end, rest := r.end(); end.Blocks != 1 {
		t.Errorf("end %+v after %v", end, rest)
	}
}

// TestBehindProxies blocks who comes through a trusted proxy where the server itself refuses.
func TestBehindProxies(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, _ := keeper()
	opt.Keeper, opt.Drivers, opt.Behind = k, []string{"wall"}, func(driver string) bool { return driver == "wall" }
	opt.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.80/32")}
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, strings.ReplaceAll(attack("192.0.2.80", 12), "\"Mozilla/5.0\"", "\"Mozilla/5.0\" \"198.51.100.7\""))
	if v := await[*Verdict](r); v.Addr != "198.51.100.7" || !v.Proved || v.Via != "proxy" || v.Held != "" {
		t.Errorf("verdict %+v", v)
	}
	if b := await[*Block](r); b.Target != "198.51.100.7/32" {
		t.Errorf("block %+v", b)
	}
}
