package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/google/go-cmp/cmp"
)

// plant writes a tree: names end in "/" for folders, values that begin with "-> " are links.
func plant(t testing.TB, files map[string]string) *Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch target, link := strings.CutPrefix(text, "-> "); {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(file, 0o755)
		case link:
			err = os.Symlink(target, file)
		default:
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return New(root)
}

func shown(files []LogFile) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Shown)
	}
	return out
}

func logsOf(t testing.TB, h *Host) []string {
	t.Helper()
	files, problems := h.Logs(context.Background())
	for _, p := range problems {
		t.Errorf("problem: %s: %s", p.What, p.Why)
	}
	return shown(files)
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// needProblem wants a problem with this object whose reason holds these words.
func needProblem(t testing.TB, problems []connwarden.Problem, what, words string) {
	t.Helper()
	for _, p := range problems {
		if p.What == what && strings.Contains(p.Why, words) {
			return
		}
	}
	t.Errorf("no problem %q … %q among %+v", what, words, problems)
}

func needLinks(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("making links needs a privilege on Windows")
	}
}

func TestWords(t *testing.T) {
	for i, want := range [...]string{"access", "error", "slow", "events", "unknown"} {
		same(t, "kind", want, Kind(i).String())
	}
	for i, want := range [...]string{"unknown", "yes", "no", "unknown"} {
		same(t, "answer", want, Answer(i).String())
	}
	if text, err := Yes.MarshalText(); err != nil || string(text) != "yes" {
		t.Errorf("marshalled Yes is %q, %v", text, err)
	}
	if text, err := Slow.MarshalText(); err != nil || string(text) != "slow" {
		t.Errorf("marshalled Slow is %q, %v", text, err)
	}
}

func TestRooted(t *testing.T) {
	for root, want := range map[string]bool{"": false, "/": false, t.TempDir(): true, ".": true} {
		if got := New(root).Rooted(); got != want {
			t.Errorf("root %q: rooted %v, want %v", root, got, want)
		}
	}
}

// Links are followed as chroot would follow them: never out of the root.
func TestLinksStayInside(t *testing.T) {
	needLinks(t)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.conf"), []byte("CustomLog /var/log/stolen.log combined\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := plant(t, map[string]string{
		"etc/apache2/apache2.conf": "LogFormat \"%r %s\" combined\nIncludeOptional sites-enabled/*.conf\n" +
			"CustomLog /logs/up.log combined\nCustomLog /logs/abs.log combined\n",
		"etc/apache2/sites-enabled/in.conf":   "-> /etc/apache2/in.conf",
		"etc/apache2/sites-enabled/out.conf":  "-> " + filepath.Join(outside, "secret.conf"),
		"etc/apache2/sites-enabled/up.conf":   "-> ../../../../../../../../.." + filepath.Join(outside, "secret.conf"),
		"etc/apache2/sites-enabled/loop.conf": "-> loop.conf",
		"etc/apache2/in.conf":                 "CustomLog /var/log/in.log combined\n",
		"var/log/in.log":                      "",
		"var/log/stolen.log":                  "",
		"logs/up.log":                         "-> ../../../../../../../var/log/up.log",
		"logs/abs.log":                        "-> /var/log/abs.log",
		"var/log/up.log":                      "",
		"var/log/abs.log":                     "",
	})
	files, problems := h.Logs(context.Background())
	same(t, "logs", []string{"/logs/abs.log", "/logs/up.log", "/var/log/in.log"}, shown(files))
	for _, f := range files {
		want := filepath.Join(h.Root, "var/log", filepath.Base(f.Shown))
		same(t, "path of "+f.Shown, want, f.Path)
	}
	for _, p := range problems {
		if !strings.Contains(p.What+p.Why, "loop.conf") {
			t.Errorf("problem %+v", p)
		}
	}
}

func TestEachFileOnce(t *testing.T) {
	needLinks(t)
	h := plant(t, map[string]string{
		"etc/apache2/logs/domlogs/example.com":         "x",
		"etc/apache2/logs/domlogs/example.com-ssl_log": "x",
		"etc/apache2/logs/domlogs/alice/":              "",
		"usr/local/apache/domlogs":                     "-> /etc/apache2/logs/domlogs",
		"etc/apache2/logs/domlogs/sub/here":            "-> ../example.com",
	})
	domlogs := filepath.Join(h.Root, "etc/apache2/logs/domlogs")
	for _, name := range []string{"example.com", "example.com-ssl_log"} {
		if err := os.Link(filepath.Join(domlogs, name), filepath.Join(domlogs, "alice", name)); err != nil {
			t.Fatal(err)
		}
	}
	files, problems := h.Logs(context.Background())
	same(t, "logs", []string{"/usr/local/apache/domlogs/example.com", "/usr/local/apache/domlogs/example.com-ssl_log"}, shown(files))
	same(t, "problems", 0, len(problems))
	for _, f := range files {
		if f.Site != "example.com" || f.Size != 1 || f.Inode == 0 || f.ModTime.IsZero() || f.Kind != Access {
			t.Errorf("%+v", f)
		}
	}
}

