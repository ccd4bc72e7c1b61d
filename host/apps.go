package host

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// giteaMains are where Gitea, Forgejo and Gogs are configured: packages, the documentation's "Installation from binary", Docker's volumes.
const giteaMains = "/etc/gitea/app.ini /etc/forgejo/app.ini /etc/gogs/conf/app.ini /var/lib/gitea/custom/conf/app.ini /var/lib/forgejo/custom/conf/app.ini " +
	"/var/lib/gitea/conf/app.ini /home/git/gitea/custom/conf/app.ini /home/git/gogs/custom/conf/app.ini /opt/gitea/custom/conf/app.ini /opt/gogs/custom/conf/app.ini " +
	"/usr/local/etc/gitea/conf/app.ini /data/gitea/conf/app.ini"

// findGitea adds gitea.log, in which requests and logins stand, and the access log (the "Config Cheat Sheet", "[log]"). It reads no other section.
func (s *scan) findGitea() {
	for _, main := range s.mains(giteaMains) {
		root, work, section := "", "", ""
		at := position{main, 1}
		s.book().lines(main, 0, "", func(line string, here position) {
			key, value, begins := iniLine(line)
			value = strings.Trim(value, "`")
			switch {
			case begins != "":
				section = begins
			case section == "" && key == "WORK_PATH":
				work = value
			case section == "log" && key == "ROOT_PATH":
				root, at = strings.ReplaceAll(value, "%(WORK_PATH)s", work), here
			}
		})
		if root == "" && work != "" {
			root = path.Join(work, "log")
		}
		dirs := []string{root}
		if root == "" { // below the folder of work, which the program's unit names
			dirs = []string{"/var/lib/gitea/log", "/var/lib/forgejo/log", "/home/git/gogs/log", path.Join(path.Dir(main), "../../log"), path.Join(path.Dir(main), "../log")}
		}
		for _, dir := range dirs {
			for _, one := range [...][2]string{{"gitea.log", "gitea"}, {"forgejo.log", "gitea"}, {"gogs.log", "gitea"}, {"access.log", ""}} {
				s.beholden(main, at, candidate{name: path.Join(dir, one[0]), kind: Access, service: "gitea", format: one[1]})
			}
		}
	}
}

// beholden adds a log that is there. A configuration that root did not write could name a file of anybody's, for us to read: then the log must
// have the same owner.
func (s *scan) beholden(main string, at position, c candidate) {
	_, log, err := s.tree.find(c.name)
	_, conf, err2 := s.tree.find(main)
	if !strings.HasPrefix(c.name, "/") || err != nil || err2 != nil || !log.Mode().IsRegular() {
		return
	}
	o := s.tree.owner(conf)
	if o.known && o.uid != 0 && (!s.tree.boss.known || o.uid != s.tree.boss.uid) && o.uid != s.tree.owner(log).uid {
		return
	}
	s.own(c, at)
}

// app is an application of PHP that keeps a log of its own.
type app struct {
	service, format string
	config          string // below the folder it is installed in
	subs            string // folders of a site in which it may be; "." is the site's own
	mains           string // configurations in other places
	keys            string // of its settings that are read
	logs            func(dir string, set map[string]string) []string
}

// Sources: the applications' own manuals: Nextcloud's "Logging", Roundcube's defaults.inc.php ("log_dir"), phpMyAdmin's "Configuration"
// ($cfg['AuthLog']), Joomla's configuration.php ($log_path).
var apps = []app{
	{
		service: "nextcloud", format: "nextcloud", config: "config/config.php", subs: ". nextcloud cloud owncloud",
		mains: "/var/www/nextcloud/config/config.php /var/www/html/nextcloud/config/config.php /var/www/html/config/config.php /var/www/owncloud/config/config.php " +
			"/usr/share/nextcloud/config/config.php /usr/share/webapps/nextcloud/config/config.php /etc/webapps/nextcloud/config/config.php /etc/nextcloud/config.php " +
			"/srv/www/htdocs/nextcloud/config/config.php /var/snap/nextcloud/current/nextcloud/config/config.php",
		keys: "logfile datadirectory", logs: nextcloudLogs,
	},
	{
		service: "roundcube", format: "roundcube", config: "config/config.inc.php", subs: ". .. roundcube roundcubemail webmail mail",
		mains: "/etc/roundcube/config.inc.php /etc/roundcubemail/config.inc.php /var/www/roundcube/config/config.inc.php /var/www/html/roundcube/config/config.inc.php",
		keys:  "log_dir", logs: roundcubeLogs,
	},
	{
		service: "phpmyadmin", format: "phpmyadmin", config: "config.inc.php", subs: ". phpmyadmin phpMyAdmin pma",
		mains: "/etc/phpmyadmin/config.inc.php /etc/phpmyadmin/conf.d/*.php /etc/phpMyAdmin/config.inc.php /usr/share/phpmyadmin/config.inc.php /usr/share/phpMyAdmin/config.inc.php",
		keys:  "AuthLog", logs: func(_ string, set map[string]string) []string { return []string{set["AuthLog"]} },
	},
	{
		service: "joomla", format: "joomla", config: "configuration.php", subs: ". joomla", keys: "log_path",
		logs: func(dir string, set map[string]string) []string {
			return []string{path.Join(set["log_path"], "error.php"), path.Join(dir, "administrator/logs/error.php"), path.Join(dir, "logs/error.php")}
		},
	},
}

