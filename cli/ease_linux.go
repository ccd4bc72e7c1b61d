package cli

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden/store"
)

// ease gives back what a start needed and following does not: free parts of the heap, what SQLite freed, and those pages of the program's
// file that are mapped because they were used once. A page that is used again is mapped again, from the kernel's cache; of some
// 20 MB a quiet daemon uses 5.
func ease() {
	store.Trim()
	debug.FreeOSMemory()
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer file.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range unchanged(bufio.NewScanner(file), program) {
		// What cannot be given back stays.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// mapping is a part of the memory of this process.
type mapping struct{ from, to uintptr }

// unchanged lists the mappings of a file, of those that /proc/PID/smaps (proc(5)) tells of, that are as they are in the file:
// nobody may write there, and nobody did.
func unchanged(smaps *bufio.Scanner, file string) (list []mapping) {
	var m mapping
	ours := false
	for smaps.Scan() {
		words := strings.Fields(smaps.Text())
		switch {
		case len(words) >= 5 && !strings.HasSuffix(words[0], ":"): // 00400000-00faa000 r-xp 00000000 fe:00 1112 /usr/bin/connwarden
			from, to, _ := strings.Cut(words[0], "-")
			a, errA := strconv.ParseUint(from, 16, 64)
			b, errB := strconv.ParseUint(to, 16, 64)
			ours = errA == nil && errB == nil && len(words) == 6 && words[5] == file && strings.HasPrefix(words[1], "r-")
			m = mapping{uintptr(a), uintptr(b)}
		case ours && len(words) == 3 && words[0] == "Anonymous:" && words[1] == "0":
			list = append(list, m)
		}
	}
	return list
}
