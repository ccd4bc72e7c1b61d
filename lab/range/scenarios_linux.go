package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden/lab"
)

// outcome is what must come of a scenario.
type outcome int

const (
	blockAll  outcome = iota // each attacker is blocked
	blockNone                // nobody is; the review may tell
	tellOnly                 // nobody is blocked, because it would be wrong or of no use, and the review tells of it
)

// scenario is something that happens, with its truth.
type scenario struct {
	name string
	must outcome
	run  func(p *play)
	why  string // of tellOnly: why nobody is blocked
	tell string // of tellOnly: what the review must say
	held string // what watch must say of why it does not block
}

// Agents.
const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	python  = "python-requests/2.31.0"
	google  = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	yahoo   = "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)"
)

const (
	blog  = "blog.example.com"
	news  = "news.example.net"
	club  = "club.example.org"
	api   = "api.example.com"
	style = "/wp-content/themes/range/style.css"
)

// scenarios are in the order in which they run: the innocent ones among the others, so that what an attack leaves behind
// meets them.
func scenarios() []scenario {
	return []scenario{
		{name: "customers who mistype", must: blockNone, run: mistypes},
		{name: "wp-login brute force", run: bruteLogin},
		{name: "xmlrpc brute force", run: bruteXMLRPC},
		{name: "xmlrpc multicall", run: multicall},
		{name: "office behind one address", must: blockNone, run: office},
		{name: "scanners", run: scan},
		{name: "distributed brute force, one request each", run: distributed},
		{name: "sitemap crawl, verified crawlers", must: blockNone, run: sitemap},
		{name: "impostor crawlers", run: impostors},
		{name: "slowloris", run: slowloris},
		{name: "connection flood", run: connections},
		{name: "syn flood, forged sources", must: tellOnly, run: synFlood, why: "the sources are forged", tell: "half-open"},
		{name: "ssh brute force", run: bruteSSH},
		{name: "mail brute force", run: bruteMail},
		{name: "imap brute force", run: bruteIMAP},
		{name: "spam outbreak", run: spam},
		{name: "flash crowd", must: blockNone, run: flashCrowd},
		{name: "cache-busting flood", run: cacheBusting},
		{name: "request flood", run: flood},
		{name: "deploy that answers 500", must: blockNone, run: deploy},
		{name: "brute force through the CDN", must: tellOnly, run: behindCDN, why: "its packets are the CDN's", tell: "wp-login", held: "trusted proxy"},
		{name: "the same at a site that blocks for itself", run: siteBehindCDN},
	}
}

// some is n in a short run and three times as many in a long one.
func (p *play) some(n int) int {
	if p.set.long {
		return 3 * n
	}
	return n
}

// browse is a customer who reads a few pages as a browser does.
func (p *play) browse(a netip.Addr, agent string, pages int) {
	home := "http://" + blog + "/"
	for range pages {
		at := fmt.Sprintf("/post/p%d/", p.draw(120))
		p.visits(a, ask{host: blog, path: at, referer: home, agent: agent}, 200)
		p.visits(a, ask{host: blog, path: style, referer: "http://" + blog + at, agent: agent}, 200)
	}
}

func (p *play) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n)
}

func login(host, user, password, agent, referer string) ask {
	return ask{host: host, method: "POST", path: "/wp-login.php", agent: agent, referer: referer, body: "log=" + user + "&pwd=" + password + "&wp-submit=Log+In"}
}

// beside lets a few customers browse while something happens.
func (p *play) beside(do func()) {
	var all sync.WaitGroup
	for _, a := range p.customers(4) {
		all.Go(func() { p.browse(a, firefox, 2) })
	}
	do()
	all.Wait()
}

// Each customer forgets the password up to three times, as every morning.
func mistypes(p *play) {
	crowd(p.customers(p.some(12)), func(i int, a netip.Addr) {
		from := "http://" + blog + "/wp-login.php"
		p.visits(a, ask{host: blog, path: "/wp-login.php"}, 200)
		for range 1 + i%3 {
			p.visits(a, login(blog, fmt.Sprintf("customer%d", i), "oh+no", chrome, from), 200)
		}
		p.visits(a, login(blog, fmt.Sprintf("customer%d", i), fmt.Sprintf("password+of+%d", i), chrome, from), 302)
		p.browse(a, chrome, 1)
	})
}

func bruteLogin(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(2, 1), p.some(60), func(_, i int) ask {
			return login(blog, "admin", fmt.Sprintf("password%d", i), python, "")
		})
	})
}

