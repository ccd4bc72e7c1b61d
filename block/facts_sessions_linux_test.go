package block_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// process is the files of a process that holds a socket, or none if the inode is 0.
func process(pid, parent, uid int, name, title string, inode int) map[string]string {
	dir := fmt.Sprint("proc/", pid, "/")
	m := map[string]string{
		dir + "stat":    fmt.Sprintf("%d (%s) S %d 1 1 0", pid, name, parent),
		dir + "status":  fmt.Sprintf("Name:\t%s\nUid:\t%d\t0\t0\t0\nGid:\t0\t0\t0\t0\n", name, uid),
		dir + "cmdline": title + "\x00\x00",
		dir + "fd/0":    "->/dev/null",
	}
	if inode > 0 {
		m[dir+"fd/4"] = fmt.Sprintf("->socket:[%d]", inode)
	}
	return m
}

// TestSessions reads who is logged in by ssh: what an operator asks for now spares them, what a verdict does spares none.
func TestSessions(t *testing.T) {
	row := func(inode, last int, state string) string {
		return fmt.Sprintf("   1: %s:0016 %s:C350 %s 00000000:00000000 00:00000000 00000000     0        0 %d 1\n", native(192, 0, 2, 10), native(198, 51, 100, byte(last)), state, inode)
	}
	flood := strings.Repeat(row(999, 99, "01"), 20000)
	table := flood + row(101, 1, "01") + row(102, 2, "01") + row(103, 3, "01") + row(104, 4, "01") + row(105, 5, "01") + row(106, 6, "01") + row(107, 7, "08") +
		row(108, 8, "01") + row(109, 9, "01") + row(110, 10, "01") + row(111, 11, "01") + row(112, 12, "01") + row(113, 13, "01") + row(114, 14, "01")
	files := map[string]string{"proc/meminfo": "", "proc/1/cmdline": "init\x00"}
	add := func(m map[string]string) { maps.Copy(files, m) }
	add(process(1, 0, 0, "systemd", "/sbin/init", 0))
	add(process(10, 1, 0, "sshd", "sshd: /usr/sbin/sshd -D [listener] 1 of 10-100 startups", 0))
	add(process(11, 10, 0, "sshd", "sshd: bob [priv]", 101))
	add(process(21, 11, 1000, "sshd", "sshd: bob@pts/0,pts/1", 101))
	add(process(12, 10, 0, "sshd-session", "sshd-session: root@notty", 102))
	add(process(13, 10, 0, "sshd", "sshd: carl@example.com [priv]", 103))
	add(process(23, 13, 74, "sshd", "sshd: carl@example.com [net]", 103)) // a password is tried
	add(process(14, 10, 0, "sshd", "sshd: unknown [priv]", 104))
	add(process(15, 10, 0, "sshd", "sshd: [accepted]", 105))
	add(process(16, 1, 1000, "sshd", "sshd: mallory@pts/9", 106)) // a customer's own process
	add(process(17, 10, 0, "sshd", "sshd: dora@pts/2", 107))      // whose connection is over
	add(process(18, 10, 0, "sshd", "sshd: emil [priv]", 108))
	add(process(28, 18, 1001, "sshd", "sshd: emil", 108)) // who forwards ports
	add(process(19, 1, 0, "nginx", "sshd: root@pts/0", 109))
	add(process(30, 1, 0, "dropbear", "/usr/sbin/dropbear", 0))
	add(process(31, 30, 0, "dropbear", "/usr/sbin/dropbear", 110)) // a password is tried
	add(process(32, 30, 0, "dropbear", "/usr/sbin/dropbear", 111))
	add(process(33, 32, 1000, "ash", "-ash", 0))
	add(process(34, 1, 1000, "sshd", "/usr/sbin/sshd -D", 0)) // a customer's own daemon, and who is logged in there
	add(process(35, 34, 1000, "sshd", "sshd: mallory@pts/9", 112))
	for name := range maps.Clone(files) {
		if pid, ok := strings.CutSuffix(name, "/stat"); ok {
			files[pid+"/net/tcp"] = table
			files[pid+"/net/tcp6"] = strings.ReplaceAll(row(102, 0, "01"), " "+native(198, 51, 100, 0), " "+native(0x20, 1, 0xd, 0xb8)+native(0, 1, 0, 2)+native(0, 0, 0, 0)+native(0, 0, 0, 7))
		}
	}
	root := tree(t, files)
	want := []string{
		"198.51.100.1/32 where bob is logged in from (the connection of sshd, process 21)",
		"198.51.100.11/32 where somebody is logged in from (the connection of dropbear, process 32)",
		"198.51.100.2/32 where root is logged in from (the connection of sshd, process 12)",
		"198.51.100.8/32 where emil is logged in from (the connection of sshd, process 28)",
		"2001:db8:1:2::/64 where root is logged in from (the connection of sshd, process 12)",
	}
	if got, problems := factsOf(t, root, block.Machine{ByHand: true}); !slices.Equal(got, want) || len(problems) > 0 {
		t.Errorf("problems %v\n got %s\nwant %s", problems, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if got, problems := factsOf(t, root, block.Machine{}); len(got)+len(problems) > 0 {
		t.Errorf("unasked: %v, %v", got, problems)
	}
}

// TestByHand holds what is spared by hand against what is in force already.
func TestByHand(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/30"), request("192.0.2.7/32"))
	s.spares = append(s.spares, block.Spare{Prefix: prefix("198.51.100.2/32"), Who: "where bob is logged in from", ByHand: true},
		block.Spare{Prefix: prefix("192.0.2.7/32"), Who: "where bob is logged in from", ByHand: true})
	s.restart()
	s.sync(2, 0, 0, 0)
	s.inForce("192.0.2.7/32 198.51.100.0/30")
	s.refused(s.block(request("198.51.100.0/24")), "it holds 198.51.100.2, where bob is logged in from")
	s.refused(s.block(request("192.0.2.7/32")), "it is where bob is logged in from")
	s.blocked(request("192.0.2.7/32", forced))
	if _, err := s.k.Allow(t.Context(), []netip.Prefix{prefix("198.51.100.2/32")}, connwarden.Origin{Kind: connwarden.ByOperator}, ""); err != nil {
		t.Fatal(err)
	}
	s.blocked(request("198.51.100.0/24")) // which leaves him out
}
