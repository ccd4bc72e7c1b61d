package htaccess

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxPattern bounds a line of patterns, well below the 8,190 bytes that a line may have.
const maxPattern = 3000

// rewriteRules writes conditions of which one must hold, and the rule that refuses.
func rewriteRules(targets []netip.Prefix, line func(words ...string)) {
	line("RewriteEngine On")
	var parts []string
	size := 0
	condition := func(flag string) { line("RewriteCond %{REMOTE_ADDR} ^(?:", strings.Join(parts, "|"), ")$", flag) }
	for _, p := range targets {
		text := pattern(p)
		if size > 0 && size+len(text) > maxPattern {
			condition(" [OR]")
			parts, size = parts[:0], 0
		}
		parts = append(parts, text)
		size += len(text) + 1
	}
	condition("")
	line("RewriteRule ^ - [F]")
}

// pattern returns a regular expression of the texts, as inet_ntop(3) writes them, of all addresses of a prefix. It is
// to be matched whole.
func pattern(p netip.Prefix) string {
	if p.Addr().Is4() {
		return pattern4(p)
	}
	return pattern6(p)
}

// pattern4 writes whole octets out, lists the values of the one that the prefix ends in, and leaves the rest open.
func pattern4(p netip.Prefix) string {
	octets, bits := p.Addr().As4(), p.Bits()
	parts := make([]string, 4)
	for i, o := range octets {
		switch free := 8*(i+1) - bits; {
		case free <= 0:
			parts[i] = strconv.Itoa(int(o))
		case free >= 8:
			parts[i] = "[0-9]+"
		default:
			values := make([]string, 1<<free)
			for v := range values {
				values[v] = strconv.Itoa(int(o) + v)
			}
			parts[i] = "(?:" + strings.Join(values, "|") + ")"
		}
	}
	return strings.Join(parts, `\.`)
}

// pattern6 lists the texts that an address of the prefix may begin with: its groups written out, or any run of zeros
// among them shortened. Where a run may reach beyond the prefix, so few groups may follow that it does cover all that
// the prefix has of it.
func pattern6(p netip.Prefix) string {
	full := p.Addr().As16()
	n := (p.Bits() + 15) / 16 // groups that the prefix speaks of
	groups, zero := make([]string, n), make([]bool, n)
	for i := range groups {
		low := uint32(full[2*i])<<8 | uint32(full[2*i+1])
		groups[i], zero[i] = group(low, min(16, max(0, 16*(i+1)-p.Bits()))), low == 0
	}
	const more = "[0-9a-f]+"
	after := func(left int) string { // at most so many groups
		if left == 0 {
			return ""
		}
		return fmt.Sprintf("(?:%s(?::%s){0,%d})?", more, more, left-1)
	}
	var all []string
	switch n {
	case 0:
		return "[0-9a-f:.]+:[0-9a-f:.]*"
	case 8:
		all = append(all, strings.Join(groups, ":"))
	default:
		all = append(all, strings.Join(groups, ":")+":[0-9a-f:.]*")
	}
	for i := range n {
		for j := i; j < n && zero[j]; j++ {
			head := strings.Join(groups[:i], ":") + "::"
			if j == n-1 {
				all = append(all, head+after(8-n))
				continue
			}
			if j > i {
				all = append(all, head+strings.Join(groups[j+1:], ":")+strings.Repeat(":"+more, 8-n))
			}
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return "(?:" + strings.Join(all, "|") + ")"
}

// group is the pattern of a group of sixteen bits whose last free bits are open: hexadecimal without leading zeros.
func group(low uint32, free int) string {
	high := low | (1<<free - 1)
	text := strconv.FormatUint(uint64(high), 16)
	if low == 0 && high > 0 {
		lead := digits(1, text[0])
		rest := len(text) - 1
		switch {
		case rest == 0:
			return digits(0, text[0])
		case rest == 1:
			return "(?:[0-9a-f]|" + lead + "[0-9a-f])"
		default:
			return fmt.Sprintf("(?:[0-9a-f]{1,%d}|%s[0-9a-f]{%d})", rest, lead, rest)
		}
	}
	var b strings.Builder
	lowText := strconv.FormatUint(uint64(low), 16)
	for i := range len(text) {
		if lowText[i] == text[i] {
			b.WriteByte(text[i])
			continue
		}
		b.WriteString(digits(value(lowText[i]), text[i]))
	}
	return b.String()
}

// digits is a class of the hexadecimal digits from a value to a digit. They are listed: in a range from 8 to b stand
// other characters, too.
func digits(from int, to byte) string {
	const all = "0123456789abcdef"
	return "[" + all[from:value(to)+1] + "]"
}

func value(digit byte) int { return strings.IndexByte("0123456789abcdef", digit) }
