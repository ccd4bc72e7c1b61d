package host

import (
	"path/filepath"
	"slices"
	"strings"
)

// SiteOf takes the site out of the name of a log that somebody named: cPanel's domlogs/example.com-ssl_log,
// vhosts/system/example.com/logs/access_log of Plesk, example.com-access.log. It returns "" when the name tells none.
func SiteOf(name string) string {
	name = filepath.ToSlash(name)
	base := written(name[strings.LastIndexByte(name, '/')+1:])
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

// written is the name that a log has while it is written: without what rotation, packing or a copy put behind it, as in
// example.com.log.2.gz, example.com-access.log-20261122, example.com-ssl_log-Nov-2026.gz, example.com.log.txt.
func written(name string) string {
	for {
		was := name
		for _, ending := range [...]string{".gz", ".bz2", ".xz", ".zst", ".processed", ".old", ".bak", ".txt", ".csv", ".json"} {
			name = strings.TrimSuffix(name, ending)
		}
		if i := strings.LastIndexAny(name, ".-"); i > 0 && digits(name[i+1:]) {
			name = name[:i]
			if month := strings.LastIndexByte(name, '-'); month > 0 && slices.Contains(months[:], strings.ToLower(name[month+1:])) {
				name = name[:month]
			}
		}
		if name == was {
			return name
		}
	}
}

// months are as cPanel writes them into the names of its archives.
var months = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// Ignored tells whether a file, by its name, is never a log of requests or faults: counts of bytes, FTP transfers,
// and the offsets that panels' statistics keep.
func Ignored(name string) bool { return skipped(name) }
