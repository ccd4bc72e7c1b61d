package warehouse

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

// unpacked is where ./test unpacks Debian's ClickHouse.
const unpacked = "/var/cache/connwarden-lab/root"

const config = `<yandex>
<logger><level>warning</level><log>DIR/log</log><errorlog>DIR/errors</errorlog></logger>
<http_port>PORT</http_port><listen_host>127.0.0.1</listen_host>
<path>DIR/</path><tmp_path>DIR/tmp/</tmp_path><users_config>DIR/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database><mark_cache_size>16777216</mark_cache_size>
</yandex>`

const users = `<yandex>
<profiles><default><max_memory_usage>500000000</max_memory_usage></default></profiles>
<users><ann><password>hunter2</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></ann></users>
<quotas><default/></quotas>
</yandex>`

// clickhouse starts a real server on a port of its own and returns its address.
func clickhouse(t *testing.T) (address string) {
	t.Helper()
	program := unpacked + "/usr/sbin/clickhouse-server"
	libraries, err := filepath.Glob(unpacked + "/usr/lib/*/libclickhouse.so*")
	if _, e := os.Stat(program); e != nil || err != nil || len(libraries) == 0 {
		t.Skip("needs clickhouse-server, which ./test unpacks")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the server takes it; nobody else asks for one of this number
	dir := t.TempDir()
	fill := strings.NewReplacer("DIR", dir, "PORT", port)
	for name, text := range map[string]string{"config.xml": config, "users.xml": users} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "--config-file="+dir+"/config.xml")
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Dir(libraries[0]))
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		if err := c.Process.Kill(); err == nil {
			<-ended
		}
	})
	address = "http://127.0.0.1:" + port + "/"
	deadline := time.After(time.Minute)
	for {
		if answer, err := http.Get(address + "ping"); err == nil {
			answer.Body.Close()
			return address
		}
		select {
		case err := <-ended:
			t.Fatalf("clickhouse-server ended: %v\n%s", err, said.Bytes())
		case <-deadline:
			t.Fatalf("clickhouse-server does not answer:\n%s", said.Bytes())
		case <-time.Tick(50 * time.Millisecond):
		}
	}
}

// ask asks a question and returns the rows, tab-separated.
func ask(t *testing.T, address, question string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address+"?database=connwarden", strings.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-ClickHouse-User", "ann")
	r.Header.Set("X-ClickHouse-Key", "hunter2")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%v %s", question, err, text)
	}
	return string(text)
}

// empty waits until all has been sent.
func empty(t *testing.T, w *Warehouse) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		s := w.Stats()
		if s.Files == 0 {
			if s.Refused > 0 || s.Dropped > 0 {
				t.Fatalf("not all arrived: %+v", s)
			}
			return
		}
		select {
		case <-time.Tick(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("it waits for ever: %+v", s)
		}
	}
}

var questions = regexp.MustCompile("(?s)```sql\n(.*?)```")

// TestRealClickHouse fills a real server from two hosts, one of which sends a batch twice, and asks all that the manual asks.
func TestRealClickHouse(t *testing.T) {
	address := clickhouse(t)
	now := time.Now()
	for _, host := range []string{"web1", "web2"} {
		w, err := Open(Options{URL: address, User: "ann", Password: "hunter2", Host: host, Spool: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for n := range 5 {
			b := batch(uint64(n))
			b.Rates[0].At, b.Rates[0].Site = now.Unix()/60*60-int64(60*n), "shop.example.com"
			b.Rates = append(b.Rates, report.SiteMinute{At: b.Rates[0].At, Site: "x'; DROP TABLE rates; --\t\n\xff", Requests: 1}, report.SiteMinute{At: b.Rates[0].At, Open: 311})
			b.Sightings[0].Time = now
			for i := range b.Acts {
				b.Acts[i].Time = now
			}
			if err := w.Put(b); err != nil {
				t.Fatal(err)
			}
			if n == 2 && host == "web1" {
				empty(t, w)
				if err := w.Put(b); err != nil { // as after an answer that never came
					t.Fatal(err)
				}
			}
		}
		empty(t, w)
	}
	for question, want := range map[string]string{
		"SELECT host, sum(requests), sum(status_4xx), max(open), uniq(site) FROM rates FINAL GROUP BY host ORDER BY host": "web1\t30\t10\t311\t3\nweb2\t30\t10\t311\t3\n",
		"SELECT count(), uniq(subject), any(rules), any(org) FROM verdicts FINAL":                                         "10\t1\t['a','b']\tExample \\\\x1b[31mHosting\n",
		"SELECT act, count(), countIf(until IS NULL) FROM blocks FINAL GROUP BY act ORDER BY act":                         "block\t10\t0\nunblock\t10\t10\n",
		"SELECT site FROM rates FINAL WHERE site LIKE 'x%' GROUP BY site":                                                 "x\\'; DROP TABLE rates; --\\\\x09\\\\x0a\\\\xff\n",
	} {
		if got := ask(t, address, question); got != want {
			t.Errorf("%s\ngot  %q\nwant %q", question, got, want)
		}
	}
	text, err := os.ReadFile("../docs/clickhouse.md")
	if err != nil {
		t.Fatal(err)
	}
	list := questions.FindAllStringSubmatch(string(text), -1)
	if len(list) < 12 {
		t.Fatalf("the manual has %d questions", len(list))
	}
	for i, q := range list {
		got := ask(t, address, q[1])
		if strings.TrimSpace(got) == "" && !strings.Contains(q[1], "'operator'") {
			t.Errorf("question %d has no answer:\n%s", i+1, q[1])
		}
		t.Logf("question %d:\n%s", i+1, got)
	}
}
