package host

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
)

// Site is a site of a web server, by its configuration.
type Site struct {
	Server string // "apache", "nginx", "litespeed", "lighttpd", "iis"
	Name   string // the host name; "" for what no host name leads to
	Dir    string // the root folder, which the site's owner writes; without the root
	// Port is where it is served, 0 where that is not known. Addr is the address of this machine on which alone it is served;
	// the zero Addr is any. Both are known of Apache.
	Addr netip.Addr
	Port uint16
	TLS  bool
}

// Sites lists the sites whose root folders are known, in the order of the configuration; one that is served on two ports is there
// twice.
func (h *Host) Sites() ([]Site, []connwarden.Problem) {
	s := h.scan(context.Background())
	s.readServers()
	return s.docroots, s.done()
}

// docroot notes the root folder of a site.
func (s *scan) docroot(site Site) {
	if dir := site.Dir; strings.HasPrefix(dir, "/") && dir != "/" && !strings.ContainsAny(dir, "$*?[") && len(s.docroots) < s.lim.logs {
		site.Dir = path.Clean(dir)
		s.docroots = append(s.docroots, site)
	}
}

// scriptLogs looks for what PHP writes into the folders of a site. A name without a folder, as cPanel sets "error_log",
// becomes a file beside each script: the root and wp-admin have those of nearly all. WordPress itself writes
// wp-content/debug.log when WP_DEBUG_LOG is set (its documentation, "Debugging in WordPress"). Other folders are not looked
// into: a site may have a million.
func (s *scan) scriptLogs() {
	names := []string{"error_log", "php_errorlog", "php_errors.log"}
	for _, name := range sortedKeys(s.beside) {
		if !strings.Contains(name, "..") && !slices.Contains(names, name) {
			names = append(names, name)
		}
		where := s.beside[name][0]
		if n := len(s.beside[name]) - 1; n > 0 {
			where += fmt.Sprintf(" and %d more", n)
		}
		s.problem(name, "PHP writes its errors to a file of this name in the folder of each script: looked for in the sites' root folders and wp-admin only ("+where+")")
	}
	seen := map[string]bool{}
	for _, root := range s.docroots {
		if seen[root.Dir] || s.ctx.Err() != nil {
			continue
		}
		seen[root.Dir] = true
		if _, info, err := s.tree.find(root.Dir); err != nil || !info.IsDir() {
			continue
		}
		s.scriptLog(root, "wp-content/debug.log", "WordPress's debug log")
		for _, name := range names {
			s.scriptLog(root, name, "PHP's log beside the scripts")
			s.scriptLog(root, "wp-admin/"+name, "PHP's log beside the scripts")
		}
	}
}

func (s *scan) scriptLog(root Site, name, from string) {
	full := path.Join(root.Dir, name)
	if _, info, err := s.tree.find(full); err == nil && info.Mode().IsRegular() {
		s.found = append(s.found, candidate{name: full, kind: Error, service: "php", site: root.Name, from: from})
	}
}
