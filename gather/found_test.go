package gather

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// heardSink keeps whom the events accuse.
type heardSink struct {
	stampSink
	text []string
}

func (s *heardSink) Event(e *connwarden.Event) {
	if e.Kind.Hostile() {
		s.text = append(s.text, fmt.Sprint(e.Client, " ", e.Service, " ", e.From.Trust))
	}
}

// Who names no log has the daemons' own read, and the pieces of them that the window reaches back into.
func TestFound(t *testing.T) {
	root := t.TempDir()
	refused := "Auth: [SMB2,(null)] user [W]\\[a] at [Sun, 22 Nov 2026 14:03:07.123456 UTC] with [NTLMv2] status [NT_STATUS_WRONG_PASSWORD] workstation [B] remote host [ipv4:192.0.2.7:1] mapped to [W]\\[a]. local host [ipv4:192.0.2.10:445]\n"
	for name, text := range map[string]string{
		"etc/samba/smb.conf":                        "[global]\nlog file = /var/log/samba/log.%m\n",
		"var/log/samba/log.192.0.2.7":               "[2026/11/22 14:03:07.123456,  2] ../../auth/auth_log.c:647(log_authentication_event_human_readable)\n  " + refused,
		"etc/postgresql/15/main/postgresql.conf":    "data_directory = '/srv/pg'\n",
		"srv/pg/postgresql.auto.conf":               "logging_collector = 'on'\nlog_destination = 'stderr,csvlog'\nlog_filename = 'pg.log'\n",
		"srv/pg/log/pg.log":                         "2026-11-22 14:03:07.123 UTC [1] FATAL:  no pg_hba.conf entry for host \"192.0.2.8\", user \"a\", database \"b\", no encryption\n",
		"srv/pg/log/pg.csv":                         "2026-11-22 14:03:07.123 UTC,\"a\",\"b\",1,\"192.0.2.8:1\",6b041b54.5ed2,2,\"authentication\",2026-11-22 14:03:07 UTC,3/1,0,FATAL,28000,\"no pg_hba.conf entry for host \"\"192.0.2.8\"\", user \"\"a\"\", database \"\"b\"\", no encryption\",,,,,,,,,\"\",\"client backend\",,0\n",
		"etc/rsyncd.conf":                           "log file = /srv/rsync.log\n",
		"srv/rsync.log":                             "2026/11/22 14:03:07 [1] auth failed on module m from UNKNOWN (192.0.2.9): missing secret for user \"a\"\n",
		"srv/rsync.log.1":                           "2026/11/22 13:03:07 [1] auth failed on module m from UNKNOWN (192.0.2.9): missing secret for user \"a\"\n",
		"var/log/ejabberd/ejabberd.log":             "2026-11-22 14:03:07.123456+00:00 [warning] (tls|<0.1.0>) Failed c2s PLAIN authentication for a@b from 192.0.2.11: Invalid username or password\n",
		"var/log/mosquitto/mosquitto.log":           "1795356187: Client a [192.0.2.12:1] disconnected: not authorised.\n",
		"var/log/postgresql/postgresql-15-main.log": "",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	opt := Options{Host: host.New(root), Zone: time.UTC, Window: Window{Clock: func() time.Time { return now }, Since: func(now time.Time) time.Time { return now.Add(-3 * time.Hour) }}}
	var p Problems
	s, err := Open(t.Context(), &opt, func(k logs.Kind) bool { return k == logs.Error }, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := map[string]string{}
	for _, one := range s.List {
		var sink heardSink
		parser := s.Parser(one, 0)
		tail.Scan(t.Context(), []tail.Job{{File: one.File, From: one.From, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
			parser.Parse(connwarden.Source{Offset: b.Offset, Trust: one.Log.Trust}, b.Data, &sink)
		})
		parser.Flush(&sink)
		got[one.Log.Shown] = strings.Join(sink.text, "; ")
	}
	for name, want := range map[string]string{
		"/var/log/samba/log.192.0.2.7": "192.0.2.7 samba local", "/srv/pg/log/pg.csv": "192.0.2.8 postgresql root", "/srv/rsync.log": "192.0.2.9 rsync root",
		"/srv/rsync.log.1": "192.0.2.9 rsync root", "/var/log/ejabberd/ejabberd.log": "192.0.2.11 ejabberd local", "/var/log/mosquitto/mosquitto.log": "192.0.2.12 mosquitto root",
		"/var/log/postgresql/postgresql-15-main.log": "",
	} {
		said, ok := got[name]
		if !ok || said != want {
			t.Errorf("%s is read (%t) as %q, want %q", name, ok, said, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("read besides: %v", got)
	}
}
