package hand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// keeper blocks what it is asked for, and notes it.
type keeper struct {
	asked  [][]block.Request
	synced [][]string
}

var errFull = errors.New("the set is full")

func (k *keeper) Block(_ context.Context, list ...block.Request) (*block.Outcome, error) {
	k.asked = append(k.asked, list)
	out := &block.Outcome{Change: int64(len(k.asked)), Problems: []connwarden.Problem{{What: "nft", Why: "slow"}}}
	for _, r := range list {
		if r.Why == "no" {
			out.Refused = append(out.Refused, block.Refusal{Target: r.Target, Why: "it must not", Reason: block.ReasonSpared})
			continue
		}
		out.Blocks = append(out.Blocks, block.Wish{Block: connwarden.Block{
			BlockKey: connwarden.BlockKey{Target: r.Target, Scope: r.Scope, Driver: r.Drivers[0]}, By: r.By, Why: r.Why, Since: since, Until: since.Add(time.Hour),
		}, State: block.StateInForce})
	}
	return out, nil
}

func (k *keeper) Sync(_ context.Context, drivers ...string) (*block.Outcome, []block.Synced, error) {
	k.synced = append(k.synced, drivers)
	return &block.Outcome{}, []block.Synced{{Driver: "nft", Wanted: 3, Added: 1, Err: errFull}}, nil
}

// Moved is so once something was blocked.
func (k *keeper) Moved(context.Context) (bool, error) { return len(k.asked) > 0, nil }

// Last knows nothing of what begins with 203.
func (k *keeper) Last(_ context.Context, keys ...connwarden.BlockKey) (list []block.Wish, err error) {
	for _, key := range keys {
		if key.Target.Addr().As4()[0] != 203 {
			list = append(list, block.Wish{Block: connwarden.Block{BlockKey: key, Why: "known"}, Evidence: "long"})
		}
	}
	return list, nil
}

var since = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// journal is what all have blocked.
func journal(context.Context) ([]block.Wish, error) {
	return []block.Wish{{Block: connwarden.Block{BlockKey: connwarden.BlockKey{Target: netip.MustParsePrefix("192.0.2.99/32"), Driver: "nft"}}, Evidence: "long"}}, nil
}

// pair is a reader's client, and the hand behind it. ended is what Serve returns.
func pair(t *testing.T, open func(context.Context) (*Work, error)) (c *Client, hangUp func(), ended <-chan error) {
	t.Helper()
	reader, hand := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(context.Background(), hand, open, journal)
		hand.Close()
	}()
	t.Cleanup(func() { reader.Close() })
	return NewClient(reader), func() { reader.Close() }, done
}

func request(target string) block.Request {
	return block.Request{
		Target: netip.MustParsePrefix(target), Drivers: []string{"nft"}, By: connwarden.Origin{Kind: connwarden.ByRule, Name: "wordpress-login"}, Why: "guesses passwords",
		Evidence: `[{"rule":"wordpress-login"}]`,
	}
}

