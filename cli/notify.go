package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tell"
)

// notifyFile is one section [[notify]] of the configuration.
type notifyFile struct {
	Type    string   `toml:"type" comment:"smtp, sendmail, webhook, slack, discord, telegram, ntfy or command"`
	Name    string   `toml:"name" comment:"what it is called in logs and figures (default: its type)"`
	On      []string `toml:"on" comment:"what is told: block, malicious, suspicious, problem, alarm, state"`
	Group   string   `toml:"group" comment:"how long is waited for more, to make one message of it"`
	PerHour int      `toml:"per_hour" comment:"messages in an hour, at most"`
	Burst   int      `toml:"burst" comment:"messages at once, at most"`

	Server       string   `toml:"server" comment:"mail server and port"`
	TLS          string   `toml:"tls" comment:"starttls, tls or none"`
	User         string   `toml:"user"`
	Password     string   `toml:"password"`
	PasswordFile string   `toml:"password_file"`
	From         string   `toml:"from"`
	To           []string `toml:"to"`
	Path         string   `toml:"path" comment:"the program sendmail"`

	URL        string            `toml:"url"`
	URLFile    string            `toml:"url_file"`
	Token      string            `toml:"token"`
	TokenFile  string            `toml:"token_file"`
	Secret     string            `toml:"secret" comment:"signs what a webhook is sent"`
	SecretFile string            `toml:"secret_file"`
	Headers    map[string]string `toml:"headers"`
	Chat       string            `toml:"chat" comment:"of Telegram"`

	Command []string `toml:"command" comment:"a program by its whole path, and its arguments"`
	Timeout string   `toml:"timeout" comment:"how long the program may take"`
}

// channelPlan is one channel, checked but for the secrets: their files are read by who sends.
type channelPlan struct {
	key string // in the configuration: "config.toml: notify[0]"
	f   notifyFile
	c   tell.Channel // without a sender
}

// notifyKeys are the settings that each type takes besides those of all.
var notifyKeys = map[string][]string{
	"smtp":     {"server", "tls", "user", "password", "password_file", "from", "to"},
	"sendmail": {"from", "to", "path"},
	"webhook":  {"url", "url_file", "token", "token_file", "user", "password", "password_file", "secret", "secret_file", "headers"},
	"slack":    {"url", "url_file"},
	"discord":  {"url", "url_file"},
	"telegram": {"token", "token_file", "chat", "url"},
	"ntfy":     {"url", "token", "token_file", "user", "password", "password_file"},
	"command":  {"command", "timeout"},
}

// notifyTypes are their names.
func notifyTypes() []string { return slices.Sorted(maps.Keys(notifyKeys)) }

// given are the settings of a section that were written and belong to some types only.
func (f *notifyFile) given() (keys []string) {
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"server", f.Server != ""}, {"tls", f.TLS != ""}, {"user", f.User != ""}, {"password", f.Password != ""}, {"password_file", f.PasswordFile != ""},
		{"from", f.From != ""}, {"to", f.To != nil}, {"path", f.Path != ""}, {"url", f.URL != ""}, {"url_file", f.URLFile != ""}, {"token", f.Token != ""},
		{"token_file", f.TokenFile != ""}, {"secret", f.Secret != ""}, {"secret_file", f.SecretFile != ""}, {"headers", f.Headers != nil}, {"chat", f.Chat != ""},
		{"command", f.Command != nil}, {"timeout", f.Timeout != ""},
	} {
		if k.set {
			keys = append(keys, k.name)
		}
	}
	return keys
}

func (p *Plan) planNotify(list []notifyFile, inFile func(string) string) error {
	names := map[string]bool{}
	for i, f := range list {
		at := func(key string) string { return inFile(fmt.Sprintf("notify[%d].%s", i, key)) }
		one := channelPlan{key: inFile(fmt.Sprintf("notify[%d]", i)), f: f, c: tell.Channel{Name: cmp.Or(f.Name, f.Type), PerHour: f.PerHour, Burst: f.Burst}}
		if err := one.check(at); err != nil {
			return err
		}
		if names[one.c.Name] {
			return usage("give each a name of its own", "%s: %q is the name of another one", at("name"), one.c.Name)
		}
		names[one.c.Name] = true
		p.Notify = append(p.Notify, one)
		p.set(fmt.Sprintf("notify[%d]", i), one.shown(), one.key)
	}
	if len(list) == 0 {
		p.set("notify", []string{}, "default")
	}
	return nil
}

