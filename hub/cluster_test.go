package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/fleet"
)

// free are addresses on which nothing listens.
func free(t *testing.T, n int) (list []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list
}

// cluster starts three nodes with the same secrets.
func cluster(t *testing.T) []*Hub {
	t.Helper()
	first := t.TempDir()
	if _, err := openKeys(first, time.Now()); err != nil {
		t.Fatal(err)
	}
	secrets, err := os.ReadFile(filepath.Join(first, KeysFile))
	if err != nil {
		t.Fatal(err)
	}
	routes, listens := free(t, 3), free(t, 3)
	type started struct {
		h   *Hub
		err error
	}
	nodes := make(chan started)
	for i := range 3 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, KeysFile), secrets, 0o600); err != nil {
			t.Fatal(err)
		}
		opt := Options{
			State: dir, Listen: listens[i], Names: []string{"127.0.0.1"}, Hubs: listens, Node: fmt.Sprint("node", i), Cluster: routes[i],
			Log: slog.New(slog.NewTextHandler(&testLog{t: t}, nil)), Clock: time.Now,
		}
		for j, r := range routes {
			if j != i {
				opt.Peers = append(opt.Peers, r)
			}
		}
		go func() {
			h, err := Start(context.Background(), opt)
			nodes <- started{h, err}
		}()
	}
	var list []*Hub
	for range 3 {
		s := <-nodes
		if s.err != nil {
			t.Error(s.err)
			continue
		}
		t.Cleanup(s.h.Close)
		list = append(list, s.h)
	}
	if len(list) < 3 {
		t.FailNow()
	}
	return list
}

// Of three nodes one may be lost while hosts decide, and nothing else is. Who is shut out is shut out at all of them.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three nodes elect leaders for seconds")
	}
	nodes := cluster(t)
	hosts := make([]*host, 3)
	for i := range hosts {
		hosts[i] = run(t, join(t, nodes[i], fmt.Sprint("host", i), "--operator"), nil, fleet.Policy{})
	}
	var d nodesDoc
	if err := json.Unmarshal([]byte(command(t, 0, nodes[1].opt.State, "nodes", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	lead := slices.IndexFunc(d.Nodes, func(n nodeRow) bool { return n.Leads })
	if len(d.Nodes) != 3 || lead < 0 || d.Limit != maxDecisions {
		t.Fatalf("the nodes are %+v", d)
	}
	lost := nodes[slices.IndexFunc(nodes, func(h *Hub) bool { return h.opt.Node == d.Nodes[lead].Node })]
	left := nodes[slices.IndexFunc(nodes, func(h *Hub) bool { return h != lost })]
	target := func(i, n int) string { return fmt.Sprintf("198.51.%d.%d/32", 100+i, n) }
	const many = 60
	for n := range many {
		for i, h := range hosts {
			h.decide(fleet.KindBlock, target(i, n), time.Hour)
		}
		if n == many/3 {
			eventually(t, "the first ones are everywhere", func() bool {
				return hosts[0].holds(target(1, n)) && hosts[1].holds(target(2, n)) && hosts[2].holds(target(0, n))
			})
			lost.Close() // the one that leads
		}
	}
	for i, h := range hosts {
		for j := range hosts {
			for n := range many {
				if i != j {
					eventually(t, fmt.Sprintf("host %d holds %s", i, target(j, n)), func() bool { return h.holds(target(j, n)) })
				}
			}
		}
	}
	eventually(t, "the loss is seen at the others", func() bool {
		var out, err bytes.Buffer
		code := Main(t.Context(), []string{"nodes", "--state", left.opt.State}, &out, &err, func(string) string { return "" })
		return code == 0 && regexp.MustCompile(`(?m)^`+lost.opt.Node+` +away`).Match(out.Bytes()) && strings.Contains(out.String(), "leading")
	})
	if err := hosts[1].id.Revoke(t.Context(), "host0"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what host0 decided is void", func() bool { return !hosts[1].holds(target(0, 0)) && !hosts[2].holds(target(0, many-1)) })
	eventually(t, "no node takes its key", func() bool {
		_, err := hosts[0].id.Look(t.Context())
		return err != nil && strings.Contains(err.Error(), "Authorization")
	})
}

// Two nodes are refused, and so is half a cluster, with the reason.
func TestNodes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--peers 10.0.0.2:6222 --cluster 10.0.0.1:6222 --node a", "two nodes are less safe than one"},
		{"--peers a:1,b:1,c:1 --cluster 10.0.0.1:6222 --node a", "4 nodes: use one, or three"},
		{"--peers a:1,b:1 --node a", "needs --cluster and --node"},
		{"--cluster 10.0.0.1:6222", "needs --peers"},
		{"--listen nowhere --peers a:1,b:1,c:1,d:1", "5 nodes"},
	} {
		if got := command(t, exitUsage, t.TempDir(), append([]string{"run"}, strings.Fields(c.args)...)...); !strings.Contains(got, c.want) {
			t.Errorf("run %s: %q, want %q", c.args, got, c.want)
		}
	}
	command(t, exitUsage, t.TempDir(), "serve")
	if got := command(t, exitUsage, t.TempDir(), "--state", "x", "run"); !strings.Contains(got, "options follow") {
		t.Errorf("an option before the command: %s", got)
	}
	command(t, exitUsage, t.TempDir(), "token", "--may", "everything")
	command(t, exitUsage, t.TempDir(), "token", "--for", "1s")
	command(t, exitUsage, t.TempDir(), "revoke")
	if got := command(t, exitFailed, t.TempDir(), "hosts"); !strings.Contains(got, "no hub was ever started here") {
		t.Errorf("hosts without a hub: %q", got)
	}
	if got := command(t, exitFailed, t.TempDir(), "run", "--listen", "nowhere"); !strings.Contains(got, "no address to listen on") {
		t.Errorf("run without an address: %q", got)
	}
}
