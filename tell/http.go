package tell

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// Limits of the services, in bytes of what we write, which are never fewer than the characters they count. Discord: 2,000
// characters of content. Telegram: 4,096 of text. ntfy: 4,096 bytes of message. Slack cuts at 40,000 and asks for 4,000.
const (
	discordLimit  = 1900
	telegramLimit = 3900
	ntfyLimit     = 3900
	slackLimit    = 3800
)

// Post posts JSON to an address. It follows no redirection: what is sent is for whom the settings name.
type Post struct {
	URL    Secret            // whole; chats have their secret in it
	Bearer Secret            // for the header Authorization
	User   string            // with Bearer empty: basic authentication
	Pass   Secret            //
	Sign   Secret            // signs the body: X-Connwarden-Signature: sha256=<HMAC-SHA256 in hexadecimal>
	Header map[string]string // besides
	Body   func(m *Message) (any, error)
	Roots  *x509.CertPool // nil: the system's
}

// Send posts the message.
func (p *Post) Send(ctx context.Context, m *Message) error {
	doc, err := p.Body(m)
	if err != nil {
		return &Permanent{err}
	}
	body, ok := doc.([]byte)
	if !ok {
		if body, err = json.Marshal(doc); err != nil {
			return &Permanent{err}
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return &Permanent{errors.New("its address is no URL")}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "connwarden")
	for k, v := range p.Header {
		r.Header.Set(k, v)
	}
	switch {
	case p.Bearer.Reveal() != "":
		r.Header.Set("Authorization", "Bearer "+p.Bearer.Reveal())
	case p.User != "":
		r.SetBasicAuth(p.User, p.Pass.Reveal())
	}
	if key := p.Sign.Reveal(); key != "" {
		h := hmac.New(sha256.New, []byte(key))
		h.Write(body)
		r.Header.Set("X-Connwarden-Signature", "sha256="+hex.EncodeToString(h.Sum(nil)))
	}
	client := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return scrub(err, p.secrets()...)
	}
	defer answer.Body.Close()
	const most = 4 << 10
	said, _ := io.ReadAll(io.LimitReader(answer.Body, most)) // what it says is for the log
	return p.outcome(answer, said)
}

// outcome tells what became of it by the answer.
func (p *Post) outcome(answer *http.Response, said []byte) error {
	const shown = 200
	text := hide(string(said), p.secrets()...)
	err := fmt.Errorf("it answered %d %s", answer.StatusCode, report.Clean(strings.TrimSpace(text[:min(len(text), shown)])))
	switch s := answer.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		if n, e := strconv.Atoi(answer.Header.Get("Retry-After")); e == nil && n > 0 {
			return &Later{err, time.Duration(min(n, int(longestGap/time.Second))) * time.Second}
		}
		return err
	case s == http.StatusRequestTimeout, s >= 500:
		return err
	case s >= 300 && s < 400:
		return &Permanent{fmt.Errorf("it points elsewhere (%d); name the address that it points to", s)}
	default:
		return &Permanent{err}
	}
}

func (p *Post) secrets() []Secret {
	list := []Secret{p.URL, p.Bearer, p.Pass, p.Sign}
	if u, err := url.Parse(p.URL.Reveal()); err == nil {
		list = append(list, Secret{u.Path}, Secret{u.RawQuery})
		for part := range strings.SplitSeq(u.Path, "/") {
			const word = 8 // shorter ones are words such as "hook"
			if len(part) >= word {
				list = append(list, Secret{part})
			}
		}
	}
	return list
}

// Webhook is the body for programs: the whole message.
func Webhook(m *Message) (any, error) { return m.JSON() }

// quoted fits a text into a block of code that backquotes end.
func quoted(s string) string { return strings.ReplaceAll(defang(s), "`", "'") }

// Slack is the body of an incoming webhook of Slack, and of those who take the same (Mattermost, Rocket.Chat). Our own words
// are the title; everything else stands in a block of code. "<!channel>" and links are escaped as Slack asks for.
func Slack(m *Message) (any, error) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	inner := func(s string) string { return escape(quoted(s)) }
	return map[string]any{
		"text":         escape(marked(m.Title())) + "\n```\n" + m.Text(slackLimit, inner) + "```",
		"mrkdwn":       true,
		"parse":        "none",
		"link_names":   false,
		"unfurl_links": false,
		"unfurl_media": false,
	}, nil
}

// marked takes the letters out of a title that chats read as markup: the host's name is the only one that is not ours.
func marked(s string) string {
	return strings.NewReplacer("*", "", "_", "-", "~", "-", "`", "'", "|", "-", "@", "(at)", "#", "").Replace(defang(s))
}

// Discord is the body of a webhook of Discord. Nobody can be mentioned by it.
func Discord(m *Message) (any, error) {
	const suppressEmbeds = 4
	return map[string]any{
		"content":          marked(m.Title()) + "\n```\n" + m.Text(discordLimit-len(m.Title()), quoted) + "```",
		"allowed_mentions": map[string]any{"parse": []string{}},
		"flags":            suppressEmbeds,
	}, nil
}

// Telegram is the body of sendMessage to a chat.
func Telegram(chat string) func(m *Message) (any, error) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return func(m *Message) (any, error) {
		return map[string]any{
			"chat_id":              chat,
			"text":                 "<b>" + escape(defang(m.Title())) + "</b>\n<pre>" + m.Text(telegramLimit, func(s string) string { return escape(defang(s)) }) + "</pre>",
			"parse_mode":           "HTML",
			"link_preview_options": map[string]any{"is_disabled": true},
			"disable_notification": !m.Urgent(),
		}, nil
	}
}

// TelegramURL is where a bot's messages go. Base is "" for Telegram's own server.
func TelegramURL(base string, token Secret) Secret {
	if base == "" {
		base = "https://api.telegram.org"
	}
	return Secret{strings.TrimRight(base, "/") + "/bot" + token.Reveal() + "/sendMessage"}
}

// Ntfy is the body for a topic of ntfy, posted to the root of its server.
func Ntfy(topic string) func(m *Message) (any, error) {
	return func(m *Message) (any, error) {
		const usual, high = 3, 5
		priority, tag := usual, "shield"
		if m.Urgent() {
			priority, tag = high, "rotating_light"
		}
		return map[string]any{
			"topic": topic, "title": m.Title(), "message": m.Text(ntfyLimit-len(m.Title()), plain), "priority": priority, "tags": []string{tag},
		}, nil
	}
}
