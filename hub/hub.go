// Package hub is the engine of a fleet: a NATS server with JetStream inside, and what makes a fleet of it: its secrets,
// which are made at the first start, the tokens that hosts join with, the list of hosts, and who is shut out.
//
// A hub is one node or three. Every connection is TLS, of hosts as well as between nodes, by a CA of its own. Hosts are
// users with a JWT and a key of their own; what they may write begins with their own name. The nodes of a cluster have
// the same secrets and keep the list in the engine itself, so that each of them answers for all.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// Options say where a hub is and what it is called.
type Options struct {
	State  string   // folder; made if it is not there
	Listen string   // address for hosts
	Names  []string // host names and addresses under which hosts reach it; the first one is told to those that join
	// Node, Cluster and Peers are of a cluster of three: this node's name, its address for the others, and theirs.
	Node    string
	Cluster string
	Peers   []string
	Hubs    []string // addresses of all nodes for hosts, told to those that join; none: this node's, by its first name
	Log     *slog.Logger
	Clock   func() time.Time

	floods time.Duration // between two looks for floods; 0: floodEvery. Tests set it
}

// Hub is a running node.
type Hub struct {
	opt    Options
	keys   *keys
	server *server.Server
	names  *server.MemAccResolver
	log    *logger
	nc     *nats.Conn
	js     jetstream.JetStream
	list   jetstream.KeyValue
	stop   context.CancelFunc

	watching sync.WaitGroup
	shut     map[string]time.Time // public keys that are shut out; of the goroutine that watches the list
	gone     map[string]*Member   // "group.host" of who was a member; of that goroutine as well
}

// startLimit is how long a node waits for the others of its cluster; an operator starts them one after another.
const startLimit = 5 * time.Minute

// Nodes checks how many there are.
func (o *Options) nodes() (int, error) {
	switch n := len(o.Peers) + 1; {
	case n == 1 && o.Cluster == "", n == 3 && o.Cluster != "" && o.Node != "":
		return n, nil
	case n == 1:
		return 0, errors.New("a cluster needs --peers, the addresses of the two other nodes")
	case n == 2:
		return 0, errors.New("two nodes are less safe than one: each decision needs the word of more than half of them, which with two is both, so that the loss of either stops all; use one node, or three")
	case n != 3:
		return 0, fmt.Errorf("%d nodes: use one, or three", n)
	default:
		return 0, errors.New("a node of a cluster needs --cluster and --node, its address for the others and its name")
	}
}

