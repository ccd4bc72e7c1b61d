package connwarden_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that every import of our own begins with.
const module = "github.com/connwarden/connwarden"

// row is one line of the table of rooms. Imports of the standard library are free, but for what a pure room may not
// have; the root package is free for everyone.
type row struct {
	rank   int
	may    []string // rooms of this module, complete; "*" is every room of a lower rank
	guests []string // modules of others that live here; a folder below them is meant too
	pure   bool     // no I/O, no clock, no log: bytes and times come in as arguments
	runs   bool     // may start other programs
	tests  bool     // plumbing for tests: only test files and other plumbing may import it
	tree   bool     // the row is that of the folders below, too
}

const (
	bubbletea = "charm.land/bubbletea/v2"
	dbus      = "github.com/godbus/dbus/v5"
	maxmind   = "github.com/oschwald/maxminddb-golang/v2"
	mdlayher  = "github.com/mdlayher/netlink"
	netlink   = "github.com/vishvananda/netlink"
	nftables  = "github.com/google/nftables"
	sqlite    = "modernc.org/sqlite"
	memory    = "modernc.org/memory"
	cobra     = "github.com/spf13/cobra"
	compress  = "github.com/klauspost/compress"
	nats      = "github.com/nats-io/nats.go"
	natsJWT   = "github.com/nats-io/jwt/v2"
	natsd     = "github.com/nats-io/nats-server/v2"
	nkeys     = "github.com/nats-io/nkeys"
	runewidth = "github.com/mattn/go-runewidth"
	toml      = "github.com/pelletier/go-toml/v2"
	xsys      = "golang.org/x/sys"
)

