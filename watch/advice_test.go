package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
)

// A fault that a limit causes is answered with the limit, its file and line, and a value that fits this machine.
func TestAdvice(t *testing.T) {
	const gb = 1 << 30
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/apache2/apache2.conf": "LoadModule mpm_event_module m.so\nThreadsPerChild 25\nMaxRequestWorkers 150\nServerLimit 6\n",
		"etc/nginx/nginx.conf":     "events {\n\tworker_connections 768;\n}\n",
		"etc/php/8.2/fpm/php.ini":  "memory_limit = 128M\n", "etc/php/8.2/apache2/php.ini": "memory_limit = 1G\n", "etc/php/8.2/cli/php.ini": "",
		"etc/php/8.2/fpm/php-fpm.conf":            "[shop]\nphp_admin_value[memory_limit] = 256m\npm.max_children = 200\n",
		"etc/mysql/my.cnf":                        "[mysqld]\nmax_connections = 151\n",
		"etc/sysctl.conf":                         "net.core.somaxconn = 512\n",
		"proc/sys/net/core/somaxconn":             "512\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":   "8192\n",
		"proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
		"proc/sys/fs/file-max":                    "9223372036854775807\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fpm := host.Workers{Service: "php-fpm", Pool: "www", Count: 5}
	apache := host.Workers{Service: "apache", Count: 6, Measured: 6, RSS: 40 << 20}
	for _, c := range []struct {
		fault, module string
		workers       []host.Workers
		want          string
	}{
		{"apache-workers-full", "", []host.Workers{apache}, "MaxRequestWorkers 650 in /etc/apache2/apache2.conf:3 (42 MB a process, 1.1 GB free); ServerLimit 26"},
		{"apache-workers-full", "", nil, ""},
		{"nginx-connections-full", "", nil, "worker_connections 4096 in /etc/nginx/nginx.conf:2 (now 768)"},
		{"nginx-too-many-files", "", nil, "worker_rlimit_nofile 4096 in /etc/nginx/nginx.conf (twice worker_connections, 768)"},
		{"kernel-conntrack-full", "", nil, "net.netfilter.nf_conntrack_max = 131072 in /etc/sysctl.d/99-local.conf (now 65536)"},
		{"kernel-syn-flood", "", nil, "net.ipv4.tcp_max_syn_backlog = 16384 in /etc/sysctl.d/99-local.conf (now 8192)\nnet.core.somaxconn = 4096 in /etc/sysctl.conf:1 (now 512)"},
		{"kernel-file-max", "", nil, ""}, // there is no more
		{"php-memory", "", []host.Workers{fpm}, "memory_limit = 256M in /etc/php/8.2/fpm/php.ini:1 (now 128M)"},
		{"php-memory", "", []host.Workers{apache}, "memory_limit = 2048M in /etc/php/8.2/apache2/php.ini:1 (now 1G)"},
		{"php-memory", "shop", []host.Workers{fpm}, "memory_limit = 512M in /etc/php/8.2/fpm/php-fpm.conf:2 (now 256m)"},
		{"php-memory", "", []host.Workers{fpm, apache}, "memory_limit = 256M in /etc/php/8.2/fpm/php.ini:1 (now 128M)"},
		{"php-time", "", []host.Workers{fpm}, "max_execution_time = 60 in /etc/php/8.2/fpm/php.ini (now 30)"},
		{"mysql-too-many-connections", "", nil, "max_connections = 226 in /etc/mysql/my.cnf:2 (now 151, the pools have 200 children)"},
		{"apache-denied", "", nil, ""},
	} {
		r := &review{opt: ReviewOptions{Options: Options{Options: gather.Options{Host: host.New(root)}}}}
		r.host.now = host.Pressure{Memory: host.Memory{Known: true, Total: 4 * gb, Available: 1 * gb}, Workers: c.workers}
		f := row(t, c.fault, c.module)
		if got := strings.Join(r.advice(f), "\n"); got != c.want {
			t.Errorf("%s of %q:\n got %s\nwant %s", c.fault, c.module, got, c.want)
		}
	}
}

// row makes the row of a kind of fault from its sample, as if the pool had said it.
func row(t *testing.T, name, pool string) faults.Row {
	t.Helper()
	table := faults.NewTable(faults.ByFault, faults.Options{})
	for _, k := range faults.Kinds() {
		if k.Name != name {
			continue
		}
		f, err := logs.Lookup(k.Format)
		if err != nil {
			t.Fatal(err)
		}
		sink := &fromPool{table: table, pool: pool}
		p := f.NewParser(logs.Options{})
		p.Parse(connwarden.Source{}, []byte(k.Sample+"\n"), sink)
		p.Flush(sink)
	}
	rows := table.Top(0)
	if len(rows) != 1 || rows[0].Kind == nil || rows[0].Kind.Name != name {
		t.Fatalf("%s: the sample gives %+v", name, rows)
	}
	return rows[0]
}

// fromPool gives faults the name of a pool and counts them. It is a sink.
type fromPool struct {
	table *faults.Table
	pool  string
}

func (s *fromPool) Conn(*connwarden.Conn)       {}
func (s *fromPool) Request(*connwarden.Request) {}
func (s *fromPool) Event(*connwarden.Event)     {}
func (s *fromPool) Fault(f *connwarden.Fault) {
	if s.pool != "" {
		f.Module = []byte(s.pool)
	}
	s.table.Fault(f)
}