func nextcloudLogs(dir string, set map[string]string) []string {
	if name := set["logfile"]; name != "" {
		return []string{name}
	}
	data := set["datadirectory"]
	if data == "" {
		data = path.Join(dir, "data")
	}
	return []string{path.Join(data, "nextcloud.log"), path.Join(data, "owncloud.log")}
}

// roundcubeLogs are those that say of peers, with and without the usual ending.
func roundcubeLogs(dir string, set map[string]string) (names []string) {
	logs := set["log_dir"]
	if !strings.HasPrefix(logs, "/") {
		logs = path.Join(dir, "logs")
	}
	for _, name := range [...]string{"errors", "userlogins"} {
		names = append(names, path.Join(logs, name+".log"), path.Join(logs, name))
	}
	return names
}

// siteNames bounds the names that are read of the root folder of one site.
const siteNames = 2000

// findApps looks for applications in the folders of sites and in the usual places.
func (s *scan) findApps() {
	mains := make([][]string, len(apps))
	seen := map[string]bool{}
	for _, site := range s.docroots {
		if s.ctx.Err() != nil {
			return
		}
		if seen[site.Dir] {
			continue
		}
		seen[site.Dir] = true
		s.siteApps(site.Dir, mains)
	}
	for i := range apps {
		a := &apps[i]
		names := append(mains[i], s.mains(a.mains)...)
		slices.Sort(names)
		for _, main := range slices.Compact(names) {
			set, at := s.phpValues(main, a.keys)
			for _, name := range a.logs(path.Clean(strings.TrimSuffix(main, a.config)), set) {
				s.beholden(main, at, candidate{name: name, kind: Events, service: a.service, format: a.format})
			}
		}
	}
}

// siteApps adds the configurations of applications in the folder of a site. Of most sites it only lists that folder.
func (s *scan) siteApps(dir string, mains [][]string) {
	entries, more, err := s.tree.list(dir, siteNames)
	if err != nil {
		return
	}
	there := func(name string) bool {
		name, _, _ = strings.Cut(name, "/")
		_, found := slices.BinarySearchFunc(entries, name, func(e fs.DirEntry, name string) int { return strings.Compare(e.Name(), name) })
		return found || more
	}
	for i := range apps {
		a := &apps[i]
		for sub := range strings.FieldsSeq(a.subs) {
			switch {
			case sub == "." && !there(a.config), sub == ".." && path.Base(dir) != "public_html", sub[0] != '.' && !there(sub):
				continue
			}
			if main := path.Join(dir, sub, a.config); s.tree.exists(main) {
				mains[i] = append(mains[i], main)
			}
		}
	}
}

// maxPHP bounds a configuration of PHP that is read; a large Nextcloud's has some 10 KB.
const maxPHP = 1 << 20

// phpValues takes the texts that a script gives to some names: 'logfile' => '/x', $config['log_dir'] = '/x', public $log_path = '/x'. It keeps none of
// its other values, which hold passwords. What is put together is left out. at is where the last stands.
func (s *scan) phpValues(main, keys string) (set map[string]string, at position) {
	set, at = map[string]string{}, position{main, 1}
	text, _, err := s.tree.read(main, maxPHP)
	if err != nil {
		if w := why(err); w != "not there" {
			s.problem(main, w)
		}
		return set, at
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if len(line) > maxLine || s.ctx.Err() != nil {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		value = strings.TrimSpace(strings.TrimPrefix(value, ">"))
		if i := strings.IndexByte(key, '['); i > 0 && key[0] == '$' {
			key = key[i+1:]
		}
		key = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(key), "public "), "var ")
		key = strings.Trim(strings.TrimSpace(key), `"'$[] `)
		if !ok || !holdsWord(keys, key) || len(value) < 2 || value[0] != '\'' && value[0] != '"' {
			continue
		}
		text := unquoted(value)
		if rest := strings.TrimSpace(value[min(len(text)+2, len(value)):]); rest == "" || rest[0] == ',' || rest[0] == ';' || strings.HasPrefix(rest, "/*") || strings.HasPrefix(rest, "//") {
			set[key], at = text, position{main, n}
		}
	}
	return set, at
}
