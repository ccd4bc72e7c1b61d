// Command crowd writes a log of very many addresses that do next to nothing each: one post to WordPress' login by each (web); the front page eight
// times by each, and nothing else, on a site that some others read (flood); or, over 28 days, one to three wrong passwords over SSH by each, and besides two hundred that guess
// twelve times within four minutes (ssh). The same flags give the same log but for its end.
//
//	crowd [-kind web|flood|ssh] [-n ADDRESSES] [-within DURATION] [-end TIME] > LOG
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// guessers begin with 198.18 (RFC 2544): nobody else's addresses do.
const (
	guessers = 200
	guesses  = 12
	days     = 28
	each     = 8 // requests of who floods
	readers  = 2000
)

type line struct {
	at   time.Time
	text string
}

func main() {
	kind := flag.String("kind", "web", "web, flood or ssh")
	n := flag.Int("n", 20_000, "addresses")
	within := flag.Duration("within", 4*time.Minute, "of web and flood: in which time they come")
	end := flag.String("end", time.Now().UTC().Format(time.RFC3339), "when the log ends")
	flag.Parse()
	last, err := time.Parse(time.RFC3339, *end)
	if err != nil || *kind != "web" && *kind != "flood" && *kind != "ssh" {
		fmt.Fprintln(os.Stderr, "usage: crowd [-kind web|flood|ssh] [-n ADDRESSES] [-within DURATION] [-end 2026-11-23T10:00:00Z]")
		os.Exit(2)
	}
	rng := rand.New(rand.NewPCG(5, 7))
	var lines []line
	switch *kind {
	case "web":
		lines = web(rng, *n, *within, last)
	case "flood":
		lines = flood(rng, *n, *within, last)
	case "ssh":
		lines = ssh(rng, *n, last)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at.Unix(), b.at.Unix()) })
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for _, l := range lines {
		fmt.Fprintln(w, l.text)
	}
}

// address is one of networks that are not reserved, by chance.
func address(rng *rand.Rand) string {
	nets := []int{23, 45, 77, 91, 103, 118, 151, 177, 185, 201}
	return fmt.Sprintf("%d.%d.%d.%d", nets[rng.IntN(len(nets))], rng.IntN(256), rng.IntN(256), 1+rng.IntN(254))
}

// browser is the agent of one, by chance.
func browser(rng *rand.Rand) string {
	if rng.IntN(2) == 0 {
		return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 100+rng.IntN(31))
	}
	return "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"
}

// request is a line of an access log in the combined format.
func request(addr, what string, status int, referer, agent string, at time.Time) line {
	return line{at, fmt.Sprintf(`%s - - [%s] "%s HTTP/1.1" %d 4521 "%s" "%s"`, addr, at.Format("02/Jan/2006:15:04:05 -0700"), what, status, referer, agent)}
}

func web(rng *rand.Rand, n int, within time.Duration, end time.Time) (lines []line) {
	for i := range n {
		at := end.Add(-within + within*time.Duration(i)/time.Duration(n))
		agent := browser(rng)
		lines = append(lines, request(address(rng), "POST /wp-login.php", 200, "-", agent, at))
	}
	return lines
}

func flood(rng *rand.Rand, n int, within time.Duration, end time.Time) (lines []line) {
	during := func(d time.Duration) time.Time { return end.Add(-time.Duration(rng.Int64N(int64(d)))) }
	for range n {
		addr, agent := address(rng), browser(rng)
		for range each {
			lines = append(lines, request(addr, "GET /", []int{200, 200, 503}[rng.IntN(3)], "-", agent, during(within)))
		}
	}
	for range readers {
		addr, agent, at := address(rng), browser(rng), during(3*time.Hour)
		page := fmt.Sprintf("/blog/post-%d/", rng.IntN(60))
		lines = append(lines, request(addr, "GET "+page, 200, "-", agent, at))
		for _, part := range []string{"/css/site.css", "/js/site.js", fmt.Sprintf("/img/%d.jpg", rng.IntN(60))} {
			lines = append(lines, request(addr, "GET "+part, 200, "https://www.example.com"+page, agent, at.Add(time.Second)))
		}
	}
	return lines
}

func ssh(rng *rand.Rand, n int, end time.Time) (lines []line) {
	begin := end.AddDate(0, 0, -days)
	fails := func(addr, user string, at time.Time) {
		lines = append(lines, line{at, fmt.Sprintf("%s web sshd[%d]: Failed password for %s from %s port %d ssh2", at.Format(time.Stamp), 500+rng.IntN(30000), user, addr, 1024+rng.IntN(60000))})
	}
	for range n {
		addr, at := address(rng), begin.Add(time.Duration(rng.Int64N(int64(days*24*time.Hour-time.Minute))))
		for k := range 1 + rng.IntN(3) {
			fails(addr, fmt.Sprintf("invalid user u%d", rng.IntN(500)), at.Add(time.Duration(3*k)*time.Second))
		}
	}
	users := []string{"deploy", "alice", "bob"}
	for i := range guessers {
		at := begin.Add(time.Duration(rng.Int64N(int64((days - 1) * 24 * time.Hour))))
		for k := range guesses {
			fails(fmt.Sprintf("198.18.%d.%d", i, 1+i), users[rng.IntN(len(users))], at.Add(time.Duration(20*k)*time.Second))
		}
	}
	return lines
}
