package faults

type class uint8

const (
	isWord class = iota
	isMixed
	isNumber
	isHex
	isAddr
	isPath
	isURL
	isName
	isID
)

// classify looks once at every byte of a word.
func classify(b []byte) class {
	var digits, letters, hexes, dots, colons, slashes, scores, others, runs int
	var dotLetter, scheme bool
	for i, c := range b {
		switch {
		case digit(c):
			digits++
			if i == 0 || !digit(b[i-1]) {
				runs++
			}
		case letter(c):
			letters++
			if c|0x20 <= 'f' {
				hexes++
			}
			if i > 0 && b[i-1] == '.' {
				dotLetter = true
			}
		case c == '.':
			dots++
		case c == ':':
			colons++
			if i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
				scheme = true
			}
		case c == '/' || c == '\\':
			slashes++
		case c == '_':
			scores++
		default:
			others++
		}
	}
	switch {
	case scheme:
		return isURL
	case slashes > 0 && (b[0] == '/' && len(b) > 1 || b[0] == '\\' || dotLetter || slashes > 2 || colons == 1 && b[1] == ':'):
		return isPath
	case digits == 0 && colons < 2:
		switch {
		case len(b) > maxWord:
			return isID
		case dotLetter && scores == 0 && letter(b[0]) && colons == 0 && slashes == 0:
			return isName
		}
		return isWord
	case letters == 0 && dots == 3 && slashes == 0 && digits >= 4 && runs >= 4:
		return isAddr // with a port or without
	case len(b) == 2 && colons == 2:
		return isAddr // "::"
	case colons >= 2 && letters == hexes && others == 0 && slashes == 0 && scores == 0 && (letters > 0 || runs < colons+1 || colons > 2):
		return isAddr
	case digits > 0 && letters == 0:
		return isNumber
	case digits > 0 && len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x':
		return isHex
	case digits > 0 && letters == hexes && len(b) >= 8 && dots+colons+slashes+scores == 0:
		return isHex
	case digits > 0 && digit(b[0]) && letters <= 3 && runs == 1 && slashes == 0:
		return isNumber // with a unit: 5ms, 128M, 30s
	case len(b) > maxWord || runs >= 3 && slashes == 0 || digits > 0 && len(b) >= 20 && scores == 0 && dots+colons+slashes == 0:
		return isID
	case dotLetter && scores == 0 && colons <= 1 && slashes == 0 && digits > 0:
		return isName
	case digits > 0:
		return isMixed
	}
	return isWord
}
