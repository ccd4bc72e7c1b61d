package host

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// litespeed reads the configuration of LiteSpeed (XML) and OpenLiteSpeed (text), which say the same with nearly the same
// words: LiteSpeed's "Configuration Reference" (Server Log, Virtual Host Log), OpenLiteSpeed's conf/httpd_config.conf and
// vhconf.conf, CyberPanel's templates of both.
type litespeed struct {
	book *book
	root string // of the server: the folder above conf
}

// lsNode is an element of XML, or a line of text with what stands in its braces.
type lsNode struct {
	name  string // in lower case
	value string
	at    position
	kids  []*lsNode
}

// kid returns the last of the nodes below with a name; an empty node when there is none.
func (n *lsNode) kid(names ...string) *lsNode {
	for _, name := range names {
		found := &lsNode{}
		for _, k := range n.kids {
			if k.name == name {
				found = k
			}
		}
		n = found
	}
	return n
}

// lsHost is a virtual host on the way to its logs.
type lsHost struct{ name, root, domain string }

func (s *scan) readLiteSpeed(file string) *litespeed {
	l := &litespeed{book: s.book(), root: path.Dir(path.Dir(file))}
	l.server(l.parse(file, ""))
	return l
}

// server reads what the main file says.
func (l *litespeed) server(server *lsNode) {
	s := l.book.scan
	if top := server.kid("httpserverconfig"); top.name != "" {
		server = top
	}
	format := l.logs(server, lsHost{}, "")
	for _, list := range [...]*lsNode{server, server.kid("virtualhostlist")} {
		for _, k := range list.kids {
			if k.name == "virtualhost" {
				l.virtualHost(k, format)
			}
		}
	}
	for _, k := range server.kids {
		if k.name == "vhtemplate" {
			l.template(k, format)
		}
	}
	if server.kid("loadapacheconf").value == "1" { // in place of Apache, it reads that one's virtual hosts
		if file := server.kid("apacheconffile").value; strings.HasPrefix(file, "/") && s.tree.exists(file) {
			a := s.readApache(file, "", nil)
			l.book.files = append(l.book.files, a.book.files...)
		}
	}
}

// virtualHost reads a host that is named with its root and its own file.
func (l *litespeed) virtualHost(n *lsNode, format string) {
	host := lsHost{name: n.value}
	if host.name == "" {
		host.name = n.kid("name").value
	}
	host.root = l.full(n.kid("vhroot").value, host)
	l.hostFile(l.full(n.kid("configfile").value, host), n.at, host, format)
}

// template reads the hosts made from one template: their names, and where they differ.
func (l *litespeed) template(n *lsNode, format string) {
	made := l.parse(l.full(n.kid("templatefile").value, lsHost{}), n.at.String())
	for _, k := range n.kids {
		if k.name != "member" {
			continue
		}
		host := lsHost{name: k.value, domain: k.kid("vhdomain").value}
		host.root = l.full(made.kid("vhroot").value, host)
		config := made.kid("virtualhostconfig")
		l.logs(config, host, format)
		l.book.scan.docroot(Site{Server: "litespeed", Name: l.site(host), Dir: l.full(config.kid("docroot").value, host)})
	}
}

func (l *litespeed) hostFile(file string, from position, host lsHost, format string) {
	if file == "" {
		return
	}
	n := l.parse(file, from.String())
	if top := n.kid("virtualhostconfig"); top.name != "" {
		n = top
	}
	host.domain = l.expand(n.kid("vhdomain").value, host)
	l.logs(n, host, format)
	l.book.scan.docroot(Site{Server: "litespeed", Name: l.site(host), Dir: l.full(n.kid("docroot").value, host)})
}

// site is the first domain that is said to be the host's, or its name if that is one.
func (l *litespeed) site(host lsHost) string {
	for _, name := range append(strings.FieldsFunc(host.domain, func(c rune) bool { return c == ',' || c == ' ' }), host.name) {
		if isDomain(name) {
			return strings.ToLower(name)
		}
	}
	return ""
}

