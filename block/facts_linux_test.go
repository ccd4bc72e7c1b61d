package block_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// tree writes files, names to contents; a content that begins with "->" is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func spared(list []block.Spare) []string {
	var lines []string
	for _, s := range list {
		lines = append(lines, s.Prefix.String()+" "+s.Who)
	}
	slices.Sort(lines)
	return lines
}

// native is a number as the kernel of this machine prints an address's four bytes.
func native(a, b, c, d byte) string {
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32([]byte{a, b, c, d}))
}

func TestFacts(t *testing.T) {
	stat := func(pid, parent int, name string) string { return fmt.Sprintf("%d (%s) S %d 1 1 0", pid, name, parent) }
	group := "root:x:0:\nsudo:x:27:anna,bert\nusers:x:100:carl\n"
	for _, c := range []struct {
		name  string
		env   map[string]string
		files map[string]string
		want  []string
	}{
		{"nothing", nil, nil, nil},
		{"gateways", nil, map[string]string{
			"proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\n" +
				"eth0\t00000000\t" + native(192, 0, 2, 1) + "\t0003\t0\n" +
				"eth0\t" + native(192, 0, 2, 0) + "\t00000000\t0001\t0\n" +
				"bad\tline\n",
			"proc/net/ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 1 0 00450003 eth0\n" +
				"fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001 eth0\n",
		}, []string{"192.0.2.1/32 the gateway of eth0", "2001:db8::1/128 the gateway of eth0"}},
		{"resolvers", nil, map[string]string{
			"etc/resolv.conf":                     "# comment\nnameserver 127.0.0.53\noptions edns0\nnameserver\nnameserver nonsense\n",
			"run/systemd/resolve/resolv.conf":     "nameserver 192.0.2.53\nnameserver fe80::1%eth0\n",
			"run/systemd/resolve/not/resolv.conf": "",
		}, []string{"127.0.0.53/32 a name server of this machine", "192.0.2.53/32 a name server of this machine", "fe80::1/128 a name server of this machine"}},
		{"environment", map[string]string{"SSH_CONNECTION": "198.51.100.7 50000 192.0.2.10 22", "SSH_CLIENT": "198.51.100.7 50000 22"}, nil,
			[]string{"198.51.100.7/32 where you are logged in from (SSH_CONNECTION of the environment)"}},
		{"mapped and IPv6", map[string]string{"SSH_CLIENT": "2001:db8:1:2::7 50000 22"}, nil,
			[]string{"2001:db8:1:2::/64 where you are logged in from (SSH_CLIENT of the environment)"}},
		{"sudo dropped it", nil, map[string]string{
			"proc/50/stat": stat(50, 40, "connwarden"), "proc/40/stat": stat(40, 30, "sudo"), "proc/40/environ": "HOME=/root\x00",
			"proc/30/stat": stat(30, 20, "ba) (sh"), "proc/30/environ": "HOME=/home/a\x00SSH_CONNECTION=198.51.100.7 50000 192.0.2.10 22\x00",
			"proc/20/stat": stat(20, 1, "sshd"),
		}, []string{"198.51.100.7/32 where you are logged in from (SSH_CONNECTION of the process ba) (sh)"}},
		{"sshd's own socket", nil, map[string]string{
			"proc/50/stat": stat(50, 20, "connwarden"), "proc/20/stat": stat(20, 1, "sshd-session"),
			"proc/20/fd/0": "->/dev/null", "proc/20/fd/4": "->socket:[777]",
			"proc/20/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
				"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1\n" +
				"   1: " + native(192, 0, 2, 10) + ":0016 " + native(198, 51, 100, 7) + ":C350 01 00000000:00000000 00:00000000 00000000     0        0 777 1\n" +
				"   2: " + native(192, 0, 2, 10) + ":0016 " + native(198, 51, 100, 9) + ":C350 01 00000000:00000000 00:00000000 00000000     0        0 888 1\n",
			"proc/20/net/tcp6": "   0: 00000000000000000000000000000000:0016 " + native(0, 0, 0, 0) + native(0, 0, 0, 0) + native(0, 0, 0xff, 0xff) + native(198, 51, 100, 8) +
				":C350 01 00000000:00000000 00:00000000 00000000     0        0 777 1\n",
		}, []string{"198.51.100.7/32 where you are logged in from (the connection of sshd, process 20)", "198.51.100.8/32 where you are logged in from (the connection of sshd, process 20)"}},
		{"sessions of logind", nil, map[string]string{
			"etc/group":              group,
			"run/systemd/sessions/1": "UID=0\nUSER=root\nREMOTE=1\nREMOTE_HOST=198.51.100.7\n",
			"run/systemd/sessions/2": "USER=bert\nREMOTE_HOST=::ffff:198.51.100.8\n",
			"run/systemd/sessions/3": "USER=carl\nREMOTE_HOST=198.51.100.9\n", // a customer
			"run/systemd/sessions/4": "USER=root\nREMOTE=0\n",
			"run/systemd/sessions/5": "USER=root\nREMOTE_HOST=office.example.com\n",
		}, []string{"198.51.100.7/32 where the administrator root is logged in from (logind)", "198.51.100.8/32 where the administrator bert is logged in from (logind)"}},
		{"utmp of amd64", nil, map[string]string{"etc/group": group, "run/utmp": utmp(384, 340)},
			[]string{"198.51.100.7/32 where the administrator anna is logged in from (utmp)", "2001:db8:1:2::/64 where the administrator root is logged in from (utmp)"}},
		{"utmp of arm64", nil, map[string]string{"etc/group": group, "run/utmp": utmp(400, 344)},
			[]string{"198.51.100.7/32 where the administrator anna is logged in from (utmp)", "2001:db8:1:2::/64 where the administrator root is logged in from (utmp)"}},
		{"administrators by their first group, their number and sudo's files", nil, map[string]string{
			"etc/group": "root:x:0:\nsudo:x:27:\nops:x:90:dora\ndeploy:x:91:\nusers:x:100:carl\nlong:x:92:" + strings.Repeat("somebody,", 20000) + "\nwheel:x:10:gerd\n",
			"etc/passwd": "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nanna:x:1001:27::/home/anna:/bin/sh\nbert:x:1002:100::/:/bin/sh\n" +
				"carl:x:1003:100::/:/bin/sh\nemil:x:1004:91::/:/bin/sh\nfred:x:1005:100::/:/bin/sh\nnobody\n",
			"etc/sudoers": "# carl ALL=(ALL) ALL \\\nDefaults env_reset\nDefaults:carl !requiretty\nroot ALL=(ALL:ALL) ALL\nALL ALL=(ALL) ALL\n" +
				"User_Alias ADMINS = hans, MORE : MORE=ines,!carl\nUser_Alias NEVER = carl\nCmnd_Alias CARL = /bin/carl\nADMINS,\\\n\t\"ja n\" web1, web2 = NOPASSWD: /bin/ls\n" +
				"%ops ALL=(ALL) ALL\n%#91 ALL = ALL\n#1005 ALL = ALL\ncarl is not named by a line without an equals sign\n@includedir /etc/sudoers.d\n#include sudoers.more\n",
			"etc/sudoers.d/bert":   "bert\tALL=(ALL) NOPASSWD: ALL",
			"etc/sudoers.d/carl.x": "carl ALL=(ALL) ALL\n", "etc/sudoers.d/carl~": "carl ALL=(ALL) ALL\n",
			"etc/sudoers.more":        "karl ALL=(ALL) ALL\n@include sudoers.more\n",
			"run/systemd/sessions/1":  "USER=toor\nREMOTE_HOST=192.0.2.1\n",
			"run/systemd/sessions/2":  "USER=anna\nREMOTE_HOST=192.0.2.2\n",
			"run/systemd/sessions/3":  "USER=bert\nREMOTE_HOST=192.0.2.3\n",
			"run/systemd/sessions/4":  "USER=carl\nREMOTE_HOST=192.0.2.4\n",
			"run/systemd/sessions/5":  "USER=dora\nREMOTE_HOST=192.0.2.5\n",
			"run/systemd/sessions/6":  "USER=emil\nREMOTE_HOST=192.0.2.6\n",
			"run/systemd/sessions/7":  "USER=fred\nREMOTE_HOST=192.0.2.7\n",
			"run/systemd/sessions/8":  "USER=gerd\nREMOTE_HOST=192.0.2.8\n",
			"run/systemd/sessions/9":  "USER=hans\nREMOTE_HOST=192.0.2.9\n",
			"run/systemd/sessions/10": "USER=ines\nREMOTE_HOST=192.0.2.10\n",
			"run/systemd/sessions/11": "USER=ja n\nREMOTE_HOST=192.0.2.11\n",
			"run/systemd/sessions/12": "USER=karl\nREMOTE_HOST=192.0.2.12\n",
			"run/systemd/sessions/13": "USER=web2\nREMOTE_HOST=192.0.2.13\n",
		}, []string{
			"192.0.2.1/32 where the administrator toor is logged in from (logind)",
			"192.0.2.10/32 where the administrator ines is logged in from (logind)",
			"192.0.2.11/32 where the administrator ja n is logged in from (logind)",
			"192.0.2.12/32 where the administrator karl is logged in from (logind)",
			"192.0.2.2/32 where the administrator anna is logged in from (logind)",
			"192.0.2.3/32 where the administrator bert is logged in from (logind)",
			"192.0.2.5/32 where the administrator dora is logged in from (logind)",
			"192.0.2.6/32 where the administrator emil is logged in from (logind)",
			"192.0.2.7/32 where the administrator fred is logged in from (logind)",
			"192.0.2.8/32 where the administrator gerd is logged in from (logind)",
			"192.0.2.9/32 where the administrator hans is logged in from (logind)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := block.Facts(block.Machine{Root: tree(t, c.files), PID: 50, Getenv: func(name string) string { return c.env[name] }})
			if !slices.Equal(spared(got), c.want) || len(problems) > 0 {
				t.Errorf("problems %v\n got %s\nwant %s", problems, strings.Join(spared(got), "\n     "), strings.Join(c.want, "\n     "))
			}
		})
	}
}

