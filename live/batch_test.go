package live

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
)

// keeps notes what it is given, in order.
type keeps struct{ got []string }

func (k *keeps) Rates([]rate, []uint16, *judge.Findings) {}

func (k *keeps) Event(e *connwarden.Event) { k.got = append(k.got, bytesOf(e)) }
func (k *keeps) Fault(f *connwarden.Fault) { k.got = append(k.got, bytesOf(f)) }
func (k *keeps) Requests(list []connwarden.Request, _ judge.Findings) {
	for i := range list {
		k.got = append(k.got, bytesOf(&list[i]))
	}
}

// bytesOf is what stands in a reading's slices of bytes, by their names.
func bytesOf(reading any) string {
	v := reflect.ValueOf(reading).Elem()
	s := v.Type().Name()
	for i := range v.NumField() {
		if b, ok := v.Field(i).Interface().([]byte); ok {
			s += fmt.Sprintf(" %s=%s", v.Type().Field(i).Name, b)
		}
	}
	return s
}

// borrow fills all slices of bytes of a reading from a buffer.
func borrow(reading any, buf []byte, n int) {
	v := reflect.ValueOf(reading).Elem()
	for i := range v.NumField() {
		if v.Field(i).Type() == reflect.TypeFor[[]byte]() {
			from := len(buf)
			buf = fmt.Appendf(buf, "%s %d", v.Type().Field(i).Name, n)
			v.Field(i).SetBytes(buf[from:])
		}
	}
}

// What a parser lends is the batch's own when the next line is read, in the order in which it came, over as many batches as it takes.
func TestBatchOwns(t *testing.T) {
	w := &warden{batches: make(chan *batch, 100)}
	p := &worker{w: w, reader: judge.New(judge.Options{}).Reader(), batch: &batch{}}
	buf := make([]byte, 0, 1<<10)
	var want []string
	for n := range 3*batchReadings + 5 {
		var r connwarden.Request
		var e connwarden.Event
		var f connwarden.Fault
		switch n % 4 {
		case 0, 1:
			borrow(&r, buf, n)
			p.Request(&r)
			r.Name, r.Method, r.Asked, r.Proto, r.Raw = nil, nil, nil, nil, nil // nobody asks for these
			want = append(want, bytesOf(&r))
		case 2:
			borrow(&e, buf, n)
			p.Event(&e)
			e.Raw = nil
			want = append(want, bytesOf(&e))
		case 3:
			borrow(&f, buf, n)
			p.Fault(&f)
			want = append(want, bytesOf(&f))
		}
		clear(buf[:cap(buf)])
	}
	if len(w.batches) != 3 {
		t.Errorf("%d batches were full, want 3", len(w.batches))
	}
	var got keeps
	for close(w.batches); ; {
		b, ok := <-w.batches
		if !ok {
			break
		}
		b.push(&got)
	}
	p.batch.push(&got)
	if a, b := strings.Join(got.got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

// A batch that held much is small when it comes back.
func TestBatchIsBounded(t *testing.T) {
	w := &warden{batches: make(chan *batch, 100)}
	p := &worker{w: w, reader: judge.New(judge.Options{}).Reader(), batch: &batch{}}
	for range 9 {
		p.Request(&connwarden.Request{Path: make([]byte, 1<<20)})
	}
	if len(w.batches) != 9 {
		t.Errorf("%d batches of 9 long lines", len(w.batches))
	}
	b := <-w.batches
	b.release()
	if cap(b.text) > 2*batchText || len(b.order)+len(b.requests) > 0 {
		t.Errorf("it keeps room for %d bytes, %d readings", cap(b.text), len(b.order))
	}
}
