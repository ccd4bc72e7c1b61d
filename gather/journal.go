package gather

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// syslogService is the service of files that a syslog daemon writes of all programs.
const syslogService = "syslog"

// journalTexts are what the journal is read into, by who can have written: a parser knows one trust for all its lines.
var journalTexts = [...]struct {
	shown string
	trust connwarden.Trust
}{
	{"journal", connwarden.TrustRoot},
	{"journal (local accounts)", connwarden.TrustLocal},
}

// journal reads the systemd journal. A machine with both keeps a message in the journal and in a file of its syslog
// daemon, and it counts once: the journal is read as far back as it reaches, since it knows who wrote, and of syslog's
// files what is older. It returns where those end; zero: nowhere.
func (s *Sources) journal(ctx context.Context, want func(logs.Kind) bool, p *Problems) (list []*Source, until time.Time) {
	if len(s.opt.Files) > 0 || !want(logs.Error) {
		return nil, until
	}
	find := s.opt.journal
	if find == nil {
		find = s.opt.Host.Journal
	}
	files := slices.ContainsFunc(s.List, isSyslog)
	j, err := find()
	if err != nil {
		// Below a root folder no program is started: that is missed only if there is something to read.
		if below := errors.Is(err, connwarden.ErrUnsupported); !files && (j.Files > 0 || !below && runtime.GOOS == "linux") {
			p.Say("logins, mail and the kernel", "neither the journal nor a file of syslog could be read: %v", err)
		}
		return nil, until
	}
	s.Found++
	texts, err := tail.ReadJournal(ctx, tail.JournalOptions{
		Program: j.Program, Since: s.Bounds.Since, Until: s.Bounds.Until, Want: func(name string) bool { return heard(&j, name) },
	}, len(journalTexts), func(e *tail.Entry) int {
		writer := host.Writer{Identifier: e.Identifier, Unit: e.Unit, Exe: e.Exe, Transport: e.Transport, UID: e.UID}
		if j.Trust(writer) == connwarden.TrustRoot {
			return 0
		}
		return 1
	})
	if err != nil {
		p.Say("journal", "%s", Reason(err))
	}
	for i, f := range texts.Texts {
		if f.Size() == 0 {
			f.Close()
			continue
		}
		t := journalTexts[i]
		list = append(list, &Source{File: f, Format: syslogFormat, Known: true, Log: host.LogFile{
			Path: t.shown, Shown: t.shown, Kind: host.Events, Service: "journal", Format: syslogFormat.Name, Trust: t.trust, From: "journalctl",
		}})
	}
	if err != nil && len(list) == 0 {
		return nil, until // then syslog's files are all there is
	}
	// syslog's times have no fraction.
	return list, j.First.Truncate(time.Second)
}

// local are programs of which the machine's own accounts speak: they accuse nobody and write most of a journal. What the
// kernel audits, sshd and PAM have said.
var local = map[string]bool{
	"su": true, "sudo": true, "runuser": true, "doas": true, "pkexec": true, "polkitd": true, "cron": true, "CRON": true, "crond": true,
	"systemd": true, "systemd-logind": true, "audit": true, "auditd": true,
}

// heard tells whether what writes under an identifier can say something of peers or faults.
func heard(j *host.Journal, name string) bool {
	return j.Wants(name) || daemons.Knows([]byte(name)) && !local[name]
}

var syslogFormat = mustFormat("syslog")

func isSyslog(one *Source) bool { return one.Log.Service == syslogService }

// cut ends syslog's files where the journal begins.
func (s *Sources) cut(until time.Time, p *Problems) {
	if until.IsZero() {
		return
	}
	s.List = slices.DeleteFunc(s.List, func(one *Source) bool {
		if !isSyslog(one) {
			return false
		}
		end := int64(0)
		if s.Bounds.Since.Before(until) {
			var err error
			if end, err = s.end(one, until); err != nil {
				p.Say(one.Log.Shown, "where the journal takes over was not found, it is read whole: %v", err)
				return false
			}
		}
		if end <= one.From {
			one.File.Close()
			return true
		}
		one.File.CutAt(end)
		return false
	})
}

// end finds the first line of a log at t or later: where it begins, or behind all.
func (s *Sources) end(one *Source, t time.Time) (int64, error) {
	clock := s.clock(one)
	from, err := tail.Seek(one.File, t, clock)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	found, end := false, from
	results := tail.Scan(ctx, []tail.Job{{File: one.File, From: from, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
		for line := range bytes.Lines(b.Data) {
			if found {
				return
			}
			if at, ok := clock(bytes.TrimRight(line, "\r\n")); ok && !at.Before(t) {
				found = true
				stop()
				return
			}
			end += int64(len(line))
		}
	})
	if !found && results[0].Err != nil {
		return 0, results[0].Err
	}
	return end, nil
}
