package conns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestParseStates(t *testing.T) {
	synRecv := stateBits(connwarden.StateSynRecv, connwarden.StateNewSynRecv)
	for _, tt := range []struct {
		list string
		want StateSet
	}{
		{"", 0},
		{"established", stateBit(connwarden.StateEstablished)},
		{" ESTAB , Listening", stateBits(connwarden.StateEstablished, connwarden.StateListen)},
		{"syn-recv", synRecv},
		{"SYN_RCVD", synRecv},
		{"syn_received", synRecv},
		{"fin-wait-1,FIN_WAIT2,fin_wait_2", stateBits(connwarden.StateFinWait1, connwarden.StateFinWait2)},
		{"time-wait,close_wait,LAST-ACK,closing,unconn", stateBits(connwarden.StateTimeWait, connwarden.StateCloseWait, connwarden.StateLastAck, connwarden.StateClosing, connwarden.StateClose)},
		{"all", allStates},
		{"bucket", synRecv | stateBit(connwarden.StateTimeWait)},
		{"connected", allStates &^ stateBits(connwarden.StateUnknown, connwarden.StateListen, connwarden.StateClose)},
		{"synchronized", allStates &^ stateBits(connwarden.StateUnknown, connwarden.StateListen, connwarden.StateClose, connwarden.StateSynSent)},
		{"big", allStates &^ synRecv &^ stateBit(connwarden.StateTimeWait)},
	} {
		got, err := ParseStates(tt.list)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %b, %v, want %b", tt.list, got, err, tt.want)
		}
	}
	if _, err := ParseStates("established,estblished"); err == nil || !strings.Contains(err.Error(), `"estblished"`) {
		t.Errorf("a word mistyped: %v", err)
	}
	// Every state's own word is understood.
	for s := connwarden.State(0); s < connwarden.NumStates; s++ {
		if got, err := ParseStates(s.String()); err != nil || !got.Has(s) {
			t.Errorf("%s: got %b, %v", s, got, err)
		}
	}
}

func TestParsePorts(t *testing.T) {
	got, err := ParsePorts("443, https,8000-8002,SSH,25")
	if want := []uint16{22, 25, 443, 8000, 8001, 8002}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := ParsePorts("1-65535"); err != nil || len(got) != 65535 {
		t.Errorf("1-65535: %d ports, %v", len(got), err)
	}
	if got, err := ParsePorts(""); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	for _, bad := range []string{"0", "65536", "80-", "-80", "90-80", "htps", "80 443", "8e1"} {
		if _, err := ParsePorts("22," + bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
			t.Errorf("%s: got %v, want an error that names it", bad, err)
		}
	}
}

