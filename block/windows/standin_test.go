package windows_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/block/blocktest"
)

// TestMain lets the test's own program stand for those of Windows.
func TestMain(m *testing.M) {
	blocktest.StandFor(standIn, "powershell", "netsh")
	os.Exit(m.Run())
}

// rule is one of the stand-in's rules.
type rule struct {
	Name, Group, Protocol, Ports string
	Enabled                      bool
	Addresses                    []string // none: any
}

// firewall is what the stand-ins keep.
type firewall struct {
	NoCmdlets bool     // PowerShell without the module NetSecurity
	NoRights  bool     // not run as administrator
	Off       []string // profiles for which it is off
	Changes   int      // how many changes are still taken; -1: any number
	Rules     []rule
}

// fail ends a stand-in as the real program ends: PowerShell complains to standard error, netsh to standard output.
func fail(name, text string) {
	if name == "netsh" {
		fmt.Println("\n" + text + "\n")
	} else {
		fmt.Fprintln(os.Stderr, text)
	}
	os.Exit(1)
}

// limit is how long the command line of a process may be (CreateProcess).
const limit = 32767

func standIn(name, file string, args []string) {
	var f firewall
	text, _ := os.ReadFile(file)
	if err := json.Unmarshal(text, &f); err != nil {
		panic(err)
	}
	if n := len(strings.Join(args, " ")); n > limit {
		fail(name, fmt.Sprintf("The filename or extension is too long: %d", n))
	}
	changed := false
	if name == "powershell" {
		changed = f.powershell(args)
	} else {
		changed = f.netsh(args)
	}
	if changed {
		if f.Changes == 0 {
			fail(name, "The RPC server is unavailable.")
		}
		f.Changes--
		text, _ := json.Marshal(f)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			panic(err)
		}
	}
	os.Exit(0)
}

// find returns the indexes of the rules with a name.
func (f *firewall) find(name string) (found []int) {
	for i, r := range f.Rules {
		if r.Name == name {
			found = append(found, i)
		}
	}
	return found
}

// The commands that the stand-in for PowerShell understands.
var (
	psList   = regexp.MustCompile(`^Get-NetFirewallRule -DisplayName 'connwarden-\*' -ErrorAction SilentlyContinue \| ForEach-Object \{ .+ \}$`)
	psOff    = regexp.MustCompile(`^Get-NetFirewallProfile \| Where-Object \{ \$_\.Enabled -eq 'False' \} \| ForEach-Object \{ \$_\.Name \}$`)
	psRemove = regexp.MustCompile(`^Remove-NetFirewallRule -DisplayName '([^']+)'$`)
	psSet    = regexp.MustCompile(`^Set-NetFirewallRule -DisplayName '([^']+)' -Enabled True -RemoteAddress ('[^']+'(?:,'[^']+')*)$`)
	psNew    = regexp.MustCompile(`^New-NetFirewallRule -DisplayName '([^']+)' -Group '([^']+)' -Direction Inbound -Action Block -Profile Any` +
		`(?: -Protocol (TCP|UDP) -LocalPort ([0-9,]+))? -RemoteAddress ('[^']+'(?:,'[^']+')*) \| Out-Null$`)
)

// powershell carries a command out and tells whether it changed something.
func (f *firewall) powershell(args []string) bool {
	if len(args) != 4 || strings.Join(args[:3], " ") != "-NoProfile -NonInteractive -Command" {
		panic(args)
	}
	text, found := strings.CutPrefix(args[3], "$ErrorActionPreference = 'Stop'; ")
	if !found {
		panic(args[3])
	}
	verb, _, _ := strings.Cut(text, " ")
	if f.NoCmdlets {
		fail("powershell", verb+" : The term '"+verb+"' is not recognized as the name of a cmdlet, function, script file, or operable program.\n"+
			"    + CategoryInfo          : ObjectNotFound: ("+verb+":String) [], CommandNotFoundException")
	}
	if f.NoRights && !strings.HasPrefix(verb, "Get-") {
		fail("powershell", verb+" : Access is denied.")
	}
	switch {
	case psList.MatchString(text):
		for _, r := range f.Rules {
			if strings.HasPrefix(r.Name, "connwarden-") {
				enabled := "False"
				if r.Enabled {
					enabled = "True"
				}
				fmt.Printf("%s\t%s\t%s\r\n", r.Name, enabled, shown(r, mask))
			}
		}
		return false
	case psOff.MatchString(text):
		fmt.Print(strings.Join(f.Off, "\r\n"))
		return false
	}
	if m := psRemove.FindStringSubmatch(text); m != nil {
		return f.remove("powershell", m[1])
	}
	if m := psSet.FindStringSubmatch(text); m != nil {
		return f.set("powershell", m[1], strings.ReplaceAll(m[2], "'", ""))
	}
	m := psNew.FindStringSubmatch(text)
	if m == nil {
		panic(text)
	}
	f.Rules = append(f.Rules, rule{m[1], m[2], m[3], m[4], true, taken("powershell", strings.ReplaceAll(m[5], "'", ""))})
	return true
}

