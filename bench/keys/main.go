// Command keys counts an access log by everything that a review may ever want, in one pass: path, address, network,
// status, agent, referer, site and minute, a table each; or by some of these; or by none, which is the parse alone. With -judge it judges
// besides, by the rules that ship, as the first look of a review does. It exists to be measured.
//
//	keys [-by LIST] [-judge] FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/tail"
	"github.com/connwarden/connwarden/tally"
)

// fold is one worker's tables.
type fold struct {
	parser *logs.Parser
	tables []*tally.Pages
	judged *judge.Table // nil: nothing is judged
}

func (f *fold) Conn(*connwarden.Conn)   {}
func (f *fold) Event(*connwarden.Event) {}
func (f *fold) Fault(*connwarden.Fault) {}
func (f *fold) Request(r *connwarden.Request) {
	for _, t := range f.tables {
		t.Request(r)
	}
	if f.judged != nil {
		f.judged.Request(r)
	}
}

func main() {
	by := flag.String("by", "path,ip,net,status,agent,referer,site,minute", "keys to count by, a table each")
	judging := flag.Bool("judge", false, "judge besides")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: keys [-by LIST] [-judge] FILE")
		os.Exit(2)
	}
	words := strings.FieldsFunc(*by, func(r rune) bool { return r == ',' })
	if err := run(flag.Arg(0), words, *judging); err != nil {
		fmt.Fprintln(os.Stderr, "keys:", err)
		os.Exit(1)
	}
}

// shipped are the rules that ship.
func shipped() (*rules.Set, error) {
	var list []rules.Rule
	for name, text := range rules.Shipped() {
		some, errs := rules.Parse(name, text)
		if len(errs) > 0 {
			return nil, errs[0]
		}
		list = rules.Merge(list, some)
	}
	return rules.Compile(list)
}

// tables makes a table for each word; where there is one of addresses, it counts besides what follows from them.
func tables(words []string) (list []*tally.Pages, err error) {
	var addresses *tally.Pages
	var groups []tally.Keys
	for _, w := range words {
		keys, err := tally.ParseKeys(w)
		if err != nil {
			return nil, err
		}
		if keys.OfAddress() && slices.Contains(words, "ip") {
			groups = append(groups, keys)
			continue
		}
		list = append(list, tally.NewPages(keys, 0))
		if w == "ip" {
			addresses = list[len(list)-1]
		}
	}
	for _, keys := range groups {
		addresses.Also(keys, 0)
	}
	return list, nil
}

func show(t *tally.Pages) {
	distinct, _ := t.Distinct()
	for _, top := range t.Top(1) {
		fmt.Printf("%-8s %9d different, most: %7d %s\n", t.Keys(), distinct, top.Count, top.Key)
	}
}

func run(name string, words []string, judging bool) error {
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
	var opt judge.Options
	if judging {
		if opt.Rules, err = shipped(); err != nil {
			return err
		}
		opt.Claim = bots.Claims{}.Claim
	}
	folds := make([]*fold, runtime.GOMAXPROCS(0))
	for i := range folds {
		folds[i] = &fold{parser: format.NewParser(logs.Options{})}
		if judging {
			folds[i].judged = judge.New(opt)
		}
		if folds[i].tables, err = tables(words); err != nil {
			return err
		}
	}
	results := tail.Scan(context.Background(), []tail.Job{{File: file, Carry: format.Carry()}}, tail.ScanOptions{Workers: len(folds)}, func(worker int, b *tail.Block) {
		folds[worker].parser.Resume(b.Before)
		folds[worker].parser.Parse(connwarden.Source{Name: name, Offset: b.Offset}, b.Data, folds[worker])
	})
	if results[0].Err != nil {
		return results[0].Err
	}
	sums := folds[0].tables
	groups := make([][]*tally.Pages, len(sums))
	var merging sync.WaitGroup
	for i, sum := range sums {
		merging.Go(func() {
			for _, f := range folds[1:] {
				sum.Merge(f.tables[i])
			}
			groups[i] = sum.Groups()
		})
	}
	merging.Wait()
	for i, sum := range sums {
		show(sum)
		for _, group := range groups[i] {
			show(group)
		}
	}
	if judging {
		sum := folds[0].judged
		for _, f := range folds[1:] {
			sum.Merge(f.judged)
		}
		fmt.Printf("%d addresses, a second look is wanted: %t\n", sum.Len(), sum.Second() != nil)
	}
	return nil
}
