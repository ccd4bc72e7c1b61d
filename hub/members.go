package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/connwarden/connwarden/fleet"
)

// Member is a host as the list has it.
type Member struct {
	Host   string    `json:"host"` // a word
	Key    string    `json:"key"`
	Joined time.Time `json:"joined"`
	Gone   time.Time `json:"gone"` // zero: it is a member
	Why    string    `json:"why,omitempty"`
	rights
}

// Keys of the list: a token by its public key, a host by its name, and the public keys of those who are shut out.
const (
	tokenKey = "token."
	hostKey  = "host."
	shutKey  = "shut."
)

// serveLimit is how long one request may take.
const serveLimit = 10 * time.Second

// serve answers hosts. Of several nodes one answers each.
func (h *Hub) serve(ctx context.Context) error {
	for subject, answer := range map[string]func(ctx context.Context, words []string, body []byte) any{
		fleet.JoinSubject + "*":     h.join,
		fleet.LeaveSubject + "*.*":  h.leave,
		fleet.RevokeSubject + "*.*": h.revoke,
	} {
		prefix := strings.TrimRight(subject, "*.") + "."
		_, err := h.nc.QueueSubscribe(subject, "hub", func(m *nats.Msg) {
			ctx, stop := context.WithTimeout(ctx, serveLimit)
			defer stop()
			b, err := json.Marshal(answer(ctx, strings.Split(strings.TrimPrefix(m.Subject, prefix), "."), m.Data))
			if err == nil {
				err = m.Respond(b)
			}
			if err != nil {
				h.opt.Log.Warn("a host got no answer", "err", err)
			}
		})
		if err != nil {
			return err
		}
	}
	return h.nc.Flush()
}

// join makes the holder of a token a member. The token's key stands in the subject, which the engine let nobody else use.
func (h *Hub) join(ctx context.Context, words []string, body []byte) any {
	refuse := func(format string, args ...any) any { return &fleet.JoinAnswer{Error: fmt.Sprintf(format, args...)} }
	var r fleet.JoinRequest
	if err := json.Unmarshal(body, &r); err != nil || r.Version != 1 {
		return refuse("the hub does not understand this connwarden: bring both to one version")
	}
	host, err := fleet.Word(r.Host)
	if err != nil || host != r.Host || !nkeys.IsValidPublicUserKey(r.Key) {
		return refuse("the hub does not take this name or key")
	}
	token, err := h.list.Get(ctx, tokenKey+words[0])
	if err != nil {
		return refuse("the token was used already, or has ended: ask for another (connwarden-hub token)")
	}
	var m Member
	if err := json.Unmarshal(token.Value(), &m.rights); err != nil {
		return refuse("the token's entry is damaged: ask for another")
	}
	known, err := h.list.Get(ctx, hostKey+host)
	var last uint64
	if err == nil {
		var old Member
		if last = known.Revision(); json.Unmarshal(known.Value(), &old) == nil && old.Gone.IsZero() {
			return refuse("there is a host %s already: join with another --name, or revoke that one first", fleet.Name(host))
		}
	} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
		return refuse("the hub cannot read its list: %v", err)
	}
	// Of two who come with the same token, or the same name, the engine lets one through.
	if err := h.list.Delete(ctx, tokenKey+words[0], jetstream.LastRevision(token.Revision())); err != nil {
		return refuse("the token was used already, or has ended: ask for another (connwarden-hub token)")
	}
	m.Host, m.Key, m.Joined = host, r.Key, h.opt.Clock().UTC().Truncate(time.Second)
	b, err := json.Marshal(&m)
	if err == nil {
		_, err = h.list.Update(ctx, hostKey+host, b, last)
	}
	if err != nil {
		return refuse("the hub cannot write its list; the token is used up: %v", err)
	}
	text, err := h.keys.hostJWT(host, r.Key, &m.rights)
	if err != nil {
		return refuse("the hub cannot make credentials: %v", err)
	}
	h.opt.Log.Info("a host joined", "host", host, "group", m.Group)
	return &fleet.JoinAnswer{JWT: text, Group: m.Group, Operator: m.Operator, Kinds: m.Kinds, URLs: h.urls()}
}

// urls are where the hub is, by the names that its operator gave it.
func (h *Hub) urls() (list []string) {
	if len(h.opt.Hubs) > 0 {
		return h.opt.Hubs
	}
	_, port, err := hostPort(h.Address())
	if err != nil || len(h.opt.Names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("tls://%s:%d", bracketed(h.opt.Names[0]), port)}
}