// Two sites in one log leave its site open; two formats its format.
func TestConfigurationsThatDisagree(t *testing.T) {
	h := plant(t, map[string]string{
		"etc/nginx/nginx.conf": `http {
			log_format a '$request $status';
			log_format b '$status $request';
			server { server_name a.example.com; access_log /l/one.log a; access_log /l/two.log a; access_log /l/three.log a if=$x; }
			server { server_name b.example.com; access_log /l/one.log a; access_log /l/two.log b; access_log /l/three.log a; }
			server { server_name a.example.com; access_log /l/four.log a; }
			server { server_name a.example.com; access_log /l/four.log a; }
		}`,
		"l/one.log": "", "l/two.log": "", "l/three.log": "", "l/four.log": "",
	})
	files, _ := h.Logs(context.Background())
	type row struct{ Name, Site, Format, Only, Twin string }
	var got []row
	for _, f := range files {
		got = append(got, row{f.Shown, f.Site, f.Format, f.Only, f.Twin})
	}
	same(t, "logs", []row{
		{"/l/four.log", "a.example.com", "$request $status", "", ""},
		{"/l/one.log", "", "$request $status", "", ""},
		{"/l/three.log", "", "$request $status", "", ""},
		{"/l/two.log", "", "", "", "/l/one.log"},
	}, got)
}

func TestNewestOfAPattern(t *testing.T) {
	h := plant(t, map[string]string{
		"etc/apache2/apache2.conf": "CustomLog \"|/usr/bin/rotatelogs /l/a.%Y%m%d 86400\" \"%r %s\"\n" +
			"ErrorLog \"|rotatelogs -n 3 /l/e 1M\"\n",
		"l/a.20261120": "", "l/a.20261121": "", "l/a.20261122.gz": "", "l/e": "", "l/e.1": "", "l/e.2": "",
		"inetpub/logs/LogFiles/W3SVC1/u_ex1.log": "", "inetpub/logs/LogFiles/W3SVC1/u_ex2.log": "",
	})
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for name, age := range map[string]int{
		"l/a.20261120": 3, "l/a.20261121": 2, "l/a.20261122.gz": 1, "l/e": 3, "l/e.1": 1, "l/e.2": 2,
		"inetpub/logs/LogFiles/W3SVC1/u_ex1.log": 1, "inetpub/logs/LogFiles/W3SVC1/u_ex2.log": 2,
	} {
		at := now.Add(-time.Duration(age) * time.Hour)
		if err := os.Chtimes(filepath.Join(h.Root, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "logs", []string{"/inetpub/logs/LogFiles/W3SVC1/u_ex1.log", "/l/a.20261121", "/l/e.1"}, logsOf(t, h))
}

func TestTrust(t *testing.T) {
	needLinks(t)
	h := plant(t, map[string]string{
		"etc/login.defs": "# comment\nUID_MIN\t 500\n",
		"etc/nginx/nginx.conf": `http { access_log /d/root.log; access_log /d/daemon.log; access_log /d/user.log; access_log /d/group.log;
			access_log /d/world.log; access_log /userdir/x.log; access_log /sticky/root.log; access_log /sticky/link.log;
			access_log /open/x.log; access_log /userdir/link.log; access_log /userdir/sub/link/x.log; access_log /d/nobody.log;
			error_log /d/error.log; }`,
		"d/root.log": "", "d/daemon.log": "", "d/user.log": "", "d/group.log": "", "d/world.log": "", "d/nobody.log": "", "d/error.log": "",
		"userdir/x.log": "", "userdir/link.log": "-> /d/root.log", "userdir/sub/link": "-> /d",
		"sticky/root.log": "", "sticky/link.log": "-> /d/root.log", "open/x.log": "",
	})
	owners := map[string]owner{
		"daemon.log": {uid: 33, gid: 33}, "user.log": {uid: 500}, "group.log": {gid: 700, mode: 0o664}, "world.log": {mode: 0o666},
		"nobody.log": {uid: 65534}, "userdir": {uid: 1234, mode: fs.ModeDir | 0o755}, "sticky": {mode: fs.ModeDir | fs.ModeSticky | 0o777},
		"open": {mode: fs.ModeDir | 0o777}, "link.log": {uid: 1234, mode: fs.ModeSymlink | 0o777},
	}
	h.owner = func(info fs.FileInfo) owner {
		o := owners[info.Name()]
		o.known = true
		if o.mode == 0 {
			o.mode = 0o644
		}
		return o
	}
	files, problems := h.Logs(context.Background())
	got := map[string]string{}
	for _, f := range files {
		got[f.Shown] = f.Trust.String()
	}
	same(t, "trust", map[string]string{
		"/d/root.log": "root", "/d/daemon.log": "root", "/d/nobody.log": "root", "/d/user.log": "local", "/d/group.log": "local",
		"/d/world.log": "local", "/userdir/x.log": "local", "/sticky/root.log": "root", "/open/x.log": "local", "/d/error.log": "outside",
	}, got)
	for _, name := range []string{"/userdir/link.log", "/userdir/sub/link/x.log", "/sticky/link.log"} {
		needProblem(t, problems, name, "not followed")
	}
}

// Who made the root folder stands for root inside it, so that a copied tree reads as the machine did.
func TestTrustOfACopiedTree(t *testing.T) {
	needLinks(t)
	h := plant(t, map[string]string{
		"etc/nginx/nginx.conf": "http { access_log /l/link.log; access_log /l/other.log; }",
		"l/link.log":           "-> real.log", "l/real.log": "", "l/other.log": "",
	})
	h.owner = func(info fs.FileInfo) owner {
		o := owner{uid: 1000, gid: 1000, mode: 0o775, known: true}
		if info.Name() == "other.log" {
			o.uid = 1001
		}
		return o
	}
	files, problems := h.Logs(context.Background())
	same(t, "problems", 0, len(problems))
	got := map[string]string{}
	for _, f := range files {
		got[f.Shown] = f.Trust.String()
	}
	same(t, "trust", map[string]string{"/l/link.log": "root", "/l/other.log": "local"}, got)
}

func TestLogsStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	files, problems := New("testdata/cpanel").Logs(ctx)
	same(t, "logs", 0, len(files))
	needProblem(t, problems, "logs", "search stopped: context canceled")
}

func TestHostname(t *testing.T) {
	h := plant(t, map[string]string{"etc/hostname": "web3.example.net\n"})
	name, err := h.Hostname()
	if err != nil || name != "web3.example.net" {
		t.Errorf("got %q, %v", name, err)
	}
	if _, err := plant(t, nil).Hostname(); err == nil {
		t.Error("no error without /etc/hostname")
	}
	want, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if name, err := New("/").Hostname(); err != nil || name != want {
		t.Errorf("got %q, %v, want %q", name, err, want)
	}
}

func TestAddresses(t *testing.T) {
	all, err := New("").Addresses()
	if err != nil {
		t.Fatal(err)
	}
	loopback := false
	for _, p := range all {
		loopback = loopback || p.Addr().IsLoopback()
		if !p.IsValid() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			t.Errorf("address %v", p)
		}
	}
	if !loopback {
		t.Errorf("no loopback among %v", all)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"/l/example.com-access.log": "example.com", "/l/access_example.com.log": "example.com", "/l/example.com_ssl_error_log": "example.com",
		"/l/access.log": "", "/l/error.log": "", "/l/other_vhosts_access.log": "", "/l/ssl_access_log": "", "/l/Shop.Example.COM.access.log": "shop.example.com",
		"/l/access.192.0.2.1.log": "", "/l/a..b-access.log": "", "/l/-x.com-access.log": "", "/l/évil.com-access.log": "",
	} {
		same(t, name, want, nameSite(name))
	}
	for name, want := range map[string]bool{
		"access.log": false, "access.log.1": true, "access.log.2.gz": true, "access_log-20261115": true, "access_log": false,
		"x.processed": true, "x.webstat": true, "example.com.bkup2": true, "example.com": false, "x.offset": true, "access.log~": true,
		"ssl_access_log": false, "access.2026-11-21": true, "": false,
	} {
		same(t, name, want, rotated("/l/"+name))
	}
	for name, want := range map[string]bool{
		"example.com-bytes_log": true, "ftpxferlog": true, "ftpxferlog.offset": true, "ftp.example.com-ftp_log": true, "example.com": false,
		"example.com.bytes": true, "x.bkup": true, "access_log": false, "x.imapbytes_log": true,
	} {
		same(t, name, want, skipped("/l/"+name))
	}
	for _, c := range [][3]string{
		{"/a/*/b", "/a/x.y/b", "x.y"}, {"/a/*.log", "/a/x.log", "x"}, {"/a/*/*", "/a/x/y", ""}, {"/a", "/a", ""}, {"/ab*bc", "/abc", ""},
	} {
		same(t, c[0], c[2], starred(c[0], c[1]))
	}
}

