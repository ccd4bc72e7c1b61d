package host

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// task is one process of a made-up /proc.
type task struct {
	pid, parent int
	comm, title string
	rss, pss    int // kB; 0: not readable
}

func (p task) plant(files map[string]string) {
	dir := fmt.Sprintf("proc/%d/", p.pid)
	files[dir+"stat"] = fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194560 1", p.pid, p.comm, p.parent, p.pid, p.pid)
	files[dir+"cmdline"] = strings.ReplaceAll(p.title, "|", "\x00") + "\x00"
	if p.rss > 0 {
		files[dir+"statm"] = fmt.Sprintf("99999 %d 10 1 0 5 0\n", p.rss<<10/os.Getpagesize())
	}
	if p.pss > 0 {
		files[dir+"smaps_rollup"] = fmt.Sprintf("55c0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:    %d kB\nPss:    %d kB\nPss_Dirty:  1 kB\n", p.rss, p.pss)
	}
}

func procTree(extra map[string]string, tasks ...task) map[string]string {
	files := map[string]string{
		"proc/loadavg":         "7.21 3.50 1.25 3/203 41234\n",
		"proc/meminfo":         "MemTotal:        4023456 kB\nMemFree:          100000 kB\nMemAvailable:     943718 kB\nSwapTotal:       2097148 kB\nSwapFree:        2000000 kB\n",
		"proc/sys/fs/file-nr":  "2112\t64\t392314\n",
		"proc/uptime":          "3600.50 7000.00\n",
		"proc/stat":            "cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\nctxt 6\n",
		"proc/pressure/cpu":    "some avg10=3.34 avg60=1.78 avg300=0.96 total=8596746\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"proc/pressure/memory": "some avg10=0.10 avg60=0.20 avg300=0.30 total=1\nfull avg10=0.01 avg60=0.02 avg300=0.03 total=1\n",
	}
	for _, p := range tasks {
		p.plant(files)
	}
	for name, text := range extra {
		files[name] = text
	}
	return files
}

