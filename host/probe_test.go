package host

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// programs makes a folder of programs, each a script that answers as told.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not run the scripts that stand for programs")
	}
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The words of the programs are those of iptables 1.8.9, ipset 7.17, firewalld 1.3.3 and nftables 1.0.6.
func TestFirewallPrograms(t *testing.T) {
	const nft, legacy = `[ "$1" = --version ] && echo "iptables v1.8.9 (nf_tables)" && exit`, `[ "$1" = --version ] && echo "iptables v1.8.9 (legacy)" && exit`
	for _, c := range []struct {
		name, script string
		answer       Answer
		why          string
		files        map[string]string
	}{
		{name: "iptables", answer: No, why: "program iptables is not installed"},
		{name: "iptables", script: nft + "\nprintf -- '-P INPUT ACCEPT\\n-A INPUT -j DROP\\n-A INPUT -j LOG\\n'", answer: Yes, why: "iptables v1.8.9 (nf_tables); 2 rules in filter"},
		{name: "iptables", script: nft + "\necho 'Could not fetch rule set generation id: Permission denied (you must be root)' >&2; exit 4", answer: Yes,
			why: "iptables v1.8.9 (nf_tables); iptables -S: permission denied: needs root"},
		{name: "iptables", script: legacy + "\nexec sleep 60", answer: Yes, why: "iptables v1.8.9 (legacy)"},
		{name: "iptables", script: legacy + "\necho '-P INPUT ACCEPT'", answer: Yes, why: "iptables v1.8.9 (legacy); legacy tables: filter, nat; 0 rules in filter",
			files: map[string]string{"proc/net/ip_tables_names": "filter\nnat\n"}},
		{name: "iptables", script: "exit 0", answer: Unknown, why: "iptables: an answer that is not known: "},
		{name: "iptables", script: "echo broken >&2; exit 1", answer: Unknown, why: "iptables: broken"},
		{name: "iptables", script: "exec sleep 60", answer: Unknown, why: "iptables: no answer within 300ms"},
		{name: "iptables", script: "sleep 60 &\nexec sleep 60", answer: Unknown, why: "iptables: no answer within 300ms"},
		{name: "iptables", script: "yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | head -c 3000000", answer: Unknown, why: "iptables: an answer that is not known: " + strings.Repeat("x", 31)},
		{name: "ipset", answer: No, why: "program ipset is not installed"},
		{name: "ipset", script: `[ "$*" = "list -n" ] && printf 'a\nb\n'`, answer: Yes, why: "2 sets"},
		{name: "ipset", script: "exit 0", answer: Yes, why: "0 sets"},
		{name: "ipset", script: "echo 'ipset v7.17: Kernel error received: Operation not permitted' >&2; exit 1", answer: Unknown, why: "ipset: permission denied: needs root"},
		{name: "ipset", script: "echo 'ipset v7.17: Cannot open session to kernel.' >&2; exit 1", answer: Unknown, why: "ipset: ipset v7.17: Cannot open session to kernel."},
		{name: "firewall-cmd", answer: No, why: "program firewall-cmd is not installed"},
		{name: "firewall-cmd", script: "echo running", answer: Yes, why: "running"},
		{name: "firewall-cmd", script: "echo running; exit 1", answer: Yes, why: "running"},
		{name: "firewall-cmd", script: "echo 'not running' >&2; exit 252", answer: No, why: "installed, not running"},
		{name: "firewall-cmd", script: "exit 0", answer: Unknown, why: "firewall-cmd: an answer that is not known: "},
		{name: "firewall-cmd", script: "echo 'Authorization failed: permission denied'; exit 253", answer: Unknown, why: "firewall-cmd: permission denied: needs root"},
	} {
		t.Run(c.name+" "+c.why, func(t *testing.T) {
			scripts := map[string]string{}
			if c.script != "" {
				scripts[c.name] = c.script
			}
			h := &Host{programs: []string{programs(t, scripts)}, patience: 20 * time.Second}
			if strings.Contains(c.why, "300ms") {
				h.patience = 300 * time.Millisecond
			}
			tree := plant(t, c.files)
			s := tree.scan(context.Background())
			var got Probe
			switch c.name {
			case "iptables":
				got = h.iptables(context.Background(), s)
			case "ipset":
				got = h.ipset(context.Background())
			case "firewall-cmd":
				got = h.firewalld(context.Background(), s)
			}
			if got.Answer != c.answer || got.Why != c.why {
				t.Errorf("got %s, %q; want %s, %q", got.Answer, got.Why, c.answer, c.why)
			}
		})
	}
}

func TestNftProgram(t *testing.T) {
	kernel := nfTables()
	for script, want := range map[string]string{
		"": "; program nft is not installed",
		`[ "$*" = "list tables" ] && printf 'table inet firewalld\ntable ip filter\n'`: "; 2 tables: inet firewalld, ip filter",
		"exit 0": "; 0 tables",
		"echo 'Operation not permitted (you must be root)' >&2; exit 1": "; nft: permission denied: needs root",
	} {
		scripts := map[string]string{}
		if script != "" {
			scripts["nft"] = script
		}
		h := &Host{programs: []string{programs(t, scripts)}, patience: 20 * time.Second}
		got := h.nft(context.Background())
		if got.Answer != kernel.Answer || !strings.HasSuffix(got.Why, want) {
			t.Errorf("%q: got %s, %q; want %s, … %q", script, got.Answer, got.Why, kernel.Answer, want)
		}
	}
}