// rpc is one call of XML-RPC.
func rpc(method string, params ...string) string {
	return `<?xml version="1.0"?><methodCall><methodName>` + method + `</methodName><params>` + strings.Join(params, "") + `</params></methodCall>`
}

func param(s string) string { return "<param><value><string>" + s + "</string></value></param>" }

func bruteXMLRPC(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(1, 1), p.some(60), func(_, i int) ask {
			return ask{host: blog, method: "POST", path: "/xmlrpc.php", agent: chrome, body: rpc("wp.getUsersBlogs", param("admin"), param(fmt.Sprintf("password%d", i)))}
		})
	})
}

// Hundreds of passwords in each request.
func multicall(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(1, 1), p.some(10), func(_, i int) ask {
			var calls strings.Builder
			for n := range 250 {
				fmt.Fprintf(&calls, `<value><struct><member><name>methodName</name><value><string>wp.getUsersBlogs</string></value></member><member><name>params</name><value><array><data><value><string>admin</string></value><value><string>pass%d-%d</string></value></data></array></value></member></struct></value>`, i, n)
			}
			return ask{host: blog, method: "POST", path: "/xmlrpc.php", agent: chrome, body: rpc("system.multicall", "<param><value><array><data>"+calls.String()+"</data></array></value></param>")}
		})
	})
}

// Forty people share an address: browsers of all kinds, several logins of which some fail, many connections at once.
func office(p *play) {
	a := p.customer()
	p.spare(a)
	end := p.hold(a, 80, 40, "") // browsers open connections before they need them
	defer end()
	people := make([]netip.Addr, p.some(40))
	for i := range people {
		people[i] = a
	}
	crowd(people, func(i int, a netip.Addr) {
		agent := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:%d.0) Gecko/20100101 Firefox/%d.0", 110+i%15, 110+i%15)
		p.browse(a, agent, 2)
		if i%5 == 0 {
			from := "http://" + blog + "/wp-login.php"
			if i%10 == 0 {
				p.visits(a, login(blog, fmt.Sprintf("customer%d", i%40), "typo", agent, from), 200)
			}
			p.visits(a, login(blog, fmt.Sprintf("customer%d", i%40), fmt.Sprintf("password+of+%d", i%40), agent, from), 302)
		}
	})
}

// wanted are what scanners look for: names that stand in every server's logs.
var wanted = []string{
	"/.env", "/.git/config", "/wp-config.php.bak", "/backup.zip", "/backup.sql", "/phpmyadmin/index.php", "/admin.php", "/shell.php", "/.aws/credentials", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
	"/config.php.old", "/db.sql.gz", "/.DS_Store", "/server-status", "/actuator/env", "/wp-content/debug.log", "/wp-content/uploads/x.php", "/cgi-bin/luci", "/boaform/admin/formLogin", "/solr/admin/info/system",
}

func scan(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(2, 1), p.some(40), func(_, i int) ask {
			at := wanted[i%len(wanted)]
			if i >= len(wanted) {
				at = fmt.Sprintf("/old%d%s", i, at)
			}
			return ask{host: blog, path: at, agent: chrome}
		})
	})
}

// Each attacker comes once, from a network of its own, and is gone. What can be blocked is who comes again.
func distributed(p *play) {
	list := p.attackers(p.some(100), p.some(30))
	p.beside(func() {
		p.mu.Lock()
		for _, a := range list {
			p.attack[a] = true
		}
		p.mu.Unlock()
		crowd(list, func(i int, a netip.Addr) {
			p.attacks([]netip.Addr{a}, 1, func(_, _ int) ask { return login(blog, "admin", fmt.Sprintf("password%d", i), chrome, "") })
		})
	})
}

// Two search engines read all that the sitemap names: one is known by the addresses that its operator publishes, the other
// by a name that leads back. Neither is slow.
func sitemap(p *play) {
	crowd([]netip.Addr{googlebot, slurp}, func(i int, a netip.Addr) {
		agent := []string{google, yahoo}[i]
		p.visits(a, ask{host: blog, path: "/robots.txt", agent: agent}, 200)
		p.visits(a, ask{host: blog, path: "/wp-sitemap-posts-post-1.xml", agent: agent})
		for n := range p.some(40) {
			p.visits(a, ask{host: blog, path: fmt.Sprintf("/post/p%d/", n), agent: agent}, 200)
			if n%4 == 0 {
				p.visits(a, ask{host: blog, path: fmt.Sprintf("/gone/p%d", n), agent: agent}, 404)
			}
		}
	})
}