// utmp is a file of records of a size with the time at an offset: a boot, root over IPv6, anna over IPv4, a customer, a
// login that is over, and one at the console.
func utmp(size, at int) string {
	record := func(kind uint16, user string, a netip.Addr, when time.Time) string {
		b := make([]byte, size)
		binary.NativeEndian.PutUint16(b, kind)
		copy(b[44:76], user)
		if size == 400 {
			binary.NativeEndian.PutUint64(b[at:], uint64(when.Unix()))
			copy(b[at+16:], a.AsSlice())
		} else {
			binary.NativeEndian.PutUint32(b[at:], uint32(when.Unix()))
			copy(b[at+8:], a.AsSlice())
		}
		return string(b)
	}
	v4 := netip.MustParseAddr("198.51.100.7")
	return record(2, "reboot", netip.Addr{}, epoch) + record(7, "root", netip.MustParseAddr("2001:db8:1:2::7"), epoch) + record(7, "anna", v4, epoch) +
		record(7, "carl", netip.MustParseAddr("198.51.100.9"), epoch) + record(8, "root", netip.MustParseAddr("198.51.100.10"), epoch) + record(7, "root", netip.Addr{}, epoch)
}

// TestWeekOfLogins reads the end of a long wtmp.
func TestWeekOfLogins(t *testing.T) {
	old := strings.ReplaceAll(utmp(384, 340), "anna", "bert")
	root := tree(t, map[string]string{"etc/group": "sudo:x:27:anna,bert\n", "var/log/wtmp": strings.Repeat(old, 1000) + utmp(384, 340)})
	for days, want := range map[int]string{
		1: "198.51.100.7/32 where the administrator anna logged in from within a week (wtmp)\n198.51.100.7/32 where the administrator bert logged in from within a week (wtmp)\n" +
			"2001:db8:1:2::/64 where the administrator root logged in from within a week (wtmp)",
		8: "",
	} {
		got, problems := block.Facts(block.Machine{Root: root, PID: 50, Getenv: func(string) string { return "" }, Now: epoch.Add(time.Duration(days) * 24 * time.Hour)})
		if text := strings.Join(spared(got), "\n"); text != want || len(problems) > 0 {
			t.Errorf("after %d days: problems %v\n got %s\nwant %s", days, problems, text, want)
		}
	}
}

