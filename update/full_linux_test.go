package update

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/connwarden/connwarden/geo"
)

// fullDisk tells the test's own process in a namespace of mounts where its small disk is to be.
const fullDisk = "CONNWARDEN_TEST_FULL_DISK"

// TestKernelFullDisk updates on a disk that has no room for what comes, in a namespace of mounts of its own, and wants all
// that was there to be as it was, and nothing beside it.
func TestKernelFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small disk in a namespace of its own")
	}
	dir := os.Getenv(fullDisk)
	if dir == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKernelFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestKernelFullDisk") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	const old = "8.8.8.0/24\n"
	put(t, dir, "ranges/googlebot.txt", old)
	put(t, dir, geo.File, "what was here before")
	var list strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&list, "8.%d.%d.1\n", i/256, i%256)
	}
	mirror := t.TempDir()
	put(t, mirror, geo.File, table(t, today, func(b []byte) { b[headOfNames]++ }))
	put(t, mirror, "ranges/googlebot.txt", list.String())
	o := options(dir, Source{Name: Networks}, Source{"googlebot", nil, 1})
	o.From = mirror
	for _, got := range Run(t.Context(), o) {
		if got.State != Failed || !strings.Contains(got.Err.Error(), "no space left") {
			t.Errorf("%+v", got)
		}
	}
	if f := files(t, dir); !mapsEqual(f, map[string]string{"ranges/googlebot.txt": old, geo.File: "what was here before"}) {
		t.Errorf("the folder has %q", keys(f))
	}
}

// headOfNames is somewhere in the name of the first system of a table.
const headOfNames = 52 + 2 + 8
