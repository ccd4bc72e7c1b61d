// Command gen makes the data that room bots ships, in bots/data, and the samples of its tests:
//
//	go run ./bots/gen -agents crawler-user-agents.json -ranges DIR -asn DIR
//
// The first is the file of that name in npm crawler-user-agents, the second a folder of range lists (see lists.go), the third
// holds asn-ipv4.csv and asn-ipv6.csv of npm @ip-location-db/asn. It is run by hand when one of them is new.
package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	agents := flag.String("agents", "", "crawler-user-agents.json")
	ranges := flag.String("ranges", "", "folder of range lists")
	asn := flag.String("asn", "", "folder with asn-ipv4.csv and asn-ipv6.csv")
	out := flag.String("out", "bots", "folder of the room")
	flag.Parse()
	if err := run(*agents, *ranges, *asn, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(agents, ranges, asn, out string) error {
	patterns, samples, err := readAgents(agents)
	if err != nil {
		return err
	}
	networks, err := readNetworks(asn)
	if err != nil {
		return err
	}
	lists, err := readLists(ranges, filepath.Join(out, "gen", "own.txt"), networks)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"data/agents.txt.gz": patterns, "data/ranges.txt.gz": lists, "testdata/samples.txt.gz": samples,
	} {
		if err := write(filepath.Join(out, name), text); err != nil {
			return err
		}
	}
	return nil
}

// write compresses without time and name, so that the same data are the same file.
func write(name, text string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write([]byte(text)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return f.Close()
}
