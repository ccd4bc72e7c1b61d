package fleet

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Token lets one host join, once.
type Token struct {
	Version int    `json:"v"`
	CA      string `json:"ca"`   // Fingerprint of the hub's CA
	JWT     string `json:"jwt"`  // of a user that may do nothing but ask to join
	Seed    string `json:"seed"` // of that user
}

const (
	tokenMark = "cwjoin_"
	maxToken  = 8 << 10
)

// String is the token as people copy it.
func (t *Token) String() string {
	b, _ := json.Marshal(t) // of strings
	return tokenMark + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads what String wrote.
func ParseToken(text string) (*Token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenMark)
	if !ok || len(rest) > maxToken {
		return nil, errors.New("it is no join token; connwarden-hub token makes one")
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	t := &Token{}
	if err == nil {
		err = json.Unmarshal(b, t)
	}
	switch {
	case err != nil:
		return nil, errors.New("the join token is damaged: copy it whole")
	case t.Version != version:
		return nil, fmt.Errorf("the join token has the version %d; use the connwarden of the hub's version", t.Version)
	}
	return t, nil
}

// JoinRequest is what a host asks of the hub.
type JoinRequest struct {
	Version int    `json:"v"`
	Host    string `json:"host"` // a word
	Key     string `json:"key"`  // its public key; the secret one stays where it is
}

// JoinAnswer is what the hub says to it.
type JoinAnswer struct {
	Error    string   `json:"error,omitempty"`
	JWT      string   `json:"jwt,omitempty"`
	Group    string   `json:"group,omitempty"`
	Operator bool     `json:"operator,omitempty"`
	Kinds    []string `json:"kinds,omitempty"`
	URLs     []string `json:"urls,omitempty"`
}

// Answer is what the hub says to other requests.
type Answer struct {
	Error string `json:"error,omitempty"`
}

// defaultPort is that of NATS.
const defaultPort = "4222"

// address makes of what a person typed the URL of a hub: "hub.example.net", "tls://hub.example.net:4222".
func address(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "tls://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "tls" && u.Scheme != "nats" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("%q is no address of a hub: write it like tls://hub.example.net:4222", clip(text, maxWord))
	}
	if u.Port() == "" {
		u.Host += ":" + defaultPort
	}
	return "tls://" + u.Host, nil
}

func join(urls []string) string { return strings.Join(urls, ",") }

// Join makes this host a member of the fleet whose hub is at hub, by a name; it saves nothing.
func Join(ctx context.Context, hub, token, name string) (*Identity, error) {
	at, err := address(hub)
	if err != nil {
		return nil, err
	}
	host, err := Word(name)
	if err != nil {
		return nil, err
	}
	t, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	visitor, err := nkeys.FromSeed([]byte(t.Seed))
	if err != nil {
		return nil, errors.New("the join token is damaged: copy it whole")
	}
	guest, err := visitor.PublicKey()
	if err != nil {
		return nil, errors.New("the join token is damaged: copy it whole")
	}
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	seed, err := key.Seed()
	if err != nil {
		return nil, err
	}
	var ca []byte
	nc, err := nats.Connect(at, nats.Name("connwarden join "+host), nats.UserJWT(func() (string, error) { return t.JWT, nil }, visitor.Sign),
		nats.Secure(pinned(t.CA, func(c *x509.Certificate) { ca = certificate(c) })), nats.CustomInboxPrefix(Inbox(guest)), nats.Timeout(dialLimit), nats.NoReconnect())
	if errors.Is(err, nats.ErrAuthorization) {
		return nil, errors.New("the hub does not take this token: it has ended, or is of another hub")
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", at, err)
	}
	defer nc.Close()
	var a JoinAnswer
	if err := ask(ctx, nc, JoinSubject+guest, JoinRequest{version, host, public}, &a); err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	id := &Identity{Host: host, Group: a.Group, URLs: []string{at}, Operator: a.Operator, Kinds: a.Kinds, Joined: time.Now().UTC().Truncate(time.Second), ca: ca, creds: credentials(a.JWT, seed)}
	for _, u := range a.URLs {
		if other, err := address(u); err == nil && other != at {
			id.URLs = append(id.URLs, other)
		}
	}
	return id, nil
}

// Use makes an identity for a NATS of the user's own, from the credentials that its keeper made, and tries whether it has
// what a fleet needs.
func Use(ctx context.Context, server, name, group string, creds, ca []byte) (*Identity, error) {
	at, err := address(server)
	if err != nil {
		return nil, err
	}
	id := &Identity{URLs: []string{at}, Joined: time.Now().UTC().Truncate(time.Second), creds: creds, ca: ca}
	if id.Host, err = Word(name); err != nil {
		return nil, err
	}
	if id.Group, err = Word(group); err != nil {
		return nil, err
	}
	for _, k := range Kinds() {
		id.Kinds = append(id.Kinds, k.String())
	}
	nc, err := id.dial(nats.NoReconnect())
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err := id.try(ctx, nc); err != nil {
		return nil, fmt.Errorf("%w; what a NATS of your own needs is in docs/fleet.md", err)
	}
	return id, nil
}

// try reads the bucket's word and tells that this host is there.
func (id *Identity) try(ctx context.Context, nc *nats.Conn) error {
	born, err := latest(ctx, nc, GetDecisions, BornSubject)
	if err != nil {
		return fmt.Errorf("%s cannot read %s: %w", Name(id.Host), DecisionsStream, err)
	}
	if born == nil || len(born.Data) == 0 {
		return fmt.Errorf("nobody wrote a word to %s", BornSubject)
	}
	b, err := json.Marshal(&Status{Version: statusVersion, Host: Name(id.Host), Group: id.Group, Time: time.Now().UTC(), Health: HealthStopped})
	if err == nil {
		_, err = tellStatus(ctx, nc, StatusSubject(id.Group, id.Host), b, time.Now)
	}
	if err != nil {
		return fmt.Errorf("%s of group %s cannot write to %s: %w", Name(id.Host), id.Group, HostsStream, err)
	}
	return nil
}

// Leave tells the hub that this host is no member any more: its decisions are void and its key too.
func (id *Identity) Leave(ctx context.Context) error {
	err := id.request(ctx, LeaveSubject+id.Group+"."+id.Host)
	if err == nil {
		return nil
	}
	nc, again := id.dial(nats.NoReconnect())
	if errors.Is(again, nats.ErrAuthorization) {
		return nil // the hub was quicker to shut us out than to answer
	}
	if again == nil {
		nc.Close()
	}
	return err
}

// Revoke has the hub shut out another host.
func (id *Identity) Revoke(ctx context.Context, name string) error {
	host, err := Word(name)
	if err != nil {
		return err
	}
	if !id.Operator {
		return errors.New("this host may not revoke others: it joined with a token that was made without --operator; run connwarden-hub revoke at the hub")
	}
	return id.request(ctx, RevokeSubject+id.Host+"."+host)
}

func (id *Identity) request(ctx context.Context, subject string) error {
	nc, err := id.dial(nats.NoReconnect())
	if err != nil {
		return err
	}
	defer nc.Close()
	var a Answer
	if err := ask(ctx, nc, subject, struct{}{}, &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// askLimit is how long the hub may take for an answer.
const askLimit = 10 * time.Second

func ask(ctx context.Context, nc *nats.Conn, subject string, question, answer any) error {
	b, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	m, err := nc.RequestWithContext(ctx, subject, b)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded):
		return errors.New("the hub does not answer: it may have just started, or another NATS runs there")
	case err != nil:
		return fmt.Errorf("ask the hub: %w", err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("the hub's answer: %w", err)
	}
	return nil
}
