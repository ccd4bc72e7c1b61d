package report

import "time"

// SchemaHistory names the form of History.
const SchemaHistory = "connwarden.history/1"

// History is what the daemon wrote down about a stretch of time: how much came, who was accused, what was blocked.
type History struct {
	Schema    string      `json:"schema"`
	From      time.Time   `json:"from"`
	Until     time.Time   `json:"until"`
	Begins    *time.Time  `json:"begins"` // of all that is kept; null when nothing is
	Ends      *time.Time  `json:"ends"`
	Step      float64     `json:"step"`      // seconds of a row of rates
	Rates     []Rate      `json:"rates"`     // in the order of time; a step in which nothing was written down is left out
	Sites     []SiteRate  `json:"sites"`     // the busiest of the stretch
	Verdicts  []Sighting  `json:"verdicts"`  // the latest first
	Blocks    []PastBlock `json:"blocks"`    // the latest first
	More      uint64      `json:"more"`      // verdicts of the stretch that are not shown
	Unwritten uint64      `json:"unwritten"` // verdicts that were too many in their minute to be written down
	Problems  []Problem   `json:"problems"`
}

// HistoryQuery says which part of a history is wanted.
type HistoryQuery struct {
	From, Until time.Time
	Target      string // an address or prefix; "" is all
	Rows        int    // most verdicts and most blocks; 0: 200
}

// Rate is what the logs said in one step of time.
type Rate struct {
	Start      time.Time         `json:"start"`
	Requests   uint64            `json:"requests"`
	Bytes      uint64            `json:"bytes"`
	Status     map[string]uint64 `json:"status"`
	Malicious  uint64            `json:"malicious"`  // requests of addresses that were malicious by then
	Suspicious uint64            `json:"suspicious"` // likewise
	Errors     uint64            `json:"errors"`     // entries of error logs
	Events     uint64            `json:"events"`     // hostile ones: failed logins and the like
	Open       uint64            `json:"open"`       // most incoming connections at any look
}

// SiteRate is what one site had in the stretch.
type SiteRate struct {
	Site     string            `json:"site"` // "" is that of logs that name none
	Requests uint64            `json:"requests"`
	Bytes    uint64            `json:"bytes"`
	Status   map[string]uint64 `json:"status"`
	Errors   uint64            `json:"errors"`
}

// Sighting is a verdict as it was told.
type Sighting struct {
	Time time.Time `json:"time"`
	Peer
}

// PastBlock is a block that was made, or one that ended.
type PastBlock struct {
	Time time.Time `json:"time"`
	Type string    `json:"type"` // block or unblock
	Block
}

// SiteMinute is what one site had in one minute, as it is counted and kept; the site "" stands for logs that name none.
type SiteMinute struct {
	At         int64     `json:"at"` // Unix seconds of the minute's beginning
	Site       string    `json:"site,omitempty"`
	Requests   uint64    `json:"requests,omitempty"`
	Bytes      uint64    `json:"bytes,omitempty"`
	Class      [6]uint64 `json:"class"`                // 0: no status, 1 to 5: 1xx to 5xx
	Malicious  uint64    `json:"malicious,omitempty"`  // requests of addresses that were malicious by then
	Suspicious uint64    `json:"suspicious,omitempty"` // likewise
	Errors     uint64    `json:"errors,omitempty"`
	Events     uint64    `json:"events,omitempty"` // hostile ones
	Open       uint64    `json:"open,omitempty"`   // most incoming connections at a look; of the machine, in the row of ""
}

// Add adds o's counts to m's; of open connections the most stays.
func (m *SiteMinute) Add(o *SiteMinute) {
	m.Requests += o.Requests
	m.Bytes += o.Bytes
	for i, n := range o.Class {
		m.Class[i] += n
	}
	m.Malicious += o.Malicious
	m.Suspicious += o.Suspicious
	m.Errors += o.Errors
	m.Events += o.Events
	m.Open = max(m.Open, o.Open)
}
