package bots

import (
	"sync"

	"github.com/connwarden/connwarden"
)

// Claims numbers the bots that agents name, so that tables keep two bytes instead of a name. The zero value is empty; a
// number means the same as long as it lives. It grows to the bots that are known, some 2,000, and may be used concurrently.
type Claims struct {
	mu     sync.Mutex // guards the rest; leaf
	bots   []connwarden.Bot
	number map[string]uint16
}

// Claim returns the number of the bot that an agent names, 0 for none.
func (c *Claims) Claim(agent []byte) uint16 {
	bot, ok := Claim(agent)
	if !ok {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.number[bot.Name]
	if n == 0 {
		if c.number == nil {
			c.number = map[string]uint16{}
		}
		c.bots = append(c.bots, bot)
		n = uint16(len(c.bots))
		c.number[bot.Name] = n
	}
	return n
}

// Bot returns the bot of a number that Claim returned; no bot for any other.
func (c *Claims) Bot(n uint16) connwarden.Bot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 0 || int(n) > len(c.bots) {
		return connwarden.Bot{}
	}
	return c.bots[n-1]
}