// One says it is Google from an address that is none of Google's, the other has a name of Yahoo's that does not lead back.
func impostors(p *play) {
	p.beside(func() {
		p.attacks([]netip.Addr{p.attacker(), impostor}, p.some(40), func(who, i int) ask {
			return ask{host: blog, path: fmt.Sprintf("/post/p%d/", i), agent: []string{google, yahoo}[who]}
		})
	})
}

func slowloris(p *play) {
	p.beside(func() {
		a := p.attacker()
		p.mu.Lock()
		p.attack[a] = true
		p.mu.Unlock()
		end := p.hold(a, 80, 90, "GET / HTTP/1.1\r\nHost: "+blog+"\r\nX-a: ")
		defer end()
		p.await(a)
	})
}

func connections(p *play) {
	p.beside(func() {
		for _, a := range p.attackers(1, 1) {
			p.mu.Lock()
			p.attack[a] = true
			p.mu.Unlock()
			end := p.hold(a, 8080, p.some(200), "")
			defer end()
			p.await(a)
		}
	})
}

// await waits until an address is blocked.
func (p *play) await(a netip.Addr) {
	p.watch.await(blockPatience, func(list []heard) bool {
		_, ok := blocked(blocks(list[p.mark:]), a)
		return ok
	})
}

// Half-open connections from addresses that never answer, some of them in the name of one who has done nothing.
func synFlood(p *play) {
	victim := netip.MustParseAddr("100.64.1.7")
	p.framed(victim)
	p.beside(func() {
		var packets [][]byte
		for i := range p.some(2000) {
			from := netip.AddrFrom4([4]byte{100, byte(65 + p.draw(60)), byte(p.draw(256)), byte(p.draw(256))})
			if i%10 == 0 {
				from = victim
			}
			packets = append(packets, syn(from, server4, uint16(1024+p.draw(60000)), 80, uint32(p.draw(1<<31))))
		}
		p.check(p.lab.Throw(server4, packets))
	})
}

// syn is a packet that begins a connection.
func syn(from, to netip.Addr, port, toPort uint16, seq uint32) []byte {
	b := make([]byte, 40)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(b[2:], 40)
	f, t := from.As4(), to.As4()
	copy(b[12:], f[:])
	copy(b[16:], t[:])
	tcp := b[20:]
	binary.BigEndian.PutUint16(tcp, port)
	binary.BigEndian.PutUint16(tcp[2:], toPort)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, 2
	binary.BigEndian.PutUint16(tcp[14:], 64240)
	sum := uint32(unix.IPPROTO_TCP + 20)
	for _, part := range [][]byte{b[12:20], tcp} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return b
}

func bruteSSH(p *play) {
	admin := p.customer()
	for admin.Is6() {
		admin = p.customer()
	}
	p.spare(admin)
	p.beside(func() {
		for range 2 {
			p.ssh(admin.String(), "root", false)
		}
		if in, _ := p.ssh(admin.String(), "root", true); !in {
			p.trouble("%s: the administrator cannot log in\n%s", admin, p.lab.Read("var/log/syslog"))
		}
		users := []string{"root", "admin", "test", "oracle", "ubuntu", "root", "git", "postgres"}
		p.each(p.attackers(1, 1), p.some(16), func(from netip.Addr, _, i int) bool {
			_, answered := p.ssh(from.String(), users[i%len(users)], false)
			return answered
		})
		if in, _ := p.ssh(admin.String(), "root", true); !in {
			p.trouble("%s: the administrator cannot log in afterwards", admin)
		}
	})
}

