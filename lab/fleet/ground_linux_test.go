package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connwarden/connwarden/cli"
	"github.com/connwarden/connwarden/hub"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// asProgram has the test's own program be one of ours, so that nothing must be built and the race detector sees it.
const asProgram = "CONNWARDEN_LAB_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "connwarden":
		os.Exit(cli.Main(os.Args[1:], cli.System()))
	case "connwarden-hub":
		os.Exit(hub.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
	}
	os.Exit(m.Run())
}

// Addresses. All machines are 10.77.0.N; the world is beyond the gateway, at the attacker's cable.
const (
	gateway  = "10.77.0.1"
	beyond   = "10.77.0.66"
	operator = "203.0.113.250" // who administrates the servers
	customer = "203.0.113.80"
)

func nodeAddr(i int) string { return fmt.Sprintf("10.77.0.%d", 11+i) }
func hostAddr(i int) string { return fmt.Sprintf("10.77.0.%d", 21+i) }

// attacker is the Nth address of the world that does harm.
func attacker(n int) string { return fmt.Sprintf("203.0.113.%d", n) }

// patience is how long anything may take; what is waited for is looked at again and again.
const patience = 90 * time.Second

// ground is all of it.
type ground struct {
	t      *testing.T
	dir    string
	sw     string // the switch, which is the gateway too
	world  string // where attackers, operator and customer are
	ports  int
	nodes  [3]*machine
	hosts  [3]*machine
	stolen *machine // a member whose daemon does not run
}

// machine is a server or a node of the hub.
type machine struct {
	g          *ground
	name       string
	addr       string
	space      string
	port       string // at the switch
	dir        string
	state      string
	prog       *exec.Cmd // its daemon
	stop       func()
	out, wrong *said // by the daemon
}

// said is what a program writes.
type said struct {
	mu   sync.Mutex // guards text; leaf
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func build(t *testing.T) *ground {
	netnstest.Root(t)
	const nginx = "/usr/sbin/nginx"
	if _, err := os.Stat(nginx); err != nil {
		t.Skip("needs nginx (Debian: nginx): " + err.Error())
	}
	g := &ground{t: t, dir: t.TempDir(), sw: netnstest.Named(t)}
	// Without an address of its own a bridge takes the lowest of its ports', another one when a cable is added, and who knows the old one
	// reaches it no more.
	g.ip(g.sw, "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge")
	g.ip(g.sw, "addr", "add", gateway+"/24", "dev", "br0")
	g.ip(g.sw, "link", "set", "br0", "up")
	g.world, _ = g.cable(beyond)
	for _, a := range append([]string{operator, customer}, slices.Collect(attackers)...) {
		g.ip(g.world, "addr", "add", a+"/32", "dev", "lo")
	}
	g.ip(g.sw, "route", "add", "203.0.113.0/24", "via", beyond)
	netnstest.In(t, g.sw, func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	for i := range g.nodes {
		g.nodes[i] = g.machine(fmt.Sprint("n", i), nodeAddr(i))
	}
	g.startHub()
	for i := range g.hosts {
		g.hosts[i] = g.machine(fmt.Sprint("web", i), hostAddr(i))
		g.hosts[i].serve(nginx)
		g.hosts[i].join()
		g.hosts[i].start("connwarden", "watch", "--json", "--no-dns", "--config", "config.toml", "access.log")
	}
	for _, m := range g.hosts {
		g.eventually(m.name+" is seen", func() bool { return g.hosts[0].status(m.name) != nil })
	}
	g.stolen = g.machine("stolen", "10.77.0.30")
	g.stolen.join()
	return g
}

// attackers are as many as the test has use for.
func attackers(yield func(string) bool) {
	for n := 1; n <= 60 && yield(attacker(n)); n++ {
	}
}

func (g *ground) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) eventually(what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			g.t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (g *ground) ip(space string, args ...string) {
	g.t.Helper()
	netnstest.Command(g.t, "ip", append([]string{"-n", space}, args...)...)
}

// cable makes a namespace at the switch, with an address and the way to the world.
func (g *ground) cable(addr string) (space, port string) {
	g.t.Helper()
	g.ports++
	space, port = netnstest.Named(g.t), fmt.Sprint("p", g.ports)
	g.ip(g.sw, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
	g.ip(g.sw, "link", "set", port, "master", "br0", "up")
	g.ip(space, "addr", "add", addr+"/24", "dev", "eth0")
	g.ip(space, "link", "set", "eth0", "up")
	g.ip(space, "route", "add", "default", "via", gateway)
	return space, port
}

func (g *ground) machine(name, addr string) *machine {
	m := &machine{g: g, name: name, addr: addr, dir: filepath.Join(g.dir, name)}
	m.space, m.port = g.cable(addr)
	m.state = filepath.Join(m.dir, "state")
	g.check(os.MkdirAll(m.state, 0o700))
	return m
}

// command is one of our programs on a machine.
func (m *machine) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), asProgram+"="+program, "CONNWARDEN_HUB_DIR="+m.state, "CONNWARDEN_STATE_DIR="+m.state,
		"SSH_CONNECTION="+operator+" 50022 "+m.addr+" 22", "TZ=UTC")
	return cmd
}

