package truth

import (
	"fmt"
	"time"
)

// machine is how a world's system logs.
type machine struct {
	name   string
	redHat bool
	time   string // the layout of a line's time, "" is syslog's own
	sshd   string // the program that logs logins
	old    bool   // OpenSSH before 7.4, which says less at the end
	mail   string // postfix or exim
	files  string // vsftpd, proftpd or pure-ftpd
}

func (w *World) newMachine() machine {
	m := machine{name: w.pick("web1", "srv", "vps-"+w.letters(6), "www"), redHat: w.chance(0.4), mail: w.pick("postfix", "exim"), files: w.pick("vsftpd", "proftpd", "pure-ftpd"), sshd: "sshd"}
	switch w.IntN(4) {
	case 0: // Debian 12, and journalctl -o short-iso-precise
		m.time = "2006-01-02T15:04:05.000000-07:00"
	case 1: // journalctl -o short-iso
		m.time = "2006-01-02T15:04:05-0700"
	}
	if w.chance(0.4) {
		m.sshd = "sshd-session" // from 9.8 on
	} else {
		m.old = w.chance(0.2)
	}
	return m
}

// syslog adds what a daemon said to the file in which it lands.
func (w *World) syslog(file, program string, at time.Time, text string) {
	stamp := at.Format("Jan _2 15:04:05")
	if w.machine.time != "" {
		stamp = at.Format(w.machine.time)
	}
	if w.machine.redHat {
		file = map[string]string{"auth.log": "secure", "mail.log": "maillog", "syslog": "messages"}[file]
	}
	w.write(file, at, fmt.Sprintf("%s %s %s[%d]: %s", stamp, w.machine.name, program, w.from(700, 99999), text))
}

// ssh adds what sshd said.
func (a *actor) ssh(form string, args ...any) {
	a.syslog("auth.log", a.machine.sshd, a.at, fmt.Sprintf(form, args...))
}

func (a *actor) peer() string { return fmt.Sprintf("%s port %d", a.addr, a.from(1024, 65535)) }

// refused is one wrong password, as sshd and PAM tell of it; there says whether the account exists.
func (a *actor) refused(user string, there bool) {
	peer := a.peer()
	who := user
	if !there {
		who = "invalid user " + user
		if a.machine.old {
			a.ssh("Invalid user %s from %s", user, a.addr)
			a.ssh("input_userauth_request: invalid user %s [preauth]", user)
		} else {
			a.ssh("Invalid user %s from %s", user, peer)
		}
		a.ssh("pam_unix(sshd:auth): check pass; user unknown")
		a.ssh("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s", a.addr)
	} else {
		a.ssh("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", a.addr, user)
	}
	a.pause(time.Second, 3*time.Second)
	a.ssh("Failed password for %s from %s ssh2", who, peer)
	a.pause(0, 2*time.Second)
	switch kind := "authenticating user"; {
	case a.machine.old:
		a.ssh(a.pick("Received disconnect from %s: 11: Bye Bye [preauth]", "Connection closed by %s [preauth]"), a.addr)
	case a.chance(0.5):
		if !there {
			kind = "invalid user"
		}
		a.ssh("Connection closed by %s %s %s [preauth]", kind, user, peer)
	default:
		if !there {
			kind = "invalid user"
		}
		a.ssh("Received disconnect from %s:11: Bye Bye [preauth]", peer)
		a.ssh("Disconnected from %s %s %s [preauth]", kind, user, peer)
	}
}

// entered is a login that succeeds, and its end.
func (a *actor) entered(user, method string) {
	peer := a.peer()
	a.ssh("Accepted %s for %s from %s ssh2%s", method, user, peer, map[bool]string{true: ": ED25519 SHA256:RndspaV6gjvcMFiZG7QpRsnOu9EWlzKU/daDeZAulvQ"}[method == "publickey"])
	a.ssh("pam_unix(sshd:session): session opened for user %s(uid=1000) by (uid=0)", user)
	a.pause(time.Second, 5*time.Minute)
	a.ssh("Received disconnect from %s:11: disconnected by user", peer)
	a.ssh("Disconnected from user %s %s", user, peer)
	a.ssh("pam_unix(sshd:session): session closed for user %s", user)
}

