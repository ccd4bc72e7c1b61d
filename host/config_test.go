package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reader returns a scan of an empty tree, for readers that are given their text.
func reader(t testing.TB) *scan { return New(t.TempDir()).scan(context.Background()) }

func (s *scan) apacheText(text string) {
	a := newApache(s.book(), "/etc/apache2", nil)
	a.lines(apacheLines([]byte(text), "/c", s), 0, a.main)
	a.emit()
}

func (s *scan) nginxText(text string) {
	n := newNginx(s.book(), "/etc/nginx", "/usr/share/nginx")
	n.text([]byte(text), "/c", 0, ngxScope{})
	n.emit()
}

func (s *scan) fpmText(text string) {
	f := &fpm{book: s.book(), main: "/etc/php/8.2/fpm/php-fpm.conf", prefix: "/usr", state: "/var"}
	f.text([]byte(text), "/c", 0)
	f.emit()
}

func found(s *scan) string {
	var b strings.Builder
	for _, c := range s.found {
		fmt.Fprintf(&b, "%s %s %s|%s|%s|%s|%s", c.service, c.kind, c.name, c.site, c.nick, c.format, c.only)
		for name, set := range map[string]bool{" glob": c.glob} {
			if set {
				b.WriteString(name)
			}
		}
		b.WriteByte('\n')
	}
	for _, p := range s.done() {
		fmt.Fprintf(&b, "! %s: %s\n", p.What, p.Why)
	}
	return b.String()
}

