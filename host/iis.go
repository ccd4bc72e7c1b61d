package host

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

// iisConfig is what applicationHost.config (Microsoft's "IIS Configuration Reference", system.applicationHost) says of logs.
type iisConfig struct {
	scan  *scan
	file  string
	sites []iisSite
	usual iisLog // siteDefaults
}

type iisSite struct {
	id, host string
	log      iisLog
	root     string
	line     int
}

// iisLog is a <logFile>: empty attributes come from siteDefaults.
type iisLog struct{ folder, format, enabled string }

// iisFolder is where IIS writes when nobody says otherwise.
const iisFolder = `%SystemDrive%\inetpub\logs\LogFiles`

// readIIS adds the newest log of each site; their names turn with the day. It adds HTTP.sys's own log of requests that
// came to no site, too.
func (s *scan) readIIS(file string) {
	c := iisConfig{scan: s, file: file}
	s.book().with(file, 0, "", func(text []byte) {
		if err := c.parse(text); err != nil {
			s.problem(file, err.Error()+": the rest is not read")
		}
	})
	for _, site := range c.sites {
		c.add(site)
	}
}

// findIIS adds what stands in IIS's usual places.
func (s *scan) findIIS() {
	folders, _, _ := s.tree.glob("/inetpub/logs/LogFiles/W3SVC*", s.lim.entries)
	for _, dir := range folders {
		s.found = append(s.found, candidate{
			name: dir + "/u_ex*.log", glob: true, newest: true, kind: Access, service: "iis", from: "usual place of IIS",
		})
	}
	s.found = append(s.found, candidate{
		name: "/Windows/System32/LogFiles/HTTPERR/httperr*.log", glob: true, newest: true, kind: Error, service: "iis", from: "usual place of HTTP.sys",
	})
}

func (c *iisConfig) parse(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var stack []string
	var now *iisSite
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(stack) > maxBlocks {
				return errors.New("elements too deep")
			}
			outer := ""
			if len(stack) > 0 {
				outer = stack[len(stack)-1]
			}
			stack = append(stack, t.Name.Local)
			attribute := func(name string) string {
				for _, a := range t.Attr {
					if a.Name.Local == name {
						return a.Value
					}
				}
				return ""
			}
			switch {
			case t.Name.Local == "site" && outer == "sites" && len(c.sites) < c.scan.lim.logs:
				line, _ := d.InputPos()
				c.sites = append(c.sites, iisSite{id: attribute("id"), line: line})
				now = &c.sites[len(c.sites)-1]
			case t.Name.Local == "logFile" && outer == "siteDefaults":
				c.usual = iisLog{attribute("directory"), attribute("logFormat"), attribute("enabled")}
			case now == nil:
			case t.Name.Local == "logFile" && outer == "site":
				now.log = iisLog{attribute("directory"), attribute("logFormat"), attribute("enabled")}
			case t.Name.Local == "binding" && now.host == "": // "*:443:example.com"
				info := attribute("bindingInformation")
				now.host = strings.ToLower(info[strings.LastIndexByte(info, ':')+1:])
			case t.Name.Local == "virtualDirectory" && now.root == "" && attribute("path") == "/":
				now.root = attribute("physicalPath")
			}
		case xml.EndElement:
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
			if t.Name.Local == "site" {
				now = nil
			}
		}
	}
}

func (c *iisConfig) add(site iisSite) {
	or := func(own, usual, last string) string {
		if own == "" {
			own = usual
		}
		if own == "" {
			own = last
		}
		return own
	}
	if root, ok := drivePath(site.root); ok {
		c.scan.docroot(Site{Server: "iis", Name: site.host, Dir: root})
	}
	if or(site.log.enabled, c.usual.enabled, "true") == "false" || !digits(site.id) {
		return
	}
	from := position{c.file, site.line}
	folder := or(site.log.folder, c.usual.folder, iisFolder)
	dir, ok := drivePath(folder)
	if !ok {
		c.scan.problem(from.String(), "IIS writes a log to "+folder+", which is not on the system's drive: name it")
		return
	}
	// The names are those of Microsoft's "Log Files for a Web Site": u_ for UTF-8, then the form, then the day.
	form := map[string]string{"NCSA": "nc", "IIS": "in"}[or(site.log.format, c.usual.format, "W3C")]
	if form == "" {
		form = "ex"
	}
	c.scan.found = append(c.scan.found, candidate{
		name: path.Join(dir, "W3SVC"+site.id, "*"+form+"*.log"), glob: true, newest: true, kind: Access, service: "iis", site: site.host,
		from: "iis configuration " + from.String(),
	})
}

// drivePath turns a path of Windows on the system's drive, which stands for "/", into ours.
func drivePath(name string) (string, bool) {
	rest, ok := cutFold(name, "%SystemDrive%")
	if !ok {
		rest, ok = cutFold(name, "C:")
	}
	rest = strings.ReplaceAll(rest, `\`, "/")
	if !ok || !strings.HasPrefix(rest, "/") || strings.ContainsAny(rest, "*?[") {
		return "", false
	}
	return path.Clean(rest), true
}

// cutFold cuts a prefix off, whatever its case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
