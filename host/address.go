package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
)

// Addresses lists the addresses of this machine's interfaces in the calling thread's network namespace, each with
// the length of its network's prefix, in the system's order. They are the running machine's even when a root folder
// is set. IPv4 addresses are plain, and zones are left out.
func (h *Host) Addresses() ([]netip.Prefix, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list own addresses: %w", err)
	}
	out := make([]netip.Prefix, 0, len(all))
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(n.IP)
		if !ok {
			continue
		}
		ones, bits := n.Mask.Size()
		addr = addr.Unmap()
		if addr.Is4() && bits == 128 {
			ones -= 96
		}
		if p := netip.PrefixFrom(addr, ones); p.IsValid() {
			out = append(out, p)
		}
	}
	return out, nil
}

// Hostname is the name this machine gives itself; under a root folder, what that folder's /etc/hostname says.
func (h *Host) Hostname() (string, error) {
	if !h.Rooted() {
		name, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("read own name: %w", err)
		}
		return name, nil
	}
	text, _, err := h.tree().read("/etc/hostname", 1024)
	if err != nil {
		return "", fmt.Errorf("read own name: %w", err)
	}
	return firstField(text), nil
}
