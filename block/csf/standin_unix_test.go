//go:build unix

package csf

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's own program stand for csf: it is started under that name, in the usr/sbin of a root tree.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "csf" {
		standIn(filepath.Join(filepath.Dir(os.Args[0]), "..", ".."), os.Args[1:])
		syscall.Exit(0) // os.Exit waits for a second under the race detector, four hundred times
	}
	os.Exit(m.Run())
}

// csfProgram does what csf's manual and source say of the commands that the driver uses: its files, its words, its
// refusals, and that it nearly always ends with status 0. Instead of iptables it keeps a file of rules.
type csfProgram struct{ root string }

func standIn(root string, args []string) {
	c := csfProgram{root}
	if _, err := os.Stat(c.path(disableFile)); err == nil {
		fmt.Println("csf and lfd have been disabled, use 'csf -e' to enable")
		os.Exit(1)
	}
	// csf joins its arguments and parts them again.
	argument := strings.Join(args[1:], " ")
	switch args[0] {
	case "-d":
		c.deny(argument)
	case "-dr":
		c.denyRemove(argument)
	case "-td":
		c.tempDeny(argument)
	case "-tr":
		c.tempRemove(argument)
	case "-g":
		c.grep(argument)
	default:
		fmt.Println("csf: v14.24 (generic)\nUsage: /usr/sbin/csf [option] [value]")
	}
	if c.conf()["TESTING"] == "1" {
		fmt.Println("*WARNING* TESTING mode is enabled - do not forget to disable it in the configuration")
	}
}

func (c csfProgram) path(name string) string { return filepath.Join(c.root, name) }

func (c csfProgram) conf() map[string]string {
	text, _ := os.ReadFile(c.path(confFile))
	return settings(string(text))
}

// change gives the lines of a file to fn under csf's lock and writes back what it returns.
func (c csfProgram) change(name string, fn func(lines []string) []string) {
	f, err := os.OpenFile(c.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		panic(err)
	}
	text, err := os.ReadFile(c.path(name))
	if err != nil {
		panic(err)
	}
	before := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 {
		before = nil
	}
	after := strings.Join(fn(slices.Clone(before)), "\n")
	if after != "" {
		after += "\n"
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(after), 0)
}

func (c csfProgram) lines(name string) (lines []string) {
	c.change(name, func(l []string) []string { lines = l; return l })
	return lines
}

const rulesFile = "/rules" // in place of iptables

func (c csfProgram) rule(target string, add bool) {
	c.change(rulesFile, func(l []string) []string {
		if add {
			return append(l, target)
		}
		if i := slices.Index(l, target); i >= 0 {
			l = slices.Delete(l, i, i+1)
		}
		return l
	})
}

func checkIP(text string) int {
	target, ok := parseTarget(text)
	switch {
	case !ok || target.Addr().IsLoopback():
		return 0
	case target.Addr().Is6():
		return 6
	default:
		return 4
	}
}

func (c csfProgram) own(ip string) bool {
	return slices.Contains(c.lines("/own"), ip)
}

// listed tells whether a file has an address, or a prefix around it.
func (c csfProgram) listed(name, ip string) bool {
	target, _ := parseTarget(ip)
	return slices.ContainsFunc(c.lines(name), func(line string) bool {
		word, _, _ := strings.Cut(line, " ")
		p, ok := parseTarget(word)
		return ok && (p == target || !p.IsSingleIP() && p.Contains(target.Addr()))
	})
}

func (c csfProgram) deny(argument string) {
	ip, comment, _ := strings.Cut(argument, " ")
	conf := c.conf()
	switch {
	case c.own(ip):
		fmt.Printf("deny failed: [%s] is one of this servers addresses!\n", ip)
		return
	case checkIP(ip) == 6 && conf["IPV6"] != "1":
		fmt.Printf("deny failed: [%s] is valid IPv6 but IPV6 is not enabled in csf.conf\n", ip)
		return
	case checkIP(ip) == 0:
		fmt.Printf("deny failed: [%s] is not a valid IP/CIDR\n", ip)
		return
	case c.listed("/etc/csf/csf.allow", ip):
		fmt.Printf("deny failed: %s is in the allow file /etc/csf/csf.allow\n", ip)
		return
	case c.listed("/etc/csf/csf.ignore", ip):
		fmt.Printf("deny failed: %s is in the ignore file /etc/csf/csf.ignore\n", ip)
		return
	}
	c.change(denyFile, func(lines []string) []string {
		var counted []string
		for _, line := range lines {
			word, _, _ := strings.Cut(line, " ")
			if word == ip {
				fmt.Printf("deny failed: %s is in already in the deny file /etc/csf/csf.deny 1 times\n", ip)
				return lines
			}
			if line != "" && line[0] != '#' && !strings.HasPrefix(line, "Include") && !strings.Contains(strings.ToLower(line), "do not delete") {
				counted = append(counted, line)
			}
		}
		if limit, _ := strconv.Atoi(conf["DENY_IP_LIMIT"]); limit > 0 && len(counted) >= limit {
			fmt.Printf("csf: DENY_IP_LIMIT (%d), the following IP's were removed from /etc/csf/csf.deny:\n", limit)
			for _, line := range counted[:len(counted)-limit+1] {
				fmt.Println(line)
				word, _, _ := strings.Cut(line, " ")
				c.rule(word, false)
				lines = slices.DeleteFunc(lines, func(l string) bool { return l == line })
			}
		}
		if comment == "" {
			comment = "Manually denied: " + ip + " (-)"
		}
		if conf["TESTING"] == "1" {
			fmt.Printf("Adding %s to csf.deny only while in TESTING mode (not iptables DROP)\n", ip)
		} else {
			fmt.Printf("Adding %s to csf.deny and iptables DROP...\n", ip)
			c.rule(ip, true)
		}
		return append(lines, fmt.Sprintf("%s # %s - %s", ip, comment, time.Now().Format(time.ANSIC)))
	})
}

