// Command truth has worlds of known truth reviewed and prints who was taken for what. See bench/truth.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"

	"github.com/connwarden/connwarden/lab/truth"
)

func main() {
	worlds := flag.Int("worlds", 100, "how many servers")
	seed := flag.Uint64("seed", 1, "the first one's seed")
	attacks := flag.Int("attacks", 12, "kinds of attack that come to a server")
	plays := flag.Int("plays", 6, "how often each comes")
	innocents := flag.Int("innocents", 3, "how often each innocent kind comes")
	only := flag.String("only", "", "this kind of attack alone")
	workers := flag.Int("workers", 2, "servers reviewed at a time")
	odd := flag.Bool("odd", false, "show the first wrong verdicts and suspected innocents of each kind")
	keep := flag.String("keep", "", "write the logs of the first server into this folder, and stop")
	flag.Parse()
	cast := truth.Cast{Attacks: *attacks, Plays: *plays, Innocents: *innocents, Only: *only}
	if err := run(*worlds, *workers, *seed, cast, *odd, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

func run(worlds, workers int, seed uint64, cast truth.Cast, odd bool, keep string) error {
	if keep != "" {
		_, err := truth.New(seed, cast).Write(keep)
		return err
	}
	court, err := truth.NewCourt()
	if err != nil {
		return err
	}
	var (
		table = truth.NewTable()
		mu    sync.Mutex // guards table and failed
		fail  error
		wg    sync.WaitGroup
	)
	seeds := make(chan uint64)
	for range workers {
		wg.Go(func() {
			for s := range seeds {
				found, err := judge(court, truth.New(s, cast))
				mu.Lock()
				if table.Add(found); err != nil {
					fail = fmt.Errorf("world %d: %w", s, err)
				}
				mu.Unlock()
			}
		})
	}
	for i := range worlds {
		seeds <- seed + uint64(i)
	}
	close(seeds)
	wg.Wait()
	table.Print(os.Stdout)
	if odd {
		table.PrintOdd(os.Stdout)
	}
	return fail
}

func judge(court *truth.Court, w *truth.World) ([]truth.Finding, error) {
	dir, err := os.MkdirTemp("", "truth")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return court.Judge(context.Background(), w, dir)
}