// shown is a channel without its secrets.
func (c *channelPlan) shown() string {
	parts := []string{c.f.Type}
	if c.c.Name != c.f.Type {
		parts = append(parts, c.c.Name)
	}
	on := make([]string, 0, len(c.c.On))
	for _, k := range c.c.On {
		on = append(on, string(k))
	}
	return strings.Join(append(parts, "on "+strings.Join(on, ", ")), "; ")
}

// check checks all that can be without opening anything.
func (c *channelPlan) check(at func(string) string) error {
	f := &c.f
	keys, ok := notifyKeys[f.Type]
	if !ok {
		return usage("one of "+strings.Join(notifyTypes(), ", "), "%s: %q", at("type"), f.Type)
	}
	for _, k := range f.given() {
		if !slices.Contains(keys, k) {
			return usage(f.Type+" takes "+strings.Join(keys, ", "), "%s: %s has no such setting", at(k), f.Type)
		}
	}
	c.c.On = tell.Usual()
	if f.On != nil {
		c.c.On = nil
		for _, word := range f.On {
			if !slices.Contains(tell.Kinds(), tell.Kind(word)) {
				return usage(fmt.Sprintf("some of %v", tell.Kinds()), "%s: %q", at("on"), word)
			}
			c.c.On = append(c.c.On, tell.Kind(word))
		}
	}
	if f.PerHour < 0 || f.PerHour > 3600 {
		return usage("from 1 to 3600", "%s: %d", at("per_hour"), f.PerHour)
	}
	if f.Burst < 0 || f.Burst > 100 {
		return usage("from 1 to 100", "%s: %d", at("burst"), f.Burst)
	}
	if f.Group != "" {
		d, err := parseSpan(f.Group)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return usage("from 1s to 24h", "%s: %q", at("group"), f.Group)
		}
		c.c.Group = d
	}
	for _, pair := range [][3]string{{f.Password, f.PasswordFile, "password"}, {f.URL, f.URLFile, "url"}, {f.Token, f.TokenFile, "token"}, {f.Secret, f.SecretFile, "secret"}} {
		if pair[0] != "" && pair[1] != "" {
			return usage("choose one", "%s and %s_file exclude each other", at(pair[2]), pair[2])
		}
	}
	return c.checkType(at)
}

func (c *channelPlan) checkType(at func(string) string) error {
	f := &c.f
	switch f.Type {
	case "smtp", "sendmail":
		if _, err := mail.ParseAddress(f.From); err != nil {
			return usage(`from = "connwarden@example.com"`, "%s: %q: %w", at("from"), f.From, err)
		}
		if len(f.To) == 0 {
			return usage(`to = ["admin@example.com"]`, "%s: nobody is named", at("to"))
		}
		for _, to := range f.To {
			if _, err := mail.ParseAddress(to); err != nil {
				return usage(`to = ["admin@example.com"]`, "%s: %q: %w", at("to"), to, err)
			}
		}
		if f.Type == "sendmail" {
			break
		}
		if _, _, err := net.SplitHostPort(f.Server); err != nil {
			return usage(`server = "mail.example.com:587"`, "%s: %q: %w", at("server"), f.Server, err)
		}
		if f.TLS != "" && f.TLS != string(tell.StartTLS) && f.TLS != string(tell.TLS) && f.TLS != string(tell.Bare) {
			return usage("starttls, tls or none", "%s: %q", at("tls"), f.TLS)
		}
	case "webhook", "slack", "discord", "ntfy":
		if f.URL == "" && f.URLFile == "" {
			return usage("url or url_file", "%s: missing", at("url"))
		}
		if f.URL != "" {
			if why := badURL(f.URL); why != "" {
				return usage("an address as in https://example.com/hook", "%s: %s", at("url"), why)
			}
		}
	case "telegram":
		if f.Chat == "" || f.Token == "" && f.TokenFile == "" {
			return usage(`chat = "-1001234567890" and token or token_file`, "%s: missing", at("chat"))
		}
	case "command":
		if len(f.Command) == 0 || !filepath.IsAbs(f.Command[0]) {
			return usage(`command = ["/usr/local/bin/on-block", "an argument"]; no shell is asked`, "%s: the program is not named with its whole path", at("command"))
		}
		if f.Timeout != "" {
			if d, err := parseSpan(f.Timeout); err != nil || d < time.Second || d > 30*time.Second {
				return usage("from 1s to 30s", "%s: %q", at("timeout"), f.Timeout)
			}
		}
	}
	return nil
}

