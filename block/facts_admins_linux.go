package block

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// adminGroups are those whose members may become root, by the sudoers files that Debian, Ubuntu, RHEL and SUSE ship.
var adminGroups = []string{"sudo", "wheel", "admin"}

// administrators are the accounts that are root, and those that may become it: members of the groups above, also those whose first
// group it is, and whom sudo's files name. Others who are logged in, a customer with a shell, are not spared.
func (f *facts) administrators() map[string]bool {
	named := f.sudoers()
	admins, groups := map[string]bool{"root": true}, map[string]bool{}
	for s := lines(f.read("/etc/group")); s.Scan(); {
		w := strings.Split(s.Text(), ":") // name password number members
		if len(w) < 4 || !slices.Contains(adminGroups, w[0]) && !named["%"+w[0]] && !named["%#"+w[2]] {
			continue
		}
		groups[w[2]] = true
		for user := range strings.SplitSeq(w[3], ",") {
			admins[strings.TrimSpace(user)] = true
		}
	}
	for s := lines(f.read("/etc/passwd")); s.Scan(); {
		w := strings.Split(s.Text(), ":") // name password number group …
		if len(w) >= 4 && (w[2] == "0" || groups[w[3]] || named["#"+w[2]]) {
			admins[w[0]] = true
		}
	}
	for name := range named { // also who is in no file, but in a directory
		admins[name] = true
	}
	return admins
}

// Bounds of what is read of sudo's files.
const (
	maxSudoers = 1000 // files
	maxAlias   = 16   // aliases of aliases
)

// sudoers reads whom the files of sudo let become somebody else, as sudoers(5) describes them: users, %groups, #numbers and
// %#numbers of groups. That all may do something makes nobody an administrator; who is excepted is not looked at.
func (f *facts) sudoers() map[string]bool {
	r := &sudoers{facts: f, aliases: map[string][]string{}}
	r.file("/etc/sudoers")
	r.file("/usr/etc/sudoers") // SUSE's, of which the other is the administrator's copy
	named := map[string]bool{}
	for _, name := range r.users {
		r.name(named, name, 0)
	}
	return named
}

type sudoers struct {
	*facts
	files   int
	aliases map[string][]string
	users   []string // also aliases
}

func (r *sudoers) name(named map[string]bool, name string, depth int) {
	list, alias := r.aliases[name]
	switch {
	case alias && depth < maxAlias:
		for _, one := range list {
			r.name(named, one, depth+1)
		}
	case name != "ALL":
		named[name] = true
	}
}

// file reads a file as sudo would: if it is root's, and nobody else can write it.
func (r *sudoers) file(name string) {
	if r.files++; r.files > maxSudoers {
		return
	}
	text, err := sudoersFile(r.path(name))
	r.problem(name, err)
	rest := string(text)
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		for strings.HasSuffix(line, `\`) && !isComment(line) && rest != "" {
			var next string
			next, rest, _ = strings.Cut(rest, "\n")
			line = line[:len(line)-1] + next
		}
		r.line(name, line)
	}
}

// isComment tells of "# text"; "#include" and "#1000 ALL = ALL" are none.
func isComment(line string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
	return ok && !strings.HasPrefix(rest, "include") && (rest == "" || rest[0] < '0' || rest[0] > '9')
}

func sudoersFile(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if !info.Mode().IsRegular() || owner != 0 && int(owner) != os.Geteuid() || info.Mode().Perm()&0o002 != 0 {
		return nil, errors.New("not a regular file that only root writes")
	}
	return io.ReadAll(io.LimitReader(file, maxFacts))
}

func (r *sudoers) line(file, line string) {
	line = strings.TrimSpace(line)
	word, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	switch word {
	case "@include", "#include":
		r.file(beside(file, rest))
		return
	case "@includedir", "#includedir":
		r.folder(beside(file, rest))
		return
	case "User_Alias":
		for rest != "" {
			name, list, _ := strings.Cut(rest, "=")
			name = strings.Trim(name, " :")
			r.aliases[name], rest = sudoNames(list)
		}
		return
	case "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias":
		return
	}
	if isComment(line) || strings.HasPrefix(word, "Defaults") {
		return
	}
	if names, rest := sudoNames(line); strings.Contains(rest, "=") { // USERS HOSTS = COMMANDS
		r.users = append(r.users, names...)
	}
}

// beside is the path that an include of a file names.
func beside(file, path string) string {
	path = strings.ReplaceAll(strings.Trim(path, ` "`), `\ `, " ")
	if strings.Contains(path, "%h") {
		host, _ := os.Hostname()
		host, _, _ = strings.Cut(host, ".")
		path = strings.ReplaceAll(path, "%h", host)
	}
	if !strings.HasPrefix(path, "/") {
		path = filepath.Join(filepath.Dir(file), path)
	}
	return path
}

// folder reads a folder of files; sudo passes over those with a dot in their names, or a tilde at their end.
func (r *sudoers) folder(name string) {
	list, err := os.ReadDir(r.path(name))
	r.problem(name, err)
	for _, e := range list {
		if !e.IsDir() && !strings.Contains(e.Name(), ".") && !strings.HasSuffix(e.Name(), "~") {
			r.file(name + "/" + e.Name())
		}
	}
}

// sudoNames reads the names of a list, as in "anna, %ops,!bert", and returns what follows it. Names with an exclamation mark are
// passed over.
func sudoNames(text string) (names []string, rest string) {
	for {
		text = strings.TrimLeft(text, " \t")
		bare := strings.TrimLeft(text, "! \t")
		name, after := sudoName(bare)
		if name == "" {
			return names, after
		}
		if len(bare) == len(text) {
			names = append(names, name)
		}
		after = strings.TrimLeft(after, " \t")
		if !strings.HasPrefix(after, ",") {
			return names, after
		}
		text = after[1:]
	}
}

// sudoName reads one name: a backslash takes the next letter for itself, and so do quotes with what is in them.
func sudoName(text string) (name, rest string) {
	var b []byte
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b = append(b, text[i])
		case c == '"':
			quoted = !quoted
		case !quoted && (strings.IndexByte(" \t,=", c) >= 0 || c == ':' && string(b) != "%"): // "%:group" is of a directory
			return string(b), text[i:]
		default:
			b = append(b, c)
		}
	}
	return string(b), ""
}
