package live

import (
	"time"

	"github.com/connwarden/connwarden/report"
)

// Schema is that of the messages.
const Schema = "connwarden.watch/1"

// Head begins every message.
type Head struct {
	Type string    `json:"type"` // start, verdict, block, unblock, problem, mode, reload or end
	Time time.Time `json:"time"`
}

func head(kind string, t time.Time) Head { return Head{kind, t} }

// Start tells that following has begun.
type Start struct {
	Head
	Schema  string   `json:"schema"`
	Mode    string   `json:"mode"` // suggest or enforce
	Logs    int      `json:"logs"`
	Polled  int      `json:"polled"` // of them, those that the system tells nothing of
	Journal bool     `json:"journal"`
	Drivers []string `json:"drivers"`
	Resumed bool     `json:"resumed"` // it goes on where it stopped
}

// Verdict is what is thought of an address or a group now.
type Verdict struct {
	Head
	report.Peer
	Proved bool   `json:"proved"`         // it holds without what a local account may have written
	Held   string `json:"held,omitempty"` // why it is not acted upon although it could be: the mode, quiet, maintenance
}

// Block tells of a block that was made, or with the type unblock of one that ended.
type Block struct {
	Head
	report.Block
	Undo string       `json:"undo,omitempty"`
	More bool         `json:"-"` // another of the same act follows at once
	Peer *report.Peer `json:"-"` // of a block by verdict: on what it rests
}

// Problem is what could not be seen or done.
type Problem struct {
	Head
	report.Problem
	Alarm bool `json:"alarm,omitempty"` // somebody should look now
}

// Mode tells that something else is done about harm than before.
type Mode struct {
	Head
	Mode  string     `json:"mode"`            // suggest or enforce
	Quiet bool       `json:"quiet"`           // what a deployment provokes is not blocked
	Until *time.Time `json:"until,omitempty"` // of quiet or maintenance
	Why   string     `json:"why,omitempty"`
}

// Reload tells what became of a new configuration. One that was refused leaves the one before in force.
type Reload struct {
	Head
	Done bool   `json:"done"`
	Why  string `json:"why,omitempty"`
}

// End is the last message.
type End struct {
	Head
	Lines    uint64 `json:"lines"` // read since the history began
	Unparsed uint64 `json:"unparsed"`
	Verdicts uint64 `json:"verdicts"` // of this run
	Blocks   uint64 `json:"blocks"`
}