var commonNames = []string{"admin", "test", "user", "oracle", "postgres", "ubuntu", "guest", "ftpuser", "git", "mysql", "pi", "support", "nagios", "hadoop", "jenkins", "tomcat", "www", "operator", "default", "deploy", "minecraft", "ubnt", "debian", "centos", "ec2-user", "steam", "zabbix", "es", "elastic", "redis", "sol", "validator", "dev", "web", "backup", "ts3", "vagrant", "ansible", "odoo", "student", "server", "a", "1234", "nginx", "apache", "teamspeak", "plex", "docker", "kafka", "gitlab"}

// accounts that exist on every machine.
func exists(user string) bool {
	return user == "root" || user == "www-data" || user == "mail" || user == "bin"
}

// Those who want in over SSH.
var shellKinds = []Kind{
	{Name: "ssh-fast", play: func(w *World) {
		a := w.actor(20 * time.Minute)
		user := a.pick("root", "root", "admin", "ubuntu")
		for range a.from(10, 100) {
			a.refused(user, exists(user))
			a.pause(0, 4*time.Second)
		}
	}},
	{Name: "ssh-fast-one-connection", play: func(w *World) { // as often as one connection lets it
		a := w.actor(20 * time.Minute)
		for range a.from(2, 12) {
			peer := a.peer()
			a.ssh("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root", a.addr)
			for range 6 {
				a.pause(time.Second, 3*time.Second)
				a.ssh("Failed password for root from %s ssh2", peer)
			}
			a.ssh("error: maximum authentication attempts exceeded for root from %s ssh2 [preauth]", peer)
			a.ssh("Disconnecting authenticating user root %s: Too many authentication failures [preauth]", peer)
			a.ssh("PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root", a.addr)
			a.ssh("PAM service(sshd) ignoring max retries; 6 > 3")
			a.pause(time.Second, 10*time.Second)
		}
	}},
	{Name: "ssh-names", play: func(w *World) {
		a := w.actor(30 * time.Minute)
		for _, user := range a.some(a.from(6, 40), commonNames) {
			a.refused(user, false)
			a.pause(0, 20*time.Second)
		}
	}},
	{Name: "ssh-names-slow", play: func(w *World) {
		a := w.actor(7 * time.Hour)
		for _, user := range a.some(a.from(8, 20), append([]string{"root"}, commonNames...)) {
			a.refused(user, exists(user))
			a.pause(5*time.Minute, 25*time.Minute)
		}
	}},
	{Name: "ssh-root-slow", play: func(w *World) {
		a := w.actor(7 * time.Hour)
		for range a.from(10, 40) {
			a.refused("root", true)
			a.pause(4*time.Minute, 15*time.Minute)
		}
	}},
	{Name: "ssh-keys-only", play: func(w *World) { // where passwords are off nothing but the end of the connection is logged
		a := w.actor(time.Hour)
		for range a.from(6, 40) {
			user, peer := a.pick("root", "root", a.pick(commonNames...)), a.peer()
			if exists(user) {
				a.ssh("Connection closed by authenticating user %s %s [preauth]", user, peer)
			} else {
				a.ssh("Invalid user %s from %s", user, peer)
				a.ssh("Connection closed by invalid user %s %s [preauth]", user, peer)
			}
			a.pause(time.Second, time.Minute)
		}
	}},
	{Name: "ssh-spread-root", Mass: true, play: func(w *World) {
		w.target = "root"
		w.spread(w.from(50, 800), time.Hour, 5*time.Hour, func(a *actor) {
			for range a.from(1, 3) {
				a.refused("root", true)
				a.pause(10*time.Second, 30*time.Minute)
			}
		})
	}},
	{Name: "ssh-spread-names", Mass: true, play: func(w *World) {
		w.spread(w.from(50, 800), time.Hour, 5*time.Hour, func(a *actor) {
			user := a.pick(append([]string{"root", a.word()}, commonNames...)...)
			a.refused(user, exists(user))
		})
	}},
	{Name: "ssh-spread-account", Mass: true, play: func(w *World) { // one account of the house
		user := w.word()
		w.target = user
		w.spread(w.from(50, 400), 20*time.Minute, 3*time.Hour, func(a *actor) { a.refused(user, true) })
	}},
	{Name: "ssh-once", play: func(w *World) { // one of those who come once and never again
		a := w.actor(time.Minute)
		user := a.pick(commonNames...)
		switch a.IntN(3) {
		case 0:
			user = "root"
		case 1:
			user += fmt.Sprint(a.from(1, 99))
		}
		a.refused(user, exists(user))
	}},
	{Name: "ssh-handshakes", play: func(w *World) {
		a := w.actor(2 * time.Hour)
		for range a.from(6, 40) {
			peer := a.peer()
			switch a.IntN(6) {
			case 0:
				a.ssh("error: kex_exchange_identification: Connection closed by remote host")
				a.ssh("Connection closed by %s", peer)
			case 1:
				a.ssh("banner exchange: Connection from %s: invalid format", peer)
			case 2:
				a.ssh("Unable to negotiate with %s: no matching key exchange method found. Their offer: diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1 [preauth]", peer)
			case 3:
				a.ssh("Unable to negotiate with %s: no matching host key type found. Their offer: ssh-rsa,ssh-dss [preauth]", peer)
			case 4:
				a.ssh("error: Protocol major versions differ: 2 vs. 1")
				a.ssh("banner exchange: Connection from %s: could not read protocol version", peer)
			default:
				a.ssh("ssh_dispatch_run_fatal: Connection from %s: Connection corrupted [preauth]", peer)
			}
			a.pause(time.Second, 3*time.Minute)
		}
	}},
	{Name: "ssh-forbidden", play: func(w *World) { // where AllowUsers keeps strangers out
		a := w.actor(time.Hour)
		for range a.from(6, 40) {
			peer := a.peer()
			a.ssh("User root from %s not allowed because not listed in AllowUsers", a.addr)
			a.pause(0, time.Second)
			if a.chance(0.6) {
				a.ssh("Failed password for invalid user root from %s ssh2", peer)
			}
			a.ssh("Connection closed by invalid user root %s [preauth]", peer)
			a.pause(2*time.Second, time.Minute)
		}
	}},
	{Name: "telnet-and-panels", play: func(w *World) { // the other doors that PAM keeps
		a := w.actor(time.Hour)
		service := a.pick("webmin", "su-l", "xrdp-sesman", "login", "cockpit")
		for range a.from(8, 40) {
			if service == "webmin" {
				a.syslog("auth.log", "webmin", a.at, fmt.Sprintf("Invalid login as %s from %s", a.pick("root", "admin"), a.addr))
			} else {
				a.syslog("auth.log", "login", a.at, fmt.Sprintf("pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=pts/1 ruser= rhost=%s  user=root", a.addr))
			}
			a.pause(2*time.Second, 20*time.Second)
		}
	}},
}