// logs adds the logs of a server or host and returns the format of its access log. useServer is 1 where the host's lines go
// into the server's log, and 2 where there is none.
func (l *litespeed) logs(n *lsNode, host lsHost, format string) string {
	logging := n.kid("logging") // of XML
	for _, log := range [...]*lsNode{n.kid("errorlog"), logging.kid("log")} {
		l.log(log, host, candidate{kind: Error})
	}
	for _, log := range [...]*lsNode{n.kid("accesslog"), logging.kid("accesslog")} {
		if text := log.kid("logformat").value; text != "" {
			format = text
		}
		l.log(log, host, candidate{kind: Access, format: format})
	}
	return format
}

func (l *litespeed) log(n *lsNode, host lsHost, c candidate) {
	name := n.value
	if name == "" {
		name = n.kid("filename").value
	}
	if use := n.kid("useserver").value; name == "" || use == "1" || use == "2" {
		return
	}
	c.name, c.service, c.configured, c.site, c.from = l.full(name, host), "litespeed", true, l.site(host), "litespeed configuration "+n.at.String()
	if strings.HasPrefix(c.name, "/") && !strings.Contains(c.name, "$") {
		l.book.scan.found = append(l.book.scan.found, c)
	}
}

// expand replaces the variables that paths may hold.
func (l *litespeed) expand(text string, host lsHost) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return strings.NewReplacer(
		"$SERVER_ROOT", l.root, "$VH_ROOT", strings.TrimSuffix(host.root, "/"), "$VH_NAME", host.name, "$VH_DOMAIN", host.domain,
	).Replace(text)
}

// full is a path; what is relative stands below the server's root. An empty one stays empty.
func (l *litespeed) full(name string, host lsHost) string {
	name = l.expand(name, host)
	switch {
	case name == "" || len(name) > maxValue:
		return ""
	case strings.HasPrefix(name, "/"):
		return path.Clean(name)
	default:
		return path.Join(l.root, name)
	}
}

// parse reads a file of either form. What cannot be read is an empty node.
func (l *litespeed) parse(file, from string) *lsNode {
	top := &lsNode{}
	if file == "" {
		return top
	}
	l.book.with(file, 0, from, func(text []byte) {
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte{'<'}) {
			if err := parseXML(text, file, top); err != nil {
				l.book.scan.problem(file, err.Error()+": the rest is not read")
			}
			return
		}
		parseLines(string(text), file, top)
	})
	return top
}

// maxNodes bounds the elements of one file; a host with ten thousand sites has some hundred thousand.
const maxNodes = 1_000_000

// parseXML reads elements without their attributes.
func parseXML(text []byte, file string, top *lsNode) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	stack := []*lsNode{top}
	for count := 0; ; {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		now := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxNodes || len(stack) > maxBlocks {
				return fmt.Errorf("more than %d elements, or %d deep", maxNodes, maxBlocks)
			}
			line, _ := d.InputPos()
			n := &lsNode{name: strings.ToLower(t.Name.Local), at: position{file, line}}
			now.kids = append(now.kids, n)
			stack = append(stack, n)
		case xml.CharData:
			if len(now.value)+len(t) <= maxLine {
				now.value += string(t)
			}
		case xml.EndElement:
			now.value = strings.TrimSpace(now.value)
			stack = stack[:len(stack)-1]
		}
	}
}

// parseLines reads "name value" and "name value {" … "}". A value that begins with "<<<WORD" goes on to the line that is WORD.
func parseLines(text, file string, top *lsNode) {
	stack := []*lsNode{top}
	until, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case until != "":
			if line == until {
				until = ""
			}
			continue
		case line == "" || line[0] == '#':
			continue
		case line[0] == '}':
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			continue
		}
		name, value := firstWord(line)
		value = strings.TrimSpace(value)
		_, until, _ = strings.Cut(value, "<<<")
		now := stack[len(stack)-1]
		k := &lsNode{name: strings.ToLower(name), at: position{file, n}}
		if before, ok := strings.CutSuffix(value, "{"); ok && len(stack) <= maxBlocks {
			value = strings.TrimSpace(before)
			stack = append(stack, k)
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		k.value = value
		now.kids = append(now.kids, k)
	}
}
