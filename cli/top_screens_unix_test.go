//go:build unix

package cli

import (
	"flag"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var topScreens = flag.String("screens", "", "make the pictures of the live screen and of the review in this folder: go test ./cli -run TestRealTopScreens -screens ../docs/screens")

// TestRealTopScreens makes the documentation's pictures of the live screen and of the review: what a real terminal shows of the
// real program, drawn by a browser.
func TestRealTopScreens(t *testing.T) {
	if *topScreens == "" {
		t.Skip("makes pictures: -screens FOLDER")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs a browser: apt install chromium")
	}
	for _, width := range []int{80, 120, 200} {
		height := map[int]int{80: 30, 120: 40, 200: 50}[width]
		x := openShop(t, width, height, "connwarden top --no-dns --tz UTC --root . --log access.log --log php-fpm.log --from conns.txt")
		x.sees("13.14.15.16  MALICIOUS")
		x.sees("311 connections")
		for _, view := range []struct{ name, keys, sees string }{{"findings", "1", "things need you"}, {"peers", "2", "VERDICT"}, {"connections", "3", "STATES"}, {"dossier", "2 Enter", "busiest minute"}} {
			for _, key := range strings.Fields(view.keys) {
				x.keys(key)
			}
			x.sees(map[bool]string{true: view.sees, false: ""}[width >= 120 || view.name != "connections"])
			if view.name != "findings" && width != 120 {
				continue
			}
			picture(t, chromium, x.tmux("capture-pane", "-p", "-e"), width, height, filepath.Join(*topScreens, fmt.Sprintf("top-%s-%d.png", view.name, width)))
		}
		x.keys("q")

		height = map[int]int{80: 71, 120: 66, 200: 63}[width] // of all of it
		x = openShop(t, width, height, "connwarden review --no-dns --tz UTC --from conns.txt access.log php-fpm.log; exec cat")
		x.sees("ERRORS")
		x.sees("pool reached pm.max_children")
		picture(t, chromium, x.tmux("capture-pane", "-p", "-e"), width, height, filepath.Join(*topScreens, fmt.Sprintf("review-%d.png", width)))
	}
}

// openShop runs a command of the shell over the hour of a small shop in which three addresses attack and PHP runs short of
// children.
func openShop(t *testing.T, width, height int, command string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux: shows the screen in a real terminal")
	}
	dir := t.TempDir()
	x := &terminal{t, filepath.Join(dir, "tmux"), filepath.Join(dir, "wall")}
	end := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	pages := []string{"/", "/shop/", "/shop/winter-coat", "/about/", "/contact/", "/blog/", "/cart"}
	probes := []string{"/.env", "/.git/config", "/wp-config.php.bak", "/phpinfo.php", "/admin.php", "/backup.sql"}
	x.write(filepath.Join(dir, "access.log"), 3600, func(i int) string {
		at := end.Add(time.Duration(i-3599) * time.Second).Format("02/Jan/2006:15:04:05 -0700")
		text := ""
		line := func(addr, request string, status, size int, agent string) {
			text += fmt.Sprintf("%s - - [%s] \"%s HTTP/1.1\" %d %d \"-\" \"%s\"\n", addr, at, request, status, size, agent)
		}
		if i*7919%4 == 0 {
			line(fmt.Sprintf("84.%d.%d.7", 10+i*31%60, i*17%60), "GET "+pages[i*13%len(pages)], 200, 900+i*997%60000, "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0")
		}
		if i%41 == 0 {
			line("66.249.66.1", "GET "+pages[i%len(pages)], 200, 5120, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
		}
		if i > 3300 {
			line("13.14.15.16", "POST /xmlrpc.php", 403, 461, "Mozilla/5.0 (compatible; Googlebot/2.1)")
		}
		if i > 1800 && i < 1980 && i%2 == 0 {
			line("45.148.10.77", "GET "+probes[i/2%len(probes)], 404, 196, "curl/8.1")
		}
		if i > 1300 && i < 1700 && i%7 == 0 {
			line("91.92.240.15", "POST /wp-login.php", 200, 7301, "python-requests/2.31")
		}
		return text
	})
	x.write(filepath.Join(dir, "php-fpm.log"), 12, func(i int) string {
		return fmt.Sprintf("[%s] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it\n", end.Add(time.Duration(20*i-300)*time.Second).Format("02-Jan-2006 15:04:05"))
	})
	x.write(filepath.Join(dir, "conns.txt"), 312, func(i int) string {
		switch {
		case i == 0:
			return "LISTEN 0 511 0.0.0.0:443 0.0.0.0:*\n"
		case i < 12:
			return fmt.Sprintf("SYN-RECV 0 0 192.0.2.10:443 13.14.15.16:%d\n", 10000+i)
		case i < 301:
			return fmt.Sprintf("ESTAB 0 0 192.0.2.10:443 13.14.15.16:%d\n", 10000+i)
		default:
			return fmt.Sprintf("ESTAB 0 0 192.0.2.10:443 84.%d.%d.7:%d\n", 10+i%5*31%60, i%5*17%60, 20000+i)
		}
	})
	// A terminal that tells its background, as most do.
	args := []string{"start-server", ";", "set", "-g", "window-style", "bg=#111417,fg=#e6e3dc", ";", "new-session", "-d", "-c", dir, "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "env", "CONNWARDEN_STATE_DIR=" + filepath.Join(dir, "state"), "WALL=" + x.wall, "LANG=C.UTF-8", "LC_ALL=", "TERM=tmux-256color"}
	x.tmux(append(args, "sh", "-c", command)...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

// picture draws painted lines as a dark terminal shows them.
func picture(t *testing.T, chromium, lines string, width, height int, name string) {
	t.Helper()
	const column, row, edge = 8.43, 18, 14 // pixels of 14px DejaVu Sans Mono
	page := filepath.Join(t.TempDir(), "screen.html")
	text := `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#111417}pre{margin:0;padding:` + strconv.Itoa(edge) + `px;color:#e6e3dc;font:14px/` + strconv.Itoa(row) + `px "DejaVu Sans Mono",monospace}</style><pre>` + painted(lines) + `</pre>`
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	to, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-background-networking", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
		fmt.Sprintf("--window-size=%d,%d", int(float64(width)*column)+2*edge, height*row+2*edge), "--screenshot="+to, "file://"+page).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// painted turns the codes of colours into markup.
func painted(s string) string {
	base := map[int]string{0: "#3b4048", 1: "#ff7b72", 2: "#7ee787", 3: "#e3b341", 4: "#79c0ff", 5: "#d2a8ff", 6: "#76d9e6", 7: "#e6e3dc"}
	var b strings.Builder
	var fg, bg string
	var bold, dim, reverse bool
	for len(s) > 0 {
		if i := strings.IndexByte(s, 0x1b); i != 0 {
			if i < 0 {
				i = len(s)
			}
			front, back := fg, bg
			if reverse {
				front, back = "#111417", "#e6e3dc"
			}
			style := ""
			if front != "" {
				style += "color:" + front + ";"
			}
			if back != "" {
				style += "background:" + back + ";"
			}
			if bold {
				style += "font-weight:700;"
			}
			if dim {
				style += "opacity:.62;"
			}
			b.WriteString(`<span style="` + style + `">` + html.EscapeString(s[:i]) + `</span>`)
			s = s[i:]
			continue
		}
		end := strings.IndexByte(s, 'm')
		if end < 0 {
			break
		}
		codes := strings.Split(strings.TrimPrefix(s[:end], "\x1b["), ";")
		s = s[end+1:]
		for i := 0; i < len(codes); i++ {
			n, _ := strconv.Atoi(codes[i])
			switch {
			case n == 0:
				fg, bg, bold, dim, reverse = "", "", false, false, false
			case n == 1:
				bold = true
			case n == 2:
				dim = true
			case n == 22:
				bold, dim = false, false
			case n == 7:
				reverse = true
			case n == 27:
				reverse = false
			case n >= 30 && n <= 37:
				fg = base[n-30]
			case n == 39:
				fg = ""
			case n == 48 && i+2 < len(codes):
				grey, _ := strconv.Atoi(codes[i+2])
				bg = fmt.Sprintf("#%02[1]x%02[1]x%02[1]x", 8+max(grey-232, 0)*10)
				i += 2
			case n == 49:
				bg = ""
			}
		}
	}
	return b.String()
}