// TestWeekOfOtherLogins reads cPanel's log, of which clients write the requests, and what a database tells.
func TestWeekOfOtherLogins(t *testing.T) {
	const at = "[11/20/2025:16:42:23 -0000]"
	now := time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)
	root := tree(t, map[string]string{
		"etc/group": "sudo:x:27:anna\n",
		"usr/local/cpanel/logs/access_log": strings.Join([]string{
			`198.51.100.7 - root ` + at + ` "GET /cpsess1/scripts/command HTTP/1.1" 200 0 "-" "Mozilla/5.0" "s" "-" 2087`,
			`198.51.100.8 - root ` + at + ` "POST /json-api/version HTTP/1.1" 200 0 "-" "curl" "a" "-" 2087`,
			`198.51.100.9 - carl ` + at + ` "GET / HTTP/1.1" 200 0 "-" "Mozilla/5.0" "s" "-" 2083`,                   // a customer
			`198.51.100.10 - root ` + at + ` "GET / HTTP/1.1" 401 0 "-" "Mozilla/5.0" "b" "-" 2087`,                  // a wrong password
			`198.51.100.11 - root ` + at + ` "GET /" 200 0 "-" "-" "s" "-" 1 HTTP/1.1" 401 0 "-" "-" "b" "-" 2087`,   // whose request lies
			`198.51.100.12 - root ` + at + ` "GET / HTTP/1.1" 200 0 "" "s" "-" 1" "-" "-" 2087`,                      // whose agent does
			`198.51.100.13 - root [11/10/2025:16:42:23 -0000] "GET / HTTP/1.1" 200 0 "-" "Mozilla/5.0" "s" "-" 2087`, // too long ago
			`localhost - root ` + at + ` "GET / HTTP/1.1" 200 0 "-" "Mozilla/5.0" "s" "-" 2087`, `- root "`, ``,
		}, "\n"),
	})
	asked := time.Time{}
	got, problems := block.Facts(block.Machine{Root: root, PID: 50, Getenv: func(string) string { return "" }, Now: now, Logins: func(since time.Time) ([]block.Login, error) {
		asked = since
		return []block.Login{{"anna", "198.51.100.20"}, {"carl", "198.51.100.21"}, {"root", "a.name.example"}, {"root", "127.0.0.1"}}, nil
	}})
	want := "198.51.100.20/32 where the administrator anna logged in from within a week (wtmpdb)\n" +
		"198.51.100.7/32 where the administrator root used WHM from within a week (cPanel's access_log)\n" +
		"198.51.100.8/32 where the administrator root used WHM from within a week (cPanel's access_log)"
	if text := strings.Join(spared(got), "\n"); text != want || len(problems) > 0 || !asked.Equal(now.AddDate(0, 0, -7)) {
		t.Errorf("asked since %v, problems %v\n got %s\nwant %s", asked, problems, text, want)
	}
}

