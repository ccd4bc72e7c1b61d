package host

import "golang.org/x/sys/windows"

func privileges() []Probe {
	if windows.GetCurrentProcessToken().IsElevated() {
		return []Probe{{"privilege", "administrator", Yes, "runs elevated"}}
	}
	return []Probe{{"privilege", "administrator", No, "does not run elevated"}}
}

func sockDiag() Probe { return Probe{"source", "sock_diag", No, "not supported here"} }

func nfTables() Probe { return Probe{"firewall", "nft", No, "not supported here"} }
