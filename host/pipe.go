package host

import (
	"path"
	"strings"
)

// pipe is what a piped log ("|rotatelogs …") writes to.
type pipe struct {
	name   string // a pattern; "" when unknown
	newest bool   // only the match written last is current
	quiet  bool   // a program whose files are found in a panel's usual place
	why    string // when name is "" and not quiet
}

// readPipe understands rotatelogs (Apache's own, its manual page) and cronolog (its manual page) with a file fixed in
// the argument list. command begins after the bar. vlogger (ISPConfig) and splitlogs (cPanel) write to the usual
// places of their panels.
func readPipe(command string) pipe {
	command = strings.TrimLeft(command, "|$ \t")
	w := words(command)
	if len(w) == 0 {
		return pipe{why: "piped to nothing"}
	}
	switch program := path.Base(w[0]); program {
	case "rotatelogs", "rotatelogs2":
		return readRotatelogs(w[1:])
	case "cronolog", "cronosplit":
		return readCronolog(w[1:])
	case "vlogger", "splitlogs":
		return pipe{quiet: true}
	default:
		return pipe{why: "piped to " + program + ": where that writes is not known"}
	}
}

func readRotatelogs(args []string) pipe {
	link, number, truncate := "", false, false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && len(args[0]) > 1 {
		flags := args[0][1:]
		args = args[1:]
		for i := 0; i < len(flags); i++ {
			switch flags[i] {
			case 't':
				truncate = true
			case 'L', 'p', 'n':
				value := flags[i+1:]
				if value == "" && len(args) > 0 {
					value, args = args[0], args[1:]
				}
				if flags[i] == 'L' {
					link = value
				}
				number = number || flags[i] == 'n'
				i = len(flags)
			}
		}
	}
	if link != "" {
		return pipe{name: link}
	}
	if len(args) == 0 || args[0] == "" {
		return pipe{why: "piped to rotatelogs without a file"}
	}
	name := args[0]
	switch {
	case truncate:
		return pipe{name: name}
	case strings.Contains(name, "%"):
		return pipe{name: strftimePattern(name), newest: true}
	case number:
		return pipe{name: name + "*", newest: true}
	default: // rotatelogs appends the second at which the file begins
		return pipe{name: name + ".[0-9]*", newest: true}
	}
}

func readCronolog(args []string) pipe {
	link := ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && len(args[0]) > 1 {
		flag := args[0]
		args = args[1:]
		if name, value, ok := strings.Cut(flag, "="); ok {
			if name == "--symlink" || name == "--hardlink" || name == "--link" {
				link = value
			}
			continue
		}
		switch flag {
		case "-H", "-S", "-l", "--symlink", "--hardlink", "--link":
			if len(args) > 0 {
				link, args = args[0], args[1:]
			}
		case "-P", "-p", "-d", "-x", "-z", "--prev-symlink", "--period", "--delay", "--debug", "--time-zone":
			if len(args) > 0 {
				args = args[1:]
			}
		}
	}
	switch {
	case link != "":
		return pipe{name: link}
	case len(args) == 0 || args[0] == "":
		return pipe{why: "piped to cronolog without a file"}
	case strings.Contains(args[0], "%"):
		return pipe{name: strftimePattern(args[0]), newest: true}
	default:
		return pipe{name: args[0]}
	}
}

// strftimePattern puts a star for each conversion of strftime(3).
func strftimePattern(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' || i+1 == len(name) {
			b.WriteByte(name[i])
			continue
		}
		i++
		if name[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if (name[i] == 'E' || name[i] == 'O') && i+1 < len(name) {
			i++
		}
		if s := b.String(); !strings.HasSuffix(s, "*") {
			b.WriteByte('*')
		}
	}
	return b.String()
}

// words splits a command line at blanks, as a shell would for plain quotes. Nothing is expanded.
func words(s string) []string {
	var out []string
	var b strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				out = append(out, b.String())
				b.Reset()
			}
			in = false
		default:
			in = true
			b.WriteByte(c)
		}
	}
	if in {
		out = append(out, b.String())
	}
	return out
}