// TestRealFactsOfThisMachine holds the facts against what the kernel tells other programs.
func TestRealFactsOfThisMachine(t *testing.T) {
	got, problems := block.Facts(block.Machine{})
	text := strings.Join(spared(got), "\n")
	if !strings.Contains(text, "127.0.0.1/32 this machine's own address") {
		t.Errorf("own addresses are missing:\n%s", text)
	}
	out, err := exec.Command("ip", "-4", "route", "show", "default").Output()
	if words := strings.Fields(string(out)); err == nil && len(words) > 2 && words[1] == "via" && !strings.Contains(text, words[2]+"/32 the gateway of "+words[4]) {
		t.Errorf("the kernel says %q, found\n%s", out, text)
	}
	for _, p := range problems {
		t.Logf("%s: %s", p.What, p.Why)
	}
}

// FuzzFacts feeds hostile files: nothing but addresses may come of them.
func FuzzFacts(f *testing.F) {
	f.Add("nameserver 192.0.2.53", "eth0 00000000 010200C0 0003", "0 0 0 0 20010db8000000000000000000000001 0 0 0 00450003 eth0", "50 (x) S 20", utmp(384, 340))
	f.Fuzz(func(t *testing.T, resolv, route, route6, stat, utmp string) {
		list := block.FactsOf(map[string]string{
			"/etc/resolv.conf": resolv, "/proc/net/route": route, "/proc/net/ipv6_route": route6, "/proc/50/stat": stat, "/etc/group": resolv, "/run/utmp": utmp,
		})
		for _, s := range list {
			if !s.Prefix.IsValid() || s.Prefix != s.Prefix.Masked() || s.Always {
				t.Errorf("%+v", s)
			}
		}
	})
}