// Start starts a node and returns once it serves. In a cluster that is when more than half of the nodes are there.
func Start(ctx context.Context, opt Options) (_ *Hub, err error) {
	n, err := opt.nodes()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.State, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	h := &Hub{opt: opt, shut: map[string]time.Time{}, gone: map[string]*Member{}, log: &logger{log: opt.Log, denied: map[string]*denial{}}}
	if h.keys, err = openKeys(opt.State, opt.Clock()); err != nil {
		return nil, err
	}
	conf, err := h.options()
	if err != nil {
		return nil, err
	}
	if h.server, err = server.NewServer(conf); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	h.server.SetLoggerV2(h.log, false, false, false)
	h.server.Start()
	ctx, h.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	if !h.server.ReadyForConnections(startLimit) {
		return nil, errors.New("hub: the server does not start")
	}
	login, err := h.keys.hubLogin()
	if err != nil {
		return nil, err
	}
	if h.nc, err = nats.Connect("", login, nats.InProcessServer(h.server), nats.MaxReconnects(-1)); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if h.js, err = jetstream.New(h.nc); err != nil {
		return nil, err
	}
	if err := h.buckets(ctx, n); err != nil {
		return nil, err
	}
	if err := h.watch(ctx); err != nil {
		return nil, err
	}
	if err := h.serve(ctx); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(opt.State, placeFile), []byte(h.Address()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	return h, nil
}

// placeFile says where the node that runs listens, for the commands that ask it for something.
const placeFile = "listens"

// options are those of the server.
func (h *Hub) options() (*server.Options, error) {
	host, port, err := hostPort(h.opt.Listen)
	if err != nil {
		return nil, err
	}
	trusted, err := h.keys.operatorClaims()
	if err != nil {
		return nil, err
	}
	signed, err := h.keys.accounts(nil)
	if err != nil {
		return nil, err
	}
	h.names = &server.MemAccResolver{}
	for key, text := range signed {
		if err := h.names.Store(key, text); err != nil {
			return nil, err
		}
	}
	l := &leaves{keys: h.keys, names: h.opt.Names, clock: h.opt.Clock}
	conf := &server.Options{
		ServerName: h.opt.Node, Host: host, Port: port, NoSigs: true, JetStream: true, StoreDir: filepath.Join(h.opt.State, "engine"),
		TrustedOperators: []*jwt.OperatorClaims{trusted}, AccountResolver: h.names, SystemAccount: public(h.keys.system),
		TLSConfig: l.serving(false), TLSTimeout: tlsLimit, DisableJetStreamBanner: true, MaxPayload: maxPayload, MaxPending: maxPending,
		SyncInterval: syncInterval, JetStreamMaxStore: maxStore,
	}
	if h.opt.Cluster == "" {
		return conf, nil
	}
	if host, port, err = hostPort(h.opt.Cluster); err != nil {
		return nil, err
	}
	conf.Cluster = server.ClusterOpts{Name: "connwarden", Host: host, Port: port, TLSConfig: l.serving(true), TLSTimeout: tlsLimit, PoolSize: -1, NoAdvertise: true}
	for _, peer := range h.opt.Peers {
		conf.Routes = append(conf.Routes, &url.URL{Scheme: "tls", Host: peer})
	}
	return conf, nil
}

const (
	tlsLimit   = 5       // seconds for a handshake: a thousand hosts may come back at once
	maxPayload = 1 << 20 // bytes of one message
	// maxPending is what waits for one host before it is cut off, in bytes: it comes back and reads on.
	maxPending = 16 << 20
	// syncInterval is how much a loss of power may cost one node; hosts write again what the bucket has lost.
	syncInterval = 10 * time.Second
)

func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("%q is no address to listen on: write it like 0.0.0.0:4222 or [::]:4222", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

const (
	maxDecisions = 1 << 30 // bytes: a million decisions and more
	maxStatus    = 64 << 10
	// maxStore is what all buckets may take on disk. The server's own limit would be of the disk that is free at the start,
	// and it would not begin where that is less than the buckets might once need.
	maxStore = 3 * maxDecisions
	// longest is the end of what has none of its own.
	longest = 30 * 24 * time.Hour
	// listName is the bucket of hosts, tokens and who is shut out, which no host can read.
	listName = "fleet"
)

// buckets makes the streams, or brings those of a former version to what is here. In a cluster it tries until the others
// are there.
func (h *Hub) buckets(ctx context.Context, replicas int) error {
	// No key-value call makes the first two: rollups must stay off, by which one message may wipe a whole bucket.
	decisions := jetstream.StreamConfig{
		Name: fleet.DecisionsStream, Subjects: []string{fleet.AllDecisions}, MaxMsgsPerSubject: 1, MaxBytes: maxDecisions, MaxAge: longest,
		MaxMsgSize: fleet.MaxDecision + 1024, Discard: jetstream.DiscardNew, AllowDirect: true, AllowMsgTTL: true, DenyDelete: true, Replicas: replicas,
		RePublish: &jetstream.RePublish{Source: fleet.AllDecisions, Destination: fleet.AllHints, HeadersOnly: true},
	}
	hosts := jetstream.StreamConfig{
		Name: fleet.HostsStream, Subjects: []string{fleet.AllHosts}, MaxMsgsPerSubject: 1, MaxMsgSize: maxStatus, MaxBytes: maxDecisions, MaxAge: longest,
		Discard: jetstream.DiscardNew, AllowDirect: true, DenyDelete: true, Replicas: replicas,
	}
	// A bucket of keys as the client makes one, but for AllowDirect: a node that is behind does not know a token that was made
	// just now, and calls a host a member that was one.
	list := jetstream.StreamConfig{
		Name: "KV_" + listName, Subjects: []string{"$KV." + listName + ".>"}, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, AllowRollup: true,
		DenyDelete: true, AllowMsgTTL: true, SubjectDeleteMarkerTTL: time.Hour, Replicas: replicas,
	}
	begun, wait := time.Now(), time.Second/10
	for n := 1; ; n++ {
		err := h.make(ctx, decisions, hosts, list)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Since(begun) > startLimit {
			return fmt.Errorf("hub: make the buckets: %w", err)
		}
		if n == 5 { // more than an election takes
			h.opt.Log.Warn("the buckets cannot be made yet; trying on", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Second)
	}
}

func (h *Hub) make(ctx context.Context, streams ...jetstream.StreamConfig) (err error) {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	for _, conf := range streams {
		if _, err := h.js.CreateOrUpdateStream(ctx, conf); err != nil {
			return err
		}
	}
	if h.list, err = h.js.KeyValue(ctx, listName); err != nil {
		return err
	}
	// The first node that comes names the bucket; whoever comes later is refused by the engine.
	_, err = h.js.PublishMsg(ctx, &nats.Msg{Subject: fleet.BornSubject, Data: []byte(nats.NewInbox()), Header: nats.Header{"Nats-TTL": {"never"}}}, jetstream.WithExpectLastSequencePerSubject(0))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return nil
	}
	return err
}

// Address is where the hub listens.
func (h *Hub) Address() string { return h.server.Addr().String() }

// Close ends the node. What it holds stays on disk.
func (h *Hub) Close() {
	h.stop()
	h.watching.Wait()
	if h.nc != nil {
		h.nc.Close()
	}
	h.server.Shutdown()
	h.server.WaitForShutdown()
}