func bracketed(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// leave may cut the host off before it hears the answer; being shut out is one too.
func (h *Hub) leave(ctx context.Context, words []string, _ []byte) any {
	return answered(h.expel(ctx, words[1], "it left"))
}

func (h *Hub) revoke(ctx context.Context, words []string, _ []byte) any {
	return answered(h.expel(ctx, words[1], "revoked by "+words[0]))
}

func answered(err error) any {
	if err != nil {
		return &fleet.Answer{Error: err.Error()}
	}
	return &fleet.Answer{}
}

// expel ends a membership: the host is shut out first, so that it writes nothing behind what is made void.
func (h *Hub) expel(ctx context.Context, host, why string) error {
	m, revision, err := h.member(ctx, host)
	if err == nil {
		err = h.shutOut(ctx, m)
	}
	if err != nil {
		return err
	}
	m.Gone, m.Why = h.opt.Clock().UTC().Truncate(time.Second), why
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := h.list.Update(ctx, hostKey+host, b, revision); err != nil {
		return err
	}
	h.opt.Log.Info("a host is gone", "host", host, "why", why)
	return h.void(ctx, m)
}

// member finds a host that has not gone.
func (h *Hub) member(ctx context.Context, host string) (m *Member, revision uint64, err error) {
	known, err := h.list.Get(ctx, hostKey+host)
	m = &Member{}
	if err == nil {
		err = json.Unmarshal(known.Value(), m)
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && !m.Gone.IsZero() {
		return nil, 0, fmt.Errorf("there is no host %s", fleet.Name(host))
	}
	if err != nil {
		return nil, 0, err
	}
	return m, known.Revision(), nil
}

// listed finds a host that is a member or was one.
func (h *Hub) listed(ctx context.Context, host string) (*Member, error) {
	known, err := h.list.Get(ctx, hostKey+host)
	if err != nil {
		return nil, err
	}
	var m Member
	return &m, json.Unmarshal(known.Value(), &m)
}

// shutOut has all nodes refuse a host's key.
func (h *Hub) shutOut(ctx context.Context, m *Member) error {
	_, err := h.list.Put(ctx, shutKey+m.Key, []byte(h.opt.Clock().UTC().Format(time.RFC3339)))
	return err
}

// void takes back all that a host decided. Whoever reads the bucket gets one word of it; whoever reads it from the start
// finds nothing of that host.
func (h *Hub) void(ctx context.Context, m *Member) error {
	decisions, err := h.js.Stream(ctx, fleet.DecisionsStream)
	if err != nil {
		return err
	}
	if err := decisions.Purge(ctx, jetstream.WithPurgeSubject(fleet.HostDecisions(m.Group, m.Host))); err != nil {
		return err
	}
	if _, err := h.js.PublishMsg(ctx, &nats.Msg{Subject: fleet.GoneSubject(m.Group, m.Host), Header: nats.Header{"Nats-TTL": {fleet.MarkerTTL}}}); err != nil {
		return err
	}
	hosts, err := h.js.Stream(ctx, fleet.HostsStream)
	if err != nil {
		return err
	}
	return hosts.Purge(ctx, jetstream.WithPurgeSubject(fleet.StatusSubject(m.Group, m.Host)))
}

// watch shuts out whom the list says, now and from now on. It returns once it has read the list.
func (h *Hub) watch(ctx context.Context) error {
	w, err := h.list.WatchFiltered(ctx, []string{shutKey + "*", hostKey + "*"}, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	for e := range w.Updates() {
		if e == nil {
			break
		}
		h.note(e)
	}
	if err := h.lock(); err != nil {
		return err
	}
	h.watching.Go(func() {
		defer func() { _ = w.Stop() }()
		f := newFloods(h)
		defer f.stop()
		tick := time.NewTicker(cmp.Or(h.opt.floods, floodEvery))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-w.Updates():
				if e == nil {
					continue
				}
				if !h.note(e) {
					continue
				}
				if err := h.lock(); err != nil {
					h.opt.Log.Error("a host cannot be shut out", "err", err)
				}
			case <-tick.C:
				f.look(ctx)
				h.tellDenied(ctx)
			}
		}
	})
	return nil
}

// note takes in an entry of the list and tells whether it shuts somebody out.
func (h *Hub) note(e jetstream.KeyValueEntry) bool {
	if key, ok := strings.CutPrefix(e.Key(), shutKey); ok {
		since, err := time.Parse(time.RFC3339, string(e.Value()))
		if err != nil {
			since = e.Created()
		}
		h.shut[key] = since
		return true
	}
	var m Member
	if err := json.Unmarshal(e.Value(), &m); err != nil {
		h.opt.Log.Error("the list has an entry that is damaged", "entry", e.Key(), "err", err)
		return false
	}
	if who := m.Group + "." + m.Host; m.Gone.IsZero() {
		delete(h.gone, who)
	} else {
		h.gone[who] = &m
	}
	return false
}

// lock signs the hosts' account anew; the server lets go of those who are shut out.
func (h *Hub) lock() error {
	signed, err := h.keys.accounts(h.shut)
	if err != nil {
		return err
	}
	key := public(h.keys.hosts)
	if err := h.names.Store(key, signed[key]); err != nil {
		return err
	}
	account, err := h.server.LookupAccount(key)
	if err != nil {
		return err
	}
	claims, err := jwt.DecodeAccountClaims(signed[key])
	if err != nil {
		return err
	}
	h.server.UpdateAccountClaims(account, claims)
	return nil
}

// admin is what connwarden-hub asks a running hub for.
type admin struct {
	keys *keys
	nc   *nats.Conn
	js   jetstream.JetStream
	list jetstream.KeyValue
}

// newToken writes down a token and returns it.
func (a *admin) newToken(ctx context.Context, r *rights, life time.Duration, now time.Time) (string, error) {
	guest, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := guest.Seed()
	if err != nil {
		return "", err
	}
	text, err := a.keys.guestJWT(public(guest), now.Add(life))
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	if _, err := a.list.Create(ctx, tokenKey+public(guest), b, jetstream.KeyTTL(life)); err != nil {
		return "", fmt.Errorf("write the token down: %w", err)
	}
	t := fleet.Token{Version: 1, CA: fleet.Fingerprint(a.keys.ca), JWT: text, Seed: string(seed)}
	return t.String(), nil
}

// members are all hosts that ever joined, by name.
func (a *admin) members(ctx context.Context) (list []Member, err error) {
	keys, err := a.list.ListKeysFiltered(ctx, hostKey+"*")
	if err != nil {
		return nil, err
	}
	for key := range keys.Keys() {
		e, err := a.list.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		var m Member
		if err := json.Unmarshal(e.Value(), &m); err != nil {
			return nil, fmt.Errorf("the list's entry %s: %w", key, err)
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Host, b.Host) })
	return list, nil
}
