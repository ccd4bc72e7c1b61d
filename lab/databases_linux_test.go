package lab_test

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// packet reads one packet of MariaDB's protocol.
func packet(t *testing.T, c net.Conn) []byte {
	t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return body
}

// enter logs in to MariaDB and returns the connection and what the server says.
func enter(t *testing.T, l *lab.Lab, from, user, password, database string) (net.Conn, string) {
	t.Helper()
	c := l.Connect(from, 3306)
	_, rest, _ := strings.Cut(string(packet(t, c)[1:]), "\x00") // behind the version: thread, 8 bytes of salt, 19 others, 12 of salt
	salt := rest[4:12] + rest[31:43]
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	proof := sha1.Sum(append([]byte(salt), twice[:]...))
	for i := range proof {
		proof[i] ^= once[i]
	}
	const flags = 0x8 | 0x200 | 0x8000 | 0x80000 // a database, protocol of 4.1, secure connection, plugin
	b := binary.LittleEndian.AppendUint32(nil, flags)
	b = binary.LittleEndian.AppendUint32(b, 1<<24)
	b = append(append(b, 45), make([]byte, 23)...)
	b = append(b, user+"\x00\x14"+string(proof[:])+database+"\x00mysql_native_password\x00"...)
	send(t, c, 1, b)
	return c, string(packet(t, c))
}

// send sends one packet of MariaDB's protocol.
func send(t *testing.T, c net.Conn, sequence byte, b []byte) {
	t.Helper()
	if _, err := c.Write(append([]byte{byte(len(b)), byte(len(b) >> 8), 0, sequence}, b...)); err != nil {
		t.Fatal(err)
	}
}

// TestRealMariaDB wants those accused who guess passwords, and their names not believed.
func TestRealMariaDB(t *testing.T) {
	l := lab.New(t)
	l.MariaDB()
	for _, user := range []string{"root", "ann", "x'@'" + forged + "' (using password: YES", "x'@'" + forged + "' to database 'y"} {
		if _, said := enter(t, l, "198.51.100.7", user, "wrong", ""); !strings.Contains(said, "Access denied") {
			t.Errorf("%q was told %q", user, said)
		}
	}
	enter(t, l, "2001:db8:1::7", "root", "wrong", "shop")
	c, said := enter(t, l, "203.0.113.10", "ann", lab.Password, "shop")
	if said[0] != 0 {
		t.Fatalf("Ann was told %q", said)
	}
	for i := range 3 {
		send(t, c, 0, fmt.Appendf(nil, "\x03select %d /* # User@Host: x[x] @ [%s] */", i, forged))
		packet(t, c)
	}
	send(t, c, 0, []byte("\x01")) // good bye
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	c = l.Connect("203.0.113.10", 3306)
	packet(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = l.Connect("198.51.100.8", 3306)
	packet(t, c)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(c) // the server may reset the connection
	for _, client := range []string{"203.0.113.10", "198.51.100.8"} {
		l.AwaitText("var/log/mysql/error.log", "user: 'unauthenticated' host: '"+client+"'")
	}
	// A name that holds a database's name makes a line unclear.
	list := explain(t, l, "var/log/mysql/error.log", "mysql_error", "to database 'y'@'")
	wantSame(t, "accused", accused(list), map[string]int{"198.51.100.7 auth_failed mysql": 3, "2001:db8:1::7 auth_failed mysql": 1})
	wantInnocent(t, l, "var/log/mysql/error.log")

	const slow = "var/log/mysql/slow.log"
	l.Await(slow, "three queries are not in it", func(text string) bool { return strings.Count(text, "\nselect ") == 3 })
	var e table
	if err := json.Unmarshal([]byte(ask(t, l, "errors", filepath.Join(l.Root, slow))), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Files) != 1 || e.Files[0].Format != "mysql_slow" || e.Unparsed != 0 || !slices.ContainsFunc(e.Rows, func(r row) bool { return r.Count == 3 }) {
		t.Errorf("three queries are not one row: %+v\n%s", e, l.Read(slow))
	}
}

// start is the first message of a client of PostgreSQL.
func start(user, database string) string {
	b := "\x00\x03\x00\x00user\x00" + user + "\x00database\x00" + database + "\x00\x00"
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(b)+4))) + b
}

// TestRealPostgreSQL wants those accused who are not let in, and their names not believed.
func TestRealPostgreSQL(t *testing.T) {
	for _, prefix := range []string{"%m [%p] %q%u@%d ", "%t %h %q%u@%d "} {
		l := lab.New(t)
		l.PostgreSQL(prefix)
		knock := func(from, user, database string) {
			c := l.Connect(from, 5432)
			if _, err := io.WriteString(c, start(user, database)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			// A password. Who was refused already does not hear it.
			_, _ = io.WriteString(c, "p\x00\x00\x00\x0awrong\x00")
			_, _ = io.ReadAll(c)
		}
		knock("198.51.100.7", "postgres", "other")
		knock("198.51.100.7", "postgres", "shop")
		knock("198.51.100.7", "nobody", "shop")
		knock("198.51.100.8", `x", database "y", no pg_hba.conf entry for host "`+forged+`", user "x`, "other")
		knock("198.51.100.8", "x@y "+forged+` FATAL:  password authentication failed for user "x`, "shop")
		c := l.Connect("198.51.100.9", 5432)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(c)
		l.AwaitText("var/log/postgresql/postgresql.log", "invalid length of startup packet")
		// Of a name that holds a message nobody knows which is the right one.
		list := explain(t, l, "var/log/postgresql/postgresql.log", "postgresql", " DETAIL:  ", "x@y "+forged+" FATAL: ", "[unknown]@[unknown] LOG: ")
		want := map[string]int{"198.51.100.7 not_allowed postgresql": 1, "198.51.100.8 not_allowed postgresql": 1}
		if strings.Contains(prefix, "%h") { // else a wrong password is nobody's
			want["198.51.100.7 auth_failed postgresql"] = 2
		}
		wantSame(t, "accused", accused(list), want)
		wantInnocent(t, l, "var/log/postgresql/postgresql.log")
	}
}

// TestRealRedis wants nobody accused: Redis 7 names neither who gives a wrong password nor who speaks HTTP with it.
func TestRealRedis(t *testing.T) {
	l := lab.New(t)
	l.Redis()
	c := l.Talk("203.0.113.10", 6379, "")
	c.Say("AUTH wrong", "-WRONGPASS")
	c.Say("QUIT", "+OK")
	c.End()
	c = l.Talk("198.51.100.7", 6379, "")
	c.Send("POST / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.End()
	list := explain(t, l, "var/log/redis/redis-server.log", "redis")
	wantSame(t, "accused", accused(list), map[string]int{})
	wantInnocent(t, l, "var/log/redis/redis-server.log")
}
