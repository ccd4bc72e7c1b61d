package conns

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// netFiles is the folder of our own namespace's tables; thread-self and not self, since a thread may have left.
const netFiles = "/proc/thread-self/net/"

func readCounters() (Counters, []connwarden.Problem) {
	var c Counters
	var problems []connwarden.Problem
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			why := err.Error()
			if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
				why = pe.Err.Error()
			}
			problems = append(problems, connwarden.Problem{What: name, Why: why})
			return ""
		}
		return string(b)
	}
	number := func(name string) Count { return countOf(strings.TrimSpace(read(name))) }

	c.extended(read(netFiles + "netstat"))
	c.sockets(read(netFiles + "sockstat"))
	const sys = "/proc/sys/net/"
	// Without the module there is no table that could fill: nothing is missing, so nothing is a problem.
	if _, err := os.Stat(sys + "netfilter/nf_conntrack_max"); err == nil {
		c.Conntrack = number(sys + "netfilter/nf_conntrack_count")
		c.ConntrackMax = number(sys + "netfilter/nf_conntrack_max")
	}
	c.SomaxConn = number(sys + "core/somaxconn")
	c.MaxSynBacklog = number(sys + "ipv4/tcp_max_syn_backlog")
	c.Syncookies = number(sys + "ipv4/tcp_syncookies")
	// These belong to the whole machine and are shown in its first namespace only.
	if fields := strings.Fields(optional(sys + "ipv4/tcp_mem")); len(fields) == 3 {
		c.MaxTCPMemPages = countOf(fields[2])
	}
	c.MaxOrphans = countOf(strings.TrimSpace(optional(sys + "ipv4/tcp_max_orphans")))
	c.MaxTimeWait = countOf(strings.TrimSpace(optional(sys + "ipv4/tcp_max_tw_buckets")))
	if first, _, ok := strings.Cut(read("/proc/uptime"), " "); ok {
		if s, err := strconv.ParseFloat(first, 64); err == nil {
			c.Uptime = time.Duration(s * float64(time.Second))
		}
	}
	return c, problems
}

func optional(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}