// badURL says what is wrong with an address, without repeating it: it may hold a secret.
func badURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "it is no address of the web"
	}
	if u.User != nil {
		return "write user and password as settings of their own"
	}
	return ""
}

// secret is a text of the configuration or the first line of a file.
func secret(text, file string) (tell.Secret, error) {
	if file == "" {
		return tell.NewSecret(text), nil
	}
	const most = 64 << 10
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		err = fmt.Errorf("%s is no file of one line", file)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return tell.Secret{}, fmt.Errorf("read secret: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return tell.Secret{}, fmt.Errorf("read secret: %s is empty", file)
	}
	return tell.NewSecret(line), nil
}

// channel reads the secrets and makes the sender.
func (c *channelPlan) channel() (tell.Channel, error) {
	f := &c.f
	password, err1 := secret(f.Password, f.PasswordFile)
	address, err2 := secret(f.URL, f.URLFile)
	token, err3 := secret(f.Token, f.TokenFile)
	sign, err4 := secret(f.Secret, f.SecretFile)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return tell.Channel{}, fmt.Errorf("%s: %w", c.key, err)
	}
	if f.URLFile != "" {
		if why := badURL(address.Reveal()); why != "" {
			return tell.Channel{}, fmt.Errorf("%s: %s: %s", c.key, f.URLFile, why)
		}
	}
	one := c.c
	var from mail.Address
	var to []mail.Address
	if a, err := mail.ParseAddress(f.From); err == nil {
		from = *a
	}
	for _, text := range f.To {
		if a, err := mail.ParseAddress(text); err == nil {
			to = append(to, *a)
		}
	}
	post := &tell.Post{URL: address, Bearer: token, User: f.User, Pass: password, Sign: sign, Header: f.Headers}
	switch f.Type {
	case "smtp":
		one.Sender = &tell.SMTP{Server: f.Server, Protect: tell.Protection(cmp.Or(f.TLS, string(tell.StartTLS))), User: f.User, Password: password, From: from, To: to}
	case "sendmail":
		one.Sender = &tell.Sendmail{Path: cmp.Or(f.Path, "/usr/sbin/sendmail"), From: from, To: to}
	case "command":
		limit, _ := parseSpan(cmp.Or(f.Timeout, "30s")) // checked before
		one.Sender = &tell.Command{Args: f.Command, Time: limit}
	case "webhook":
		post.Body = tell.Webhook
	case "slack":
		post.Body = tell.Slack
	case "discord":
		post.Body = tell.Discord
	case "telegram":
		post.URL, post.Bearer, post.Body = tell.TelegramURL(f.URL, token), tell.Secret{}, tell.Telegram(f.Chat)
	case "ntfy":
		u, err := url.Parse(address.Reveal())
		topic := ""
		if err == nil {
			topic = strings.Trim(u.Path, "/")
			u.Path = "/"
		}
		if topic == "" || strings.Contains(topic, "/") {
			return tell.Channel{}, fmt.Errorf("%s: the address ends with no topic, as in https://ntfy.sh/my-topic", c.key)
		}
		post.URL, post.Body = tell.NewSecret(u.String()), tell.Ntfy(topic)
	}
	if one.Sender == nil {
		one.Sender = post
	}
	return one, nil
}

// channels makes all channels of a plan.
func (p *Plan) channels() ([]tell.Channel, error) {
	var list []tell.Channel
	var all []error
	for i := range p.Notify {
		c, err := p.Notify[i].channel()
		if p.Notify[i].f.Type == "command" && writable(p.File) {
			err = fmt.Errorf("%s: %s can be written by everyone, who could have any program started: chmod 600 %s", p.Notify[i].key, p.File, p.File)
		}
		if err != nil {
			all = append(all, err)
			continue
		}
		list = append(list, c)
	}
	return list, errors.Join(all...)
}