func TestBlocksOverTheWire(t *testing.T) {
	k := &keeper{}
	closed := 0
	c, hangUp, ended := pair(t, func(context.Context) (*Work, error) {
		return &Work{Keeper: k, Drivers: []string{"nft"}, Others: []string{"htaccess"}, Folders: []string{"/srv/shop"}, Every: time.Minute, Close: func() { closed++ }}, nil
	})
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	if r.Every != time.Minute || !cmp.Equal(r.Drivers, []string{"nft"}) {
		t.Errorf("opened %+v", r)
	}
	if moved, err := r.Moved(context.Background()); err != nil || moved {
		t.Errorf("before a block moved: %v, %v", moved, err)
	}
	site := request("2001:db8:0:7::/64")
	site.Scope, site.Drivers = connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv/shop"}, []string{"htaccess"}
	spared := request("192.0.2.9/32")
	spared.Why = "no"
	out, err := r.Block(context.Background(), request("192.0.2.7/32"), site, spared)
	if err != nil {
		t.Fatal(err)
	}
	if moved, err := r.Moved(context.Background()); err != nil || !moved {
		t.Errorf("after a block moved: %v, %v", moved, err)
	}
	want, _ := (&keeper{}).Block(context.Background(), request("192.0.2.7/32"), site, spared)
	if diff := cmp.Diff(want, out, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]block.Request{{request("192.0.2.7/32"), site, spared}}, k.asked, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, list, err := r.Sync(context.Background(), "nft", "windows")
	if err != nil || len(list) != 1 || list[0].Wanted != 3 || list[0].Err == nil || list[0].Err.Error() != errFull.Error() {
		t.Errorf("synced %+v, %v", list, err)
	}
	if diff := cmp.Diff([][]string{{"nft"}}, k.synced); diff != "" {
		t.Errorf("what is not configured is synced (-want +got):\n%s", diff)
	}
	var wishes []block.Wish
	err = r.Each(context.Background(), func(w *block.Wish) { wishes = append(wishes, *w) })
	if err != nil || len(wishes) != 1 || wishes[0].Target.String() != "192.0.2.99/32" || wishes[0].Evidence != "" {
		t.Errorf("wishes %+v, %v", wishes, err)
	}
	var keys []connwarden.BlockKey
	for i := range maxRequests + 1 { // more than one question has
		keys = append(keys, connwarden.BlockKey{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), Driver: "nft"})
	}
	known, err := r.Last(context.Background(), append(keys, connwarden.BlockKey{Target: netip.MustParsePrefix("203.0.113.1/32")})...)
	if err != nil || len(known) != len(keys) || known[maxRequests].BlockKey != keys[maxRequests] || known[0].Why != "known" || known[0].Evidence != "" {
		t.Errorf("the last of %d blocks: %d, %v", len(keys), len(known), err)
	}
	if _, err := r.Last(context.Background(), connwarden.BlockKey{}); err == nil {
		t.Error("something is known of no target")
	}
	r.Close()
	if _, _, err := r.Sync(context.Background()); err == nil || closed != 1 {
		t.Errorf("a closed work answers; closed %d times", closed)
	}
	if _, err := c.Open(); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if err := <-ended; err != nil || closed != 2 {
		t.Errorf("hung up: %v; closed %d times, want 2", err, closed)
	}
	if _, err := c.Open(); err == nil {
		t.Error("a hand that is gone answers")
	}
}

// Many accusations go in several questions, and come back as one outcome.
func TestManyAtOnce(t *testing.T) {
	k := &keeper{}
	c, _, _ := pair(t, func(context.Context) (*Work, error) {
		return &Work{Keeper: k, Drivers: []string{"nft"}, Close: func() {}}, nil
	})
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	var list []block.Request
	for i := range 2*maxRequests + 5 {
		list = append(list, request(fmt.Sprintf("10.0.%d.%d/32", i>>8, i&255)))
	}
	out, err := r.Block(context.Background(), list...)
	if err != nil || len(out.Blocks) != len(list) || len(k.asked) != 3 {
		t.Errorf("%d blocks in %d questions, %v; want %d in 3", len(out.Blocks), len(k.asked), err, len(list))
	}
}

