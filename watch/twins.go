package watch

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
)

// twins finds requests that a front server passed on and the server behind it logged too, so that they count once, as
// the front one wrote them. The two lines agree in site, path, query and status, and nearly in time: nginx writes when
// a request ends, Apache when it began. Sizes differ by the headers and are not compared.
type twins struct {
	mu   sync.Mutex        // guards seen; leaf
	seen map[uint64]uint16 // requests of front servers that have no twin yet
	full bool
}

const (
	// twinSeconds is how far apart the two times may be. A slower answer counts twice, which is rare and harmless.
	twinSeconds = 2
	// twinsKept bounds the table: at some 20 bytes an entry, 80 MB.
	twinsKept = 4 << 20
)

var twinSeed = maphash.MakeSeed()

func twinHash(r *connwarden.Request, second int64) uint64 {
	var h maphash.Hash
	h.SetSeed(twinSeed)
	h.Write(r.Host)
	h.WriteByte(0)
	h.Write(r.Path)
	h.WriteByte('?')
	h.Write(r.Query)
	for _, n := range [...]uint64{uint64(r.Status), uint64(second)} {
		for range 8 {
			h.WriteByte(byte(n))
			n >>= 8
		}
	}
	return h.Sum64()
}

// front takes note of a front server's request.
func (t *twins) front(r *connwarden.Request) {
	h := twinHash(r, r.Time.Unix())
	t.mu.Lock()
	if len(t.seen) < twinsKept {
		t.seen[h]++
	} else {
		t.full = true
	}
	t.mu.Unlock()
}

// behind tells whether a request was noted from the front; each note serves once.
func (t *twins) behind(r *connwarden.Request) bool {
	at := r.Time.Unix()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, off := range [...]int64{0, 1, -1, twinSeconds, -twinSeconds} {
		if h := twinHash(r, at+off); t.seen[h] > 0 {
			t.seen[h]--
			return true
		}
	}
	return false
}

// side is where a source stands between client and content.
type side uint8

const (
	alone  side = iota // the only log of its requests, as far as can be told
	front              // of a server that passes requests on
	behind             // of a server that such requests are passed to
)

// sides tells front and back servers' access logs apart, if both are there: nginx before Apache or LiteSpeed, on the
// same site when both name one.
func (s *sources) sides() []side {
	list := make([]side, len(s.List))
	fronts, anySite := map[string]bool{}, false
	for i, one := range s.List {
		if service(one) == "nginx" {
			list[i] = front
			fronts[one.Log.Site] = true
			anySite = true
		}
	}
	both := false
	for i, one := range s.List {
		switch service(one) {
		case "apache", "litespeed":
			if anySite && (fronts[one.Log.Site] || fronts[""] || one.Log.Site == "") {
				list[i] = behind
				both = true
			}
		}
	}
	if !both {
		return nil
	}
	return list
}

// service tells which server writes an access log; of Plesk's logs their names tell.
func service(one *gather.Source) string {
	if one.Log.Kind != host.Access {
		return ""
	}
	if one.Named {
		path := one.Log.Path
		if !strings.Contains(path, "vhosts/system/") {
			return ""
		}
		if strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "proxy_") {
			return "nginx"
		}
		return "apache"
	}
	return one.Log.Service
}