func (c csfProgram) denyRemove(ip string) {
	if checkIP(ip) == 0 {
		fmt.Printf("[%s] is not a valid IP/CIDR\n", ip)
		return
	}
	hit := false
	c.change(denyFile, func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool {
			word, comment, _ := strings.Cut(line, " ")
			if !strings.EqualFold(word, ip) {
				return false
			}
			hit = true
			if strings.Contains(strings.ToLower(comment), "do not delete") {
				fmt.Printf("csf: %s set as \"do not delete\" - not removed\n", ip)
				return false
			}
			fmt.Println("Removing rule...")
			c.rule(word, false)
			return true
		})
	})
	if !hit {
		fmt.Printf("csf: %s not found in csf.deny\n", ip)
	}
}

var (
	durations  = regexp.MustCompile(`(?i)^(\d*)(m|h|d)`)
	portOption = regexp.MustCompile(`-p\s*([\w,*;]+)`)
	options    = regexp.MustCompile(`(?i)-d\s*(out|inout|in)|-p\s*[\w,*;]+`)
)

func (c csfProgram) tempDeny(argument string) {
	fields := strings.SplitN(argument, " ", 3)
	for len(fields) < 3 {
		fields = append(fields, "")
	}
	ip, comment := fields[0], fields[2]
	timeout, err := strconv.Atoi(durations.ReplaceAllString(fields[1], "$1"))
	if checkIP(ip) == 6 && c.conf()["IPV6"] != "1" {
		fmt.Printf("failed: [%s] is valid IPv6 but IPV6 is not enabled in csf.conf\n", ip) // and goes on
	}
	switch {
	case checkIP(ip) == 0:
		fmt.Printf("csf: [%s] is not a valid IP\n", ip)
		return
	case c.own(ip):
		fmt.Printf("deny failed: [%s] is one of this servers addresses!\n", ip)
		return
	case err != nil:
		comment = fields[1] + " " + comment
	}
	port, inout := "", "in"
	if m := portOption.FindStringSubmatch(comment); m != nil {
		port = m[1]
	}
	if m := options.FindStringSubmatch(comment); m != nil && m[1] != "" {
		inout = strings.ToLower(m[1])
	}
	comment = strings.TrimSpace(options.ReplaceAllString(comment, ""))
	for _, line := range c.lines(denyFile) {
		if regexp.MustCompile("^" + regexp.QuoteMeta(ip) + `\b`).MatchString(line) {
			fmt.Printf("csf: %s is already permanently blocked\n", ip)
			return
		}
	}
	c.change(tempFile, func(lines []string) []string {
		for _, line := range lines {
			if f := strings.Split(line, "|"); len(f) > 2 && f[1] == ip && f[2] == port {
				fmt.Printf("csf: %s is already temporarily blocked\n", ip)
				return lines
			}
		}
		if timeout < 2 {
			timeout = 3600
		}
		c.rule(ip, true)
		fmt.Printf("csf: %s blocked on port * for %d seconds %sbound\n", ip, timeout, inout)
		return append(lines, fmt.Sprintf("%d|%s|%s|%s|%d|%s", time.Now().Unix(), ip, port, inout, timeout, comment))
	})
}

// tempRemove takes all of an address away, denials and allowances, whoever made them.
func (c csfProgram) tempRemove(ip string) {
	for file, what := range map[string]string{tempFile: "block", allowFile: "allow"} {
		hit := false
		c.change(file, func(lines []string) []string {
			return slices.DeleteFunc(lines, func(line string) bool {
				f := strings.Split(line, "|")
				if len(f) < 6 || f[1] != ip {
					return false
				}
				hit = true
				c.rule(ip, false)
				fmt.Printf("csf: %s temporary %s removed\n", ip, what)
				return true
			})
		})
		if !hit {
			fmt.Printf("csf: %s not found in temporary %ss\n", ip, what)
		}
	}
}

func (c csfProgram) grep(ip string) {
	fmt.Print("\nTable  Chain            num   pkts bytes target     prot opt in     out     source               destination\n\n")
	hit := false
	for i, rule := range c.lines(rulesFile) {
		if rule == ip {
			hit = true
			fmt.Printf("filter DENYIN           %d        0     0 DROP       all  --  !lo    *       %-20s 0.0.0.0/0\n", i+1, ip)
		}
	}
	if !hit {
		fmt.Printf("No matches found for %s in iptables\n", ip)
	}
	for _, line := range c.lines(denyFile) {
		if word, _, _ := strings.Cut(line, " "); word == ip {
			fmt.Printf("\ncsf.deny: %s\n", line)
		}
	}
}

// lfd clears what has ended, as the daemon does every few seconds.
func (c csfProgram) lfd(now time.Time) {
	c.change(tempFile, func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool {
			f := strings.Split(line, "|")
			since, _ := strconv.ParseInt(f[0], 10, 64)
			seconds, _ := strconv.ParseInt(f[4], 10, 64)
			if now.Before(time.Unix(since+seconds, 0)) {
				return false
			}
			c.rule(f[1], false)
			return true
		})
	})
}

// denies tells whether a rule of the firewall denies a target.
func (c csfProgram) denies(target string) bool {
	p := netip.MustParsePrefix(target)
	return slices.Contains(c.lines(rulesFile), word(p))
}
