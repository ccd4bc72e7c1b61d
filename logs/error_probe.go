package logs

import "bytes"

// What an error log says is missing tells scanners from visitors: scripts that the site never had, and what every scanner asks every site
// for. A page that is gone, a picture or a favicon accuses nobody.

// scripts are the endings of files that a server would run, and of those that give secrets away.
var scripts = map[string]bool{
	"php": true, "php3": true, "php4": true, "php5": true, "php7": true, "phtml": true, "asp": true, "aspx": true, "jsp": true, "jspx": true, "do": true, "action": true,
	"cgi": true, "pl": true, "py": true, "sh": true, "exe": true, "dll": true, "cfm": true, "env": true, "sql": true, "bak": true, "git": true,
}

// bait are names of folders and files that a site which has none is asked for by scanners alone, in lower case.
var bait = map[string]bool{
	"phpmyadmin": true, "phpmyadmin2": true, "pma": true, "myadmin": true, "mysqladmin": true, "mysql-admin": true, "dbadmin": true, "sqladmin": true, "sqlmanager": true,
	"phppgadmin": true, "websql": true, "webdb": true, "mysql": true, "adminer": true, "php-my-admin": true, "phpmanager": true, "phpadmin": true,
	"wp-admin": true, "wp-login": true, "wp-content": true, "wp-includes": true, "wordpress": true, "xmlrpc": true, "joomla": true, "drupal": true, "magento": true,
	"cgi-bin": true, "cgi-sys": true, "scripts": true, "msadc": true, "w00tw00t": true, "muieblackcat": true, "hnap1": true, "boaform": true, "goform": true, "vtigercrm": true,
	"roundcube": true, "roundcubemail": true, "webmail": true, "horde": true, "squirrelmail": true, "rc": true, "mail2": true,
	".git": true, ".svn": true, ".hg": true, ".env": true, ".aws": true, ".ssh": true, ".htpasswd": true, ".htaccess": true, ".ds_store": true, ".vscode": true,
	"vendor": true, "phpunit": true, "solr": true, "jenkins": true, "jmx-console": true, "manager": true, "actuator": true, "_ignition": true, "telescope": true, "webdav": true,
	"typo3": true, "zabbix": true, "cacti": true, "nagios": true, "owa": true, "ecp": true, "autodiscover": true, "sdk": true, "evox": true, "nmaplowercheck": true, "etc": true, "proc": true,
}

// isProbe tells whether a path that is not there, of a file or of a request, is one that scanners ask for. Only its last name counts: those
// before may all be there.
func isProbe(path []byte) bool {
	if n := bytes.IndexByte(path, '?'); n >= 0 {
		path = path[:n]
	}
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	name := path[bytes.LastIndexByte(path, '/')+1:]
	var room [32]byte
	name = room[:copy(room[:], name[max(0, len(name)-len(room)):])]
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			name[i] = c | 0x20
		}
	}
	if bait[string(name)] {
		return true
	}
	i := bytes.LastIndexByte(name, '.')
	j := bytes.IndexByte(name, '.')
	return i >= 0 && scripts[string(name[i+1:])] || j > 0 && bait[string(name[:j])]
}
