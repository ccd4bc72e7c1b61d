package tui

import "time"

// Beat is the time between two looks at what is due.
const Beat = 500 * time.Millisecond

// SampleRows is how many addresses a sample of the connections holds.
const SampleRows = 200

const (
	manyConns   = 10_000          // above which connections are sampled at every second beat only
	leastReview = 4 * time.Second // between two reviews
	changeRest  = time.Second     // between two that follow changes

	// What takes long is done again that many times its own duration later: samples take a fiftieth of a core at most,
	// and reviews an eightieth of the cores that they run on.
	sampleShare = 50
	reviewShare = 80
)

// Pace tells what is due, so that looking costs the machine little however much there is to see. For the zero value
// everything is.
type Pace struct {
	sampled, reviewed        time.Time
	samplePause, reviewPause time.Duration
}

// SampleDue tells whether the connections are to be counted now: at each beat, above 10,000 at every second one, and more
// seldom where that takes the kernel long.
func (p *Pace) SampleDue(now time.Time) bool {
	return now.Sub(p.sampled) >= p.samplePause-Beat/2 // a beat that comes early is one, too
}

// Sampled notes when the connections were counted, from begin to end, and how many there are.
func (p *Pace) Sampled(begin, end time.Time, total uint64) {
	p.sampled, p.samplePause = end, max(Beat, end.Sub(begin)*sampleShare)
	if total > manyConns {
		p.samplePause = max(p.samplePause, 2*Beat)
	}
}

// ReviewDue tells whether the logs are to be read now: every few seconds, and more seldom where that takes long.
func (p *Pace) ReviewDue(now time.Time) bool { return now.Sub(p.reviewed) >= p.reviewPause }

// Changed tells that there is something new: a review is due at once, but not more often than every second.
func (p *Pace) Changed() { p.reviewPause = min(p.reviewPause, changeRest) }

// Reviewed notes when a review began and ended.
func (p *Pace) Reviewed(begin, end time.Time) {
	p.reviewed, p.reviewPause = end, max(leastReview, end.Sub(begin)*reviewShare)
}
