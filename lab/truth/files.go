package truth

import (
	"fmt"
	"time"
)

// ftp tells of one login at whichever FTP daemon the machine has.
func (a *actor) ftp(user string, passed bool) {
	stamp := a.at.Format("Mon Jan _2 15:04:05 2006")
	switch a.machine.files {
	case "vsftpd":
		pid, word := a.from(100, 99999), "FAIL LOGIN"
		if passed {
			word = "OK LOGIN"
		}
		a.write("vsftpd.log", a.at, fmt.Sprintf("%s [pid %d] CONNECT: Client \"%s\"", stamp, pid, a.addr))
		a.write("vsftpd.log", a.at, fmt.Sprintf("%s [pid %d] [%s] %s: Client \"%s\"", stamp, pid-1, user, word, a.addr))
	case "proftpd":
		text := fmt.Sprintf("%s (%s[%s]) - USER %s (Login failed): Incorrect password", a.machine.name, a.addr, a.addr, user)
		switch {
		case passed:
			text = fmt.Sprintf("%s (%s[%s]) - USER %s: Login successful.", a.machine.name, a.addr, a.addr, user)
		case a.chance(0.4):
			text = fmt.Sprintf("%s (%s[%s]) - USER %s: no such user found from %s [%s] to 192.0.2.10:21", a.machine.name, a.addr, a.addr, user, a.addr, a.addr)
		}
		a.syslog("syslog", "proftpd", a.at, text)
	default:
		a.syslog("syslog", "pure-ftpd", a.at, fmt.Sprintf("(?@%s) [INFO] New connection from %s", a.addr, a.addr))
		if passed {
			a.syslog("syslog", "pure-ftpd", a.at, fmt.Sprintf("(?@%s) [INFO] %s is now logged in", a.addr, user))
		} else {
			a.syslog("syslog", "pure-ftpd", a.at, fmt.Sprintf("(?@%s) [WARNING] Authentication failed for user [%s]", a.addr, user))
		}
		a.syslog("syslog", "pure-ftpd", a.at, fmt.Sprintf("(?@%s) [INFO] Logout.", a.addr))
	}
}

func (a *actor) database(user string) {
	a.write("mysql-error.log", a.at, fmt.Sprintf("%s %d [Note] [MY-010926] [Server] Access denied for user '%s'@'%s' (using password: %s)", a.at.UTC().Format("2006-01-02T15:04:05.000000Z"), a.from(8, 99999), user, a.addr, a.pick("YES", "NO")))
}

// Those who guess at FTP and databases.
var fileKinds = []Kind{
	{Name: "ftp-one-account", play: func(w *World) {
		a := w.actor(30 * time.Minute)
		user := a.pick("admin", "www", a.site.host, "ftp", a.word())
		for range a.from(8, 100) {
			a.ftp(user, false)
			a.pause(time.Second, 8*time.Second)
		}
	}},
	{Name: "ftp-names", play: func(w *World) {
		a := w.actor(time.Hour)
		for range a.from(8, 50) {
			a.ftp(a.pick("admin", "test", "ftp", "www", "web", "user", "anonymous", "root", "backup", a.word()), false)
			a.pause(time.Second, 40*time.Second)
		}
	}},
	{Name: "ftp-slow", play: func(w *World) {
		a := w.actor(7 * time.Hour)
		for range a.from(20, 50) {
			a.ftp(a.pick("admin", "test", "ftp", "www", "web"), false)
			a.pause(2*time.Minute, 10*time.Minute)
		}
	}},
	{Name: "ftp-spread", Mass: true, play: func(w *World) {
		user := w.pick("admin", "www", w.word())
		w.target = user
		w.spread(w.from(50, 300), time.Hour, 5*time.Hour, func(a *actor) {
			for range a.from(1, 3) {
				a.ftp(user, false)
				a.pause(time.Second, 20*time.Minute)
			}
		})
	}},
	{Name: "database", play: func(w *World) {
		a := w.actor(30 * time.Minute)
		for range a.from(8, 200) {
			a.database(a.pick("root", "root", "admin", "mysql", "test"))
			a.pause(200*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "every-door", play: func(w *World) { // SSH, mail, FTP and the database, a little each
		a := w.actor(2 * time.Hour)
		for range a.from(2, 4) {
			a.refused("admin", false)
			a.pause(time.Second, 5*time.Minute)
			a.mailRefused("admin@"+a.site.host, true)
			a.pause(time.Second, 5*time.Minute)
			a.ftp("admin", false)
			a.pause(time.Second, 5*time.Minute)
			a.database("root")
			a.pause(time.Second, 5*time.Minute)
		}
	}},
}

// Those who have files here.
var fileFriends = []Kind{
	{Name: "ftp-client", Role: Innocent, play: func(w *World) { // opens and closes connections all the time
		a := w.actor(4 * time.Hour)
		user := a.word()
		for range a.from(20, 200) {
			a.ftp(user, true)
			a.pause(time.Second, time.Minute)
		}
	}},
	{Name: "ftp-mistyped", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		user := a.word()
		for range a.from(1, 4) {
			a.ftp(user, false)
			a.pause(5*time.Second, 40*time.Second)
		}
		a.ftp(user, true)
	}},
	{Name: "ftp-old-password", Role: Innocent, play: func(w *World) { // a camera that uploads every ten minutes
		a := w.actor(7 * time.Hour)
		user := a.word()
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.ftp(user, false)
			a.at = a.at.Add(10 * time.Minute)
		}
	}},
	{Name: "ftp-parallel", Role: Innocent, play: func(w *World) { // ten transfers at once with a password that was changed
		a := w.actor(time.Hour)
		user := a.word()
		for range a.from(3, 5) {
			a.ftp(user, false)
			a.pause(0, time.Second)
		}
		a.pause(time.Minute, 3*time.Minute)
		for range a.from(5, 30) {
			a.ftp(user, true)
			a.pause(0, 20*time.Second)
		}
	}},
	{Name: "database-client", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		for range a.from(1, 3) {
			a.database(a.word())
			a.pause(10*time.Second, time.Minute)
		}
	}},
}
