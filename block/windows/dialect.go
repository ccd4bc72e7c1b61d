package windows

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/span"
)

// dialect is one of the two programs.
type dialect struct {
	program string
	list    []string // arguments that print our rules
	off     []string // arguments that print the profiles for which the firewall is off; none: there are none
	parse   func(out string) rules
	args    func(s step) []string
}

// PowerShell's commands are texts. They hold constants of ours, names of our rules, and addresses and ports that we
// print ourselves: nothing that could end a text in single quotes.
var powershell = dialect{
	program: "powershell",
	list: command("Get-NetFirewallRule -DisplayName '" + prefix + "*' -ErrorAction SilentlyContinue | ForEach-Object { " +
		"$_.DisplayName + [char]9 + $_.Enabled + [char]9 + (($_ | Get-NetFirewallAddressFilter).RemoteAddress -join ',') }"),
	off:   command("Get-NetFirewallProfile | Where-Object { $_.Enabled -eq 'False' } | ForEach-Object { $_.Name }"),
	parse: parsePowershell,
	args: func(s step) []string {
		switch s.act {
		case drop:
			return command("Remove-NetFirewallRule -DisplayName '" + s.name + "'")
		case set:
			return command("Set-NetFirewallRule -DisplayName '" + s.name + "' -Enabled True -RemoteAddress " + words(s.targets, "'"))
		}
		text := "New-NetFirewallRule -DisplayName '" + s.name + "' -Group 'connwarden' -Direction Inbound -Action Block -Profile Any"
		if s.protocol != "" {
			text += " -Protocol " + strings.ToUpper(s.protocol) + " -LocalPort " + s.ports
		}
		return command(text + " -RemoteAddress " + words(s.targets, "'") + " | Out-Null")
	},
}

// command is the arguments that make PowerShell run a text and end with status 1 when it fails.
func command(text string) []string {
	return []string{"-NoProfile", "-NonInteractive", "-Command", "$ErrorActionPreference = 'Stop'; " + text}
}

var netsh = dialect{
	program: "netsh",
	list:    []string{"advfirewall", "firewall", "show", "rule", "name=all", "dir=in"},
	parse:   parseNetsh,
	args: func(s step) []string {
		switch s.act {
		case drop:
			return []string{"advfirewall", "firewall", "delete", "rule", "name=" + s.name}
		case set:
			return []string{"advfirewall", "firewall", "set", "rule", "name=" + s.name, "new", "enable=yes", "remoteip=" + words(s.targets, "")}
		}
		args := []string{
			"advfirewall", "firewall", "add", "rule", "name=" + s.name, "dir=in", "action=block", "enable=yes", "profile=any",
			"remoteip=" + words(s.targets, ""),
		}
		if s.protocol != "" {
			args = append(args, "protocol="+strings.ToUpper(s.protocol), "localport="+s.ports)
		}
		return args
	},
}

// words joins targets by commas, each in quotes.
func words(list []netip.Prefix, quote string) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = quote + block.Show(p) + quote
	}
	return strings.Join(texts, ",")
}

// addresses reads a list as either program prints it: with lengths, masks or as ranges. ok is false when a word is
// none of them.
func addresses(text string) (list []netip.Prefix, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		s, read := span.Parse(strings.TrimSpace(word))
		p, isPrefix := s.Prefix()
		if !read || !isPrefix {
			return nil, false
		}
		list = append(list, p)
	}
	return targets(list), true
}

// parsePowershell reads a line a rule: its name, which may have blanks, whether it is enabled, and its addresses, with
// tabs between. A rule of ours whose addresses
// are none, because somebody changed it, has none.
func parsePowershell(out string) rules {
	r := rules{}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if _, _, ours := parseName(fields[0]); !ours || len(fields) != 3 {
			continue
		}
		list, _ := addresses(fields[2])
		r[fields[0]] = rule{off: fields[1] == "False", targets: list}
	}
	return r
}

// parseNetsh reads what netsh prints of all rules. Its labels are in the system's language, so that only their places and
// values are read: a rule begins at the line before one of dashes, and its remote addresses are the one list of
// addresses, since we never name a local one. Whether it is switched off cannot be told.
func parseNetsh(out string) rules {
	r := rules{}
	name, before := "", ""
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		_, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch list, isList := addresses(value); {
		case len(line) > 10 && strings.Trim(line, "-") == "":
			_, last, _ := strings.Cut(before, ":")
			name = strings.TrimSpace(last)
			if _, _, ours := parseName(name); ours {
				r[name] = rule{}
			} else {
				name = ""
			}
		case name != "" && isList:
			r[name] = rule{targets: list}
		}
		before = line
	}
	return r
}
