package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
)

// Answer is yes, no, or not known. The zero value is not known.
type Answer uint8

const (
	Unknown Answer = iota
	Yes
	No
)

var answerWords = [...]string{"unknown", "yes", "no"}

// String returns "yes", "no" or "unknown".
func (a Answer) String() string {
	if int(a) < len(answerWords) {
		return answerWords[a]
	}
	return "unknown"
}

// MarshalText returns the word.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Probe is one question about the machine, with its answer and the reason for it. No is said only of what was looked
// for and is not there; what may not be looked at is unknown.
type Probe struct {
	Area   string // "privilege", "source", "server", "panel", "logs", "firewall"
	Name   string
	Answer Answer
	Why    string // a sentence fragment; may quote hostile text
}

// Probes asks what this machine offers. It starts programs of the firewalls, each for at most two seconds, and none
// under a root folder. The kernel may load its modules of sock_diag and nf_tables when asked for them; neither
// changes what happens to packets. The answers stand in a fixed order.
func (h *Host) Probes(ctx context.Context) []Probe {
	s := h.scan(ctx)
	s.readServers()
	s.usualPlaces()
	files := s.resolve()

	probes := privileges()
	probes = append(probes, s.sources(h)...)
	probes = append(probes, s.serverProbes()...)
	for _, p := range panels {
		probes = append(probes, s.panel(p))
	}
	for _, k := range [...]Kind{Access, Error, Slow, Events} {
		probes = append(probes, s.logProbe(k, files))
	}
	return append(probes, h.firewalls(ctx, s)...)
}

func (s *scan) sources(h *Host) []Probe {
	if h.Rooted() {
		const why = "not asked: a folder is treated as /"
		return []Probe{
			{"source", "sock_diag", Unknown, why}, {"source", "proc", Unknown, why}, s.journalProbe(h),
		}
	}
	diag := sockDiag()
	return []Probe{diag, s.procProbe(), s.journalProbe(h)}
}

// procProbe tells whether other accounts' processes can be seen: hidepid of proc(5) hides them.
func (s *scan) procProbe() Probe {
	p := Probe{Area: "source", Name: "proc"}
	_, err := os.ReadFile("/proc/1/stat")
	switch {
	case err == nil:
		p.Answer, p.Why = Yes, "/proc shows the processes of all accounts"
	case !errors.Is(err, fs.ErrNotExist):
		p.Why = "/proc/1/stat: " + why(err)
	case s.tree.exists("/proc/self/stat"):
		p.Answer, p.Why = No, "/proc hides the processes of other accounts (hidepid): needs root"
	default:
		p.Answer, p.Why = No, "/proc is not there"
	}
	return p
}

func (s *scan) journalProbe(h *Host) Probe {
	p := Probe{Area: "source", Name: "journal"}
	j, err := s.journal(h)
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
		p.Answer, p.Why = No, err.Error()
	case err != nil:
		p.Why = err.Error()
	case j.First.IsZero():
		p.Answer, p.Why = Yes, fmt.Sprintf("%d files can be read, without an entry", j.Files)
	default:
		p.Answer = Yes
		p.Why = fmt.Sprintf("%d files can be read, back to %s; syslog's files are read for what is older", j.Files, j.First.Format("2006-01-02 15:04:05 MST"))
	}
	return p
}

func (s *scan) serverProbes() []Probe {
	var out []Probe
	for _, name := range [...]string{"apache", "nginx", "litespeed", "lighttpd", "iis", "php-fpm"} {
		p := Probe{Area: "server", Name: name}
		for _, v := range s.servers {
			if v.Name != name {
				continue
			}
			p.Answer = Yes
			text := v.Evidence
			if v.Version != "" {
				text = v.Version + ": " + text
			}
			if p.Why != "" {
				text = "; " + text
			}
			p.Why += text
		}
		if p.Answer != Yes {
			if p.Why = s.refused(name); p.Why == "" {
				p.Answer, p.Why = No, "no configuration in its usual places and no process"
			}
		}
		out = append(out, p)
	}
	return out
}

// refused finds a problem that may hide a server's configuration.
func (s *scan) refused(word string) string {
	for _, p := range s.problems {
		if strings.Contains(p.What, word) && strings.HasPrefix(p.Why, "permission denied") {
			return p.What + ": " + p.Why
		}
	}
	return ""
}

type panelPlace struct{ name, dir, version string }

var panels = [...]panelPlace{
	{"cpanel", "/usr/local/cpanel", "/usr/local/cpanel/version"},
	{"plesk", "/usr/local/psa", "/usr/local/psa/version"},
	{"directadmin", "/usr/local/directadmin", ""},
	{"ispconfig", "/usr/local/ispconfig", ""},
	{"cyberpanel", "/usr/local/CyberCP", ""},
}

func (s *scan) panel(place panelPlace) Probe {
	p := Probe{Area: "panel", Name: place.name}
	_, info, err := s.tree.find(place.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		p.Answer, p.Why = No, "no folder "+place.dir
	case err != nil:
		p.Why = place.dir + ": " + why(err)
	default:
		p.Answer, p.Why = Yes, place.dir
		if place.version != "" {
			if text, _, err := s.tree.read(place.version, 256); err == nil && firstField(text) != "" {
				p.Why += ", version " + firstField(text)
			}
		}
	}
	return p
}

func (s *scan) logProbe(k Kind, files []LogFile) Probe {
	p := Probe{Area: "logs", Name: k.String()}
	found, closed, first := 0, 0, ""
	for _, f := range files {
		if f.Kind != k || s.ctx.Err() != nil {
			continue
		}
		found++
		file, err := s.tree.open(f.Shown)
		if err != nil {
			if closed++; closed == 1 {
				first = f.Shown + ": " + why(err)
			}
			continue
		}
		_ = file.Close()
	}
	denied := slices.IndexFunc(s.problems, func(p connwarden.Problem) bool { return strings.HasPrefix(p.Why, "permission denied") })
	switch {
	case found == 0 && denied >= 0:
		p.Why = "none found, but " + s.problems[denied].What + ": " + s.problems[denied].Why
	case found == 0:
		p.Answer, p.Why = No, "none found"
	case closed == 0:
		p.Answer, p.Why = Yes, fmt.Sprintf("%d found, all can be read", found)
	case closed < found:
		p.Answer, p.Why = Yes, fmt.Sprintf("%d found, %d cannot be read, such as %s", found, closed, first)
	default:
		p.Why = fmt.Sprintf("%d found, none can be read: %s", found, first)
	}
	return p
}
