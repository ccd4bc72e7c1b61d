package block

import "time"

// Steps is how long a verdict's first, second… block lasts.
func Steps() []time.Duration {
	return []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
}

// A past block is remembered ten times as long as it lasted, and at least a day: who comes back meanwhile gets the next
// step, who stays away is forgiven.
const (
	memory    = 10
	minMemory = 24 * time.Hour
)

// Escalate returns how long the next block lasts, by the past automatic blocks of the same target: one step more than
// the longest that is still remembered, at most the last step.
func Escalate(now time.Time, past []Past, steps []time.Duration) time.Duration {
	next := 0
	for _, p := range past {
		if p.Until.IsZero() || p.Ended.Before(p.Until) {
			continue // without end, or lifted: someone thought better of it
		}
		lasted := p.Until.Sub(p.Since)
		if now.Sub(p.Ended) >= max(memory*lasted, minMemory) {
			continue
		}
		for next < len(steps)-1 && lasted >= steps[next] {
			next++
		}
	}
	return steps[next]
}