// telling tells of each channel whether it could be used: its secrets can be read, and by no one who should not.
func (p *Plan) telling() (probes []report.Probe) {
	for i := range p.Notify {
		one := &p.Notify[i]
		answer, why := host.Yes, "try it: connwarden watch --test-notifications"
		if _, err := one.channel(); err != nil {
			answer, why = host.No, err.Error()
		}
		for _, file := range []string{one.f.PasswordFile, one.f.URLFile, one.f.TokenFile, one.f.SecretFile} {
			if exposed(file) {
				why = file + " can be read by everyone: chmod 600 " + file
			}
		}
		secrets := one.f.Password + one.f.Token + one.f.Secret
		if one.f.Type == "slack" || one.f.Type == "discord" {
			secrets += one.f.URL
		}
		if secrets != "" && exposed(p.File) {
			why = p.File + " holds a secret and can be read by everyone: chmod 600 " + p.File
		}
		probes = append(probes, report.Probe{Area: "notifications", Name: one.c.Name, Answer: answer.String(), Why: report.Clean(why)})
	}
	return probes
}

// exposed and writable tell what every account may do with a file.
func exposed(file string) bool  { return everyone(file, 0o004) }
func writable(file string) bool { return everyone(file, 0o002) }

func everyone(file string, to os.FileMode) bool {
	if file == "" || runtime.GOOS == "windows" {
		return false
	}
	info, err := os.Stat(file)
	return err == nil && info.Mode()&to != 0
}

// noter makes notes of messages. It belongs to who tells.
type noter struct {
	target string // of the last block: each driver tells of it
	since  time.Time
}

// note is what a message is to people; ok is false if it is nothing.
func (n *noter) note(m any) (note tell.Note, ok bool) {
	switch m := m.(type) {
	case *live.Block:
		if m.Type != "block" || m.Since != nil && m.Target == n.target && m.Since.Equal(n.since) {
			return note, false
		}
		if n.target = m.Target; m.Since != nil {
			n.since = *m.Since
		}
		note = tell.Note{Kind: tell.Blocked, Time: m.Time, Target: m.Target, Why: m.Why, Scope: m.Scope, Drivers: m.Drivers, Until: m.Until, Undo: m.Undo}
		if prefix, err := parsePrefix(m.Target); err == nil && prefix.IsSingleIP() {
			note.Target = prefix.Addr().String()
		}
		if p := m.Peer; p != nil {
			note.Verdict, note.Score, note.Network, note.Name, note.Evidence = p.Verdict, p.Score, p.Network, p.Name, p.Evidence
		}
		return note, true
	case *live.Verdict:
		note = tell.Note{
			Kind: tell.Suspected, Time: m.Time, Target: m.Addr, Verdict: m.Verdict, Score: m.Score, Network: m.Network, Name: m.Name, Evidence: m.Evidence, Next: m.Next,
		}
		if m.Held != "" {
			note.Why = "not blocked: " + m.Held
		} else if m.Exempt != "" {
			note.Why = "must not be blocked: " + m.Exempt
		}
		switch {
		case m.Verdict == connwarden.VerdictMalicious && (!m.Proved || len(m.Next) > 0):
			note.Kind = tell.Judged
		case m.Verdict != connwarden.VerdictSuspicious:
			return note, false
		}
		return note, true
	case *live.Problem:
		note = tell.Note{Kind: tell.Problem, Time: m.Time, Target: m.What, Why: m.Why}
		if m.Alarm {
			note.Kind = tell.Alarm
		}
		return note, true
	case *live.Reload:
		note = tell.Note{Kind: tell.Changed, Time: m.Time, Why: "the configuration was read again"}
		if !m.Done {
			note.Kind, note.Why = tell.Problem, "the new configuration is refused and the one before stays in force: "+m.Why
		}
		return note, true
	case *live.Mode:
		return tell.Note{Kind: tell.Changed, Time: m.Time, Why: modeWords(m)}, true
	case *live.Start:
		return tell.Note{Kind: tell.Changed, Time: m.Time, Why: fmt.Sprintf("began; follows %d logs; mode %s", m.Logs, m.Mode)}, true
	case *live.End:
		return tell.Note{Kind: tell.Changed, Time: m.Time, Why: fmt.Sprintf("ended; %d verdicts, %d blocks", m.Verdicts, m.Blocks)}, true
	}
	return note, false
}

// modeWords is a change of mode as people read it.
func modeWords(m *live.Mode) string {
	text := "mode " + m.Mode
	if m.Quiet {
		text += ", quiet"
	}
	if m.Until != nil {
		text += " until " + m.Until.Format("2006-01-02 15:04:05 MST")
	}
	if m.Why != "" {
		text += " (" + m.Why + ")"
	}
	return text
}