func TestPressure(t *testing.T) {
	h := plant(t, procTree(nil,
		task{1, 0, "systemd", "/sbin/init", 1000, 500},
		task{10, 1, "nginx", "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", 4000, 3000},
		task{11, 10, "nginx", "nginx: worker process", 8000, 6000},
		task{12, 10, "nginx", "nginx: worker process", 12000, 10000},
		task{13, 10, "nginx", "nginx: cache manager process", 1000, 900},
		task{14, 10, "nginx", "nginx: worker process is shutting down", 1000, 900},
		task{20, 1, "apache2", "/usr/sbin/apache2|-k|start", 4000, 3000},
		task{21, 20, "apache2", "/usr/sbin/apache2|-k|start", 4000, 0},
		task{30, 1, "php-fpm8.2", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)", 4000, 0},
		task{31, 30, "php-fpm8.2", "php-fpm: pool www", 50000, 40000},
		task{32, 30, "php-fpm8.2", "php-fpm: pool www      ", 54000, 44000},
		task{33, 30, "php-fpm8.2", "php-fpm: pool shop", 0, 0},
		task{40, 1, "php-fpm7.4", "php-fpm: master process (/etc/php/7.4/fpm/php-fpm.conf)", 4000, 0},
		task{41, 40, "php-fpm7.4", "php-fpm: pool www", 20000, 10000},
		task{50, 1, "php-fpm8.2", "php-fpm: pool www", 999999, 999999}, // no child of a master: an impostor
		task{60, 1, "odd) S 10 (nginx", "nginx: worker process", 1, 1},
	))
	got, problems := h.Pressure()
	same(t, "problems", 0, len(problems))
	const kB = 1024
	same(t, "pressure", Pressure{
		Load:   Load{Known: true, One: 7.21, Five: 3.5, Fifteen: 1.25, Runnable: 3, Tasks: 203},
		CPUs:   2,
		Memory: Memory{Known: true, Total: 4023456 * kB, Available: 943718 * kB},
		Swap:   Swap{Known: true, Total: 2097148 * kB, Free: 2000000 * kB},
		Files:  Files{Known: true, Used: 2048, Limit: 392314},
		CPU:    Stall{Known: true, Some: [3]float64{3.34, 1.78, 0.96}},
		Thrash: Stall{Known: true, Some: [3]float64{0.1, 0.2, 0.3}, Full: [3]float64{0.01, 0.02, 0.03}},
		Uptime: 3600*time.Second + 500*time.Millisecond,
		Workers: []Workers{
			{Service: "apache", Count: 1, Measured: 1, RSS: 4000 * kB},
			{Service: "nginx", Count: 2, Measured: 2, RSS: 10000 * kB, Shared: 2, PSS: 8000 * kB},
			{Service: "php-fpm", Pool: "www", Main: "/etc/php/7.4/fpm/php-fpm.conf", Count: 1, Measured: 1, RSS: 20000 * kB, Shared: 1, PSS: 10000 * kB},
			{Service: "php-fpm", Pool: "shop", Main: "/etc/php/8.2/fpm/php-fpm.conf", Count: 1},
			{Service: "php-fpm", Pool: "www", Main: "/etc/php/8.2/fpm/php-fpm.conf", Count: 2, Measured: 2, RSS: 52000 * kB, Shared: 2, PSS: 42000 * kB},
		},
	}, got)

	for _, c := range []struct {
		pool  Pool
		count int
		each  uint64
		known bool
	}{
		{Pool{Name: "www", Main: "/etc/php/8.2/fpm/php-fpm.conf"}, 2, 42000 * kB, true},
		{Pool{Name: "www", Main: "/etc/php/7.4/fpm/php-fpm.conf"}, 1, 10000 * kB, true},
		{Pool{Name: "shop", Main: "/etc/php/8.2/fpm/php-fpm.conf"}, 1, 0, false},
		{Pool{Name: "idle", Main: "/etc/php/8.2/fpm/php-fpm.conf"}, 0, 0, false},
	} {
		w, ok := h.ChildrenOf(c.pool)
		each, known := w.Each()
		if !ok || w.Count != c.count || each != c.each || known != c.known {
			t.Errorf("%s of %s: %+v, %v; each %d, %v", c.pool.Name, c.pool.Main, w, ok, each, known)
		}
	}
	if each, ok := got.Workers[0].Each(); !ok || each != 4000*kB {
		t.Errorf("without PSS each is %d, %v", each, ok)
	}
}

// What cannot be read is unknown, never zero, and said.
func TestPressureUnknown(t *testing.T) {
	got, problems := plant(t, nil).Pressure()
	same(t, "pressure", Pressure{}, got)
	needProblem(t, problems, "/proc", "not there")

	h := plant(t, procTree(map[string]string{
		"proc/loadavg": "garbage", "proc/meminfo": "MemTotal: many kB\n", "proc/sys/fs/file-nr": "1 2", "proc/uptime": "-1", "proc/stat": "",
		"proc/pressure/cpu": "some avg10=x avg60=1 avg300=2 total=3\n", "proc/pressure/memory": "\x00",
	}))
	got, problems = h.Pressure()
	same(t, "pressure", Pressure{Workers: []Workers{}}, got)
	for _, name := range []string{"loadavg", "meminfo", "sys/fs/file-nr", "uptime", "stat"} {
		needProblem(t, problems, "/proc/"+name, "not in the form that is known")
	}
	if w, ok := h.ChildrenOf(Pool{Name: "www"}); ok || w.Count != 0 {
		t.Errorf("children without any PHP-FPM: %+v, %v", w, ok)
	}
	// Used less free below nothing; an old kernel without MemAvailable.
	got, _ = plant(t, procTree(map[string]string{"proc/sys/fs/file-nr": "5 6 7", "proc/meminfo": "MemTotal: 5 kB\nMemFree: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"})).Pressure()
	same(t, "files", Files{}, got.Files)
	same(t, "memory", Memory{}, got.Memory)
	same(t, "swap", Swap{Known: true}, got.Swap)
}

func TestPressureOfThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has this /proc")
	}
	got, problems := New("").Pressure()
	if !got.Load.Known || !got.Memory.Known || !got.Files.Known || got.CPUs < 1 || got.Uptime <= 0 {
		t.Errorf("%+v, %+v", got, problems)
	}
	if got.Memory.Available > got.Memory.Total || got.Files.Used == 0 || got.Files.Used > got.Files.Limit {
		t.Errorf("%+v", got)
	}
}

func TestStatLine(t *testing.T) {
	for text, want := range map[string]string{
		"12 (a) S 3 4": "a 3 true", "12 (a) b) (c) S 7 4": "a) b) (c 7 true", "12 () S 0": " 0 true", "": " 0 false", "12 )a( S 3": " 0 false",
		"12 (a) S": " 0 false", "12 (a) S x": "a 0 false", "12 (a) Z 1": " 0 false",
	} {
		comm, parent, ok := statLine([]byte(text))
		same(t, text, want, fmt.Sprint(comm, " ", parent, " ", ok))
	}
}

// A running server's own command line says where its configuration is; an ordinary account's process does not.
func TestRunningServers(t *testing.T) {
	files := procTree(map[string]string{
		"srv/n/my.conf":            "http { access_log logs/n.log; }",
		"srv/n/logs/n.log":         "",
		"srv/a/a.conf":             "ErrorLog ${LOGS}/a.log\n",
		"srv/l/a.log":              "",
		"srv/p/p.conf":             "error_log = /srv/l/p.log\n",
		"srv/l/p.log":              "",
		"evil/evil.conf":           "error_log /srv/l/evil.log;",
		"srv/l/evil.log":           "",
		"proc/20/environ":          "PATH=/bin\x00LOGS=/srv/l\x00X",
		"etc/apache2/envvars":      "export LOGS=/wrong\n",
		"etc/apache2/apache2.conf": "ErrorLog ${LOGS}/usual.log\n",
		"srv/l/usual.log":          "",
	},
		task{10, 1, "nginx", "nginx: master process nginx -p /srv/n -c my.conf", 1, 0},
		task{11, 10, "nginx", "nginx: worker process", 1, 0},
		task{20, 1, "apache2", "/usr/sbin/apache2|-d|/srv/a|-f|a.conf|-k|start", 1, 0},
		task{25, 1, "apache2", "/usr/sbin/apache2|-k|start", 1, 0},
		task{30, 1, "php-fpm8.2", "php-fpm: master process (/srv/p/p.conf)", 1, 0},
		task{40, 1, "nginx", "nginx: master process nginx -c /evil/evil.conf", 1, 0},
		task{50, 1, "litespeed", "litespeed (lshttpd - main)", 1, 0},
	)
	files["proc/25/environ"] = "LOGS=/srv/l\x00"
	h := plant(t, files)
	h.owner = func(info fs.FileInfo) owner {
		o := owner{mode: 0o755, known: true}
		if info.Name() == "40" {
			o.uid = 4242
		}
		return o
	}
	listed, problems := h.Logs(t.Context())
	same(t, "logs", []string{"/srv/l/a.log", "/srv/l/p.log", "/srv/l/usual.log", "/srv/n/logs/n.log"}, shown(listed))
	needProblem(t, problems, "litespeed", "runs (process 50), but its configuration was not found")
	servers, _ := h.Servers()
	var got []string
	for _, s := range servers {
		got = append(got, fmt.Sprint(s.Name, " ", s.Running, " ", s.Evidence))
	}
	same(t, "servers", []string{
		"apache true configuration /srv/a/a.conf; process 20", "apache true configuration /etc/apache2/apache2.conf; process 25",
		"litespeed true process 50", "nginx true configuration /srv/n/my.conf; process 10", "php-fpm true configuration /srv/p/p.conf; process 30",
	}, got)
}
