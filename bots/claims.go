package bots

import "github.com/connwarden/connwarden"

// Claims numbers the bots that agents name, so that tables keep two bytes instead of a name. The greater number stands earlier
// in our lists (tools, crawlers, libraries, all others): kept of an address that names several, it makes the same of the
// parts of a log in any order.
type Claims struct{}

// Claim returns the number of the bot that an agent names, 0 for none.
func (Claims) Claim(agent []byte) uint16 {
	all := claims()
	i := all.find(agent)
	if i < 0 || all.bots[i].Name == "" {
		return 0
	}
	return uint16(len(all.bots) - i)
}

// Bot returns the bot of a number that Claim returned; no bot for any other.
func (Claims) Bot(n uint16) connwarden.Bot {
	all := claims()
	if n == 0 || int(n) > len(all.bots) {
		return connwarden.Bot{}
	}
	return all.bots[len(all.bots)-int(n)]
}
