package hub_test

import (
	"context"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/connwarden/connwarden/cli"
	"github.com/connwarden/connwarden/hub"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"connwarden": func() { os.Exit(cli.Main(os.Args[1:], cli.System())) },
		"connwarden-hub": func() {
			os.Exit(hub.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
		},
	})
}

// TestPrograms runs both programs as people do. A script has, besides testscript's own commands:
//
//	await FORM COMMAND…   run COMMAND until it ends well and what it prints fits FORM
//	setenv NAME FILE      set NAME to the first line of FILE
func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use cat and kill")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("CONNWARDEN_HUB_DIR", e.WorkDir+"/hub")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": func(ts *testscript.TestScript, _ bool, args []string) {
				form := regexp.MustCompile("(?m)" + args[0])
				for deadline := time.Now().Add(time.Minute); ; {
					if ts.Exec(args[1], args[2:]...) == nil && form.MatchString(ts.ReadFile("stdout")) {
						return
					}
					if time.Now().After(deadline) {
						ts.Fatalf("nothing fits %q", args[0])
					}
					<-time.After(20 * time.Millisecond)
				}
			},
			"setenv": func(ts *testscript.TestScript, _ bool, args []string) {
				line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
				ts.Setenv(args[0], line)
			},
		},
	})
}
