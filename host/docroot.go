package host

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// docroot notes the root folder of a site.
func (s *scan) docroot(dir, site string) {
	if strings.HasPrefix(dir, "/") && dir != "/" && !strings.ContainsAny(dir, "$*?[") && len(s.docroots) < s.lim.logs {
		s.docroots = append(s.docroots, docroot{path.Clean(dir), site})
	}
}

// docroot is the root folder of a site, which its owner writes.
type docroot struct{ dir, site string }

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
		if seen[root.dir] || s.ctx.Err() != nil {
			continue
		}
		seen[root.dir] = true
		if _, info, err := s.tree.find(root.dir); err != nil || !info.IsDir() {
			continue
		}
		s.scriptLog(root, "wp-content/debug.log", "WordPress's debug log")
		for _, name := range names {
			s.scriptLog(root, name, "PHP's log beside the scripts")
			s.scriptLog(root, "wp-admin/"+name, "PHP's log beside the scripts")
		}
	}
}

func (s *scan) scriptLog(root docroot, name, from string) {
	full := path.Join(root.dir, name)
	if _, info, err := s.tree.find(full); err == nil && info.Mode().IsRegular() {
		s.found = append(s.found, candidate{name: full, kind: Error, service: "php", site: root.site, from: from})
	}
}
