package truth

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/connwarden/connwarden/nets"
)

// system is what a site is made with.
type system uint8

const (
	wordpress system = iota
	shop             // WordPress with WooCommerce
	plain            // files, and pages of no known system
	app              // a single page and an interface for programs
	joomla
	drupal
	magento
	systems
)

// form is how an access log is written.
type form uint8

const (
	apacheForm form = iota // combined, of Apache
	vhostForm              // with the site in front
	nginxForm              // combined, of nginx
	mainForm               // nginx's "main", which ends with X-Forwarded-For
	forms
)

// site is the web site of a world and how its server logs.
type site struct {
	host    string
	system  system
	form    form
	log     string
	proxied bool // behind a content delivery network whose header is logged
	missing int  // the answer to what is not there
	pages   []string
}

func (w *World) newSite() site {
	s := site{host: w.word() + w.pick(".com", ".org", ".de", ".net", ".shop", ".co.uk"), system: system(w.IntN(int(systems))), form: form(w.IntN(int(forms)))}
	if w.chance(0.4) {
		s.system = wordpress // as four of ten sites are
	}
	s.log = w.pick("access.log", s.host+"-ssl_log", "other_vhosts_access.log", s.host+".access.log")
	s.proxied = s.form == mainForm && w.chance(0.5)
	for range w.from(200, 3000) {
		s.pages = append(s.pages, w.pick("/", "/", "/blog/", "/2026/0"+fmt.Sprint(w.from(1, 9))+"/", "/"+w.word()+"/")+w.slug()+"/")
	}
	s.missing = 404
	switch {
	case s.system == app && w.chance(0.6):
		s.missing = 200 // every address is the same page
	case w.chance(0.08):
		s.missing = 301 // a plain port that sends everyone to https
	case w.chance(0.08):
		s.missing = 403
	}
	return s
}

// article is a page that the site has, some more often than others.
func (w *World) article() string {
	if w.chance(0.4) {
		return w.site.pages[w.IntN(20)]
	}
	return w.pick(w.site.pages...)
}

// made tells whether the site is made with one of these.
func (w *World) made(with ...system) bool {
	for _, s := range with {
		if w.site.system == s {
			return true
		}
	}
	return false
}

func (w *World) isWordPress() bool { return w.made(wordpress, shop) }

// actor is one address that does something, at a time of its own.
type actor struct {
	*World
	addr    netip.Addr
	agent   string
	user    string
	referer string
	at      time.Time
	forged  string // a forwarding header of its own
	private bool   // a browser that does not tell from where it comes
}

// actor makes one of the kind that plays, with an address that nobody has, at a moment from which there is room for what takes
// so long.
func (w *World) actor(lasts time.Duration) *actor {
	return w.actorAt(w.stranger(), lasts)
}

func (w *World) actorAt(addr netip.Addr, lasts time.Duration) *actor {
	w.truth[key(addr)] = w.kind
	return &actor{World: w, addr: addr, at: w.moment(lasts), agent: w.browser(), user: "-", referer: "-", private: w.chance(0.04)}
}

// pause lets time go by.
func (a *actor) pause(from, to time.Duration) { a.at = a.at.Add(a.between(from, to)) }

// ask logs one request.
func (a *actor) ask(method, target string, status, size int) {
	a.raw(fmt.Sprintf("%s %s %s", method, target, a.protocol()), status, size)
}

func (a *actor) protocol() string {
	if a.site.form >= nginxForm && strings.HasPrefix(a.agent, "Mozilla/5.0 (") {
		return "HTTP/2.0"
	}
	return "HTTP/1.1"
}

// get and post ask, and are answered with about as much as is usual.
func (a *actor) get(target string, status int) { a.ask("GET", target, status, a.usual(target, status)) }
func (a *actor) post(target string, status int) {
	a.ask("POST", target, status, a.usual(target, status))
}

func (a *actor) usual(target string, status int) int {
	switch {
	case status == 304 || status == 204:
		return 0
	case status >= 400:
		return 150 + a.IntN(900)
	case status >= 300:
		return 160 + a.IntN(300)
	case strings.HasSuffix(target, ".jpg") || strings.HasSuffix(target, ".webp") || strings.HasSuffix(target, ".png"):
		return 4000 + a.IntN(300_000)
	case strings.HasSuffix(target, ".js") || strings.HasSuffix(target, ".css"):
		return 900 + a.IntN(60_000)
	default:
		return 3000 + a.IntN(60_000)
	}
}

// raw logs one request whose line need not be one of HTTP.
func (a *actor) raw(request string, status, size int) {
	s, bytes := &a.site, fmt.Sprint(size)
	escape := apacheEscape
	if s.form >= nginxForm {
		escape = nginxEscape
	} else if size == 0 {
		bytes = "-"
	}
	client, via := a.addr.String(), orDash(a.forged)
	if s.proxied {
		client = a.edge().String()
		if via = a.addr.String(); a.forged != "" {
			via = a.forged + ", " + via
		}
	}
	text := fmt.Sprintf(`%s - %s [%s] "%s" %d %s "%s" "%s"`,
		client, a.user, a.at.Format("02/Jan/2006:15:04:05 -0700"), escape(request), status, bytes, escape(a.referer), escape(a.agent))
	switch s.form {
	case vhostForm:
		text = s.host + ":443 " + text
	case mainForm:
		text += ` "` + escape(via) + `"`
	}
	a.write(s.log, a.at, text)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// write adds a line to a log.
func (w *World) write(name string, at time.Time, text string) {
	w.logs[name] = append(w.logs[name], line{at, text})
}

// apacheEscape writes what Apache writes of a text: ap_escape_logitem.
func apacheEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// nginxEscape writes what nginx writes of a text: ngx_http_log_escape.
func nginxEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// edge is an address of a content delivery network.
func (w *World) edge() netip.Addr { return w.within(cloudflare[w.IntN(len(cloudflare))]) }

// cloudflare are the networks that visitors of a site behind it come from.
var cloudflare = func() (list []netip.Prefix) {
	for _, p := range nets.CDN().Prefixes() {
		if p.Addr().Is4() && (p.Overlaps(netip.MustParsePrefix("104.16.0.0/13")) || p.Overlaps(netip.MustParsePrefix("172.64.0.0/13")) || p.Overlaps(netip.MustParsePrefix("162.158.0.0/15"))) {
			list = append(list, p)
		}
	}
	return list
}()
