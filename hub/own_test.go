package hub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/connwarden/connwarden/fleet"
)

// docs is what a user reads who has a NATS of his own.
func docs(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## A NATS of your own\n")
	if !ok {
		t.Fatal("docs/fleet.md says nothing of a NATS of your own")
	}
	return text
}

// listing is the first indented part of a text after some words.
func listing(t *testing.T, text, after string) string {
	t.Helper()
	_, text, ok := strings.Cut(text, after)
	var list []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    ") {
			list = append(list, line[4:])
		} else if len(list) > 0 && strings.TrimSpace(line) != "" {
			break
		}
	}
	if !ok || len(list) == 0 {
		t.Fatalf("there is no listing after %q", after)
	}
	return strings.Join(list, "")
}

// own is a server of the user's, and what its keeper has.
type own struct {
	t      *testing.T
	dir    string
	server *server.Server
	conf   string // as in the documentation, with this test's keys and paths
	ca     []byte
	login  nats.Option // the keeper's
	keeper *nats.Conn
	seeds  map[string][]byte // by host
}

// pem writes a block into a file of the server.
func (o *own) pem(name, kind string, der []byte) []byte {
	o.t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(o.dir, name), b, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return b
}

// certificate makes a certificate for 127.0.0.1 that signs itself.
func (o *own) certificate() {
	o.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nats"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		o.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.ca = o.pem("cert.pem", "CERTIFICATE", der)
	o.pem("key.pem", "EC PRIVATE KEY", secret)
}

// user makes a pair of keys.
func (o *own) user() (public string, seed []byte) {
	o.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		o.t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err == nil {
		seed, err = pair.Seed()
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return public, seed
}

// ownNATS starts a server by the documentation's configuration, with these hosts, and makes the buckets by its words.
func ownNATS(t *testing.T, hosts ...string) *own {
	t.Helper()
	o := &own{t: t, dir: t.TempDir(), seeds: map[string][]byte{}}
	o.certificate()
	text := listing(t, docs(t), "`nats-server.conf`")
	mine, seed := o.user()
	user := text[strings.Index(text, `      { nkey: "U_WEB1"`):strings.LastIndex(text, "    ]\n  }\n}")]
	all := ""
	for _, host := range hosts {
		public, seed := o.user()
		o.seeds[host] = seed
		all += strings.NewReplacer("U_WEB1", public, "web1", host).Replace(user)
	}
	o.conf = strings.NewReplacer(user, all, "U_YOURS", mine, "0.0.0.0:4222", "127.0.0.1:-1", "/var/lib/nats", filepath.Join(o.dir, "store"),
		"/etc/nats/", o.dir+string(filepath.Separator)).Replace(text)
	o.run(o.conf)
	login, err := nats.NkeyOptionFromSeed(o.file("mine.nk", seed))
	if err != nil {
		t.Fatal(err)
	}
	o.meet(login)
	o.buckets()
	return o
}

// run starts a server with a configuration, until the test ends.
func (o *own) run(conf string) {
	o.t.Helper()
	s, err := server.NewServer(o.options(conf))
	if err != nil {
		o.t.Fatal(err)
	}
	s.Start()
	o.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		o.t.Fatal("the server does not start")
	}
	o.server = s
}

// meet connects the keeper.
func (o *own) meet(login nats.Option) {
	o.t.Helper()
	o.login = login
	var err error
	if o.keeper, err = nats.Connect("tls://"+o.address(), login, nats.RootCAs(filepath.Join(o.dir, "cert.pem"))); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(o.keeper.Close)
}

// restart is for the server's own signal, by which its parts race within one process.
func (o *own) restart(conf string) {
	o.t.Helper()
	at := o.address()
	o.server.Shutdown()
	o.server.WaitForShutdown()
	o.run(strings.Replace(conf, "127.0.0.1:-1", at, 1))
	o.meet(o.login) // what was asked on the old connection may be lost
}

