// Package update refreshes what the program knows of the internet: the table of networks and countries, and the address
// ranges that operators publish of their crawlers, monitors and proxies. It asks only when it is called, changes only the
// state folder, and there replaces a file in one step and only by what has passed every check: that it came whole, over
// HTTPS, within bounds of size and time; that all of it can be read; that it has not shrunk below half; that it names no
// addresses that belong to nobody. Whatever else comes, what is there stays.
package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"
)

// Source is one thing that is refreshed.
type Source struct {
	Name string // one word; [Networks] is the table of networks, all others are lists of ranges
	// URLs are where it is published, all of them its parts. The fragment of a URL names the member of a JSON object
	// that is meant; without one all of it is.
	URLs []string
	// Least is how many prefixes, joined to the fewest, a list of ranges must have, whatever there was before: half of
	// what was published in 2026.
	Least int
}

// Networks is the name of the source of networks and countries.
const Networks = "networks"

// Ranges is the folder of lists of ranges in the state folder.
const Ranges = "ranges"

// File is the source's file in the state folder, with slashes: "geo.table", or for example "ranges/googlebot.txt". A list
// of ranges has a prefix a line; a line that begins with # says where they come from and when they were taken.
func (s Source) File() string {
	if s.Name == Networks {
		return tableFile
	}
	return path.Join(Ranges, s.Name+".txt")
}

// State says what became of a source.
type State string

const (
	Updated   State = "updated"   // the file is new
	Unchanged State = "unchanged" // what came says what was there; lists of ranges have the new date
	Absent    State = "absent"    // the mirror does not have it
	Failed    State = "failed"    // what was there stays, and Err says why
)

// Outcome is what became of one source.
type Outcome struct {
	Source  string
	State   State
	File    string    // in the state folder
	From    string    // the first address or file that was asked
	Entries int       // of what is in force now: known ranges of networks, prefixes of ranges; 0 if it is not known
	Before  int       // of what was in force before, where that is known
	Date    time.Time // of what is in force now; zero if it is not known
	Bytes   int64     // received, unpacked
	Took    time.Duration
	Err     error // of Failed
}

// Options say what is refreshed, and where.
type Options struct {
	Dir string // the state folder; it is made if need be, for its owner alone
	// From is a mirror: the state folder of another machine, as a folder or as a URL under which its files are. Empty asks
	// those who publish. Only a mirror may be asked without encryption, and only if its URL says so.
	From    string
	Sources []Source              // in this order the outcomes come; nil is [Sources]
	Agent   string                // the HTTP client's name
	Timeout time.Duration         // of one source, all of it; 0 is ten minutes
	Clock   func() time.Time      // nil is time.Now
	Done    func(done, total int) // called after each source, one call at a time; may be nil
}

// atOnce is how many sources are asked at the same time.
const atOnce = 4

// Run refreshes the sources and tells of each what became of it. Cancelling the context ends it early; what has been
// replaced by then stays.
func Run(ctx context.Context, o Options) []Outcome {
	if o.Sources == nil {
		o.Sources = Sources()
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	r := &run{Options: o, client: newClient(o.From)}
	defer r.client.CloseIdleConnections()
	out := make([]Outcome, len(o.Sources))
	var all sync.WaitGroup
	var mu sync.Mutex
	done, slots := 0, make(chan struct{}, atOnce)
	for i, s := range o.Sources {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			out[i] = r.one(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Done != nil {
				o.Done(done, len(out))
			}
		})
	}
	all.Wait()
	return out
}

// run is one call of Run.
type run struct {
	Options
	client *client
}

// one refreshes one source.
func (r *run) one(ctx context.Context, s Source) Outcome {
	began := r.Clock()
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("not done within %v: given up", r.Timeout))
	defer cancel()
	out := Outcome{Source: s.Name, File: s.File()}
	f := &fetcher{ctx: ctx, run: r, parts: r.parts(s)}
	out.From = f.parts[0].shown()
	var err error
	if s.Name == Networks {
		err = r.networks(f, &out)
	} else {
		err = r.ranges(s, f, &out)
	}
	switch {
	case err == nil:
	case r.From != "" && errors.Is(err, fs.ErrNotExist):
		out.State = Absent
	default:
		out.State, out.Err = Failed, err
		if cause := context.Cause(ctx); cause != nil {
			out.Err = cause
		}
	}
	out.Bytes, out.Took = f.bytes, r.Clock().Sub(began)
	return out
}