// rooms is the plan of the house: ARCHITECTURE.md shows it as a picture, this map is what holds. A room of rank 1
// knows the ground alone, so that it can be read, tested and replaced alone; logs may ask nets whether a proxy is
// trusted, and daemons what the message of a login or mail daemon means.
//
// External test packages (package x_test) may import rooms of their own rank besides: a catalogue of faults is
// proved on lines that the real parsers read, and a discovery on the real formats. The room itself stays ignorant.
var rooms = map[string]row{
	"":               {rank: 0, pure: true},
	"nets":           {rank: 1, pure: true},
	"report":         {rank: 1, pure: true, guests: []string{runewidth}},
	"logs":           {rank: 1, pure: true, may: []string{"nets", "daemons"}},
	"daemons":        {rank: 1, pure: true},
	"tally":          {rank: 1, pure: true},
	"faults":         {rank: 1, pure: true},
	"where":          {rank: 1, pure: true},
	"ngx":            {rank: 1, pure: true},
	"conns":          {rank: 1, guests: []string{xsys}},
	"tail":           {rank: 1, guests: []string{xsys, compress}, runs: true},             // xz, bzip2, journalctl
	"host":           {rank: 1, may: []string{"ngx"}, guests: []string{xsys}, runs: true}, // asks servers for their settings
	"rules":          {rank: 2, pure: true, may: []string{"where"}, guests: []string{toml}},
	"geo":            {rank: 1, guests: []string{maxmind}},
	"tell":           {rank: 2, may: []string{"report"}, runs: true}, // sendmail, the user's own command
	"warehouse":      {rank: 2, may: []string{"report"}},
	"fleet":          {rank: 1, guests: []string{nats, nkeys}},
	"update":         {rank: 2, may: []string{"geo", "nets"}},
	"bots":           {rank: 1, may: []string{"nets"}},
	"bots/gen":       {rank: 2, tests: true, may: []string{"nets"}}, // makes the data; run by hand
	"store":          {rank: 2, may: []string{"block"}, guests: []string{sqlite, memory}},
	"history":        {rank: 2, may: []string{"report"}, guests: []string{sqlite}},
	"hand":           {rank: 2, may: []string{"block"}, guests: []string{xsys}, runs: true}, // the process that reads
	"wire":           {rank: 2, may: []string{"report"}},
	"judge":          {rank: 3, pure: true, may: []string{"nets", "tally", "rules"}},
	"block":          {rank: 1, may: []string{"nets"}},
	"gather":         {rank: 2, may: []string{"nets", "daemons", "logs", "tail", "host"}},
	"watch":          {rank: 4, may: []string{"nets", "geo", "bots", "report", "tally", "faults", "where", "conns", "logs", "tail", "host", "gather", "rules", "judge", "block"}},
	"live":           {rank: 4, may: []string{"nets", "geo", "bots", "report", "faults", "conns", "logs", "tail", "host", "gather", "rules", "judge", "block"}},
	"web":            {rank: 4, may: []string{"report", "web/paper"}},
	"web/paper":      {rank: 3, pure: true, may: []string{"report"}}, // the report as one file; what the page shares with it
	"tui":            {rank: 4, may: []string{"report"}, guests: []string{bubbletea, runewidth}},
	"cli":            {rank: 5, may: []string{"*"}, guests: []string{cobra, toml, xsys}},
	"cmd/connwarden": {rank: 6, may: []string{"cli"}},

	"hub":                {rank: 5, may: []string{"fleet"}, guests: []string{nats, natsJWT, natsd, nkeys}}, // as high as cli, which must not link the server
	"cmd/connwarden-hub": {rank: 6, may: []string{"hub"}},

	"block/blocktest": {rank: 2, tests: true, may: []string{"block", "internal/netnstest"}},
	"block/program":   {rank: 1, runs: true}, // how drivers start programs
	"block/canary":    {rank: 1},             // whether a web server refuses whom it is told to
	"block/multiport": {rank: 1, pure: true}, // words of rules of iptables
	"block/span":      {rank: 1, pure: true}, // ranges of addresses as other programs write them
	"block/nft":       {rank: 2, may: []string{"block"}, guests: []string{nftables, mdlayher, xsys}},
	"block/ipset":     {rank: 2, may: []string{"block", "block/multiport", "block/program"}, guests: []string{netlink, xsys}},
	"block/iptables":  {rank: 2, may: []string{"block", "block/multiport", "block/program"}},
	"block/firewalld": {rank: 2, may: []string{"block"}, guests: []string{dbus}},
	"block/htaccess":  {rank: 2, may: []string{"block", "block/canary"}, guests: []string{xsys}},
	"block/nginx":     {rank: 2, may: []string{"ngx", "block", "block/canary", "block/program"}},
	"block/csf":       {rank: 2, may: []string{"block", "block/program"}},
	"block/plesk":     {rank: 2, may: []string{"block", "block/program"}},
	"block/cphulk":    {rank: 2, may: []string{"block", "block/program", "block/span"}},
	"block/cpanel":    {rank: 2, may: []string{"block", "block/program"}},
	"block/windows":   {rank: 2, may: []string{"block", "block/program", "block/span"}},
	"block/null":      {rank: 2, may: []string{"block"}},

	"geo/gen":            {rank: 2, tests: true, may: []string{"geo"}},
	"internal/netnstest": {tests: true, guests: []string{xsys}, runs: true}, // ip(8)
	"lab/truth":          {rank: 5, tests: true, may: []string{"*"}},        // worlds of known truth, and the court that reviews them
	"packaging":          {tests: true, guests: []string{xsys}, runs: true}, // installs packages on a machine of its own
	"lab":                {tests: true, guests: []string{xsys}, runs: true},
	"lab/fleet":          {rank: 6, tests: true, may: []string{"*"}, guests: []string{nats}, runs: true},   // a fleet, its hub and who would harm it
	"lab/range":          {rank: 6, tests: true, may: []string{"lab"}, guests: []string{xsys}, runs: true}, // attacks on a machine that connwarden watches
	"bench":              {rank: 6, tests: true, may: []string{"*"}, guests: []string{xsys, compress, nats}, runs: true, tree: true},
}