func TestApache(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a nickname and a string", `
LogFormat "%h \"%r\" %>s" mine
CustomLog /l/a mine
CustomLog /l/b "%r %s"`,
			"apache access /l/a||mine|%h \"%r\" %>s|\napache access /l/b|||%r %s|\n"},
		{"relative to ServerRoot, which may come later", "CustomLog l/a \"%r %s\"\nServerRoot '/srv/apache'",
			"apache access /srv/apache/l/a|||%r %s|\n"},
		{"continued lines, also of comments", "# no \\\nCustomLog /l/no CLF\nCustomLog \\\n  /l/a \\\n  CLF",
			"apache access /l/a||CLF|" + commonLog + "|\n"},
		{"carriage returns", "CustomLog /l/a CLF\r\nErrorLog /l/e\r\n", "apache access /l/a||CLF|" + commonLog + "|\napache error /l/e||||\n"},
		{"no format is common", "CustomLog /l/a", "apache access /l/a|||" + commonLog + "|\n"},
		{"TransferLog takes the last plain format", "LogFormat \"%r %s x\"\nTransferLog /l/a", "apache access /l/a|||%r %s x|\n"},
		{"a host's format wins", "LogFormat \"%r %s 1\" f\n<VirtualHost *>\nServerName h.example\nLogFormat \"%r %s 2\" f\nCustomLog /l/a f\n</VirtualHost>\nCustomLog /l/b f",
			"apache access /l/a|h.example|f|%r %s 2|\napache access /l/b||f|%r %s 1|\n"},
		{"single quotes and kept backslashes", `CustomLog '/l/a b' '%r "x" \t %s'`, "apache access /l/a b|||%r \"x\" \\t %s|\n"},
		{"conditions", "CustomLog /l/a \"%r %s\" env=!no\nCustomLog /l/b \"%r %s\" \"expr=%{REQUEST_STATUS} >= 400\"",
			"apache access /l/a|||%r %s|env=!no\napache access /l/b|||%r %s|expr=%{REQUEST_STATUS} >= 400\n"},
		{"formats of something else", "CustomLog /l/a \"%{Referer}i -> %U\"\nCustomLog /l/b \"%t %h \\\"%r\\\" %b\"\nCustomLog /l/c \"%{s}t %{r}e\"", ""},
		{"modules and names are taken to be there", "<IfModule !mod_x.c>\nErrorLog /l/a\n</IfModule>\n<IfDefine X>\nErrorLog /l/b\n</IfDefine>",
			"apache error /l/a||||\napache error /l/b||||\n"},
		{"variables", "Define L /l\nDefine N\nErrorLog ${L}/a${N}\nUnDefine L\nErrorLog ${L}/b",
			"apache error /l/a||||\n! /c:5: ${L} is not known: ${L}/b is not looked for\n"},
		{"GlobalLog", "LogFormat \"%r %s\" f\n<VirtualHost *>\nServerName x\nGlobalLog /l/g f\n</VirtualHost>", "apache access /l/g||f|%r %s|\n"},
		{"names", "<VirtualHost *>\nServerName HTTP://Www.Example.COM.:80\nErrorLog /l/a\n</VirtualHost>\n<VirtualHost *>\nServerAlias *.x a.example\nErrorLog /l/b\n</VirtualHost>",
			"apache error /l/a|www.example.com|||\napache error /l/b||||\n"},
		{"each line names its host", "<VirtualHost *>\nServerName x.example\nCustomLog /l/a \"%v %r %s\"\n</VirtualHost>", "apache access /l/a|||%v %r %s|\n"},
		{"not files", "ErrorLog syslog\nErrorLog /dev/stderr\nErrorLog |/bin/cat\nErrorLog /dev/null\nErrorLog journald:x\nErrorLog",
			"! /c:2: apache writes its error log to /dev/stderr: not a file\n" +
				"! /c:3: error log piped to cat: where that writes is not known\n"},
		{"a pipe's file", "CustomLog \"||/usr/sbin/rotatelogs -f 'l/a.%F' 86400\" CLF", "apache access /etc/apache2/l/a.*||CLF|" + commonLog + "| glob\n"},
		{"mod_php", "php_admin_value error_log /l/php\nphp_value error_log php.log\nphp_value memory_limit 1G",
			"php error /l/php||||\n"},
		{"macros", "<Macro M $a @b>\nErrorLog /l/$a@b\n</Macro>\nUse M x y\nuse m z", "apache error /l/xy||||\napache error /l/z@b||||\n"},
		{"a macro that uses itself", "<Macro M>\nUse M\n</Macro>\nUse M", "! /c:2: macros inside macros too deep or too many: not read\n"},
		{"sections left open or closed too often", "</VirtualHost>\n</x>\n<VirtualHost a>\nServerName s\nErrorLog /l/a", "apache error /l/a|s|||\n"},
		{"odd ends", "<\n>\n\\\n\"\nCustomLog\nCustomLog \"\nInclude\nDefine\nUse\nLogFormat\n<Macro>\n", ""},
		{"a missing include", "Include /no/such\nInclude /no/*.conf\nIncludeOptional /no/such /no/*.conf",
			"! /no/such: not there (included by /c:1)\n! /no/*.conf: nothing there (included by /c:2)\n"},
		{"an unknown format", "CustomLog /l/a nosuch", "apache access /l/a||||\n! /c:1: log format nosuch is not defined: the lines' format is to be recognised\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := reader(t)
			s.apacheText(c.text)
			same(t, "found", c.want, found(s))
		})
	}
}

func TestNginx(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"default format", "http { access_log /l/a; }", "nginx access /l/a||combined|apache_combined|\n"},
		{"strings joined and quoted", `http { log_format f "\"$request\" " '$status' " \x"; access_log /l/a f; }`, "nginx access /l/a||f|\"$request\" $status \\x|\n"},
		{"the name comes after", "http { server { access_log /l/a; server_name _ ~^x *.b.example A.Example; } }", "nginx access /l/a|a.example|combined|apache_combined|\n"},
		{"a pattern names its domain", "http { server { access_log /l/a; server_name .b.example; } }", "nginx access /l/a|b.example|combined|apache_combined|\n"},
		{"off", "http { access_log off; server { access_log off; } }", ""},
		{"options", "http { access_log /l/a combined buffer=32k gzip=1 flush=5m if=$x; access_log /l/b buffer=1k; }",
			"nginx access /l/a||combined|apache_combined|if=$x\nnginx access /l/b||combined|apache_combined|\n"},
		{"a variable", "http { access_log /l/$host/a.log; access_log /l/${host}_$scheme.log; }",
			"nginx access /l/*/a.log||combined|apache_combined| glob\nnginx access /l/*_*.log||combined|apache_combined| glob\n"},
		{"only a variable", "http { access_log $x; access_log /$x; }",
			"! /c:1: the name of the access log $x is known only when a request comes: not looked for\n" +
				"! /c:1: the name of the access log /$x is known only when a request comes: not looked for\n"},
		{"error log", "error_log logs/e.log warn; http { error_log memory:32m debug; }",
			"nginx error /usr/share/nginx/logs/e.log||||\n! /c:1: nginx writes its error log to memory: not read here\n"},
		{"formats of something else", "http { log_format r '$http_referer'; access_log /l/a r; }", ""},
		{"streams and mail", "stream { log_format s '$request $status'; access_log /l/a s; error_log /l/e; } mail { access_log /l/b; }", "nginx error /l/e||||\n"},
		{"words of maps are data", "http { map $a $b { access_log /l/a; server { access_log /l/b; } } upstream u { server x; } }", ""},
		{"comments", "# access_log /l/a;\nhttp { access_log /l/b#c; # }\n}", "nginx access /l/b#c||combined|apache_combined|\n"},
		{"braces in words", "http { server { location ~ ^/(a{2}|\"}\") { access_log /l/a; } } }", ""},
		{"a quote left open", "http { access_log /l/a;\naccess_log \"/l/b;\n}\n", "nginx access /l/a||combined|apache_combined|\n! /c:2: the quote that begins on line 2 has no end: the rest of the file is not read\n"},
		{"no end", "http {\n access_log /l/a", "! /c:2: directive \"access_log\" has no end: the rest of the file is not read\n"},
		{"one brace too many", "} } http { access_log /l/a; } }", "nginx access /l/a||combined|apache_combined|\n"},
		{"Lua", "http { init_by_lua_block { local s = \"}\" --[[ } ]] -- }\n s = [[ } ]] .. '\\'}' } access_log /l/a; }", "nginx access /l/a||combined|apache_combined|\n"},
		{"Lua without end", "http { x_by_lua_block { \"", ""},
		{"servers of a file on its own", "server { server_name a.example; access_log /l/a; }", "nginx access /l/a|a.example|combined|apache_combined|\n"},
		{"odd directives", ";;; { } access_log; log_format x; error_log; include; include a b; server_name;", ""},
		{"deep", strings.Repeat("location x {", 100), "! /c:1: blocks more than 64 deep: the rest of the file is not read\n"},
		{"escape", "http { log_format j escape=json '{$request $status}'; log_format d escape=default '$request $status'; access_log /l/a j; access_log /l/b d; }",
			"nginx access /l/a||j|{$request $status}|\nnginx access /l/b||d|$request $status|\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := reader(t)
			s.nginxText(c.text)
			same(t, "found", c.want, found(s))
		})
	}
}

func TestNginxLines(t *testing.T) {
	s := reader(t)
	s.nginxText("# one\nhttp {\n\n  log_format f '$request\n  $status';\n  access_log\n    /l/a f;\n  content_by_lua_block {\n -- }\n }\n  access_log /l/b nosuch;\n}")
	same(t, "first", "nginx configuration /c:6", s.found[0].from)
	same(t, "second", "nginx configuration /c:11", s.found[1].from)
}

func TestPools(t *testing.T) {
	s := reader(t)
	s.fpmText(`
; comment
[global]
error_log = log/fpm.log
[www]
user = "www-data"
pm = dynamic ; the usual
pm.max_children = 5
pm.max_children = 7
pm.process_idle_timeout = 1m
request_terminate_timeout = 1h
request_slowlog_timeout = 2d
pm.start_servers = -1
pm.max_requests = 99999999999999999999
request_slowlog_trace_depth = x
access.log = $prefix/l/$pool.log
access.format = "%R \"%m\" \\ %s"
slowlog = '/l/$pool.slow'
php_admin_value[error_log] = syslog
php_value[error_log] = ${HOME}/x
[b]
prefix = /srv/$pool
access.log = a.log
slowlog = s.log
php_admin_value[error_log] = /dev/stderr
[www]
pm.max_spare_servers = 3
no value
= no key
[
`)
	want := []Pool{
		{
			Name: "www", File: "/c", Line: 5, Main: "/etc/php/8.2/fpm/php-fpm.conf", Version: "8.2", PM: "dynamic", MaxChildren: 7,
			MaxLine: 9, MaxFile: "/c", MaxSpare: 3, Idle: time.Minute, Terminate: time.Hour, SlowAfter: 48 * time.Hour, User: "www-data",
			AccessLog: "/usr/l/www.log", AccessFormat: `%R "%m" \ %s`, SlowLog: "/l/www.slow", ErrorLog: "${HOME}/x",
		},
		{
			Name: "b", File: "/c", Line: 21, Main: "/etc/php/8.2/fpm/php-fpm.conf", Version: "8.2", Idle: 10 * time.Second,
			AccessLog: "/srv/b/a.log", SlowLog: "/srv/b/s.log", ErrorLog: "/dev/stderr",
		},
	}
	same(t, "pools", want, s.pools)
	same(t, "logs", `php-fpm access /usr/l/www.log|||%R "%m" \ %s|
php-fpm slow /l/www.slow||||
php-fpm access /srv/b/a.log|||%R - %u %t "%m %r" %s|
php-fpm error /var/log/fpm.log||||
! /c:13: pm.start_servers = "-1" is not a number
! /c:14: pm.max_requests = "99999999999999999999" is not a number
! /c:20: the variable in ${HOME}/x is not known: not looked for
! /c:25: php writes its error log to /dev/stderr: not a file
`, found(s))
}

func TestPHPVersion(t *testing.T) {
	for name, want := range map[string]string{
		"/etc/php/8.2/fpm/php-fpm.conf": "8.2", "/opt/cpanel/ea-php74/root/etc/php-fpm.conf": "7.4", "/etc/opt/remi/php81/php-fpm.conf": "8.1",
		"/usr/local/php56/etc/php-fpm.conf": "5.6", "/etc/php-fpm.conf": "", "/opt/plesk/php/8.3/etc/php-fpm.conf": "8.3", "": "",
	} {
		same(t, name, want, phpVersion(name))
	}
}

func TestPipe(t *testing.T) {
	for command, want := range map[string]pipe{
		"/usr/bin/rotatelogs /l/a 86400":                      {name: "/l/a.[0-9]*", newest: true},
		"/usr/bin/rotatelogs -l -f /l/a.%Y-%m-%d.log 86400":   {name: "/l/a.*-*-*.log", newest: true},
		"/usr/bin/rotatelogs -L/l/now /l/a.%s 5M":             {name: "/l/now"},
		"/usr/bin/rotatelogs -lL /l/now -p /bin/x /l/a.%s 5M": {name: "/l/now"},
		"/usr/bin/rotatelogs -t /l/a 5M":                      {name: "/l/a"},
		"/usr/bin/rotatelogs -n 5 /l/a 5M":                    {name: "/l/a*", newest: true},
		"/usr/bin/rotatelogs '/l/with blank.%d' 5M":           {name: "/l/with blank.*", newest: true},
		"rotatelogs":                          {why: "piped to rotatelogs without a file"},
		"rotatelogs -L":                       {why: "piped to rotatelogs without a file"},
		"/usr/bin/cronolog /l/%Y/%m/%d/a.log": {name: "/l/*/*/*/a.log", newest: true},
		"/usr/bin/cronolog -S /l/a.log -p 1days /l/%Y.log":     {name: "/l/a.log"},
		"/usr/bin/cronolog --symlink=/l/a.log /l/%Y.log":       {name: "/l/a.log"},
		"cronolog --period=days /l/100%%.log":                  {name: "/l/100%.log", newest: true},
		"cronolog":                                             {why: "piped to cronolog without a file"},
		"| $ /usr/local/cpanel/bin/splitlogs --main=x":         {quiet: true},
		" /usr/local/ispconfig/server/scripts/vlogger -p /var": {quiet: true},
		"/usr/bin/logger -t httpd":                             {why: "piped to logger: where that writes is not known"},
		"":                                                     {why: "piped to nothing"},
		"'":                                                    {why: "piped to .: where that writes is not known"},
	} {
		if got := readPipe(command); got != want {
			t.Errorf("%q: got %+v, want %+v", command, got, want)
		}
	}
}

func TestEnvvars(t *testing.T) {
	got := envvars([]byte("# x=y\nunset HOME\nif [ \"${A##/b}\" != \"x\" ] ; then\n\tSUFFIX=\"-${A##/b}\"\nelse\n\tSUFFIX=\nfi\n" +
		"export LOG=/var/log/apache2$SUFFIX\nexport RUN='/run/x' # y\nexport LANG\nB=$LOG/b${RUN}$\n=x\nC=\"a b\" d\n"))
	same(t, "variables", map[string]string{
		"SUFFIX": "", "LOG": "/var/log/apache2", "RUN": "/run/x", "B": "/var/log/apache2/b/run/x", "C": "a b",
	}, got)
}

// Bounds: each is met, said, and survived.
func TestBounds(t *testing.T) {
	t.Run("an include of itself", func(t *testing.T) {
		h := plant(t, map[string]string{
			"etc/apache2/apache2.conf": "Include a.conf\nErrorLog /l/e\n", "etc/apache2/a.conf": "Include b.conf\n",
			"etc/apache2/b.conf": "Include a.conf\nInclude apache2.conf\n", "l/e": "",
		})
		files, problems := h.Logs(context.Background())
		same(t, "logs", []string{"/l/e"}, shown(files))
		needProblem(t, problems, "/etc/apache2/a.conf", "includes itself: not read again (included by /etc/apache2/b.conf:1)")
		needProblem(t, problems, "/etc/apache2/apache2.conf", "includes itself")
	})
	t.Run("depth", func(t *testing.T) {
		tree := map[string]string{"etc/nginx/nginx.conf": "include 0;"}
		for i := range 30 {
			tree[fmt.Sprintf("etc/nginx/%d", i)] = fmt.Sprintf("include %d;", i+1)
		}
		_, problems := plant(t, tree).Logs(context.Background())
		needProblem(t, problems, "/etc/nginx/20", "includes more than 20 deep")
	})
	t.Run("files that include one another twice", func(t *testing.T) {
		tree := map[string]string{"etc/nginx/nginx.conf": "include 0; include 0;"}
		for i := range 15 {
			tree[fmt.Sprintf("etc/nginx/%d", i)] = fmt.Sprintf("include %d; include %d;", i+1, i+1)
		}
		tree["etc/nginx/15"] = ""
		h := plant(t, tree)
		h.limits.files = 1000
		_, problems := h.Logs(context.Background())
		needProblem(t, problems, "configuration", "more than 1000 files")
		same(t, "problems", 1, len(problems))
	})
	t.Run("problems", func(t *testing.T) {
		h := plant(t, map[string]string{"etc/nginx/nginx.conf": strings.Repeat("http { access_log syslog:x; }\n", 1000)})
		_, problems := h.Logs(context.Background())
		same(t, "problems", maxProblems+1, len(problems))
		needProblem(t, problems, "configuration", "800 more problems not shown")
	})
	t.Run("bytes", func(t *testing.T) {
		h := plant(t, map[string]string{
			"etc/nginx/nginx.conf": "include a; include b; include c;", "etc/nginx/a": strings.Repeat("x y;\n", 1000),
			"etc/nginx/b": strings.Repeat("x y;\n", 1000), "etc/nginx/c": "x y;",
		})
		h.limits.total = 7000
		_, problems := h.Logs(context.Background())
		needProblem(t, problems, "/etc/nginx/b", "only its first")
		needProblem(t, problems, "configuration", "more than 7000 bytes: /etc/nginx/c")
	})
	t.Run("a configuration of 100 MB", func(t *testing.T) {
		h := plant(t, map[string]string{"etc/apache2/apache2.conf": "ErrorLog /l/e\n", "etc/nginx/nginx.conf": "error_log /l/n;", "l/e": "", "l/n": ""})
		for _, name := range []string{"etc/apache2/apache2.conf", "etc/nginx/nginx.conf"} {
			if err := os.Truncate(filepath.Join(h.Root, name), 100<<20); err != nil {
				t.Fatal(err)
			}
		}
		files, problems := h.Logs(context.Background())
		same(t, "logs", []string{"/l/e", "/l/n"}, shown(files))
		needProblem(t, problems, "/etc/apache2/apache2.conf", "only its first 33554432 bytes")
		needProblem(t, problems, "/etc/apache2/apache2.conf:2", "over 64 KiB")
		needProblem(t, problems, "/etc/nginx/nginx.conf", "only its first 33554432 bytes")
	})
	t.Run("a pattern with 10,000 matches", func(t *testing.T) {
		h := plant(t, map[string]string{"etc/apache2/apache2.conf": "IncludeOptional sites/*.conf\n", "etc/apache2/sites/": "", "l/": ""})
		for i := range 10_000 {
			text := fmt.Sprintf("<VirtualHost *>\nServerName s%d.example\nCustomLog /l/%d \"%%r %%s\"\n</VirtualHost>\n", i, i)
			if err := os.WriteFile(filepath.Join(h.Root, fmt.Sprintf("etc/apache2/sites/%d.conf", i)), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if i%100 != 0 {
				continue
			}
			if err := os.WriteFile(filepath.Join(h.Root, fmt.Sprintf("l/%d", i)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		files, problems := h.Logs(context.Background())
		same(t, "logs", 100, len(files))
		same(t, "problems", 1, len(problems))
		needProblem(t, problems, "/l/1", "and 9899 more logs that apache names are not there")
		h.limits.entries = 500
		_, problems = h.Logs(context.Background())
		needProblem(t, problems, "/etc/apache2/sites/*.conf", "more than 500 matches: the rest is not read (included by /etc/apache2/apache2.conf:1)")
		h.limits = limits{logs: 10}
		files, problems = h.Logs(context.Background())
		same(t, "logs", 10, len(files))
		needProblem(t, problems, "logs", "more than 10")
	})
	t.Run("variables that double", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("Define A0 xxxxxxxxxxxxxxxx\n")
		for i := range 40 {
			fmt.Fprintf(&b, "Define A%d ${A%d}${A%d}\n", i+1, i, i)
		}
		s := reader(t)
		s.lim.total = 1 << 20
		s.apacheText(b.String() + strings.Repeat("ErrorLog /l/"+strings.Repeat("${A7}", 1000)+"\n", 1000))
		needProblem(t, s.problems, "configuration", "more than 1048576 bytes with what variables and macros make")
	})
	t.Run("macros that double", func(t *testing.T) {
		var b strings.Builder
		for i := range 30 {
			fmt.Fprintf(&b, "<Macro M%d $a>\nUse M%d $a$a\nUse M%d $a$a\n</Macro>\n", i, i+1, i+1)
		}
		s := reader(t)
		s.lim.total, s.lim.depth = 4<<20, 40
		s.apacheText(b.String() + "Use M0 xxxxxxxx\n")
		if len(s.problems) == 0 {
			t.Error("no problem")
		}
	})
	t.Run("a directory for a file", func(t *testing.T) {
		h := plant(t, map[string]string{"etc/nginx/nginx.conf/": "", "etc/apache2/apache2.conf": "Include sub\nErrorLog /l/\n", "etc/apache2/sub/x/y.conf": "ErrorLog /l/e", "l/e": ""})
		files, problems := h.Logs(context.Background())
		same(t, "logs", []string{"/l/e"}, shown(files))
		needProblem(t, problems, "/etc/nginx/nginx.conf", "a folder, not a file")
		needProblem(t, problems, "/l/", "not a regular file")
	})
	t.Run("bytes that are no text", func(t *testing.T) {
		h := plant(t, map[string]string{"etc/nginx/nginx.conf": "error_log /l/\x00\xff;", "etc/apache2/apache2.conf": "\x00\x01\xff\nErrorLog \xff\x00"})
		_, problems := h.Logs(context.Background())
		if len(problems) != 2 {
			t.Errorf("%+v", problems)
		}
	})
}

func benchmarkConfig(b *testing.B, text string, read func(s *scan, text string)) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	root := b.TempDir()
	for b.Loop() {
		s := New(root).scan(context.Background())
		read(s, text)
		if len(s.found) == 0 {
			b.Fatal("nothing found")
		}
	}
}

func BenchmarkApache(b *testing.B) {
	var text strings.Builder
	text.WriteString("LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" combined\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "<VirtualHost 192.0.2.1:80>\n  ServerName s%d.example.com\n  ServerAlias www.s%d.example.com\n"+
			"  DocumentRoot /home/u%d/public_html\n  UseCanonicalName Off\n  <IfModule suphp_module>\n    suPHP_UserGroup u%d u%d\n  </IfModule>\n"+
			"  CustomLog /etc/apache2/logs/domlogs/s%d.example.com combined\n</VirtualHost>\n", i, i, i, i, i, i)
	}
	benchmarkConfig(b, text.String(), func(s *scan, text string) { s.apacheText(text) })
}

func BenchmarkNginx(b *testing.B) {
	var text strings.Builder
	text.WriteString("http {\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "server {\n  listen 80;\n  server_name s%d.example.com www.s%d.example.com;\n  root /srv/%d;\n"+
			"  access_log /var/log/nginx/s%d.log;\n  location / { try_files $uri $uri/ =404; } # usual\n}\n", i, i, i, i)
	}
	text.WriteString("}\n")
	benchmarkConfig(b, text.String(), func(s *scan, text string) { s.nginxText(text) })
}

func fuzzProblems(t *testing.T, s *scan) {
	for _, c := range s.found {
		if !strings.HasPrefix(c.name, "/") {
			t.Errorf("%s names %q, which is not absolute", c.from, c.name)
		}
	}
	s.resolve()
	if n := len(s.done()); n > maxProblems+1 {
		t.Errorf("%d problems", n)
	}
}

func fuzzSeeds(f *testing.F, patterns ...string) {
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds %s (%v)", pattern, err)
		}
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil {
				f.Add(string(text))
			}
		}
	}
}

// small bounds what one fuzzed input may cost, so that a slow one is a finding.
func small(f *testing.F) func() *scan {
	root := f.TempDir()
	return func() *scan {
		h := New(root)
		h.limits = limits{total: 1 << 20, files: 100, entries: 100, logs: 1000}
		return h.scan(context.Background())
	}
}

func FuzzApache(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/apache2/*.conf", "testdata/debian-apache/etc/apache2/sites-*/*.conf", "testdata/*/etc/httpd/conf*/*.conf")
	f.Add("Define A ${A}${A}\nErrorLog ${A}\n<Macro M $a>\nUse M $a$a\n</Macro>\nUse M x")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		s.apacheText(text)
		fuzzProblems(t, s)
	})
}

func FuzzNginx(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/nginx/*.conf", "testdata/*/etc/nginx/sites-*/*")
	f.Add("http { access_log /a/$host${b; x_by_lua_block { --[[ } ]] } }")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		s.nginxText(text)
		fuzzProblems(t, s)
	})
}

func FuzzFPM(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/php/*/fpm/pool.d/*.conf", "testdata/*/etc/php-fpm.d/*.conf", "testdata/*/etc/php-fpm.conf")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		s.fpmText(text)
		fuzzProblems(t, s)
	})
}

func FuzzPipe(f *testing.F) {
	f.Add("/usr/bin/rotatelogs -lL /l/now '/l/a.%Y' 86400")
	f.Add("cronolog --symlink=/x /l/%Y/%m")
	f.Fuzz(func(t *testing.T, command string) {
		p := readPipe(command)
		if (p.name == "") != (p.quiet || p.why != "") {
			t.Errorf("%q: %+v", command, p)
		}
		envvars([]byte(command))
	})
}
