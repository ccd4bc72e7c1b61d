package wire

import (
	"net"
	"os"
	"sync"
	"time"
)

// door lets in who may ask, and no more at a time than can be served.
type door struct {
	*net.UnixListener
	place Place

	mu     sync.Mutex // guards the rest; leaf
	all    int
	others int
}

// Accept returns the next connection of somebody who may ask. Others are told why not.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, known := peer(c)
		own := !known || uid == 0 || uid == uint32(os.Geteuid())
		switch {
		case !own && d.place.Group < 0 && !d.place.Open:
			turnAway(c, "403 Forbidden", "this socket is for root; see socket_group and socket_open in the section [daemon] of the configuration")
		case !d.enter(own):
			turnAway(c, "503 Service Unavailable", "too many ask at once")
		default:
			return &guest{Conn: c, door: d, own: own}, nil
		}
	}
}

// enter takes a place, of which there are fewer for others than for root: they cannot keep it out.
func (d *door) enter(own bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= maxConns || !own && d.others >= maxOthers {
		return false
	}
	d.all++
	if !own {
		d.others++
	}
	return true
}

func (d *door) leave(own bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if !own {
		d.others--
	}
}

// guest is a connection that has a place.
type guest struct {
	net.Conn
	door *door
	own  bool
	once sync.Once
}

func (g *guest) Close() error {
	g.once.Do(func() { g.door.leave(g.own) })
	return g.Conn.Close()
}

// turnAway answers without reading. What is written fits into the buffer of a new connection, so that nobody is waited for.
func turnAway(c net.Conn, status, why string) {
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))                                                                                        //nolint:errcheck // it is closed anyway
	c.Write([]byte("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"error\":\"" + why + "\"}\n")) //nolint:errcheck // likewise
}
