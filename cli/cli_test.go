package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"connwarden": func() { os.Exit(Main(os.Args[1:], testSystem())) },
	})
}

// TestScripts runs testdata/*.txtar, the specification of the command line. A script has, besides testscript's own
// commands:
//
//	lines FILE N TEXT   append TEXT N times to FILE; {n} is the line's number from 0, {t} a time in an access log that
//	                    goes on by a second a line from 22 Nov 2026 14:00:00 UTC
//	exit N COMMAND…     run COMMAND and want the exit code N
//	bytes FILE HEX      append bytes to FILE
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: false,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CONNWARDEN_STATE_DIR", e.WorkDir+"/state")
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lines": cmdLines,
			"exit":  cmdExit,
			"bytes": cmdBytes,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lines FILE N TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	at := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for i := range n {
		b.WriteString(strings.NewReplacer("{n}", strconv.Itoa(i), "{t}", at.Format("02/Jan/2006:15:04:05 -0700")).Replace(args[2]) + "\n")
		at = at.Add(time.Second)
	}
	appendTo(ts, args[0], []byte(b.String()))
}

func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE HEX")
	}
	var b []byte
	_, err := fmt.Sscanf(args[1], "%x", &b)
	ts.Check(err)
	appendTo(ts, args[0], b)
}

func appendTo(ts *testscript.TestScript, name string, b []byte) {
	f, err := os.OpenFile(ts.MkAbs(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.Write(b)
	ts.Check(err)
	ts.Check(f.Close())
}

func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit N COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit interface{ ExitCode() int }
		ok := asExit(err, &exit)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func asExit(err error, exit *interface{ ExitCode() int }) bool {
	e, ok := err.(interface{ ExitCode() int })
	*exit = e
	return ok
}

// TestEveryCommandHasAScript fails for a command that no script runs.
func TestEveryCommandHasAScript(t *testing.T) {
	var all strings.Builder
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile("testdata/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, cmd := range (&command{env: System()}).root().Commands() {
		if !strings.Contains(all.String(), "connwarden "+cmd.Name()) {
			t.Errorf("no script runs connwarden %s", cmd.Name())
		}
	}
}
