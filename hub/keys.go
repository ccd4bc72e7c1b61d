package hub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nkeys"
)

// keys are all secrets of a fleet. The nodes of a cluster have the same.
type keys struct {
	operator, system, hub, hosts nkeys.KeyPair
	ca                           *x509.Certificate
	caKey                        *ecdsa.PrivateKey
}

// KeysFile holds all secrets of a fleet, in the state folder. Whoever has it speaks for everybody.
const KeysFile = "keys.json"

// keysText is the form of KeysFile: seeds of NATS, and certificate and key of the CA as PEM.
type keysText struct {
	Operator string `json:"operator"`
	System   string `json:"system"`
	Hub      string `json:"hub"`
	Hosts    string `json:"hosts"`
	CA       string `json:"ca"`
	CAKey    string `json:"ca_key"`
}

// openKeys reads the secrets, or makes them at the first start.
func openKeys(dir string, now time.Time) (*keys, error) {
	name := filepath.Join(dir, KeysFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeys(name, now)
	}
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	var t keysText
	k := &keys{}
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	for _, one := range []struct {
		seed string
		to   *nkeys.KeyPair
	}{{t.Operator, &k.operator}, {t.System, &k.system}, {t.Hub, &k.hub}, {t.Hosts, &k.hosts}} {
		if *one.to, err = nkeys.FromSeed([]byte(one.seed)); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	cert, _ := pem.Decode([]byte(t.CA))
	secret, _ := pem.Decode([]byte(t.CAKey))
	if cert == nil || secret == nil {
		return nil, fmt.Errorf("read %s: it has no CA", name)
	}
	if k.ca, err = x509.ParseCertificate(cert.Bytes); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if k.caKey, err = x509.ParseECPrivateKey(secret.Bytes); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return k, nil
}

// makeKeys makes secrets and writes them for their owner alone.
func makeKeys(name string, now time.Time) (*keys, error) {
	k := &keys{}
	var t keysText
	for _, one := range []struct {
		make func() (nkeys.KeyPair, error)
		to   *nkeys.KeyPair
		seed *string
	}{
		{nkeys.CreateOperator, &k.operator, &t.Operator}, {nkeys.CreateAccount, &k.system, &t.System},
		{nkeys.CreateAccount, &k.hub, &t.Hub}, {nkeys.CreateAccount, &k.hosts, &t.Hosts},
	} {
		pair, err := one.make()
		if err != nil {
			return nil, err
		}
		seed, err := pair.Seed()
		if err != nil {
			return nil, err
		}
		*one.to, *one.seed = pair, string(seed)
	}
	var err error
	if k.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "connwarden fleet"}, NotBefore: now.Add(-backdated), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if k.ca, err = sign(template, nil, &k.caKey.PublicKey, k.caKey); err != nil {
		return nil, err
	}
	secret, err := x509.MarshalECPrivateKey(k.caKey)
	if err != nil {
		return nil, err
	}
	t.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.ca.Raw}))
	t.CAKey = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return k, nil
}

const (
	// backdated is how far certificates begin in the past, for hosts whose clock is behind.
	backdated = 24 * time.Hour
	// leafLife is how long a server's own certificate lasts, and leafLeft when a new one is made of the same CA.
	leafLife = 90 * 24 * time.Hour
	leafLeft = 30 * 24 * time.Hour
)

// sign makes a certificate; without a parent it signs itself.
func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, with *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, with)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// leaves makes the server's own certificates, a new one before the last ends: a hub may run for years.
type leaves struct {
	keys  *keys
	names []string // host names and addresses under which it is reached
	clock func() time.Time

	mu   sync.Mutex // guards the rest
	last *tls.Certificate
}

func (l *leaves) certificate() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	if l.last != nil && l.last.Leaf.NotAfter.Sub(now) > leafLeft {
		return l.last, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "connwarden-hub"}, NotBefore: now.Add(-backdated), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range l.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf, err := sign(template, l.keys.ca, &key.PublicKey, l.keys.caKey)
	if err != nil {
		return nil, err
	}
	l.last = &tls.Certificate{Certificate: [][]byte{leaf.Raw, l.keys.ca.Raw}, PrivateKey: key, Leaf: leaf}
	return l.last, nil
}

// serving is TLS for hosts, and with mutual also for the other nodes, who must show a certificate of our CA.
func (l *leaves) serving(mutual bool) *tls.Config {
	conf := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.certificate() },
	}
	if mutual {
		pool := x509.NewCertPool()
		pool.AddCert(l.keys.ca)
		conf.ClientAuth, conf.ClientCAs, conf.RootCAs = tls.RequireAndVerifyClientCert, pool, pool
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return l.certificate() }
	}
	return conf
}
