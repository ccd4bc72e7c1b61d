package wire

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKernelPeers asks as another account: it is refused whatever the file's rights are, unless the configuration lets it.
func TestKernelPeers(t *testing.T) {
	const nobody = 65534
	if path := os.Getenv("WIRE_TEST_SOCKET"); path != "" {
		c, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println("no connection:", err)
			os.Exit(0)
		}
		fmt.Fprint(c, "GET "+os.Getenv("WIRE_TEST_PATH")+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		text, _ := io.ReadAll(c)
		fmt.Println(string(text))
		os.Exit(0)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: asks as another account")
	}
	self := filepath.Join(t.TempDir(), "test")
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(self); dir != os.TempDir() && len(dir) > 4; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			break
		}
	}
	if err := os.WriteFile(self, text, 0o755); err != nil {
		t.Fatal(err)
	}
	ask := func(path, what string, groups ...uint32) string {
		cmd := exec.Command(self, "-test.run=^TestKernelPeers$")
		cmd.Env = append(os.Environ(), "WIRE_TEST_SOCKET="+path, "WIRE_TEST_PATH="+what)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: groups}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	for _, c := range []struct {
		name   string
		what   string
		place  Place
		rights os.FileMode // 0: as they are
		groups []uint32
		want   string
	}{
		{"closed", "/review", Place{Group: -1}, 0, nil, "permission denied"},
		{"closed, rights loosened", "/review", Place{Group: -1}, 0o666, nil, "403 Forbidden"},
		{"a group", "/review", Place{Group: 4321}, 0, []uint32{4321}, "200 OK"},
		{"a group, of the fleet", "/fleet", Place{Group: 4321}, 0, []uint32{4321}, "200 OK"},
		{"a group, of another host", "/fleet/web1", Place{Group: 4321}, 0, []uint32{4321}, "403 Forbidden"},
		{"another group", "/review", Place{Group: 4321}, 0, []uint32{4322}, "permission denied"},
		{"open", "/review", Place{Group: -1, Open: true}, 0, nil, "200 OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, path := serve(t, &fake{}, c.place)
			if c.rights != 0 {
				if err := os.Chmod(path, c.rights); err != nil {
					t.Fatal(err)
				}
			}
			if got := ask(path, c.what, c.groups...); !strings.Contains(got, c.want) {
				t.Errorf("%s without %q", got, c.want)
			}
		})
	}
}
