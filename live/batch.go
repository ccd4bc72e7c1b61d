package live

import (
	"runtime"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

const (
	// maxWorkers bounds the goroutines that read, parse and match: two do as much as one can judge.
	maxWorkers = 4
	// batchReadings is how many readings cross to the judge together: with their texts some 300 KiB, which stay in a processor's second cache.
	batchReadings = 512
	// batchText is after how many bytes of text no more join; one line may go beyond.
	batchText = 256 << 10
	// batchesWaiting bounds those that wait for the judge.
	batchesWaiting = 2
)

// batch is what a worker has read, on its way to the goroutine that judges. It owns the bytes of its readings, but for the lines of
// requests and events, which nobody here asks for.
type batch struct {
	order    []kind // of the readings
	requests []connwarden.Request
	found    judge.Findings // of the requests
	events   []connwarden.Event
	faults   []connwarden.Fault
	text     []byte
	parsed   []parsed
}

type kind uint8

const (
	isRequest kind = iota
	isEvent
	isFault
)

// parsed is what a parser made of a piece of a log.
type parsed struct {
	format string
	stats  logs.Stats
	bytes  int
}

var batches = sync.Pool{New: func() any { return &batch{} }}

// own makes borrowed bytes the batch's.
func (b *batch) own(borrowed ...*[]byte) {
	for _, p := range borrowed {
		if len(*p) > 0 {
			from := len(b.text)
			b.text = append(b.text, *p...)
			*p = b.text[from:len(b.text):len(b.text)]
		}
	}
}

// taker takes the readings of batches.
type taker interface {
	Requests([]connwarden.Request, judge.Findings)
	Event(*connwarden.Event)
	Fault(*connwarden.Fault)
}

// push hands the readings over in the order in which they came, requests in a row together.
func (b *batch) push(to taker) {
	var at [isFault + 1]int
	for n := 0; n < len(b.order); n++ {
		k := b.order[n]
		i := at[k]
		at[k]++
		switch k {
		case isRequest:
			for ; n+1 < len(b.order) && b.order[n+1] == isRequest; n++ {
				at[isRequest]++
			}
			to.Requests(b.requests[i:at[isRequest]], b.found.Part(i, at[isRequest]))
		case isEvent:
			to.Event(&b.events[i])
		case isFault:
			to.Fault(&b.faults[i])
		}
	}
}

// release gives the batch back, empty. What one long line made large is not kept.
func (b *batch) release() {
	b.found.Clear()
	*b = batch{found: b.found, order: b.order[:0], requests: b.requests[:0], events: b.events[:0], faults: b.faults[:0], text: b.text[:0], parsed: b.parsed[:0]}
	if cap(b.text) > 2*batchText {
		b.text = nil
	}
	batches.Put(b)
}

// worker reads and parses logs, one at a time, and finds out what their requests fit. Its parsers push into it.
type worker struct {
	w      *warden
	reader *judge.Reader
	batch  *batch
}

// Conn takes nothing: no log tells of connections.
func (*worker) Conn(*connwarden.Conn) {}

// Request keeps a request for the judge.
func (p *worker) Request(r *connwarden.Request) {
	b := p.batch
	b.requests = append(b.requests, *r)
	own := &b.requests[len(b.requests)-1]
	own.Raw = nil
	b.own(&own.Name, &own.Host, &own.Method, &own.Asked, &own.Path, &own.Query, &own.Proto, &own.Referer, &own.Agent, &own.User)
	p.reader.Request(own, &b.found)
	p.add(isRequest)
}

// Event keeps an event for the judge.
func (p *worker) Event(e *connwarden.Event) {
	b := p.batch
	b.events = append(b.events, *e)
	own := &b.events[len(b.events)-1]
	own.Raw = nil
	b.own(&own.User, &own.Detail, &own.Request)
	p.add(isEvent)
}

// Fault keeps a fault for the judge.
func (p *worker) Fault(f *connwarden.Fault) {
	b := p.batch
	b.faults = append(b.faults, *f)
	own := &b.faults[len(b.faults)-1]
	b.own(&own.Module, &own.Code, &own.Site, &own.Request, &own.Script, &own.Message, &own.Raw)
	p.add(isFault)
}

// add notes the kind of the reading that was kept last, and sends a batch that is full.
func (p *worker) add(k kind) {
	b := p.batch
	if b.order = append(b.order, k); len(b.order) >= batchReadings || len(b.text) >= batchText {
		p.w.batches <- b
		p.batch = batches.Get().(*batch)
	}
}

// employ makes the workers.
func (w *warden) employ() {
	w.batches = make(chan *batch, batchesWaiting)
	for range min(runtime.GOMAXPROCS(0), maxWorkers) {
		p := &worker{w: w, reader: w.table.Reader(), batch: batches.Get().(*batch)}
		w.workers = append(w.workers, p)
		w.visits = append(w.visits, p.piece)
	}
}

// read has a turn of each log that has something read and parsed beside, and judges what comes of it. When it returns, all that was read
// was judged: no worker runs, and the places of the logs are those of the table.
func (w *warden) read() (more bool) {
	done := make(chan bool, 1)
	go func() { done <- w.tail.Read(w.now, w.visits...) }()
	for reading := true; reading; {
		select {
		case b := <-w.batches:
			w.take(b)
		case more = <-done:
			reading = false
		}
	}
	for len(w.batches) > 0 {
		w.take(<-w.batches)
	}
	for _, p := range w.workers {
		if len(p.batch.order) > 0 || len(p.batch.parsed) > 0 {
			w.take(p.batch)
			p.batch = batches.Get().(*batch)
		}
	}
	return more
}

// take judges a batch.
func (w *warden) take(b *batch) {
	b.push(w.sink)
	for i := range b.parsed {
		p := &b.parsed[i]
		w.lines += uint64(p.stats.Lines)
		w.bad += uint64(p.stats.Unparsed)
		w.metrics.read(p.format, p.stats, p.bytes)
	}
	w.changed = true
	b.release()
}

// piece parses what was appended to a log. Of the warden it changes nothing but the log's feed, which no other worker has in hand.
func (p *worker) piece(piece *tail.Piece) {
	w := p.w
	f := w.feeds[piece.Log]
	w.ready(f, piece)
	if piece.Last {
		f.parser.Flush(p)
		return
	}
	stats := f.parser.Parse(connwarden.Source{Name: f.source.Log.Shown, Offset: piece.Offset}, piece.Data, p)
	f.parser.Flush(p) // who writes an entry of several lines writes it at once
	p.batch.parsed = append(p.batch.parsed, parsed{formatName(f.parser.Format()), stats, len(piece.Data)})
}
