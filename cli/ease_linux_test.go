package cli

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnchanged(t *testing.T) {
	const smaps = `00400000-00faa000 r-xp 00000000 fe:00 11124904                           /usr/bin/connwarden
Rss:               10472 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me dw
00faa000-020c0000 r--p 00baa000 fe:00 11124904                           /usr/bin/connwarden
Anonymous:             0 kB
020c0000-020d0000 r--p 01cc0000 fe:00 11124904                           /usr/bin/connwarden
Anonymous:            64 kB
020d0000-021bd000 rw-p 01cd0000 fe:00 11124904                           /usr/bin/connwarden
Anonymous:             0 kB
7f8df45ef000-7f8df480f000 r--p 00000000 fe:00 17                         /usr/lib/libc.so.6
Anonymous:             0 kB
7f8df5010000-7f8df5150000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
`
	got := unchanged(bufio.NewScanner(strings.NewReader(smaps)), "/usr/bin/connwarden")
	if diff := cmp.Diff([]mapping{{0x400000, 0xfaa000}, {0xfaa000, 0x20c0000}}, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Error(diff)
	}
}

// FuzzUnchanged holds that no text of a kernel breaks the reading, and that nothing is taken that is not of the file.
func FuzzUnchanged(f *testing.F) {
	f.Add("00400000-00faa000 r-xp 00000000 fe:00 11 /x\nAnonymous: 0 kB\n")
	f.Add("-\n: :\nAnonymous:\n")
	f.Fuzz(func(t *testing.T, text string) {
		if list := unchanged(bufio.NewScanner(strings.NewReader(text)), "/x"); len(list) > strings.Count(text, "/x") {
			t.Errorf("%d mappings", len(list))
		}
	})
}

// TestKernelEase: a program that gave its pages back has fewer, and goes on.
func TestKernelEase(t *testing.T) {
	before := mapped(t)
	ease()
	if after := mapped(t); after >= before {
		t.Errorf("%d KiB of files are mapped, %d before", after, before)
	}
}

// mapped is how much of files this process has in memory, in KiB.
func mapped(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
