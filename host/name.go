package host

import (
	"path/filepath"
	"strings"
)

// SiteOf takes the site out of the name of a log that somebody named: cPanel's domlogs/example.com-ssl_log,
// vhosts/system/example.com/logs/access_log of Plesk, example.com-access.log. It returns "" when the name tells none.
func SiteOf(name string) string {
	name = filepath.ToSlash(name)
	base := name[strings.LastIndexByte(name, '/')+1:]
	if _, after, ok := strings.Cut(name, "vhosts/system/"); ok {
		if site, _, _ := strings.Cut(after, "/"); isDomain(site) {
			return strings.ToLower(site)
		}
	}
	if strings.Contains(name, "domlogs/") {
		return domlogSite(base)
	}
	return nameSite(base)
}

// Ignored tells whether a file, by its name, is never a log of requests or faults: counts of bytes, FTP transfers,
// and the offsets that panels' statistics keep.
func Ignored(name string) bool { return skipped(name) }
