package conns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// holders tells who holds a socket, by its inode.
type holders struct {
	inodes map[uint32]int32 // to an index of procs
	procs  []connwarden.Process
}

// of returns who holds the socket; nobody for inode 0 and for what was not seen.
func (h *holders) of(inode uint32) connwarden.Process {
	if h == nil || inode == 0 {
		return connwarden.Process{}
	}
	if i, ok := h.inodes[inode]; ok {
		return h.procs[i]
	}
	return connwarden.Process{}
}

// findHolders walks /proc/*/fd once. A socket that several processes hold belongs to the one with the lowest PID, which
// is the parent of a server's workers.
func findHolders(ctx context.Context) (*holders, []connwarden.Problem) {
	h := &holders{inodes: make(map[uint32]int32)}
	var problems []connwarden.Problem
	denied := 0
	pids, err := listPIDs()
	if err != nil {
		return h, []connwarden.Problem{{What: "processes", Why: err.Error()}}
	}
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		if err := h.process(pid); errors.Is(err, fs.ErrPermission) {
			denied++
		}
	}
	if denied > 0 {
		problems = append(problems, connwarden.Problem{What: "processes",
			Why: fmt.Sprintf("the sockets of %d process(es) cannot be told: %s", denied, needsRoot())})
	}
	return h, problems
}

// process notes the sockets of one process. Its name is read only if it has any.
func (h *holders) process(pid int) error {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	index := int32(-1)
	var link [64]byte
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			n, err := unix.Readlinkat(int(dir.Fd()), name, link[:])
			if err != nil {
				continue
			}
			text, ok := bytes.CutPrefix(link[:n], []byte("socket:["))
			if !ok || len(text) < 2 {
				continue
			}
			inode, ok := decimal(text[:len(text)-1])
			if !ok {
				continue
			}
			if _, taken := h.inodes[inode]; taken {
				continue
			}
			if index < 0 {
				index = int32(len(h.procs))
				h.procs = append(h.procs, describe(pid))
			}
			h.inodes[inode] = index
		}
		if err != nil || len(names) == 0 {
			return nil
		}
	}
}

// describe reads the name and the unit of a process.
func describe(pid int) connwarden.Process {
	p := connwarden.Process{PID: pid}
	base := "/proc/" + strconv.Itoa(pid)
	if b, err := os.ReadFile(base + "/comm"); err == nil {
		p.Name = strings.TrimSuffix(string(b), "\n")
	}
	if b, err := os.ReadFile(base + "/cgroup"); err == nil {
		p.Unit = unitOf(string(b))
	}
	return p
}

// listPIDs returns the PIDs of all processes, ascending.
func listPIDs() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
