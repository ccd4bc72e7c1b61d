package live

import (
	"runtime"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

const (
	// maxWorkers bounds the goroutines that read, parse and match: two do as much as one can judge.
	maxWorkers = 4
	// batchReadings is how many readings cross to the judge together: with their texts some 300 KiB, which stay in a processor's second cache.
	batchReadings = 128
	// batchText is after how many bytes of text no more join; one line may go beyond.
	batchText = 256 << 10
	// moment is what some hundred lines take.
	moment = 100 * time.Microsecond
	// batchesWaiting bounds those that wait for the judge: about what is read while it looks, and with those that it has taken 32 MiB of long lines at most.
	batchesWaiting = 64
)

// ratesLooked is how far back a request's rate is looked for.
const ratesLooked = 8

// batch is what a worker has read, on its way to the goroutine that judges. It owns the bytes of its readings, without those that nobody asks
// for there: the lines of requests and events, and of requests what only the rules look at.
type batch struct {
	order    []kind // of the readings
	requests []connwarden.Request
	found    judge.Findings // of the requests
	rates    []rate         // of the requests, likewise
	rated    []uint16       // of each request its rate
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

// rate counts a request, and makes the name of its site the batch's own. The same site and minute are looked for among the last few rates.
func (b *batch) rate(r *connwarden.Request) {
	i, oldest := len(b.rates)-1, max(0, len(b.rates)-ratesLooked)
	for i >= oldest && !b.rates[i].of(r) {
		i--
	}
	if i < oldest {
		b.own(&r.Host)
		i = len(b.rates)
		b.rates = append(b.rates, rate{at: r.Time, site: r.Host})
	}
	one := &b.rates[i]
	r.Host = one.site
	one.add(r)
	b.rated = append(b.rated, uint16(i))
}

// taker takes the readings of batches.
type taker interface {
	Rates(rates []rate, rated []uint16, of *judge.Findings)
	Requests([]connwarden.Request, judge.Findings)
	Event(*connwarden.Event)
	Fault(*connwarden.Fault)
}

// push hands the readings over in the order in which they came, requests in a row together.
func (b *batch) push(to taker) {
	to.Rates(b.rates, b.rated, &b.found)
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
	*b = batch{found: b.found, rates: b.rates[:0], rated: b.rated[:0], order: b.order[:0], requests: b.requests[:0], events: b.events[:0], faults: b.faults[:0], text: b.text[:0], parsed: b.parsed[:0]}
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
	p.reader.Request(r, &b.found)
	b.requests = append(b.requests, *r)
	own := &b.requests[len(b.requests)-1]
	b.rate(own)
	b.own(&own.Path, &own.Query, &own.Referer, &own.Agent, &own.User)
	own.Name, own.Method, own.Asked, own.Proto, own.Raw = nil, nil, nil, nil, nil
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
		p.send()
	}
}

// send hands the batch over and begins another.
func (p *worker) send() {
	p.w.batches <- p.batch
	p.batch = batches.Get().(*batch)
}

// employ makes the workers.
func (w *warden) employ() {
	w.batches, w.turns = make(chan *batch, batchesWaiting), make(chan struct{}, 1)
	for range min(runtime.GOMAXPROCS(0), maxWorkers) {
		p := &worker{w: w, reader: w.table.Reader(), batch: batches.Get().(*batch)}
		w.workers = append(w.workers, p)
		w.visits = append(w.visits, p.piece)
	}
}

// read begins to have the logs read and parsed beside, turn after turn, as long as there is more at once and until [warden.pause] is called.
// What comes of it comes by w.batches, and its end by w.turns. Of the warden the workers see what is theirs; its logs and feeds are left alone until
// then. One goroutine has all turns: it takes a goroutine that has just begun longer to get a processor than to read what was written meanwhile.
func (w *warden) read() {
	w.reading, w.turn = true, w.now
	go func() {
		for more := true; more && !w.halting.Load(); {
			if !w.opt.Once { // else it is the time of the logs
				w.turn = w.opt.Clock()
			}
			more = w.tail.Read(w.turn, w.visits...)
			for _, p := range w.workers { // the next turn of a log may be another's, and its lines stay in order
				if len(p.batch.order) > 0 || len(p.batch.parsed) > 0 {
					p.send()
				}
			}
		}
		w.turns <- struct{}{}
	}()
}

// expect gives the workers a moment in which mostly something comes: to sleep and be woken would take longer, and take the processor from
// them.
func (w *warden) expect() {
	for began := time.Now(); len(w.batches) == 0 && len(w.turns) == 0 && time.Since(began) < moment; {
		runtime.Gosched()
	}
}

// pause has no other turn begin, and drains.
func (w *warden) pause() {
	w.halting.Store(true)
	w.drain()
	w.halting.Store(false)
}

// drain waits until nothing is read any more and all that was read was judged: no worker runs, and the places of the logs are those of the table.
func (w *warden) drain() {
	for w.reading || len(w.batches) > 0 {
		w.expect()
		select {
		case b := <-w.batches:
			w.take(b)
		case <-w.turns:
			w.reading = false
		}
	}
}

// take judges a batch and all that wait behind it. They are taken out at once: who waits for room has as much of it as can be judged meanwhile,
// and is woken once for them all; being woken takes longer than a batch.
func (w *warden) take(b *batch) {
	w.taken = append(w.taken[:0], b)
	for len(w.batches) > 0 && len(w.taken) < batchesWaiting {
		w.taken = append(w.taken, <-w.batches)
	}
	for _, b := range w.taken {
		b.push(w.sink)
		for i := range b.parsed {
			p := &b.parsed[i]
			w.lines += uint64(p.stats.Lines)
			w.bad += uint64(p.stats.Unparsed)
			w.metrics.read(p.format, p.stats, p.bytes)
		}
		b.release()
	}
	w.changed = true
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
