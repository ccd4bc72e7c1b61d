package host

import (
	"fmt"
	"strings"
	"testing"
)

// Each tree says where its limits stand, in the words of what a person would change.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"the MPM that is loaded counts", map[string]string{
			"etc/apache2/apache2.conf":            "IncludeOptional mods-enabled/*\nTimeout 60\n",
			"etc/apache2/mods-enabled/event.load": "LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n",
			"etc/apache2/mods-enabled/event.conf": "<IfModule mpm_event_module>\nThreadsPerChild 50\nMaxRequestWorkers 150\n</IfModule>\n<IfModule !mpm_event.c>\nThreadsPerChild 9\n</IfModule>\n",
			"etc/apache2/mods-enabled/zfork.conf": "<IfModule mpm_prefork_module>\nMaxRequestWorkers 20\nServerLimit 20\n</IfModule>\n",
		}, "apache MaxRequestWorkers = 150 in /etc/apache2/mods-enabled/event.conf:3 event\n" +
			"apache ServerLimit = 16 in /etc/apache2/apache2.conf:0 event\n" +
			"apache ThreadsPerChild = 50 in /etc/apache2/mods-enabled/event.conf:2 event\n"},
		{"the old name, and no module known", map[string]string{
			"etc/httpd/conf/httpd.conf": "<IfModule prefork.c>\nServerLimit 5\n</IfModule>\n<IfModule !x>\nMaxClients 99\n</IfModule>\n",
		}, "apache MaxRequestWorkers = 99 in /etc/httpd/conf/httpd.conf:5 \n"},
		{"prefork has no threads", map[string]string{
			"etc/httpd/conf/httpd.conf": "LoadModule mpm_prefork_module x.so\n",
		}, "apache MaxRequestWorkers = 256 in /etc/httpd/conf/httpd.conf:0 prefork\napache ServerLimit = 256 in /etc/httpd/conf/httpd.conf:0 prefork\n"},
		{"nginx", map[string]string{
			"etc/nginx/nginx.conf": "worker_processes 4;\ninclude e.conf;\n", "etc/nginx/e.conf": "events {\n worker_connections 768;\n}\n",
		}, "nginx worker_connections = 768 in /etc/nginx/e.conf:2 \nnginx worker_rlimit_nofile =  in /etc/nginx/nginx.conf:0 \n"},
		{"php", map[string]string{
			"etc/php/8.2/fpm/php.ini":             "memory_limit = 256M ; enough\npost_max_size=9M\n",
			"etc/php/8.2/fpm/conf.d/99-local.ini": "memory_limit = 64M\n",
			"etc/php/8.2/fpm/php-fpm.conf":        "include=/etc/php/8.2/fpm/pool.d/*.conf\n",
			"etc/php/8.2/fpm/pool.d/a.conf":       "[a]\nphp_admin_value[memory_limit] = 512M\nphp_value[date.timezone] = UTC\n",
		}, "php memory_limit = 512M in /etc/php/8.2/fpm/pool.d/a.conf:2 pool a\n" +
			"php max_execution_time = 30 in /etc/php/8.2/fpm/php.ini:0 8.2 fpm\nphp max_input_vars = 1000 in /etc/php/8.2/fpm/php.ini:0 8.2 fpm\n" +
			"php memory_limit = 64M in /etc/php/8.2/fpm/conf.d/99-local.ini:1 8.2 fpm\nphp post_max_size = 9M in /etc/php/8.2/fpm/php.ini:2 8.2 fpm\n" +
			"php upload_max_filesize = 2M in /etc/php/8.2/fpm/php.ini:0 8.2 fpm\n"},
		{"the kernel", map[string]string{
			"proc/sys/net/core/somaxconn": "4096\n", "proc/sys/net/ipv4/tcp_max_syn_backlog": "512\n", "proc/sys/fs/file-max": "9223372036854775807\n",
			"etc/sysctl.d/50-a.conf": "# net.core.somaxconn = 1\n-net/core/somaxconn=2048\n", "usr/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_max_syn_backlog=9\n",
			"etc/sysctl.conf": "net.core.somaxconn = 4096\n",
		}, "kernel fs.file-max = 9223372036854775807 in /etc/sysctl.d/99-local.conf:0 \nkernel net.core.somaxconn = 4096 in /etc/sysctl.conf:1 \n" +
			"kernel net.ipv4.tcp_max_syn_backlog = 512 in /etc/sysctl.d/99-local.conf:0 \n"},
		{"mysql", map[string]string{"etc/my.cnf": "[mysqld]\nmax-connections = 300\n[client]\nmax_connections = 1\n"},
			"mysql innodb_buffer_pool_size = 128M in /etc/my.cnf:0 \nmysql max_connections = 300 in /etc/my.cnf:2 \n"},
		{"nothing", map[string]string{"etc/hostname": "x"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, v := range plant(t, c.files).Settings() {
				fmt.Fprintf(&b, "%s %s = %s in %s:%d %s\n", v.Service, v.Name, v.Value, v.File, v.Line, v.About)
			}
			same(t, "settings", c.want, b.String())
		})
	}
}
