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
	//go:embed data/fronts.txt
	others string
)

// CDN returns the published addresses of the content delivery networks that pass on requests under their own name:
// Cloudflare and bunny.net, as of the dates in nets/data. Whoever is in it may be believed about whom it passes on. The
// set is made when first asked for and shared.
func CDN() *Set { return cdn() }

// Fronts returns those of CDN and of other networks that fetch from the servers behind them: Amazon CloudFront, Fastly,
// Imperva, Sucuri, and the balancers of Google's and Microsoft's clouds. Whoever blocks one locks out all its visitors;
// what these others forward proves nothing, since their customers can forge it.
func Fronts() *Set { return fronts() }

var (
	cdn    = sync.OnceValue(func() *Set { return shipped(cloudflare, bunny) })
	fronts = sync.OnceValue(func() *Set { return shipped(cloudflare, bunny, others) })
)

func shipped(texts ...string) *Set {
	sets := make([]*Set, len(texts))
	for i, text := range texts {
		s, err := Parse(text)
		if err != nil {
			panic(err) // a file of our own, which the tests read too
		}
		sets[i] = s
	}
	return Union(sets...)
}