// try runs one of our programs on a machine, and returns what it prints.
func (m *machine) try(program string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(m.g.t.Context(), patience)
	defer stop()
	var out, wrong bytes.Buffer
	cmd := m.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &wrong
	netnstest.In(m.g.t, m.space, cmd.Start)
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s %s on %s: %w: %s", program, strings.Join(args, " "), m.name, err, &wrong)
	}
	return out.String(), nil
}

// do runs connwarden with the machine's configuration.
func (m *machine) do(args ...string) string {
	m.g.t.Helper()
	out, err := m.try("connwarden", append(args, "--config", "config.toml")...)
	m.g.check(err)
	return out
}

// ask has connwarden print JSON.
func (m *machine) ask(into any, args ...string) {
	m.g.t.Helper()
	m.g.check(json.Unmarshal([]byte(m.do(append(args, "--json")...)), into))
}

// start starts a machine's daemon, which must end well when it is asked to, unless it was killed.
func (m *machine) start(program string, args ...string) {
	m.g.t.Helper()
	m.out, m.wrong = &said{}, &said{}
	cmd, wrong := m.command(context.Background(), program, args...), m.wrong
	cmd.Stdout, cmd.Stderr = m.out, wrong
	netnstest.In(m.g.t, m.space, cmd.Start)
	m.prog = cmd
	m.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended, which Wait tells
		if err := cmd.Wait(); err != nil {
			m.g.t.Errorf("%s %s on %s: %v", program, args[0], m.name, err)
		}
		if m.g.t.Failed() {
			m.g.t.Logf("%s on %s said\n%s", program, m.name, tail(wrong.String()))
		}
	})
	m.g.t.Cleanup(func() { m.stop() })
}

// tail is the end of a long text.
func tail(s string) string { return s[max(0, len(s)-1500):] }

// kill ends a machine's daemon as a loss of power would.
func (m *machine) kill() {
	m.g.t.Helper()
	cmd := m.prog
	m.stop = sync.OnceFunc(func() {})
	m.g.check(cmd.Process.Kill())
	_ = cmd.Wait() // says that it was killed
}

// startHub starts the three nodes, which have the same secrets.
func (g *ground) startHub() {
	g.t.Helper()
	g.nodes[0].runNode(0)
	secrets := filepath.Join(g.nodes[0].state, hub.KeysFile)
	var b []byte
	g.eventually("the first node has secrets", func() (ok bool) {
		var err error
		b, err = os.ReadFile(secrets)
		return err == nil
	})
	for i := 1; i < len(g.nodes); i++ {
		g.check(os.WriteFile(filepath.Join(g.nodes[i].state, hub.KeysFile), b, 0o600))
		g.nodes[i].runNode(i)
	}
	g.eventually("all nodes are there", func() bool { return g.leader(0) != nil })
}

// runNode starts the Ith node.
func (m *machine) runNode(i int) {
	m.g.t.Helper()
	var hubs, peers []string
	for j := range m.g.nodes {
		hubs = append(hubs, nodeAddr(j)+":4222")
		if j != i {
			peers = append(peers, nodeAddr(j)+":6222")
		}
	}
	m.start("connwarden-hub", "run", "--listen", m.addr+":4222", "--name", m.addr, "--node", m.name, "--cluster", m.addr+":6222",
		"--peers", strings.Join(peers, ","), "--hubs", strings.Join(hubs, ","))
}