// TestDirection is trap 5: our own ephemeral ports are no services.
func TestDirection(t *testing.T) {
	var l listeners
	l.tcp.add(ap("0.0.0.0:80"), false)
	l.tcp.add(ap("[::]:443"), false)
	l.tcp.add(ap("[::]:444"), true)
	l.tcp.add(ap("192.0.2.1:8080"), false)
	l.tcp.add(ap("[2001:db8::1]:8443"), false)
	l.udp.add(ap("0.0.0.0:53"), false)
	for _, tt := range []struct {
		local string
		proto connwarden.Proto
		state connwarden.State
		want  connwarden.Direction
	}{
		{"192.0.2.1:80", connwarden.TCP, connwarden.StateEstablished, connwarden.DirIn},
		{"[2001:db8::1]:80", connwarden.TCP, connwarden.StateEstablished, connwarden.DirOut}, // nothing listens there on IPv6
		{"192.0.2.1:443", connwarden.TCP, connwarden.StateEstablished, connwarden.DirIn},     // mapped, at a dual-stack listener
		{"[2001:db8::1]:443", connwarden.TCP, connwarden.StateTimeWait, connwarden.DirIn},
		{"192.0.2.1:444", connwarden.TCP, connwarden.StateEstablished, connwarden.DirOut}, // the listener takes IPv6 only
		{"[2001:db8::1]:444", connwarden.TCP, connwarden.StateEstablished, connwarden.DirIn},
		{"192.0.2.1:8080", connwarden.TCP, connwarden.StateEstablished, connwarden.DirIn},
		{"192.0.2.9:8080", connwarden.TCP, connwarden.StateEstablished, connwarden.DirOut}, // another of our addresses
		{"[2001:db8::1]:8443", connwarden.TCP, connwarden.StateEstablished, connwarden.DirIn},
		{"192.0.2.1:39850", connwarden.TCP, connwarden.StateEstablished, connwarden.DirOut},
		{"192.0.2.1:39850", connwarden.TCP, connwarden.StateSynRecv, connwarden.DirIn},
		{"192.0.2.1:80", connwarden.TCP, connwarden.StateSynSent, connwarden.DirOut},
		{"192.0.2.1:53", connwarden.UDP, connwarden.StateEstablished, connwarden.DirIn},
		{"192.0.2.1:53", connwarden.TCP, connwarden.StateEstablished, connwarden.DirOut},
		{"192.0.2.1:80", connwarden.UDP, connwarden.StateEstablished, connwarden.DirOut},
	} {
		c := connwarden.Conn{Proto: tt.proto, State: tt.state, Local: ap(tt.local)}
		if got := l.direction(&c); got != tt.want {
			t.Errorf("%s %s %s: got %s, want %s", tt.proto, tt.state, tt.local, got, tt.want)
		}
	}
}

func TestCgroup(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, tt := range []struct{ text, unit, container string }{
		{"0::/system.slice/nginx.service\n", "nginx.service", ""},
		{"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", ""},
		{"12:cpu:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n", "ssh.service", ""},
		{"0::/system.slice/docker-" + id + ".scope\n", "docker-" + id + ".scope", id[:12]},
		{"1:name=systemd:/docker/" + id + "\n", "", id[:12]},
		{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope\n", "cri-containerd-" + id + ".scope", id[:12]},
		{"0::/lxc.payload.mail/system.slice/postfix.service\n", "postfix.service", "mail"},
		{"0::/\n", "", ""},
		{"", "", ""},
		{"garbage\n:::\n", "", ""},
	} {
		if got := unitOf(tt.text); got != tt.unit {
			t.Errorf("%q: unit %q, want %q", tt.text, got, tt.unit)
		}
		if got := containerOf(tt.text); got != tt.container {
			t.Errorf("%q: container %q, want %q", tt.text, got, tt.container)
		}
	}
}

// TestCounters: what a kernel does not tell is not known, and never zero.
func TestCounters(t *testing.T) {
	var c Counters
	c.extended("TcpExt: SyncookiesSent ListenOverflows TCPReqQFullDrop TCPAbortOnMemory\nTcpExt: 384 0 7\nIpExt: InNoRoutes\nIpExt: 9\n")
	c.sockets("sockets: used 100\nTCP: inuse 5 orphan 1 tw 9 alloc 7 mem 3\nUDP: inuse 2 mem 1\n")
	for name, tt := range map[string]struct{ got, want Count }{
		"sent":      {c.SyncookiesSent, Count{384, true}},
		"overflows": {c.ListenOverflows, Count{0, true}},
		"drop":      {c.ReqQFullDrop, Count{7, true}},
		"cut short": {c.AbortOnMemory, Count{}},
		"absent":    {c.ReqQFullDoCookies, Count{}},
		"in use":    {c.TCPInUse, Count{5, true}},
		"orphans":   {c.TCPOrphans, Count{1, true}},
		"time wait": {c.TCPTimeWait, Count{9, true}},
		"memory":    {c.TCPMemPages, Count{3, true}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, tt.got, tt.want)
		}
	}
	if got := countOf(""); got.Known {
		t.Error("nothing is known to be a number")
	}
}