// Those who belong to the machine.
var shellFriends = []Kind{
	{Name: "ssh-keys", Role: Innocent, play: func(w *World) { // an agent offers all its keys before the right one
		a := w.actor(4 * time.Hour)
		user := a.pick("root", "deploy", a.word())
		for range a.from(2, 12) {
			for i := range a.from(1, 5) {
				if i >= 3 || a.chance(0.3) { // half the limit, or LogLevel VERBOSE
					a.ssh("Failed publickey for %s from %s ssh2: %s SHA256:%s", user, a.peer(), a.pick("RSA", "ED25519", "ECDSA"), a.letters(43))
				}
			}
			a.entered(user, "publickey")
			a.pause(time.Minute, 20*time.Minute)
		}
	}},
	{Name: "ssh-keys-too-many", Role: Innocent, play: func(w *World) { // more keys than the server lets it try, until -o IdentitiesOnly
		a := w.actor(time.Hour)
		user := a.pick("root", a.word())
		for range a.from(1, 3) {
			peer := a.peer()
			for range 3 {
				a.ssh("Failed publickey for %s from %s ssh2: RSA SHA256:%s", user, peer, a.letters(43))
			}
			a.ssh("error: maximum authentication attempts exceeded for %s from %s ssh2 [preauth]", user, peer)
			a.ssh("Disconnecting authenticating user %s %s: Too many authentication failures [preauth]", user, peer)
			a.pause(5*time.Second, time.Minute)
		}
		a.entered(user, "publickey")
	}},
	{Name: "ssh-mistyped", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		user := a.word()
		for range a.from(1, 4) {
			a.refused(user, true)
			a.pause(3*time.Second, 20*time.Second)
		}
		a.entered(user, "password")
	}},
	{Name: "ssh-wrong-name", Role: Innocent, play: func(w *World) { // the name of the laptop's account, once or twice
		a := w.actor(time.Hour)
		for range a.from(1, 2) {
			a.refused(a.word(), false)
			a.pause(3*time.Second, 20*time.Second)
		}
		if a.chance(0.7) {
			a.entered(a.word(), "password")
		}
	}},
	{Name: "ssh-gives-up", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		user, peer := a.word(), a.peer()
		a.ssh("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", a.addr, user)
		for range 3 {
			a.pause(3*time.Second, 9*time.Second)
			a.ssh("Failed password for %s from %s ssh2", user, peer)
		}
		a.ssh("Connection closed by authenticating user %s %s [preauth]", user, peer)
		a.ssh("PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", a.addr, user)
	}},
	{Name: "ssh-ansible", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		for range a.from(20, 150) {
			a.entered(a.pick("ansible", "deploy"), "publickey")
			a.pause(0, 10*time.Second)
		}
	}},
	{Name: "ssh-monitor", Role: Innocent, play: func(w *World) { // looks whether the port is open
		a := w.actor(8 * time.Hour)
		step := time.Duration(a.from(1, 5)) * time.Minute
		for a.at.Before(a.Begin.Add(a.Length)) {
			switch {
			case a.machine.old:
				a.ssh("Did not receive identification string from %s", a.addr)
			case a.chance(0.5):
				a.ssh("error: kex_exchange_identification: Connection closed by remote host")
				fallthrough
			default:
				a.ssh("Connection closed by %s", a.peer())
			}
			a.at = a.at.Add(step)
		}
	}},
	{Name: "ssh-git", Role: Innocent, play: func(w *World) {
		a := w.actor(4 * time.Hour)
		for range a.from(10, 60) {
			a.entered("git", "publickey")
			a.pause(10*time.Second, 5*time.Minute)
		}
	}},
	{Name: "ssh-office", Role: Innocent, play: func(w *World) { // many people behind one address
		a := w.actor(8 * time.Hour)
		for range a.from(20, 60) {
			user := a.word()
			if a.chance(0.2) {
				a.refused(user, true)
			}
			if a.chance(0.05) {
				a.refused(a.word(), false)
			}
			a.entered(user, a.pick("publickey", "password"))
			a.pause(time.Minute, 10*time.Minute)
		}
	}},
	{Name: "ssh-keyscan", Role: Innocent, play: func(w *World) { // asks for each type of key that the server may have, a connection each
		a := w.actor(time.Hour)
		for range a.from(1, 3) {
			for _, key := range a.some(a.from(2, 4), []string{"ssh-dss", "ssh-rsa", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ssh-ed25519@openssh.com"}) {
				a.ssh("Unable to negotiate with %s: no matching host key type found. Their offer: %s [preauth]", a.peer(), key)
			}
			a.ssh("Connection closed by %s [preauth]", a.peer())
			a.pause(5*time.Minute, 10*time.Minute)
		}
	}},
	{Name: "ssh-campus", Role: Innocent, Mass: true, play: func(w *World) { // neighbours in one network, most of whom mistype
		addr := w.stranger()
		for range w.from(6, 14) {
			a := w.actorAt(addr, 6*time.Hour)
			user := a.word()
			if a.chance(0.8) {
				a.refused(user, true)
				a.pause(3*time.Second, 20*time.Second)
			}
			a.entered(user, "password")
			addr = w.neighbour(addr)
		}
	}},
}