func TestFirewallFiles(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		answer           Answer
	}{
		{"ufw", "etc/x", "", No},
		{"ufw", "etc/ufw/ufw.conf", "# comment\nENABLED=yes\nLOGLEVEL=low\n", Yes},
		{"ufw", "etc/ufw/ufw.conf", "ENABLED=no\n", No},
		{"ufw", "etc/ufw/ufw.conf", "LOGLEVEL=low\n", Unknown},
		{"csf", "etc/x", "", No},
		{"csf", "etc/csf/csf.conf", "TESTING = \"0\"\n", Yes},
		{"csf", "etc/csf/csf.conf/", "", Unknown},
		{"docker", "etc/x", "", No},
		{"docker", "run/docker.sock", "no socket", No},
		{"docker", "proc/77/stat", "77 (dockerd) S 1", Yes},
		{"firewalld", "proc/77/stat", "77 (firewalld) S 1", Unknown},
	} {
		h := plant(t, map[string]string{c.file: c.text})
		h.programs = []string{t.TempDir()}
		s := h.scan(context.Background())
		s.readProcesses()
		for i := range s.procs { // the checkout's account stands for root
			s.procs[i].uid, s.procs[i].known = 0, true
		}
		got := map[string]func() Probe{
			"ufw": s.ufw, "csf": s.csf, "docker": s.docker, "firewalld": func() Probe { return h.firewalld(context.Background(), s) },
		}[c.name]()
		if got.Answer != c.answer || got.Why == "" || got.Area != "firewall" || got.Name != c.name {
			t.Errorf("%s with %s %q: %+v, want %s", c.name, c.file, c.text, got, c.answer)
		}
	}
	s := plant(t, map[string]string{"etc/csf/csf.conf": "", "etc/csf/csf.disable": ""}).scan(context.Background())
	if got := s.csf(); got.Answer != No {
		t.Errorf("csf disabled: %+v", got)
	}
}

// Under a root folder no program is started: not even one that is there.
func TestNoProgramsUnderARoot(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "started")
	scripts := map[string]string{}
	for _, name := range []string{"nft", "iptables", "ipset", "firewall-cmd", "journalctl"} {
		scripts[name] = "echo x >> " + marker
	}
	h := plant(t, map[string]string{"usr/sbin/nft": ""})
	h.programs = []string{programs(t, scripts)}
	for _, p := range h.Probes(context.Background()) {
		if p.Area == "firewall" && p.Answer == Yes {
			t.Errorf("%+v", p)
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program was started")
	}
	h.Root = ""
	h.Probes(context.Background())
	if _, err := os.Stat(marker); err != nil && runtime.GOOS == "linux" {
		t.Error("without a root no program was started: the test proves nothing")
	}
}

// Every probe of the real machine has an area, a name and a reason, once.
func TestProbesOfThisMachine(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range New("").Probes(context.Background()) {
		key := p.Area + " " + p.Name
		if p.Area == "" || p.Name == "" || p.Why == "" || seen[key] {
			t.Errorf("%+v, seen %v", p, seen[key])
		}
		seen[key] = true
		if runtime.GOOS == "linux" && os.Geteuid() == 0 && p.Area == "privilege" && p.Name == "root" && p.Answer != Yes {
			t.Errorf("as root: %+v", p)
		}
	}
	for _, area := range []string{"privilege root", "source sock_diag", "source proc", "source journal", "server apache", "panel cpanel", "logs access"} {
		if !seen[area] && runtime.GOOS == "linux" {
			t.Errorf("no probe %s", area)
		}
	}
}

func TestLogProbe(t *testing.T) {
	h := plant(t, map[string]string{"a": "", "b": ""})
	s := h.scan(context.Background())
	files := []LogFile{{Shown: "/a"}, {Shown: "/b", Kind: Error}, {Shown: "/gone", Kind: Error}, {Shown: "/gone", Kind: Slow}}
	for k, want := range map[Kind]Probe{
		Access: {"logs", "access", Yes, "1 found, all can be read"},
		Error:  {"logs", "error", Yes, "2 found, 1 cannot be read, such as /gone: not there"},
		Slow:   {"logs", "slow", Unknown, "1 found, none can be read: /gone: not there"},
		Events: {"logs", "events", No, "none found"},
	} {
		same(t, k.String(), want, s.logProbe(k, files))
	}
	s.problem("/var/log/x", "permission denied: needs root")
	same(t, "hidden", Probe{"logs", "events", Unknown, "none found, but /var/log/x: permission denied: needs root"}, s.logProbe(Events, nil))
}

func TestPanels(t *testing.T) {
	s := plant(t, map[string]string{"usr/local/psa/version": "18.0.64 Debian\n", "usr/local/cpanel": "a file"}).scan(context.Background())
	same(t, "plesk", Probe{"panel", "plesk", Yes, "/usr/local/psa, version 18.0.64"}, s.panel(panels[1]))
	same(t, "cpanel", Probe{"panel", "cpanel", No, "no folder /usr/local/cpanel"}, s.panel(panels[0]))
}