// A reader that somebody has taken over gets nothing that a verdict would not get.
func TestRefuses(t *testing.T) {
	for name, change := range map[string]func(*block.Request){
		"a network":              func(r *block.Request) { r.Target = netip.MustParsePrefix("192.0.2.0/24") },
		"everything":             func(r *block.Request) { r.Target = netip.MustParsePrefix("0.0.0.0/0") },
		"a wide IPv6 network":    func(r *block.Request) { r.Target = netip.MustParsePrefix("2001:db8::/32") },
		"IPv4 in IPv6's clothes": func(r *block.Request) { r.Target = netip.PrefixFrom(netip.MustParseAddr("::ffff:192.0.2.7"), 128) },
		"nothing":                func(r *block.Request) { r.Target = netip.Prefix{} },
		"as a person":            func(r *block.Request) { r.By = connwarden.Origin{} },
		"as another host":        func(r *block.Request) { r.By.Kind = connwarden.ByFleet },
		"with force":             func(r *block.Request) { r.Forced = true },
		"for a time of its own":  func(r *block.Request) { r.For = time.Hour },
		"until confirmed":        func(r *block.Request) { r.Within = time.Hour },
		"another driver":         func(r *block.Request) { r.Drivers = []string{"nft", "windows"} },
		"no driver":              func(r *block.Request) { r.Drivers = nil },
		"another folder":         func(r *block.Request) { r.Scope = connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/etc"} },
		"ports":                  func(r *block.Request) { r.Scope = connwarden.Ports(22) },
		"a long reason":          func(r *block.Request) { r.Why = strings.Repeat("x", maxWhy+1) },
		"long evidence":          func(r *block.Request) { r.Evidence = strings.Repeat("x", maxEvidence+1) },
	} {
		k := &keeper{}
		w := &Work{Keeper: k, Drivers: []string{"nft"}, Folders: []string{"/srv/shop"}, Close: func() {}}
		h := &server{works: map[int]*Work{1: w}}
		bad := request("192.0.2.7/32")
		change(&bad)
		a := h.answer(context.Background(), &question{Do: doBlock, Work: 1, Requests: []block.Request{request("192.0.2.8/32"), bad}})
		if a.Error == "" || len(k.asked) > 0 {
			t.Errorf("%s: error %q, asked the keeper %d times", name, a.Error, len(k.asked))
		}
	}
	w := &Work{Keeper: &keeper{}, Drivers: []string{"nft"}, Close: func() {}}
	if err := w.allows(make([]block.Request, maxRequests+1)); err == nil {
		t.Error("any number of requests is taken at once")
	}
}

// A question without an end is not read for ever, nor is one work after another opened.
func TestBounds(t *testing.T) {
	h := &server{works: map[int]*Work{}, open: func(context.Context) (*Work, error) { return &Work{Keeper: &keeper{}, Close: func() {}}, nil }}
	for i := range maxWorks + 1 {
		if a := h.answer(context.Background(), &question{Do: doOpen}); (a.Error != "") != (i == maxWorks) {
			t.Errorf("work %d: %q", i, a.Error)
		}
	}
	long := io.MultiReader(strings.NewReader(`{"do":"`), &endless{})
	err := Serve(context.Background(), struct {
		io.Reader
		io.Writer
	}{long, io.Discard}, nil, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an endless question: %v", err)
	}
}

type endless struct{}

func (*endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// A configuration that blocks nothing, or is wrong, is told.
func TestOpens(t *testing.T) {
	answers := []struct {
		w   *Work
		err error
	}{{&Work{Close: func() {}}, nil}, {nil, errors.New("config.toml:3: no such driver")}}
	c, _, _ := pair(t, func(context.Context) (*Work, error) {
		a := answers[0]
		answers = answers[1:]
		return a.w, a.err
	})
	if r, err := c.Open(); r != nil || err != nil {
		t.Errorf("nothing to block: %v, %v", r, err)
	}
	if list, err := c.Wishes(context.Background()); err != nil || len(list) != 1 || list[0].Target.String() != "192.0.2.99/32" || list[0].Evidence != "" {
		t.Errorf("who blocks nothing is told that %+v is blocked, %v", list, err)
	}
	if _, err := c.Open(); err == nil || err.Error() != "config.toml:3: no such driver" {
		t.Errorf("a wrong configuration: %v", err)
	}
}

// FuzzServe holds that nothing a reader may send breaks the hand or brings into force what no verdict asks for.
func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"do":"open"}{"do":"block","work":1,"requests":[{"Target":"192.0.2.7/32","Drivers":["nft"],"By":{"Kind":1,"Name":"x"},"Why":"y"}]}`))
	f.Add([]byte(`{"do":"open"}{"do":"sync","work":1,"drivers":["nft","x"]}{"do":"wishes"}{"do":"close","work":1}`))
	f.Add([]byte(`{"do":"block","work":-1}{"do":`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k := &keeper{}
		_ = Serve(context.Background(), struct { // most of it is no question
			io.Reader
			io.Writer
		}{bytes.NewReader(text), io.Discard}, func(context.Context) (*Work, error) {
			return &Work{Keeper: k, Drivers: []string{"nft"}, Close: func() {}}, nil
		}, journal)
		for _, list := range k.asked {
			for _, r := range list {
				if r.Forced || r.By.Kind != connwarden.ByRule || r.Target.Bits() < 32 || !cmp.Equal(r.Drivers, []string{"nft"}) {
					t.Errorf("asked for %+v", r)
				}
			}
		}
	})
}
