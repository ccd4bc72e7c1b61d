// Command range lets customers, crawlers and attackers loose on a machine with real servers, on which the real connwarden
// watches and blocks, and tells for each scenario what came of it: how long the first block took, how many of the attack's
// requests were served before and after, whether anyone innocent was harmed, and what a review says.
//
//	go run ./lab/range                 # all scenarios, short
//	go run ./lab/range -long           # with more of everything
//	go run ./lab/range -only ssh,syn   # some
//
// The machine is that of room lab: Apache, PHP-FPM, WordPress, MariaDB, nginx and others from Debian's packages, in
// namespaces that end with the program. All traffic goes to addresses of these namespaces; the range refuses any other
// target ([lab.ErrElsewhere]). What is sent is bounded in count, and by a deadline. Needs root, Linux and the
// packages that ./test installs. It ends with 1 when an attack was not met as it must be, or someone innocent was harmed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are how the range is run.
type settings struct {
	seed uint64
	long bool
	only []string // parts of scenarios' names; empty: all
	said bool     // print what connwarden tells, too
}

// longest bounds a run: what is not done by then is not begun.
const longest = 15 * time.Minute

func main() {
	var s settings
	only := ""
	flag.Uint64Var(&s.seed, "seed", 1, "of all that is drawn")
	flag.BoolVar(&s.long, "long", false, "more attackers, more requests")
	flag.StringVar(&only, "only", "", "run only scenarios whose names contain one of these `WORDS`, separated by commas")
	flag.BoolVar(&s.said, "v", false, "print what connwarden tells")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "range: it takes no target: all that it attacks it makes itself")
		os.Exit(2)
	}
	if only != "" {
		s.only = strings.Split(only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, longest)
	code := command(ctx, s)
	cancel()
	stop()
	os.Exit(code)
}
