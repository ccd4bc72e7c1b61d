package bots

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// A name server that others wrote, on a port of loopback.
func TestRealDnsmasq(t *testing.T) {
	program, err := exec.LookPath("dnsmasq")
	if err != nil {
		t.Skip("dnsmasq is not installed")
	}
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.LocalAddr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-", "--user=", "--group=",
		"--port="+port, "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts", "--local=/googlebot.com/in-addr.arpa/ip6.arpa/example.net/",
		"--host-record=crawl-1.googlebot.com,203.0.113.1", "--host-record=crawl-6.googlebot.com,2001:db8::6", "--host-record=host.example.net,203.0.113.2",
		"--ptr-record=3.113.0.203.in-addr.arpa,crawl-1.googlebot.com", "--ptr-record=4.113.0.203.in-addr.arpa,crawl-9.googlebot.com")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cmd.Process.Kill()
		<-ended
	}()
	r := asking(addr, 5*time.Second)
	tick, over := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for ready := false; !ready; {
		select {
		case <-tick.C:
			names, _ := r.lookup.LookupAddr(t.Context(), "203.0.113.1")
			ready = len(names) > 0
		case err := <-ended:
			ended <- err
			t.Skipf("dnsmasq does not start here: %v: %s", err, said.String())
		case <-over:
			t.Fatalf("dnsmasq does not answer: %s", said.String())
		}
	}
	s, _ := Load("")
	var questions []Question
	addrs := []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "2001:db8::6", "2001:db8::7"}
	for _, a := range addrs {
		questions = append(questions, Question{Addr: netip.MustParseAddr(a), Bot: "Googlebot"})
	}
	want := []struct {
		proof connwarden.Proof
		how   string
	}{
		{connwarden.ProofVerified, "crawl-1.googlebot.com, which leads back"},
		{connwarden.ProofImpostor, "is named host.example.net, not under googlebot.com"},
		{connwarden.ProofImpostor, "crawl-1.googlebot.com, which does not lead back"},
		{connwarden.ProofImpostor, "crawl-9.googlebot.com, which does not lead back"},
		{connwarden.ProofImpostor, "has no name"},
		{connwarden.ProofVerified, "crawl-6.googlebot.com, which leads back"},
		{connwarden.ProofImpostor, "has no name"},
	}
	for i, a := range s.Prove(context.Background(), r, questions) {
		if a.Proof != want[i].proof || !strings.Contains(a.How, want[i].how) {
			t.Errorf("%s: %s: %s\nwant %s: %s", addrs[i], a.Proof, a.How, want[i].proof, want[i].how)
		}
	}
}