// options reads a configuration as the server does.
func (o *own) options(conf string) *server.Options {
	o.t.Helper()
	opt, err := server.ProcessConfigFile(o.file("nats-server.conf", []byte(conf)))
	if err != nil {
		o.t.Fatalf("%v in\n%s", err, conf)
	}
	opt.NoSigs, opt.NoLog = true, true
	return opt
}

func (o *own) file(name string, b []byte) string {
	o.t.Helper()
	name = filepath.Join(o.dir, name)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return name
}

func (o *own) address() string { return o.server.Addr().String() }

// ask asks the server as its keeper, as the command nats does.
func (o *own) ask(subject, body string, head nats.Header) {
	o.t.Helper()
	m, err := o.keeper.RequestMsg(&nats.Msg{Subject: subject, Data: []byte(body), Header: head}, patience)
	if err != nil {
		o.t.Fatalf("%s: %v", subject, err)
	}
	if strings.Contains(string(m.Data), `"error"`) {
		o.t.Fatalf("%s: %s", subject, m.Data)
	}
}

// buckets makes them.
func (o *own) buckets() {
	o.t.Helper()
	text := docs(o.t)
	o.ask("$JS.API.STREAM.CREATE."+fleet.DecisionsStream, listing(o.t, text, "`decisions.json`"), nil)
	o.ask("$JS.API.STREAM.CREATE."+fleet.HostsStream, listing(o.t, text, "`hosts.json`"), nil)
	steps := strings.Split(strings.TrimSpace(listing(o.t, text, "With three servers")), "\n")
	o.say(steps[len(steps)-1])
}

// say asks what a line of the documentation asks: nats … req 'SUBJECT' BODY [-H KEY:VALUE].
func (o *own) say(line string) {
	o.t.Helper()
	_, rest, ok := strings.Cut(strings.TrimSpace(line), " req '")
	subject, rest, end := strings.Cut(rest, "' ")
	if !ok || !end {
		o.t.Fatalf("%q asks nothing", line)
	}
	head := nats.Header{}
	body, pair, ok := strings.Cut(rest, " -H ")
	if ok {
		key, value, _ := strings.Cut(pair, ":")
		head.Set(key, value)
	}
	o.ask(subject, strings.Trim(body, "'"), head)
}

// use makes a host a member, by its seed.
func (o *own) use(host string) *fleet.Identity {
	o.t.Helper()
	id, err := fleet.Use(o.t.Context(), "tls://"+o.address(), host, "default", o.seeds[host], o.ca)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := id.Save(o.t.TempDir()); err != nil {
		o.t.Fatal(err)
	}
	return id
}

