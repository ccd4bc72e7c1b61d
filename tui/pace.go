package tui

import "time"

// Beat is the time between two looks at what is due.
const Beat = 500 * time.Millisecond

// SampleRows is how many addresses a sample of the connections holds.
const SampleRows = 200

const (
	manyConns   = 10_000          // above which connections are sampled at every second beat only
	reviewPause = 4 * time.Second // between two reviews
	reviewShare = 40              // a review that takes long is made again that many times its own duration later
)

// Pace tells what is due, so that looking costs the machine little however much there is to see. For the zero value
// everything is.
type Pace struct {
	sampled, reviewed time.Time
	many              bool
	cost              time.Duration // of the last review
}

// SampleDue tells whether the connections are to be counted now: at each beat, above 10,000 at every second one.
func (p *Pace) SampleDue(now time.Time) bool {
	pause := Beat / 2 // a beat that comes early is one, too
	if p.many {
		pause += Beat
	}
	return now.Sub(p.sampled) >= pause
}

// Sampled notes that the connections were counted, and how many there are.
func (p *Pace) Sampled(at time.Time, total uint64) { p.sampled, p.many = at, total > manyConns }

// ReviewDue tells whether the logs are to be read now: every few seconds, and later when that takes long.
func (p *Pace) ReviewDue(now time.Time) bool {
	return now.Sub(p.reviewed) >= max(reviewPause, p.cost*reviewShare)
}

// Reviewed notes when a review began and ended.
func (p *Pace) Reviewed(begin, end time.Time) { p.reviewed, p.cost = end, end.Sub(begin) }