// testGuests may be imported by every test file and by nothing else.
var testGuests = []string{"github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "go.uber.org/goleak"}

// unclean are the standard packages that reach outside. io/fs is not among them: it is an interface, and a file
// system of the machine cannot be had without os. Everything below these paths is meant too.
var unclean = []string{"log", "net", "os", "path/filepath", "plugin", "runtime/pprof", "syscall"}

// clock are the names in package time that read a clock, wait for one, or read the machine's zone files.
var clock = []string{
	"After", "AfterFunc", "LoadLocation", "Local", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

// starters start another program without os/exec.
var starters = map[string][]string{
	"os":           {"StartProcess"},
	"syscall":      {"Exec", "ForkExec", "StartProcess"},
	xsys + "/unix": {"Exec"},
}

// TestLayers holds the whole source against the table of rooms.
func TestLayers(t *testing.T) {
	files := map[string]string{}
	err := filepath.WalkDir(".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return into(name, e.Name())
		case name != "go.mod" && filepath.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("only %d files found: not in the root of the module", len(files))
	}
	for _, s := range check(files) {
		t.Error(s)
	}
}

// into tells whether to walk into a folder: not where the go command would not look, and not into other modules.
func into(name, base string) error {
	if name == "." {
		return nil
	}
	if base == "testdata" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// checker collects sentences about one source tree.
type checker struct {
	fset  *token.FileSet
	files map[string]*ast.File // by slash-separated name
	said  []string
}

// check holds a source tree (names to contents, go.mod among them) against the table and returns a sentence for each
// violation, in the order of file names.
func check(files map[string]string) []string {
	c := &checker{fset: token.NewFileSet(), files: map[string]*ast.File{}}
	names := slices.Sorted(maps.Keys(files))
	packages := map[string][]string{}
	for _, name := range names {
		if name == "go.mod" {
			c.requirements(files[name])
			continue
		}
		f, err := parser.ParseFile(c.fset, name, files[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			c.say(name, "cannot be parsed: %v", err)
			continue
		}
		c.files[name] = f
		dir := strings.TrimSuffix(path.Dir(name), ".")
		packages[dir] = append(packages[dir], name)
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		c.room(dir, packages[dir])
	}
	return c.said
}

func (c *checker) say(where, format string, args ...any) {
	c.said = append(c.said, where+": "+fmt.Sprintf(format, args...))
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

// find returns the row of a folder.
func find(dir string) (row, bool) {
	if r, ok := rooms[dir]; ok {
		return r, true
	}
	for up := path.Dir(dir); up != "."; up = path.Dir(up) {
		if r, ok := rooms[up]; ok && r.tree {
			return r, true
		}
	}
	return row{}, false
}

// room checks one folder with Go files.
func (c *checker) room(dir string, names []string) {
	r, ok := find(dir)
	if !ok {
		c.say(dir, "this room has no row in the table of layers_test.go; give it a rank and say what it may import")
		return
	}
	c.packageComment(dir, names)
	types := c.documentedTypes(names)
	for _, name := range names {
		c.imports(dir, name, r)
		c.calls(name, r)
		if !isTest(name) && c.files[name].Name.Name != "main" {
			c.comments(name, types)
		}
	}
}

// packageComment wants one file to say what the package is. A folder of tests alone says it in a test.
func (c *checker) packageComment(dir string, names []string) {
	onlyTests := !slices.ContainsFunc(names, func(name string) bool { return !isTest(name) })
	for _, name := range names {
		if (onlyTests || !isTest(name)) && strings.TrimSpace(c.files[name].Doc.Text()) != "" {
			return
		}
	}
	c.say(path.Join(dir, "."), "package %s has no package comment", c.files[names[0]].Name.Name)
}

// imports checks the import lines of one file.
func (c *checker) imports(dir, name string, r row) {
	f := c.files[name]
	outer := strings.HasSuffix(f.Name.Name, "_test") // an external test package
	for _, spec := range f.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		where := c.fset.Position(spec.Pos()).String()
		if spec.Name != nil && spec.Name.Name == "." {
			c.say(where, "imports %s with a dot, which hides where names come from", imp)
		}
		first, _, _ := strings.Cut(imp, "/")
		switch {
		case imp == "C":
			c.say(where, "uses cgo; the program is one static binary")
		case imp == module || strings.HasPrefix(imp, module+"/"):
			c.ours(where, dir, name, r, strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"), outer)
		case strings.Contains(first, "."):
			if !under(imp, r.guests) && !(isTest(name) && under(imp, testGuests)) {
				c.say(where, "imports %s, which is no guest of room %q", imp, dir)
			}
		case isTest(name):
		case imp == "os/exec" && !r.runs:
			c.say(where, "imports os/exec; only host, tail and drivers may start other programs")
		case r.pure && imp != "net/netip" && under(imp, unclean):
			c.say(where, "imports %s, but room %q is pure: no files, sockets, processes or logs", imp, dir)
		}
	}
}

// ours checks the import of a room.
func (c *checker) ours(where, dir, name string, r row, room string, outer bool) {
	to, ok := find(room)
	switch {
	case !ok:
		c.say(where, "imports room %q, which has no row", room)
	case to.tests:
		if !isTest(name) && !r.tests {
			c.say(where, "imports %q, which is plumbing for tests", room)
		}
	case room == "" || room == dir || slices.Contains(r.may, room):
	case slices.Contains(r.may, "*") && to.rank < r.rank:
	case isTest(name) && (r.tests || outer && to.rank <= r.rank):
	default:
		c.say(where, "imports room %q; the row of %q allows only %q", room, dir, r.may)
	}
}

// under tells whether an import path is one of the modules, or in one of them.
func under(imp string, modules []string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") })
}

// calls looks for names that a room may not use although their package is free.
func (c *checker) calls(name string, r row) {
	f := c.files[name]
	local := map[string]string{} // the name in this file to the import path
	for _, spec := range f.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		local[path.Base(imp)] = imp
		if spec.Name != nil {
			delete(local, path.Base(imp))
			local[spec.Name.Name] = imp
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		imp, what := local[x.Name], sel.Sel.Name
		where := c.fset.Position(sel.Pos()).String()
		switch {
		case imp == "time" && what == "Sleep" && (isTest(name) || r.tests):
			c.say(where, "a test sleeps; wait for the event itself, or use a synthetic clock")
		case isTest(name):
		case imp == "time" && r.pure && slices.Contains(clock, what):
			c.say(where, "uses time.%s in a pure room; times come in as arguments", what)
		case slices.Contains(starters[imp], what) && !r.runs:
			c.say(where, "uses %s.%s; only host, tail and drivers may start other programs", path.Base(imp), what)
		}
		return true
	})
}

// documentedTypes are the types of a package that have a comment: a list of constants of such a type needs no other.
func (c *checker) documentedTypes(names []string) map[string]bool {
	types := map[string]bool{}
	for _, name := range names {
		for _, decl := range c.files[name].Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.TypeSpec)
				types[s.Name.Name] = g.Doc.Text() != "" || s.Doc.Text() != ""
			}
		}
	}
	return types
}

// comments wants a doc comment on every exported name. In a group of constants or variables a comment on the group, above
// or beside the name will do, as will the comment of the type that the group lists the values of.
func (c *checker) comments(name string, types map[string]bool) {
	for _, decl := range c.files[name].Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
				c.undocumented(d.Name)
			}
		case *ast.GenDecl:
			whole := d.Doc.Text() != ""
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && !whole && s.Doc.Text() == "" {
						c.undocumented(s.Name)
					}
				case *ast.ValueSpec:
					if t, ok := s.Type.(*ast.Ident); ok && d.Tok == token.CONST && types[t.Name] {
						whole = true
					}
					for _, n := range s.Names {
						if n.IsExported() && !whole && s.Doc.Text() == "" && s.Comment.Text() == "" {
							c.undocumented(n)
						}
					}
				}
			}
		}
	}
}

func (c *checker) undocumented(n *ast.Ident) {
	c.say(c.fset.Position(n.Pos()).String(), "exported name %s has no doc comment", n.Name)
}

// receiver is the type's name in a method's receiver.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}

// requirements checks go.mod: nothing replaced, a reason beside every direct requirement, and a room for it.
func (c *checker) requirements(text string) {
	known := slices.Clone(testGuests)
	for _, r := range rooms {
		known = append(known, r.guests...)
	}
	block := ""
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("go.mod:%d", i+1)
		code, reason, _ := strings.Cut(line, "//")
		reason = strings.TrimSpace(reason)
		words := strings.Fields(code)
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		}
		verb := block
		if verb == "" {
			verb, words = words[0], words[1:]
		}
		switch verb {
		case "replace":
			c.say(where, "replaces a module; what we build must be what others build")
		case "require":
			switch {
			case reason == "indirect" || strings.HasPrefix(reason, "indirect;"):
			case reason == "":
				c.say(where, "requires %s without a reason in a comment beside it", words[0])
			case !under(words[0], known):
				c.say(where, "requires %s, which is the guest of no room", words[0])
			}
		}
	}
}
