package nets

import (
	_ "embed"
	"sync"
)

// The files name their source, its date and its licence.
var (
	//go:embed data/cloudflare.txt
	cloudflare string
	//go:embed data/bunnycdn.txt
	bunny string
)

// CDN returns the published addresses of the content delivery networks that pass on requests under their own name:
// Cloudflare and bunny.net, as of the dates in nets/data. Whoever is in it may be believed about whom it passes on. The
// set is made when first asked for and shared.
func CDN() *Set { return cdn() }

var cdn = sync.OnceValue(func() *Set {
	var sets []*Set
	for _, text := range []string{cloudflare, bunny} {
		s, err := Parse(text)
		if err != nil {
			panic(err) // a file of our own, which the tests read too
		}
		sets = append(sets, s)
	}
	return Union(sets...)
})
