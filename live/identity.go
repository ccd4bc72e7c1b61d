package live

import (
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
)

// claims numbers the bots that agents name. The judge's tables and the actor ask.
type claims struct {
	mu     sync.Mutex // guards the rest; leaf
	bots   []connwarden.Bot
	number map[string]uint16
}

// claim returns the number of the bot that an agent names, 0 for none.
func (c *claims) claim(agent []byte) uint16 {
	bot, ok := bots.Claim(agent)
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
		n = uint16(len(c.bots)) // some 2,000 are known
		c.number[bot.Name] = n
	}
	return n
}

// bot returns the bot of a number.
func (c *claims) bot(n uint16) connwarden.Bot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 0 || int(n) > len(c.bots) {
		return connwarden.Bot{}
	}
	return c.bots[n-1]
}
