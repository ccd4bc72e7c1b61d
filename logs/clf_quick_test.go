package logs

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
)

// checkQuick reads a text with the quick way and without.
func checkQuick(t *testing.T, text []byte, opt Options) {
	t.Helper()
	slow := *combined // quick is for combined alone
	read := func(f *Format) (list []string, s Stats) {
		p := f.NewParser(opt)
		s = p.Parse(connwarden.Source{Offset: 7, Line: 1}, text, &each{f: func(r *connwarden.Request) {
			r.From.Name = ""
			list = append(list, fmt.Sprintf("%+v %q", *r, r.Raw))
		}})
		return list, s
	}
	want, all := read(&slow)
	got, stats := read(combined)
	if stats != all || !slices.Equal(got, want) {
		t.Errorf("%+v: %q: %+v with %d readings, want %+v with %d; the first:\n%.500s\n%.500s", opt, text, stats, len(got), all, len(want), got, want)
	}
}

var quickOptions = []Options{
	{}, {Auto: true}, {Want: connwarden.FieldPath | connwarden.FieldStatus}, {Want: connwarden.FieldClient | connwarden.FieldTime},
	{Want: connwarden.FieldAgent, Site: []byte("www.example.com")}, {Proxies: nets.CDN()},
}

// The quick way reads what the other does, and nothing else: every sample, with each of its bytes changed in turn.
func TestQuick(t *testing.T) {
	samples := bytes.SplitAfter(sampleText(t, "apache_combined"), []byte("\n"))
	samples = append(samples, []byte(goodLine+"\n"), []byte(goodLine+"\r\n"), []byte("1.2.3.4"+goodLine[len("192.0.2.7"):]+"\n"))
	tail := []byte("192.0.2.8" + goodLine[len("192.0.2.7"):] + "\n")
	for i, line := range samples {
		for _, opt := range quickOptions {
			checkQuick(t, append(slices.Clone(line), tail...), opt)
			checkQuick(t, line, opt)
		}
		if len(line) > 200 {
			continue
		}
		for at := i % 5; at < len(line); at += 5 {
			for _, c := range []byte("\n\r\\\"? ]x5-\x00\xff") {
				changed := append(slices.Clone(line), tail...)
				changed[at] = c
				checkQuick(t, changed, quickOptions[(i+at)%len(quickOptions)])
			}
			checkQuick(t, append(slices.Clone(line[:at]), tail...), quickOptions[at%len(quickOptions)])
		}
	}
}

// Nearly every line of a log is read the quick way, but those of IPv6, one in eight here.
func TestQuickEnough(t *testing.T) {
	text := combinedLog(1000)
	p, quick, lines := combined.NewParser(Options{}), 0, 0
	p.sink = &counter{}
	for len(text) > 0 {
		used := p.quick(text)
		if lines++; used > 0 {
			quick++
		} else {
			used = bytes.IndexByte(text, '\n') + 1
		}
		text = text[used:]
	}
	if quick < lines*8/10 {
		t.Errorf("%d of %d lines", quick, lines)
	}
}

func FuzzQuick(f *testing.F) {
	f.Add([]byte(goodLine+"\n"+goodLine+"\n"), uint8(0))
	f.Add([]byte(goodLine+"\r\n"+goodLine[:70]+"\n"+goodLine+"\n"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, opt uint8) {
		checkQuick(t, text, quickOptions[int(opt)%len(quickOptions)])
	})
}
