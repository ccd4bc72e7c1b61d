//go:build !linux && !windows

package host

import (
	"fmt"
	"os"
)

func privileges() []Probe {
	if os.Geteuid() == 0 {
		return []Probe{{"privilege", "root", Yes, "runs as account 0"}}
	}
	return []Probe{{"privilege", "root", No, fmt.Sprintf("runs as account %d", os.Geteuid())}}
}

func sockDiag() Probe { return Probe{"source", "sock_diag", No, "not supported here"} }

func nfTables() Probe { return Probe{"firewall", "nft", No, "not supported here"} }
