package fleet

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Identity is this host as a member of a fleet.
type Identity struct {
	Host     string    `json:"host"` // a word, as all names here
	Group    string    `json:"group"`
	URLs     []string  `json:"urls"`
	Operator bool      `json:"operator"` // it may revoke others and ask for their reviews
	Kinds    []string  `json:"kinds"`    // what it may decide for others
	Joined   time.Time `json:"joined"`

	creds []byte // JWT and seed, as NATS writes them, or at a NATS of the user's own a seed alone
	ca    []byte // PEM; empty: the system's
	dir   string
}

// Files of a member, in a folder of its own in the state folder.
const (
	folder       = "fleet"
	identityFile = "fleet.json"
	credsFile    = "user.creds"
	caFile       = "ca.pem"
	bornFile     = "born" // which bucket was read last
)

// ErrAlone is the error where this host is in no fleet.
var ErrAlone = errors.New("this host is in no fleet")

// Load reads the identity that Save left in a state folder.
func Load(state string) (*Identity, error) {
	dir := filepath.Join(state, folder)
	b, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAlone
	}
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	id := &Identity{dir: dir}
	if err := json.Unmarshal(b, id); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, identityFile), err)
	}
	if !isWord(id.Host) || !isWord(id.Group) || len(id.URLs) == 0 {
		return nil, fmt.Errorf("read %s: it names no host, group or hub", filepath.Join(dir, identityFile))
	}
	if id.creds, err = os.ReadFile(filepath.Join(dir, credsFile)); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	if id.ca, err = os.ReadFile(filepath.Join(dir, caFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return id, nil
}

// Save writes the identity into a state folder, the secret for its owner alone; what says that the host is a member comes
// last.
func (id *Identity) Save(state string) error {
	id.dir = filepath.Join(state, folder)
	if err := os.MkdirAll(id.dir, 0o700); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{caFile, id.ca}, {credsFile, id.creds}, {identityFile, append(b, '\n')}} {
		name := filepath.Join(id.dir, f.name)
		if len(f.text) == 0 {
			continue
		}
		if err := os.WriteFile(name+".new", f.text, 0o600); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
	}
	return nil
}

// Forget removes what Save and the agent wrote.
func (id *Identity) Forget() error {
	var errs []error
	for _, name := range []string{identityFile, credsFile, caFile, bornFile} {
		if err := os.Remove(filepath.Join(id.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// credentials are a JWT and its seed in the form of NATS.
func credentials(jwt string, seed []byte) []byte {
	return fmt.Appendf(nil, `-----BEGIN NATS USER JWT-----
%s
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
%s
------END USER NKEY SEED------
`, jwt, seed)
}

// authority trusts what a CA signed, or for an empty one what the system trusts.
func authority(ca []byte) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the hub's CA is no certificate")
		}
	}
	return conf, nil
}

// Fingerprint is how a join token names a CA: the SHA-256 of its certificate.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// pinned trusts the one CA with a fingerprint, which the server shows behind its own certificate. found is given the CA.
func pinned(fingerprint string, found func(*x509.Certificate)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The usual way needs the CA beforehand. VerifyConnection below does all that it does, with the CA that the token names.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, cert := range s.PeerCertificates {
				if Fingerprint(cert) != fingerprint || !cert.IsCA {
					continue
				}
				roots := x509.NewCertPool()
				roots.AddCert(cert)
				if _, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: s.ServerName}); err != nil {
					return err
				}
				found(cert)
				return nil
			}
			return errors.New("it is not the hub that this token is of: its CA has another fingerprint")
		},
	}
}

func certificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// login is by the JWT in the credentials; where there is none, as for a NATS that lists its users' keys, by the key alone.
func (id *Identity) login() (nats.Option, error) {
	key, err := nkeys.ParseDecoratedUserNKey(id.creds)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(id.creds, []byte("BEGIN NATS USER JWT")) { // or a bare seed would be sent for one
		public, err := key.PublicKey()
		if err != nil {
			return nil, err
		}
		return nats.Nkey(public, key.Sign), nil
	}
	jwt, err := nkeys.ParseDecoratedJWT(id.creds)
	if err != nil {
		return nil, err
	}
	return nats.UserJWT(func() (string, error) { return jwt, nil }, key.Sign), nil
}

// dialLimit is how long one attempt may take.
const dialLimit = 5 * time.Second

// dial connects as a host. What follows it comes after the options that all connections have.
func (id *Identity) dial(more ...nats.Option) (*nats.Conn, error) {
	conf, err := authority(id.ca)
	if err != nil {
		return nil, err
	}
	login, err := id.login()
	if err != nil {
		return nil, fmt.Errorf("credentials of the fleet: %w", err)
	}
	nc, err := nats.Connect(join(id.URLs), append([]nats.Option{
		nats.Name("connwarden " + id.Host), login, nats.Secure(conf),
		nats.CustomInboxPrefix(Inbox(id.Host)), nats.Timeout(dialLimit), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now is sent once the bucket was read again
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // who asks sees that no answer comes
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", join(id.URLs), err)
	}
	return nc, nil
}
