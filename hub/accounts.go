package hub

import (
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/connwarden/connwarden/fleet"
)

// There are three accounts. The hub's has the buckets. The hosts' has nothing but doors into it, which is more than order:
// within one account whoever writes may name any subject for the answer, and so have the engine itself write where he
// may not. Answers that come through a door stay on the hosts' side.

// doors are what the hub's account offers, as far as users' permissions let them through.
func doors() (exports jwt.Exports) {
	for _, one := range []struct {
		name, subject string
		kind          jwt.ExportType
		answers       jwt.ResponseType
	}{
		{"decide", fleet.AllDecisions, jwt.Service, jwt.ResponseTypeSingleton},
		{"tell", fleet.AllHosts, jwt.Service, jwt.ResponseTypeSingleton},
		{"decisions", fleet.GetDecisions, jwt.Service, jwt.ResponseTypeStream},
		{"hosts", fleet.GetHosts, jwt.Service, jwt.ResponseTypeStream},
		{"join", fleet.JoinSubject + "*", jwt.Service, jwt.ResponseTypeSingleton},
		{"leave", fleet.LeaveSubject + "*.*", jwt.Service, jwt.ResponseTypeSingleton},
		{"revoke", fleet.RevokeSubject + "*.*", jwt.Service, jwt.ResponseTypeSingleton},
		{"hints", fleet.AllHints, jwt.Stream, ""},
	} {
		exports = append(exports, &jwt.Export{Name: one.name, Subject: jwt.Subject(one.subject), Type: one.kind, ResponseType: one.answers})
	}
	return exports
}

// accounts are the claims of all three, signed; revoked are public keys of users and since when they are shut out.
func (k *keys) accounts(revoked map[string]time.Time) (byKey map[string]string, err error) {
	system, hub, hosts := jwt.NewAccountClaims(public(k.system)), jwt.NewAccountClaims(public(k.hub)), jwt.NewAccountClaims(public(k.hosts))
	system.Name, hub.Name, hosts.Name = "system", "hub", "hosts"
	hub.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	hub.Exports = doors()
	for _, e := range hub.Exports {
		hosts.Imports = append(hosts.Imports, &jwt.Import{Name: e.Name, Subject: e.Subject, Account: public(k.hub), Type: e.Type})
	}
	for key, since := range revoked {
		hosts.RevokeAt(key, since)
	}
	byKey = map[string]string{}
	for _, c := range []*jwt.AccountClaims{system, hub, hosts} {
		if byKey[c.Subject], err = c.Encode(k.operator); err != nil {
			return nil, fmt.Errorf("account %s: %w", c.Name, err)
		}
	}
	return byKey, nil
}

// operatorClaims say whom the server trusts.
func (k *keys) operatorClaims() (*jwt.OperatorClaims, error) {
	c := jwt.NewOperatorClaims(public(k.operator))
	c.Name, c.SystemAccount = "connwarden", public(k.system)
	text, err := c.Encode(k.operator)
	if err != nil {
		return nil, err
	}
	return jwt.DecodeOperatorClaims(text)
}

// public is a key's public half; pairs of ours always have one.
func public(k nkeys.KeyPair) string {
	p, err := k.PublicKey()
	if err != nil {
		panic(err)
	}
	return p
}

// rights are what a token gives to the host that joins with it.
type rights struct {
	Group    string   `json:"group"`
	Kinds    []string `json:"kinds"`
	Operator bool     `json:"operator,omitempty"`
}

// askers are the answers that a host may give to one question, and for how long: a review in pieces.
const (
	askAnswers = 64
	askLife    = 30 * time.Second
	maxSubs    = 20
)

// hostJWT lets a host write under its own name what its rights name, and read all.
func (k *keys) hostJWT(host, key string, r *rights) (string, error) {
	c := jwt.NewUserClaims(key)
	c.Name = host
	for _, word := range r.Kinds {
		kind, ok := fleet.ParseKind(word)
		if !ok {
			return "", fmt.Errorf("nobody decides %q", word)
		}
		c.Permissions.Pub.Allow.Add(fleet.DecisionSubjects(r.Group, host, kind))
	}
	c.Permissions.Pub.Allow.Add(fleet.StatusSubject(r.Group, host), fleet.GetDecisions, fleet.GetHosts, fleet.LeaveSubject+r.Group+"."+host)
	c.Permissions.Sub.Allow.Add(fleet.Inbox(host)+".>", fleet.AllHints, fleet.AskSubject+host)
	c.Permissions.Resp = &jwt.ResponsePermission{MaxMsgs: askAnswers, Expires: askLife}
	if r.Operator {
		c.Permissions.Pub.Allow.Add(fleet.RevokeSubject+host+".*", fleet.AskSubject+"*")
	}
	c.Limits.Subs = maxSubs
	return c.Encode(k.hosts)
}

// guestJWT lets the holder of a token ask to join, until a time.
func (k *keys) guestJWT(key string, until time.Time) (string, error) {
	c := jwt.NewUserClaims(key)
	c.Name, c.Expires = "joins", until.Unix()
	c.Permissions.Pub.Allow.Add(fleet.JoinSubject + key)
	c.Permissions.Sub.Allow.Add(fleet.Inbox(key) + ".>")
	c.Limits.Subs = maxSubs
	return c.Encode(k.hosts)
}

// hubLogin is a user of the hub's own account, for as long as this process lives.
func (k *keys) hubLogin() (nats.Option, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	c := jwt.NewUserClaims(public(pair))
	c.Name = "hub"
	text, err := c.Encode(k.hub)
	if err != nil {
		return nil, err
	}
	return nats.UserJWT(func() (string, error) { return text, nil }, pair.Sign), nil
}