// leader asks one node who leads the bucket of decisions; nil while not all three are there and have what it has.
func (g *ground) leader(asked int) (leads *machine) {
	out, err := g.nodes[asked].try("connwarden-hub", "nodes", "--json")
	var d struct {
		Nodes []struct {
			Node           string
			Leads, Current bool
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &d) != nil || len(d.Nodes) != len(g.nodes) {
		return nil
	}
	for i, n := range d.Nodes { // by name
		if !n.Current {
			return nil
		}
		if n.Leads {
			leads = g.nodes[i]
		}
	}
	return leads
}

// serve starts a web server.
func (m *machine) serve(nginx string) {
	m.g.t.Helper()
	conf := strings.ReplaceAll(`daemon off; user root; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log;
events { worker_connections 256; }
http {
	access_log DIR/access.log;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server { listen 80; location / { return 404; } }
}
`, "DIR", m.dir)
	m.g.check(os.WriteFile(filepath.Join(m.dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(nginx, "-e", filepath.Join(m.dir, "error.log"), "-c", filepath.Join(m.dir, "nginx.conf"))
	cmd.Stderr = os.Stderr
	netnstest.In(m.g.t, m.space, cmd.Start)
	m.g.t.Cleanup(func() {
		m.g.check(cmd.Process.Signal(os.Interrupt))
		if err := cmd.Wait(); err != nil {
			m.g.t.Errorf("nginx on %s: %v", m.name, err)
		}
	})
	m.g.eventually("nginx answers the customer", func() bool { return m.g.lets(customer, m) })
}

// join makes a machine a member.
func (m *machine) join() {
	m.g.t.Helper()
	token, err := m.g.nodes[0].try("connwarden-hub", "token", "--operator")
	m.g.check(err)
	m.g.check(os.WriteFile(filepath.Join(m.dir, "token"), []byte(token), 0o600))
	conf := fmt.Sprintf("[actions]\nmode = \"enforce\"\n[block]\ndrivers = [\"nft\"]\n[fleet]\nper_minute = %d\n", perMinute)
	m.g.check(os.WriteFile(filepath.Join(m.dir, "config.toml"), []byte(conf), 0o600))
	m.do("join", nodeAddr(0), "--name", m.name, "--token", "token")
}

// perMinute is what hosts take of one other in a minute: more than all attacks here.
const perMinute = 100

// status is what the fleet says of a host, by this machine's command; nil if nothing.
func (m *machine) status(of string) *hostStatus {
	m.g.t.Helper()
	var d struct{ Hosts []*hostStatus }
	m.ask(&d, "fleet")
	for _, h := range d.Hosts {
		if h.Host == of {
			return h
		}
	}
	return nil
}

// hostStatus is a host of connwarden fleet --json, written anew, so that a renamed key is noticed.
type hostStatus struct {
	Host, Health string
	Held         int
	Refused      int
	Recent       []struct{ Kind, Target, From, Why string }
}

// dial connects from an address of the world to a web server.
func (g *ground) dial(from string, to *machine, wait time.Duration) (c net.Conn, err error) {
	d := net.Dialer{Timeout: wait, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	netnstest.In(g.t, g.world, func() error {
		c, err = d.Dial("tcp", to.addr+":80")
		return nil
	})
	return c, err
}

// lets tells whether a server lets an address in.
func (g *ground) lets(from string, to *machine) bool {
	c, err := g.dial(from, to, netnstest.Certain)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// drops tells whether what an address sends to a server is dropped.
func (g *ground) drops(from string, to *machine) bool {
	c, err := g.dial(from, to, netnstest.Silence)
	if err == nil {
		c.Close()
		return false
	}
	var refusal net.Error
	return errors.As(err, &refusal) && refusal.Timeout()
}

// attack asks a server for what only an exploit asks for.
func (g *ground) attack(from string, to *machine) {
	g.t.Helper()
	c, err := g.dial(from, to, netnstest.Certain)
	g.check(err)
	defer c.Close()
	g.check(c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "GET /hsqldb; HTTP/1.0\r\nHost: shop.example\r\n\r\n")
	g.check(err)
	_, _ = io.ReadAll(c) // the block may come before the answer
}
