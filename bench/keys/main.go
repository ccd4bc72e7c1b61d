// Command keys counts an access log by everything that a review may ever want, in one pass: path, address, network,
// status, agent, referer, site and minute, a table each. It exists to be measured.
//
//	keys FILE
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
	"github.com/connwarden/connwarden/tally"
)

var words = []string{"path", "ip", "net", "status", "agent", "referer", "site", "minute"}

// fold is one worker's tables.
type fold struct {
	parser *logs.Parser
	tables []*tally.Pages
}

func (f *fold) Conn(*connwarden.Conn)   {}
func (f *fold) Event(*connwarden.Event) {}
func (f *fold) Fault(*connwarden.Fault) {}
func (f *fold) Request(r *connwarden.Request) {
	for _, t := range f.tables {
		t.Request(r)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: keys FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "keys:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	file, err := tail.Open(name, tail.Options{})
	if err != nil {
		return err
	}
	defer file.Close()
	head, err := file.Head(64 << 10)
	if err != nil {
		return err
	}
	format := logs.Detect(name, head)
	if format == nil {
		return fmt.Errorf("%s: no format fits", name)
	}
	folds := make([]*fold, runtime.GOMAXPROCS(0))
	for i := range folds {
		folds[i] = &fold{parser: format.NewParser(logs.Options{})}
		for _, w := range words {
			keys, err := tally.ParseKeys(w)
			if err != nil {
				return err
			}
			folds[i].tables = append(folds[i].tables, tally.NewPages(keys, 0))
		}
	}
	results := tail.Scan(context.Background(), []tail.Job{{File: file, Carry: format.Carry()}}, tail.ScanOptions{Workers: len(folds)}, func(worker int, b *tail.Block) {
		folds[worker].parser.Resume(b.Before)
		folds[worker].parser.Parse(connwarden.Source{Name: name, Offset: b.Offset}, b.Data, folds[worker])
	})
	if results[0].Err != nil {
		return results[0].Err
	}
	for i, w := range words {
		sum := folds[0].tables[i]
		for _, f := range folds[1:] {
			sum.Merge(f.tables[i])
		}
		distinct, _ := sum.Distinct()
		top := sum.Top(1)
		if len(top) > 0 {
			fmt.Printf("%-8s %9d different, most: %7d %s\n", w, distinct, top[0].Count, top[0].Key)
		}
	}
	return nil
}
