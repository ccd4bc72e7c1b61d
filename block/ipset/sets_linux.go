package ipset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// command is a message's kind.
type command int

const (
	cmdAdd command = nl.IPSET_CMD_ADD
	cmdDel command = nl.IPSET_CMD_DEL
)

// netRevision is the oldest form of hash:net that has timeouts, exceptions and counters: Linux 3.10.
const netRevision = 3

// batch is how many members go in one message. A member of IPv6 with its timeout takes 48 bytes, and the list of them
// must stay below 64 KiB.
const batch = 1000

// The library's own calls for sets do not know that hash:net has revisions, take one member a message, and write to the
// standard logger when the kernel says more than they know: so we use its messages and transport alone.

// ask sends a request about sets and returns the messages of the answer. Nothing is an error that is done already:
// no message of ours has the flag that would make it one.
func ask(cmd command, flags int, attrs ...*nl.RtAttr) ([][]byte, error) {
	req := nl.NewNetlinkRequest(int(cmd)|unix.NFNL_SUBSYS_IPSET<<8, flags)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET, Version: nl.NFNETLINK_V0})
	req.AddData(nl.NewRtAttr(nl.IPSET_ATTR_PROTOCOL, nl.Uint8Attr(nl.IPSET_PROTOCOL)))
	for _, a := range attrs {
		req.AddData(a)
	}
	answers, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno) && errno >= nl.IPSET_ERR_PRIVATE:
		return nil, setError(errno)
	case errors.Is(err, unix.EPERM):
		return nil, connwarden.ErrDenied
	case errors.Is(err, unix.ENOENT):
		return nil, connwarden.ErrNotFound
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPROTONOSUPPORT):
		return nil, fmt.Errorf("%w: %w", connwarden.ErrUnsupported, err)
	}
	return answers, err
}

// setError puts the errors of sets into words; those of a type share one number, which is here that of hash types.
type setError int

// Error returns the meaning and the number.
func (e setError) Error() string {
	word := nl.IPSetError(e).Error()
	if e == nl.IPSET_ERR_TYPE_SPECIFIC {
		word = "the set is full"
	}
	return fmt.Sprintf("%s (ipset error %d)", word, int(e))
}

func named(set string) *nl.RtAttr {
	return nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(set))
}

func askProtocol() error {
	_, err := ask(nl.IPSET_CMD_PROTOCOL, 0)
	return err
}

// createSet makes a set of prefixes with timeouts and counters, unless it is there.
func createSet(set string, six bool) error {
	family := uint8(unix.AF_INET)
	if six {
		family = unix.AF_INET6
	}
	data := nl.NewRtAttr(nl.IPSET_ATTR_DATA|unix.NLA_F_NESTED, nil)
	data.AddRtAttr(nl.IPSET_ATTR_MAXELEM|unix.NLA_F_NET_BYTEORDER, big32(maxElements))
	data.AddRtAttr(nl.IPSET_ATTR_TIMEOUT|unix.NLA_F_NET_BYTEORDER, big32(0))
	data.AddRtAttr(nl.IPSET_ATTR_CADT_FLAGS|unix.NLA_F_NET_BYTEORDER, big32(nl.IPSET_FLAG_WITH_COUNTERS))
	_, err := ask(nl.IPSET_CMD_CREATE, unix.NLM_F_ACK|unix.NLM_F_CREATE, named(set),
		nl.NewRtAttr(nl.IPSET_ATTR_TYPENAME, nl.ZeroTerminated("hash:net")),
		nl.NewRtAttr(nl.IPSET_ATTR_REVISION, nl.Uint8Attr(netRevision)),
		nl.NewRtAttr(nl.IPSET_ATTR_FAMILY, nl.Uint8Attr(family)), data)
	return err
}

// destroySet removes a set. A rule that is gone may hold it for a moment longer: nf_tables frees rules in the background.
func destroySet(ctx context.Context, set string) error {
	const patience = 15 * time.Second
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := ask(nl.IPSET_CMD_DESTROY, unix.NLM_F_ACK, named(set))
		if !errors.Is(err, setError(nl.IPSET_ERR_BUSY)) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// changeSet adds or removes members, in batches.
func changeSet(ctx context.Context, set string, cmd command, members []member) error {
	for len(members) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, len(members))
		list := nl.NewRtAttr(nl.IPSET_ATTR_ADT|unix.NLA_F_NESTED, nil)
		for _, m := range members[:n] {
			list.AddChild(m.attribute(cmd == cmdAdd))
		}
		line := nl.NewRtAttr(nl.IPSET_ATTR_LINENO|unix.NLA_F_NET_BYTEORDER, big32(0)) // the kernel wants it beside a list
		if _, err := ask(cmd, unix.NLM_F_ACK, named(set), line, list); err != nil {
			return err
		}
		members = members[n:]
	}
	return nil
}

// testSet tells whether a set holds a member, or a prefix around it.
func testSet(set string, m member) (bool, error) {
	_, err := ask(nl.IPSET_CMD_TEST, unix.NLM_F_ACK, named(set), m.attribute(false))
	if errors.Is(err, setError(nl.IPSET_ERR_EXIST)) {
		return false, nil
	}
	return err == nil, err
}

// readSet returns the members of a set.
func readSet(set string) ([]member, error) {
	answers, err := ask(nl.IPSET_CMD_LIST, unix.NLM_F_ACK|unix.NLM_F_DUMP, named(set))
	if err != nil {
		return nil, err
	}
	var list []member
	for _, a := range answers {
		_, members, err := parseList(a)
		if err != nil {
			return nil, err
		}
		list = append(list, members...)
	}
	return list, nil
}

// setNames returns the names of all sets, anybody's.
func setNames() ([]string, error) {
	const namesOnly = 1 << 1
	answers, err := ask(nl.IPSET_CMD_LIST, unix.NLM_F_ACK|unix.NLM_F_DUMP,
		nl.NewRtAttr(nl.IPSET_ATTR_FLAGS|unix.NLA_F_NET_BYTEORDER, big32(namesOnly)))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range answers {
		name, _, err := parseList(a)
		if err != nil {
			return nil, err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// attribute writes a member, with its timeout if it is to be added.
func (m member) attribute(timed bool) *nl.RtAttr {
	kind := attrIPv4
	if m.prefix.Addr().Is6() {
		kind = attrIPv6
	}
	data := nl.NewRtAttr(nl.IPSET_ATTR_DATA|unix.NLA_F_NESTED, nil)
	data.AddRtAttr(attrIP|unix.NLA_F_NESTED, nil).AddRtAttr(kind|unix.NLA_F_NET_BYTEORDER, m.prefix.Addr().AsSlice())
	data.AddRtAttr(attrCIDR, []byte{uint8(m.prefix.Bits())})
	if timed {
		data.AddRtAttr(attrTimeout|unix.NLA_F_NET_BYTEORDER, big32(m.left))
	}
	return data
}

func big32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
