package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// privileges asks what this process may do, root folder or not.
func privileges() []Probe {
	root := Probe{"privilege", "root", No, fmt.Sprintf("runs as account %d", os.Geteuid())}
	if os.Geteuid() == 0 {
		root = Probe{"privilege", "root", Yes, "runs as account 0"}
	}
	out := []Probe{root}
	set, err := effective()
	for _, c := range [...]struct {
		bit       int
		name, use string
	}{
		{unix.CAP_NET_ADMIN, "cap_net_admin", "to change firewalls and close connections"},
		{unix.CAP_SYS_PTRACE, "cap_sys_ptrace", "to see which process holds a connection"},
		{unix.CAP_DAC_READ_SEARCH, "cap_dac_read_search", "to read every log"},
		{unix.CAP_SYS_ADMIN, "cap_sys_admin", "to look into other network namespaces"},
	} {
		p := Probe{"privilege", c.name, No, "needed " + c.use}
		switch {
		case err != nil:
			p.Answer, p.Why = Unknown, err.Error()
		case set&(1<<c.bit) != 0:
			p.Answer, p.Why = Yes, "held, "+c.use
		}
		out = append(out, p)
	}
	return out
}

// effective is the set of capabilities in force (proc(5), CapEff).
func effective() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read own capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("read own capabilities: %w", err)
			}
			return set, nil
		}
	}
	return 0, errors.New("read own capabilities: /proc/self/status has no CapEff")
}

// sockDiag asks the kernel for the TCP sockets in no state at all: the answer is empty but an answer.
func sockDiag() Probe {
	p := Probe{Area: "source", Name: "sock_diag"}
	body := make([]byte, 56) // struct inet_diag_req_v2
	body[0], body[1] = unix.AF_INET, unix.IPPROTO_TCP
	kind, code, _, err := netlinkAsk(unix.NETLINK_SOCK_DIAG, unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, body)
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT):
		p.Answer, p.Why = No, "the kernel has no sock_diag"
	case err != nil:
		p.Why = err.Error()
	case kind == unix.NLMSG_DONE && code == 0 || kind == unix.SOCK_DIAG_BY_FAMILY:
		p.Answer, p.Why = Yes, "the kernel answers"
	case code == unix.ENOENT:
		p.Answer, p.Why = No, "the kernel has no inet_diag"
	default:
		p.Why = "the kernel answers: " + code.Error()
	}
	return p
}

// nfTables asks for the generation of the ruleset (NFT_MSG_GETGEN).
func nfTables() Probe {
	p := Probe{Area: "firewall", Name: "nft"}
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	kind, code, body, err := netlinkAsk(unix.NETLINK_NETFILTER, subsystem|unix.NFT_MSG_GETGEN, unix.NLM_F_REQUEST, make([]byte, 4)) // struct nfgenmsg
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT):
		p.Answer, p.Why = No, "the kernel has no nfnetlink"
	case err != nil:
		p.Why = err.Error()
	case kind == subsystem|unix.NFT_MSG_NEWGEN:
		p.Answer, p.Why = Yes, "the kernel has nf_tables"
		if len(body) >= 12 && binary.NativeEndian.Uint16(body[6:]) == unix.NFTA_GEN_ID {
			p.Why += ", ruleset generation " + strconv.FormatUint(uint64(binary.BigEndian.Uint32(body[8:])), 10)
		}
	case code == unix.EPERM:
		p.Why = "permission denied: needs root"
	case code == unix.EINVAL || code == unix.EOPNOTSUPP:
		p.Answer, p.Why = No, "the kernel has no nf_tables"
	default:
		p.Why = "the kernel answers: " + code.Error()
	}
	return p
}

// netlinkAsk sends one request and returns the first message of the answer: its type, its body, and the error in it
// if it is one.
func netlinkAsk(protocol int, kind, flags uint16, body []byte) (answer uint16, code unix.Errno, out []byte, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("open netlink socket: %w", err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return 0, 0, nil, fmt.Errorf("set netlink timeout: %w", err)
	}
	msg := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	msg = append(msg, body...)
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], kind)
	binary.NativeEndian.PutUint16(msg[6:], flags)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, nil, fmt.Errorf("ask the kernel: %w", err)
	}
	buf := make([]byte, 32<<10)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("hear the kernel: %w", err)
	}
	if n < unix.NLMSG_HDRLEN {
		return 0, 0, nil, errors.New("hear the kernel: a message cut short")
	}
	size := int(binary.NativeEndian.Uint32(buf))
	if size < unix.NLMSG_HDRLEN || size > n {
		return 0, 0, nil, errors.New("hear the kernel: a message of wrong size")
	}
	answer, out = binary.NativeEndian.Uint16(buf[4:]), buf[unix.NLMSG_HDRLEN:size]
	if (answer == unix.NLMSG_ERROR || answer == unix.NLMSG_DONE) && len(out) >= 4 {
		code = unix.Errno(-int32(binary.NativeEndian.Uint32(out)))
	}
	return answer, code, out, nil
}