// A NATS that was set up as the documentation says does all that a hub does for hosts.
func TestOwnNATS(t *testing.T) {
	o := ownNATS(t, "a", "b", "c")
	a, b := run(t, o.use("a"), nil, fleet.Policy{}), run(t, o.use("b"), nil, fleet.Policy{})
	first := a.decide(fleet.KindBlock, attacker, time.Hour)
	a.decide(fleet.KindAllow, "198.51.100.0/28", 0)
	b.decide(fleet.KindBlock, "2001:db8:7::/64", time.Hour)
	eventually(t, "both hold what the other decided", func() bool {
		return b.holds(attacker) && b.holds("198.51.100.0/28") && a.holds("2001:db8:7::/64")
	})
	eventually(t, "all is seen", func() bool {
		v, err := b.id.Look(t.Context())
		return err == nil && len(v.Hosts) == 2 && v.Hosts[0].Health == fleet.HealthOK && len(v.Blocked) == 2 && v.Unread == 0
	})
	if a.heard("") {
		t.Errorf("there are problems: %q %v", a.problems, a.refused)
	}
	// Whoever was away learns what was taken back, by the bucket's word.
	b.stop()
	a.takeBack(first)
	a.decide(fleet.KindBlock, other, time.Hour)
	b = run(t, b.id, b, fleet.Policy{})
	eventually(t, "b has caught up", func() bool { return b.holds(other) && !b.holds(attacker) })

	// A stolen host speaks for nobody else, neither straight nor by having the server answer.
	login, err := nats.NkeyOptionFromSeed(o.file("c.nk", o.seeds["c"]))
	if err != nil {
		t.Fatal(err)
	}
	evil, err := nats.Connect("tls://"+o.address(), login, nats.RootCAs(filepath.Join(o.dir, "cert.pem")), nats.CustomInboxPrefix(fleet.Inbox("c")), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer evil.Close()
	own := fleet.Key{Group: "default", Host: "c", Kind: fleet.KindBlock, Target: netip.MustParsePrefix("203.0.113.40/32")}
	forged := fleet.Key{Group: "default", Host: "a", Kind: fleet.KindBlock, Target: netip.MustParsePrefix("203.0.113.41/32")}
	body := []byte(`{"v":1,"for":3600,"score":100,"by":"operator:root"}`)
	for _, m := range []*nats.Msg{
		{Subject: forged.Subject()}, {Subject: fleet.GoneSubject("default", "a")}, {Subject: "$JS.API.STREAM.PURGE." + fleet.DecisionsStream},
		{Subject: own.Subject(), Reply: forged.Subject()}, {Subject: own.Subject(), Header: nats.Header{"Nats-Rollup": {"all"}}},
		{Subject: fleet.StatusSubject("default", "c"), Reply: fleet.GoneSubject("default", "a")},
	} {
		m.Data = body
		if err := evil.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := evil.Request(own.Subject(), body, patience); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its own word is heard, and no other", func() bool { return a.holds("203.0.113.40/32") && b.holds("203.0.113.40/32") })
	if b.holds("203.0.113.41/32") || !b.holds(other) {
		t.Error("it spoke for another")
	}

	// It is shut out, and what it decided is void.
	begin := strings.Index(o.conf, "publish: { allow: [\n          \"$KV.decisions.default.c.")
	begin = strings.LastIndex(o.conf[:begin], "{ nkey:")
	end := strings.LastIndex(o.conf, "    ]\n  }\n}")
	o.restart(o.conf[:begin] + "\n" + o.conf[end:])
	for line := range strings.Lines(strings.ReplaceAll(listing(t, docs(t), "and void what it decided"), "web1", "c")) {
		o.say(line)
	}
	eventually(t, "all let go of it", func() bool { return !a.holds("203.0.113.40/32") && !b.holds("203.0.113.40/32") })
	if _, err := nats.Connect("tls://"+o.address(), login, nats.RootCAs(filepath.Join(o.dir, "cert.pem"))); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("its key is still good: %v", err)
	}
	if !b.holds(other) {
		t.Error("another's decision is void too")
	}
}

// What is wrong is said when a host joins: TLS that proves nothing, a name that its key does not have, a server without
// buckets.
func TestOwnNATSRefused(t *testing.T) {
	o, stranger := ownNATS(t, "a"), &own{t: t, dir: t.TempDir()}
	stranger.certificate()
	for _, c := range []struct {
		what, want string
		at, name   string
		creds, ca  []byte
	}{
		{"another's CA", "unknown authority", o.address(), "a", o.seeds["a"], stranger.ca},
		{"the system's CAs", "unknown authority", o.address(), "a", o.seeds["a"], nil},
		{"a name that the certificate does not have", "certificate", strings.Replace(o.address(), "127.0.0.1", "localhost", 1), "a", o.seeds["a"], o.ca},
		{"another's name", "cannot", o.address(), "b", o.seeds["a"], o.ca},
		{"no key", "credentials", o.address(), "a", []byte("hello"), o.ca},
	} {
		_, err := fleet.Use(t.Context(), "tls://"+c.at, c.name, "default", c.creds, c.ca)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	o.ask("$JS.API.STREAM.DELETE."+fleet.DecisionsStream, "", nil)
	_, err := fleet.Use(t.Context(), "tls://"+o.address(), "a", "default", o.seeds["a"], o.ca)
	if err == nil || !strings.Contains(err.Error(), "cannot read "+fleet.DecisionsStream) {
		t.Errorf("a server without buckets: %v", err)
	}
}

// At a server with an operator hosts have JWTs.
func TestOwnNATSCreds(t *testing.T) {
	o := &own{t: t, dir: t.TempDir()}
	o.certificate()
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		t.Helper()
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		return k, public(k)
	}
	operator, operatorKey := pair(nkeys.CreateOperator)
	_, system := pair(nkeys.CreateAccount)
	keeper, keeperKey := pair(nkeys.CreateAccount)
	hosts, hostsKey := pair(nkeys.CreateAccount)
	encode := func(c jwt.Claims, by nkeys.KeyPair) string {
		t.Helper()
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	theirs, ours := jwt.NewAccountClaims(keeperKey), jwt.NewAccountClaims(hostsKey)
	theirs.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	for _, subject := range []string{"$KV.decisions.>", "$KV.hosts.>", "$JS.API.DIRECT.GET.KV_decisions", "$JS.API.DIRECT.GET.KV_hosts", "fleet.hint.>"} {
		kind, answers := jwt.ExportType(jwt.Service), jwt.ResponseType("")
		switch {
		case strings.HasPrefix(subject, "fleet."):
			kind = jwt.Stream
		case strings.Contains(subject, "DIRECT"):
			answers = jwt.ResponseTypeStream
		}
		theirs.Exports.Add(&jwt.Export{Subject: jwt.Subject(subject), Type: kind, ResponseType: answers})
		ours.Imports.Add(&jwt.Import{Account: keeperKey, Subject: jwt.Subject(subject), Type: kind})
	}
	trusted := jwt.NewOperatorClaims(operatorKey)
	trusted.SystemAccount = system
	conf := "listen: \"127.0.0.1:-1\"\njetstream { store_dir: '" + o.dir + "/store' }\ntls { cert_file: '" + o.dir + "/cert.pem', key_file: '" + o.dir + "/key.pem' }\noperator: " + encode(trusted, operator) +
		"\nsystem_account: " + system + "\nresolver: MEMORY\nresolver_preload: {\n" + system + ": " + encode(jwt.NewAccountClaims(system), operator) + "\n" +
		keeperKey + ": " + encode(theirs, operator) + "\n" + hostsKey + ": " + encode(ours, operator) + "\n}\n"
	creds := func(account nkeys.KeyPair, host string) []byte {
		t.Helper()
		u, key := pair(nkeys.CreateUser)
		c := jwt.NewUserClaims(key)
		if host != "" {
			for _, kind := range all {
				c.Permissions.Pub.Allow.Add("$KV.decisions.default." + host + "." + kind + ".*.*")
			}
			c.Permissions.Pub.Allow.Add("$KV.hosts.default."+host, "$JS.API.DIRECT.GET.KV_decisions", "$JS.API.DIRECT.GET.KV_hosts")
			c.Permissions.Sub.Allow.Add("_INBOX_"+host+".>", "fleet.hint.>", "fleet.ask."+host)
		}
		seed, err := u.Seed()
		if err != nil {
			t.Fatal(err)
		}
		b, err := jwt.FormatUserConfig(encode(c, account), seed)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	o.run(conf)
	o.meet(nats.UserCredentials(o.file("mine.creds", creds(keeper, ""))))
	o.buckets()
	o.seeds = map[string][]byte{"a": creds(hosts, "a"), "b": creds(hosts, "b")}
	a, b := run(t, o.use("a"), nil, fleet.Policy{}), run(t, o.use("b"), nil, fleet.Policy{})
	a.decide(fleet.KindBlock, attacker, time.Hour)
	b.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "both hold what the other decided", func() bool { return b.holds(attacker) && a.holds(other) })
}
