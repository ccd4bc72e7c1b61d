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
	"strings"
	"time"

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
	if judging {
		sum := folds[0].judged
		for _, f := range folds[1:] {
			sum.Merge(f.judged)
		}
		var last time.Time
		for _, p := range sum.Busiest(1) {
			last = p.Last
		}
		peers, groups := sum.Verdicts(last)
		fmt.Printf("%d addresses, something against %d of them and %d groups\n", sum.Len(), len(peers), len(groups))
	}
	return nil
}
