// Command fleet measures a fleet: how soon what one host blocks is dropped by another, with real daemons and firewalls in
// network namespaces; and what 1,000 hosts with 100,000 blocks cost the hub and a host. ../fleet.md has what came of it.
//
//	go build -o /tmp/connwarden ./cmd/connwarden && go build -o /tmp/connwarden-hub ./cmd/connwarden-hub
//	go run ./bench/fleet -program /tmp/connwarden -hub /tmp/connwarden-hub drop      # needs root; -nodes 3
//	go run ./bench/fleet -program /tmp/connwarden -hub /tmp/connwarden-hub many
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	program = flag.String("program", "", "the connwarden to measure")
	hubbin  = flag.String("hub", "", "the connwarden-hub to measure")
	nodes   = flag.Int("nodes", 1, "of the hub: 1 or 3")
	hosts   = flag.Int("hosts", 1000, "of many")
	blocks  = flag.Int("blocks", 100_000, "of many, in force before")
	rounds  = flag.Int("rounds", 100, "blocks that are timed")
	after   = flag.Duration("after", 30*time.Second, "of many: when the memory of the host that joined is looked at again")
	kill    = flag.Bool("kill", false, "with -nodes 3: kill a node in the middle of drop")
	leader  = flag.Bool("leader", false, "with -kill: kill the node that leads the bucket, not the one that the hosts use")
)

func main() {
	flag.Parse()
	switch flag.Arg(0) { // these two run in namespaces, until they are ended
	case "shower":
		log.Fatal(shower(flag.Arg(1), flag.Args()[2:]))
	case "gauge":
		log.Fatal(gauge(flag.Arg(1)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		log.Fatal(err)
	}
	b := &bench{ctx: ctx, dir: dir}
	switch flag.Arg(0) {
	case "drop":
		err = b.drop()
	case "many":
		err = b.many()
	default:
		err = fmt.Errorf("drop or many")
	}
	b.end()
	if err != nil {
		log.Fatal(err)
	}
}

// bench is one run, with all that it started.
type bench struct {
	ctx   context.Context
	dir   string
	undo  []func()
	hubs  []*exec.Cmd
	space string // name of the hub's namespace; "": this one
}

// end undoes all in the opposite order.
func (b *bench) end() {
	for _, f := range slices.Backward(b.undo) {
		f()
	}
	os.RemoveAll(b.dir)
}

// in is a command in a network namespace.
func in(ctx context.Context, space, name string, args ...string) *exec.Cmd {
	if space != "" {
		args = append([]string{"netns", "exec", space, name}, args...)
		name = "ip"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts a command that ends with the run.
func (b *bench) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	b.undo = append(b.undo, sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}))
	return nil
}

// runHub starts the nodes on addresses of one host, and returns their addresses for hosts.
func (b *bench) runHub(host string) ([]string, error) {
	var listens, routes []string
	for i := range *nodes {
		listens = append(listens, fmt.Sprintf("%s:%d", host, 14222+i))
		routes = append(routes, fmt.Sprintf("%s:%d", host, 16222+i))
	}
	for i := range *nodes {
		state := filepath.Join(b.dir, fmt.Sprint("hub", i))
		args := []string{"run", "--state", state, "--listen", listens[i], "--name", host, "--hubs", strings.Join(listens, ",")}
		if *nodes > 1 {
			peers := slices.Concat(routes[:i], routes[i+1:])
			args = append(args, "--node", fmt.Sprint("n", i), "--cluster", routes[i], "--peers", strings.Join(peers, ","))
		}
		if i > 0 {
			if err := os.MkdirAll(state, 0o700); err != nil {
				return nil, err
			}
			if err := b.await(func() bool {
				secrets, err := os.ReadFile(filepath.Join(b.dir, "hub0", "keys.json"))
				return err == nil && os.WriteFile(filepath.Join(state, "keys.json"), secrets, 0o600) == nil
			}); err != nil {
				return nil, err
			}
		}
		cmd := in(b.ctx, b.space, *hubbin, args...)
		cmd.Stderr = nil
		b.hubs = append(b.hubs, cmd)
		if err := b.start(cmd); err != nil {
			return nil, err
		}
	}
	return listens, b.await(func() bool {
		for i := range *nodes {
			if _, err := os.Stat(filepath.Join(b.dir, fmt.Sprint("hub", i), "listens")); err != nil {
				return false
			}
		}
		return true
	})
}

// await waits for a condition.
func (b *bench) await(ok func() bool) error {
	limit := time.After(3 * time.Minute)
	for !ok() {
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-limit:
			return fmt.Errorf("not within three minutes")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// token asks the hub for one.
func (b *bench) token(args ...string) (string, error) {
	out, err := in(b.ctx, b.space, *hubbin, append([]string{"token", "--state", filepath.Join(b.dir, "hub0")}, args...)...).Output()
	return string(bytes.TrimSpace(out)), err
}

// spread prints how long something took, of many times.
func spread(what string, list []time.Duration) {
	slices.Sort(list)
	if len(list) == 0 {
		fmt.Printf("%-60s nothing\n", what)
		return
	}
	at := func(share float64) time.Duration { return list[min(len(list)-1, int(share*float64(len(list))))] }
	fmt.Printf("%-60s n %d, median %v, p99 %v, worst %v\n", what, len(list), at(0.5).Round(time.Microsecond*100), at(0.99).Round(time.Microsecond*100), list[len(list)-1].Round(time.Microsecond*100))
}
