package connwarden_test

import (
	"path"
	"strings"
	"testing"
)

// TestLayersPlanted plants one violation at a time and wants the sentence that names it, and nothing else: a checker
// that finds nothing would pass TestLayers.
func TestLayersPlanted(t *testing.T) {
	const doc = "// Package x is planted.\n"
	tests := []struct {
		name string
		file string
		text string
		want string // part of the one sentence; nothing when the source is clean
	}{
		// What is allowed.
		{"clean pure room", "nets/a.go", doc + "package nets\nimport \"net/netip\"\nvar _ netip.Addr\n", ""},
		{"ground for all", "nets/a.go", doc + "package nets\nimport _ \"" + module + "\"\n", ""},
		{"row allows", "logs/a.go", doc + "package logs\nimport _ \"" + module + "/nets\"\n", ""},
		{"everything below", "cli/a.go", doc + "package cli\nimport _ \"" + module + "/watch\"\n", ""},
		{"guest at home", "conns/a.go", doc + "package conns\nimport _ \"golang.org/x/sys/unix\"\n", ""},
		{"runner at home", "host/a.go", doc + "package host\nimport _ \"os/exec\"\n", ""},
		{"duration in a pure room", "nets/a.go", doc + "package nets\nimport \"time\"\nvar _ = time.Second\n", ""},
		{"file system as an interface", "nets/a.go", doc + "package nets\nimport _ \"io/fs\"\n", ""},
		{"tests are not pure", "nets/a_test.go", doc + "package nets\nimport _ \"os\"\n", ""},
		{"neighbour in an outer test", "nets/a_test.go", doc + "package nets_test\nimport _ \"" + module + "/tally\"\n", ""},
		{"plumbing in a test", "conns/a_test.go", doc + "package conns\nimport _ \"" + module + "/internal/netnstest\"\n", ""},
		{"guest of tests", "nets/a_test.go", doc + "package nets\nimport _ \"github.com/google/go-cmp/cmp\"\n", ""},
		{"folder of a tree", "bench/corpus/a.go", doc + "package corpus\nimport _ \"" + module + "/cli\"\n", ""},
		{"documented list", "nets/a.go", doc + "package nets\n// T is.\ntype T int\nconst (\n\tA T = iota\n\tB\n)\n", ""},
		{"documented method", "nets/a.go", doc + "package nets\ntype t int\nfunc (t) String() string { return \"\" }\n", ""},

		// Where imports may point.
		{"outside the row", "nets/a.go", doc + "package nets\nimport _ \"" + module + "/logs\"\n", `imports room "logs"`},
		{"ground imports a room", "a.go", doc + "package connwarden\nimport _ \"" + module + "/nets\"\n", `imports room "nets"`},
		{"upward", "judge/a.go", doc + "package judge\nimport _ \"" + module + "/watch\"\n", `imports room "watch"`},
		{"neighbour in an inner test", "nets/a_test.go", doc + "package nets\nimport _ \"" + module + "/tally\"\n", `imports room "tally"`},
		{"upward in an outer test", "nets/a_test.go", doc + "package nets_test\nimport _ \"" + module + "/watch\"\n", `imports room "watch"`},
		{"plumbing outside tests", "conns/a.go", doc + "package conns\nimport _ \"" + module + "/lab\"\n", "plumbing for tests"},
		{"import without a row", "cli/a.go", doc + "package cli\nimport _ \"" + module + "/util\"\n", `"util", which has no row`},
		{"room without a row", "util/a.go", doc + "package util\n", "no row in the table"},
		{"folder below a room", "nets/deep/a.go", doc + "package deep\n", "no row in the table"},
		{"guest elsewhere", "judge/a.go", doc + "package judge\nimport _ \"github.com/spf13/cobra\"\n", "no guest of room"},
		{"guest with a longer name", "cli/a.go", doc + "package cli\nimport _ \"github.com/spf13/cobra-extra\"\n", "no guest of room"},
		{"guest of tests in the source", "nets/a.go", doc + "package nets\nimport _ \"github.com/google/go-cmp/cmp\"\n", "no guest of room"},
		{"dot", "host/a.go", doc + "package host\nimport . \"strings\"\n", "with a dot"},
		{"cgo", "host/a.go", doc + "package host\nimport \"C\"\n", "uses cgo"},

		// Who may run programs.
		{"exec outside the runners", "watch/a.go", doc + "package watch\nimport _ \"os/exec\"\n", "imports os/exec"},
		{"exec in a pure room", "nets/a.go", doc + "package nets\nimport _ \"os/exec\"\n", "imports os/exec"},
		{"exec by the kernel's name", "conns/a.go", doc + "package conns\nimport \"syscall\"\nvar _ = syscall.ForkExec\n", "syscall.ForkExec"},
		{"exec by a renamed package", "watch/a.go", doc + "package watch\nimport o \"os\"\nvar _ = o.StartProcess\n", "os.StartProcess"},

		// What is pure.
		{"os", "nets/a.go", doc + "package nets\nimport _ \"os\"\n", "is pure"},
		{"net", "logs/a.go", doc + "package logs\nimport _ \"net\"\n", "is pure"},
		{"net/http", "report/a.go", doc + "package report\nimport _ \"net/http\"\n", "is pure"},
		{"syscall", "tally/a.go", doc + "package tally\nimport _ \"syscall\"\n", "is pure"},
		{"log", "judge/a.go", doc + "package judge\nimport _ \"log\"\n", "is pure"},
		{"log/slog", "faults/a.go", doc + "package faults\nimport _ \"log/slog\"\n", "is pure"},
		{"path/filepath", "where/a.go", doc + "package where\nimport _ \"path/filepath\"\n", "is pure"},
		{"now", "nets/a.go", doc + "package nets\nimport \"time\"\nvar _ = time.Now\n", "time.Now"},
		{"since", "judge/a.go", doc + "package judge\nimport \"time\"\nvar _ = time.Since\n", "time.Since"},
		{"renamed clock", "judge/a.go", doc + "package judge\nimport t \"time\"\nvar _ = t.After\n", "time.After"},
		{"zone files", "logs/a.go", doc + "package logs\nimport \"time\"\nvar _ = time.LoadLocation\n", "time.LoadLocation"},

		// Tests, comments, requirements.
		{"sleep in a test", "tail/a_test.go", doc + "package tail\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "a test sleeps"},
		{"renamed sleep in plumbing", "lab/a.go", doc + "package lab\nimport t \"time\"\nfunc f() { t.Sleep(1) }\n", "a test sleeps"},
		{"package without a comment", "nets/a.go", "package nets\n", "no package comment"},
		{"comment only in a test", "nets/a.go", "package nets\n", "no package comment"},
		{"tests without a comment", "bench/a_test.go", "package bench\n", "no package comment"},
		{"function", "nets/a.go", doc + "package nets\nfunc F() {}\n", "exported name F"},
		{"method", "nets/a.go", doc + "package nets\n// T is.\ntype T[K any] int\nfunc (*T[K]) M() {}\n", "exported name M"},
		{"type", "nets/a.go", doc + "package nets\ntype T int\n", "exported name T"},
		{"constant", "nets/a.go", doc + "package nets\nconst A = 1\n", "exported name A"},
		{"list of an undocumented type", "nets/a.go", doc + "package nets\ntype t int\nconst (\n\tA t = iota\n)\n", "exported name A"},
		{"variable", "nets/a.go", doc + "package nets\nvar (\n\tA int\n)\n", "exported name A"},
		{"no Go at all", "nets/a.go", "packag nets\n", "cannot be parsed"},
		{"reasons", "go.mod", "module x\n\ngo 1.26.0\n\nrequire (\n\tgolang.org/x/sys v1 // conns: netlink\n\tgolang.org/x/text v1 // indirect\n)\n", ""},
		{"no reason", "go.mod", "module x\nrequire golang.org/x/sys v1\n", "without a reason"},
		{"no reason in a block", "go.mod", "require (\n\tgolang.org/x/sys v1\n)\n", "without a reason"},
		{"guest of nobody", "go.mod", "require github.com/x/y v1 // cli: who knows\n", "guest of no room"},
		{"replace", "go.mod", "require golang.org/x/sys v1 // conns: netlink\nreplace golang.org/x/sys => ../sys\n", "replaces a module"},
		{"replace in a block", "go.mod", "replace (\n\tgolang.org/x/sys => ../sys\n)\n", "replaces a module"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{tt.file: tt.text}
			if tt.name == "comment only in a test" {
				files["nets/a_test.go"] = doc + "package nets\n"
			}
			got := check(files)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("a clean source is accused:\n%s", strings.Join(got, "\n"))
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("got %q, want one sentence with %q", got, tt.want)
			case len(got) == 1 && !strings.HasPrefix(got[0], strings.TrimSuffix(path.Dir(tt.file), ".")):
				t.Errorf("the sentence does not begin with its place: %q", got[0])
			}
		})
	}
}

// TestTable holds the table against itself.
func TestTable(t *testing.T) {
	for name, r := range rooms {
		for _, m := range r.may {
			if m == "*" {
				continue
			}
			if to, ok := rooms[m]; !ok || to.rank > r.rank {
				t.Errorf("room %q of rank %d may import %q of rank %d; imports point down", name, r.rank, m, to.rank)
			}
			if r.pure && !rooms[m].pure {
				t.Errorf("pure room %q may import %q, which is not pure", name, m)
			}
		}
		if r.pure && r.runs {
			t.Errorf("room %q is pure and may run programs", name)
		}
	}
}
