package cpanel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// truth is a number, text or truth of Perl's: 1 and "1" are yes.
type truth bool

// UnmarshalJSON never fails: what is not yes is no.
func (v *truth) UnmarshalJSON(text []byte) error {
	word := string(bytes.Trim(text, `"`))
	*v = word == "1" || word == "true"
	return nil
}

// arguments are those of uapi.
func arguments(user, function string, p netip.Prefix) []string {
	return []string{"--output=json", "--user=" + user, "BlockIP", function, "ip=" + block.Show(p)}
}

// blockIP puts a target on the list of an account, or takes it away. A refusal is in the answer; the program may end with
// status 0 all the same.
func (d *Driver) blockIP(ctx context.Context, user, function string, p netip.Prefix) error {
	out, failed := d.opt.Run(ctx, "uapi", arguments(user, function, p)...)
	var a struct {
		Result struct {
			Status truth    `json:"status"`
			Errors []string `json:"errors"`
		} `json:"result"`
	}
	if err := json.Unmarshal(out, &a); err != nil {
		if failed != nil {
			return failed
		}
		return fmt.Errorf("uapi BlockIP %s answers %.80q: %w", function, out, err)
	}
	if bool(a.Result.Status) {
		return nil
	}
	return refusal("uapi BlockIP "+function, strings.Join(a.Result.Errors, "; "))
}

// refusal gives cPanel's own words our sentinel where there is one.
func refusal(what, words string) error {
	err := fmt.Errorf("%s: %s", what, words)
	switch words = strings.ToLower(words); {
	case strings.Contains(words, "disabled") || strings.Contains(words, "do not have the feature"):
		return fmt.Errorf("%w: %w", err, connwarden.ErrUnsupported)
	case strings.Contains(words, "permission") || strings.Contains(words, "access denied"):
		return fmt.Errorf("%w: %w", err, connwarden.ErrDenied)
	}
	return err
}

// listed asks for the list of an account. What is no address and no prefix, such as a range or the name of a host, is
// nothing of ours and left out.
func (d *Driver) listed(ctx context.Context, user string) (map[netip.Prefix]bool, error) {
	out, failed := d.opt.Run(ctx, "cpapi2", "--output=json", "--user="+user, "DenyIp", "listdenyips")
	list, err := parse(out)
	if err != nil && failed != nil {
		err = failed
	}
	return list, err
}

// parse reads what cpapi2 prints.
func parse(out []byte) (map[netip.Prefix]bool, error) {
	var a struct {
		Answer *struct {
			Event struct {
				Result truth `json:"result"`
			} `json:"event"`
			Error string `json:"error"`
			Data  []struct {
				IP string `json:"ip"`
			} `json:"data"`
		} `json:"cpanelresult"`
	}
	if err := json.Unmarshal(out, &a); err != nil || a.Answer == nil {
		return nil, fmt.Errorf("cpapi2 DenyIp listdenyips answers %.80q, which is not known", out)
	}
	if !bool(a.Answer.Event.Result) || a.Answer.Error != "" {
		return nil, refusal("cpapi2 DenyIp listdenyips", a.Answer.Error)
	}
	list := map[netip.Prefix]bool{}
	for _, line := range a.Answer.Data {
		text, err := url.PathUnescape(line.IP) // prefixes come escaped
		if err != nil {
			continue
		}
		if p, err := block.ParseTarget(text); err == nil {
			list[p] = true
		}
	}
	return list, nil
}
