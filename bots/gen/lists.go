package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden/nets"
)

// collected are the lists taken from two collections, the newer where both have one: ca-*.txt is
// github.com/lord-alfred/ipranges (CC0 1.0), the others are github.com/sefinek/known-bots-ip-whitelist (MIT).
var collected = []struct{ name, file, date string }{
	{"ahrefs", "ahrefsbot.txt", "2026-05-05"},
	{"applebot", "applebot.txt", "2026-05-05"},
	{"betterstack", "betterstack.txt", "2026-05-05"},
	{"bingbot", "ca-bing.txt", "2026-08-22"},
	{"censys", "censys.txt", "2026-05-05"},
	{"claudebot", "claudebot.txt", "2026-05-05"},
	{"duckduckgo", "ca-duckduckbot.txt", "2026-08-22"},
	{"facebook", "ca-facebook.txt", "2026-08-22"},
	{"google-special-crawlers", "google-special-crawlers.txt", "2026-05-05"},
	{"google-user-triggered-fetchers", "google-user-triggered-fetchers.txt", "2026-05-05"},
	{"googlebot", "ca-googlebot.txt", "2026-08-22"},
	{"kagi", "kagi.txt", "2026-05-05"},
	{"modat", "modat.txt", "2026-05-05"},
	{"nask", "nask.txt", "2026-05-05"},
	{"openai", "ca-openai.txt", "2026-08-22"},
	{"paloaltonetworks", "paloaltonetworks.txt", "2026-05-05"},
	{"perplexity", "ca-perplexity.txt", "2026-08-22"},
	{"pingdom", "ca-pingdom.txt", "2026-08-22"},
	{"pulsetic", "pulsetic.txt", "2026-05-05"},
	{"rssapi", "rssapi.txt", "2026-05-05"},
	{"semrush", "semrush.txt", "2026-05-05"},
	{"shodan", "shodan.txt", "2026-05-05"},
	{"statuscake", "ca-statuscake.txt", "2026-08-22"},
	{"stripe", "stripewebhook.txt", "2026-05-05"},
	{"telegram", "ca-telegram.txt", "2026-08-22"},
	{"twitter", "ca-twitter.txt", "2026-08-22"},
	{"uptimerobot", "uptimerobot.txt", "2026-05-05"},
	{"webpagetest", "webpagetestbot.txt", "2026-05-05"},
	{"yandex", "yandexbot.txt", "2026-05-05"},
}

// readLists makes the text of all lists: a head "@name date networks", then the fewest prefixes, a line each.
func readLists(dir, own string, networks *networks) (string, error) {
	type list struct{ head, text string }
	var lists []list
	for _, c := range collected {
		text, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			return "", err
		}
		lists = append(lists, list{c.name + " " + c.date, string(text)})
	}
	text, err := os.ReadFile(own)
	if err != nil {
		return "", err
	}
	for _, part := range strings.Split("\n"+string(text), "\n@")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		lists = append(lists, list{head, text})
	}
	slices.SortFunc(lists, func(a, b list) int { return strings.Compare(a.head, b.head) })
	var b strings.Builder
	b.WriteString("# Published ranges; see NOTICE. Made by bots/gen from:\n")
	b.WriteString("# github.com/lord-alfred/ipranges (CC0 1.0), github.com/sefinek/known-bots-ip-whitelist (MIT), bots/gen/own.txt.\n")
	b.WriteString("# Behind the date: the networks that hold them, by npm @ip-location-db/asn (CC BY 4.0, RouteViews, DB-IP and NRO).\n")
	for _, l := range lists {
		set, err := nets.Parse(l.text)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", l.head, err)
		}
		fmt.Fprintf(&b, "@%s %s\n", l.head, networks.of(set.Prefixes()))
		for _, p := range set.Prefixes() {
			if p.IsSingleIP() {
				fmt.Fprintln(&b, p.Addr())
			} else {
				fmt.Fprintln(&b, p)
			}
		}
	}
	return b.String(), nil
}

// networks tells which autonomous system holds an address.
type networks struct{ rows []network }

type network struct {
	first, last netip.Addr
	asn         uint32
}

func readNetworks(dir string) (*networks, error) {
	n := new(networks)
	for _, name := range []string{"asn-ipv4.csv", "asn-ipv6.csv"} {
		if err := n.read(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(n.rows, func(a, b network) int { return a.first.Compare(b.first) })
	return n, nil
}

func (n *networks) read(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read networks: %w; unpack npm @ip-location-db/asn and name its folder with -asn", err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReader(f))
	r.ReuseRecord = true
	for {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		first, err1 := netip.ParseAddr(row[0])
		last, err2 := netip.ParseAddr(row[1])
		asn, err3 := strconv.ParseUint(row[2], 10, 32)
		if err := errors.Join(err1, err2, err3); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		n.rows = append(n.rows, network{first, last, uint32(asn)})
	}
}

// of lists the networks that hold the first addresses of the prefixes, joined by commas.
func (n *networks) of(prefixes []netip.Prefix) string {
	var all []uint32
	for _, p := range prefixes {
		i, exact := slices.BinarySearchFunc(n.rows, p.Addr(), func(w network, a netip.Addr) int { return w.first.Compare(a) })
		if !exact {
			i--
		}
		if i >= 0 && n.rows[i].last.Compare(p.Addr()) >= 0 && !slices.Contains(all, n.rows[i].asn) {
			all = append(all, n.rows[i].asn)
		}
	}
	slices.Sort(all)
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = strconv.FormatUint(uint64(a), 10)
	}
	return strings.Join(words, ",")
}