func TestSiteOf(t *testing.T) {
	for name, want := range map[string]string{
		"/usr/local/apache/domlogs/example.com-ssl_log": "example.com", "domlogs/alice/example.com": "example.com",
		"/var/www/vhosts/system/example.com/logs/access_log": "example.com", "example.com-access.log": "example.com", "access.log": "",
		"/usr/local/apache/domlogs/proxy-subdomains-vhost.localhost": "",
		"example.com.log.1": "example.com", "example.com.log.gz": "example.com", "example.com-access.log-20261122.xz": "example.com",
		"example.com-access.log.2026-11-21": "example.com", "example.com-ssl_log-Nov-2026.gz": "example.com", "example.com.log.txt": "example.com",
		"domlogs/example.com-Nov-2026.gz": "example.com", "access_log.processed.1.gz": "",
		"access.log.2.gz": "", "access-20261122.gz": "", "access.log-20261122.gz": "", "foo.log.gz": "", "x.txt": "", "192.0.2.7.log": "",
		"shop-24.example.com.log": "shop-24.example.com", "may-2026.gz": "", "1.gz": "", ".gz": "",
	} {
		same(t, name, want, SiteOf(name))
	}
	if !Ignored("/x/example.com-bytes_log") || Ignored("/x/example.com") {
		t.Error("Ignored does not know cPanel's counts of bytes")
	}
}