// netsh carries a command out and tells whether it changed something.
func (f *firewall) netsh(args []string) bool {
	if f.NoRights {
		fail("netsh", "The requested operation requires elevation (Run as administrator).")
	}
	if len(args) < 5 || strings.Join(args[:2], " ") != "advfirewall firewall" {
		panic(args)
	}
	param := map[string]string{}
	for _, a := range args[4:] {
		key, value, _ := strings.Cut(a, "=")
		param[key] = value
	}
	switch verb := strings.Join(args[2:4], " "); verb {
	case "show rule":
		f.show()
		return false
	case "delete rule":
		return f.remove("netsh", param["name"])
	case "set rule":
		return f.set("netsh", param["name"], param["remoteip"])
	case "add rule":
		if param["dir"] != "in" || param["action"] != "block" || param["localport"] != "" && param["protocol"] == "" {
			panic(args)
		}
		f.Rules = append(f.Rules, rule{param["name"], "", param["protocol"], param["localport"], true, taken("netsh", param["remoteip"])})
		return true
	default:
		panic(verb)
	}
}

// show prints all rules, as a German Windows does.
func (f *firewall) show() {
	for _, r := range f.Rules {
		protocol := "Beliebig"
		if r.Protocol != "" {
			protocol = r.Protocol + "\r\nLokaler Port:                         " + r.Ports
		}
		fmt.Printf("\r\nRegelname:                            %s\r\n"+
			"----------------------------------------------------------------------\r\n"+
			"Aktiviert:                            Ja\r\nRichtung:                             Eingehend\r\n"+
			"Profile:                              Domäne,Privat,Öffentlich\r\nGruppierung:                          %s\r\n"+
			"Lokales IP:                           Beliebig\r\nRemote-IP:                            %s\r\n"+
			"Protokoll:                            %s\r\nAktion:                               Blocken\r\n",
			r.Name, r.Group, shown(r, length), protocol)
	}
	fmt.Print("OK.\r\n\r\n")
}

func (f *firewall) remove(program, name string) bool {
	found := f.find(name)
	if len(found) == 0 {
		fail(program, "No rules match the specified criteria.")
	}
	f.Rules = slices.DeleteFunc(f.Rules, func(r rule) bool { return r.Name == name })
	return true
}

func (f *firewall) set(program, name, addresses string) bool {
	found := f.find(name)
	if len(found) == 0 {
		fail(program, "No rules match the specified criteria.")
	}
	for _, i := range found {
		f.Rules[i].Addresses, f.Rules[i].Enabled = taken(program, addresses), true
	}
	return true
}

// taken reads what a rule is to hold, and refuses what Windows refuses.
func taken(program, text string) []string {
	var list []string
	for word := range strings.SplitSeq(text, ",") {
		_, err := netip.ParseAddr(word)
		p, errPrefix := netip.ParsePrefix(word)
		if err != nil && (errPrefix != nil || p.Bits() == 0) {
			fail(program, "A specified IP address or address keyword is not valid.")
		}
		list = append(list, word)
	}
	return list
}

// shown is how either program prints the addresses of a rule.
func shown(r rule, form func(netip.Prefix) string) string {
	if len(r.Addresses) == 0 {
		return "Any"
	}
	var list []string
	for _, word := range r.Addresses {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			a := netip.MustParseAddr(word)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, form(p))
	}
	return strings.Join(list, ",")
}

// length is netsh's way: a single address has its length, too.
func length(p netip.Prefix) string { return p.String() }

// mask is PowerShell's way: a single address stands alone, and prefixes of IPv4 have a mask.
func mask(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	if !p.Addr().Is4() {
		return p.String()
	}
	ones, _ := netip.MustParseAddr("255.255.255.255").Prefix(p.Bits())
	return p.Addr().String() + "/" + ones.Addr().String()
}