func plain(user, password string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

func bruteMail(p *play) {
	p.beside(func() {
		a := p.customer()
		p.spare(a)
		for i, password := range []string{"Correct", "corect", "correct"} {
			if last, err := p.mailed(a, answerPatience, "EHLO laptop", plain("customer", password)); err != nil || i == 2 && !strings.HasPrefix(last, "235") {
				p.trouble("%s: mail: %s %v", a, last, err)
			}
		}
		p.each(p.attackers(1, 1), p.some(24), func(from netip.Addr, _, i int) bool {
			_, err := p.mailed(from, attackerPatience, "EHLO win", plain([]string{"info", "admin", "sales"}[i%3], fmt.Sprintf("password%d", i)))
			return err == nil
		})
	})
}

// Mailboxes that Dovecot keeps: one of the people mistypes twice.
func bruteIMAP(p *play) {
	p.beside(func() {
		a := p.customer()
		p.spare(a)
		for i, password := range []string{"correct house", "corect horse", lab.Password} {
			if last, err := p.mailbox(a, answerPatience, "ann", password); err != nil || strings.HasPrefix(last, "a OK") != (i == 2) {
				p.trouble("%s: mailbox: %s %v", a, last, err)
			}
		}
		p.each(p.attackers(1, 1), p.some(24), func(from netip.Addr, _, i int) bool {
			_, err := p.mailbox(from, attackerPatience, []string{"info", "admin", "ann"}[i%3], fmt.Sprintf("password%d", i))
			return err == nil
		})
	})
}

// Listed senders, and others that try to relay and to guess names; beside them one who writes to a customer.
func spam(p *play) {
	p.beside(func() {
		a := p.customer()
		p.spare(a)
		for range 3 {
			if last, err := p.mailed(a, answerPatience, "EHLO other.example", "MAIL FROM:<ann@other.example>", "RCPT TO:<info@example.com>"); err != nil || !strings.HasPrefix(last, "250") {
				p.trouble("%s: mail: %s %v", a, last, err)
			}
		}
		list := append(p.listed(), p.attackers(10, 0)...)
		p.each(list, p.some(30), func(from netip.Addr, who, i int) bool {
			to := fmt.Sprintf("RCPT TO:<name%d@example.com>", i)
			if who >= len(p.listed()) && i%2 == 0 {
				to = fmt.Sprintf("RCPT TO:<someone%d@elsewhere.example>", i)
			}
			_, err := p.mailed(from, attackerPatience, "EHLO bulk", fmt.Sprintf("MAIL FROM:<offer%d@bulk.example>", i), to)
			return err == nil
		})
	})
}

// Everyone comes at once from one link in the news.
func flashCrowd(p *play) {
	crowd(p.customers(p.some(120)), func(i int, a netip.Addr) {
		agent := []string{firefox, chrome}[i%2]
		p.visits(a, ask{host: blog, path: "/post/p1/", referer: "https://news.example.org/today", agent: agent}, 200)
		p.visits(a, ask{host: blog, path: style, referer: "http://" + blog + "/post/p1/", agent: agent}, 200)
		if i%3 == 0 {
			p.visits(a, ask{host: blog, path: "/", referer: "http://" + blog + "/post/p1/", agent: agent}, 200)
		}
	})
}

func cacheBusting(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(1, 1), p.some(150), func(_, i int) ask {
			return ask{host: blog, path: fmt.Sprintf("/?%x=%x", p.draw(1<<30), p.draw(1<<30)), agent: chrome}
		})
	})
}

// As fast as one connection after the other allows: one asks for the front page alone, the other for ever other pages.
func flood(p *play) {
	p.beside(func() {
		p.attacks(p.attackers(1, 1), p.some(2500), func(who, i int) ask {
			at := "/"
			if who == 1 {
				at = fmt.Sprintf("/page/%d", i)
			}
			return ask{host: api, port: 8080, path: at, agent: chrome}
		})
	})
}

// Every page is an error for a while, and people press reload.
func deploy(p *play) {
	broken := filepath.Join(p.lab.Root, "tmp/broken-deploy")
	p.check(os.WriteFile(broken, nil, 0o644))
	list := p.customers(p.some(24))
	crowd(list, func(i int, a netip.Addr) {
		for n := range 6 {
			p.visits(a, ask{host: blog, path: fmt.Sprintf("/post/p%d/", i+n/3), agent: chrome, referer: "http://" + blog + "/"}, 500)
		}
	})
	p.check(os.Remove(broken))
	crowd(list, func(_ int, a netip.Addr) { p.browse(a, chrome, 1) })
}

// The same attack, and customers, through the content delivery network: every packet is the network's.
func behindCDN(p *play) { p.throughCDN(news) }

// Here the site's own access rules are to refuse the attackers, and nobody else.
func siteBehindCDN(p *play) { p.throughCDN(club) }

func (p *play) throughCDN(host string) {
	p.framed(cdn)
	var all sync.WaitGroup
	for _, a := range p.customers(6) {
		all.Go(func() {
			for n := range 6 {
				p.visits(a, ask{to: edge(a), host: host, path: fmt.Sprintf("/post/p%d/", n), referer: "http://" + host + "/"}, 200)
			}
		})
	}
	p.each(p.attackers(2, 1), p.some(60), func(from netip.Addr, _, i int) bool {
		r := login(host, "admin", fmt.Sprintf("password%d", i), python, "")
		r.to = edge(from)
		status, err := p.send(from, attackerPatience, r)
		return err == nil && status != 403
	})
	all.Wait()
}

// edge is the address of the network that whoever comes from an address speaks to.
func edge(from netip.Addr) netip.Addr {
	if from.Is6() {
		return cdn6
	}
	return cdn
}
