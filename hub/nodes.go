package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// nodesDoc is what connwarden-hub nodes --json prints: the nodes as the one that leads the bucket of decisions sees them.
type nodesDoc struct {
	Schema    string    `json:"schema"`
	Nodes     []nodeRow `json:"nodes"`
	Decisions uint64    `json:"decisions"` // keys in the bucket
	Bytes     uint64    `json:"bytes"`     // of the bucket
	Limit     int64     `json:"limit"`     // bytes from which it takes nothing more
}

type nodeRow struct {
	Node    string `json:"node"`
	Leads   bool   `json:"leads"`
	Current bool   `json:"current"` // it has all that the leader has
	Away    bool   `json:"away"`    // the leader does not hear of it
	Behind  uint64 `json:"behind"`  // changes that it does not have
}

// nodes asks who leads, and whether the others are there.
func (a *admin) nodes(ctx context.Context) (*nodesDoc, error) {
	ctx, stop := context.WithTimeout(ctx, serveLimit)
	defer stop()
	s, err := a.js.Stream(ctx, fleet.DecisionsStream)
	if err != nil {
		return nil, fmt.Errorf("no node leads, or it does not answer: %w", err)
	}
	info := s.CachedInfo()
	d := &nodesDoc{Schema: "connwarden.hub-nodes/1", Decisions: info.State.Msgs, Bytes: info.State.Bytes, Limit: info.Config.MaxBytes}
	cluster := info.Cluster
	switch {
	case cluster == nil || len(cluster.Replicas) == 0:
		cluster = &jetstream.ClusterInfo{Leader: a.nc.ConnectedServerName()}
	case cluster.Leader == "":
		return nil, errors.New("no node leads: more than half of them must be there")
	}
	d.Nodes = append(d.Nodes, nodeRow{Node: cluster.Leader, Leads: true, Current: true})
	for _, p := range cluster.Replicas {
		d.Nodes = append(d.Nodes, nodeRow{Node: p.Name, Current: p.Current, Away: p.Offline || p.Active > silence, Behind: p.Lag})
	}
	slices.SortFunc(d.Nodes, func(a, b nodeRow) int { return strings.Compare(a.Node, b.Node) })
	return d, nil
}

// silence is from when a node that says nothing is away: nodes speak every second.
const silence = 5 * time.Second

func (p *program) nodes(ctx context.Context, args []string) error {
	a, asJSON, err := p.list(ctx, args)
	if err != nil {
		return err
	}
	defer a.nc.Close()
	d, err := a.nodes(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(d)
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tIS\tBEHIND")
	for _, n := range d.Nodes {
		is := "catching up"
		switch {
		case n.Leads:
			is = "leading"
		case n.Away:
			is = "away"
		case n.Current:
			is = "current"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\n", n.Node, is, n.Behind)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%d decisions, %.1f of %d MB\n", d.Decisions, float64(d.Bytes)/1e6, d.Limit/1e6)
	return err
}
