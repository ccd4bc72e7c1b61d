// Command gen makes the table that room geo ships of the CSV files of ip-location-db, each as it is or in the archives in
// which they are published:
//
//	go run ./geo/gen -date 2026-06-17T19:00:00Z -o geo/data/geo.table asn.tgz asn-country.tgz
//
// In an archive the files whose names end with -ipv4.csv and -ipv6.csv are read.
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/connwarden/connwarden/geo"
)

func main() {
	date := flag.String("date", "", "when the data was made, as 2026-06-17T19:00:00Z")
	out := flag.String("o", "", "the table to write")
	flag.Parse()
	if err := run(*date, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(date, out string, names []string) error {
	made, err := time.Parse(time.RFC3339, date)
	if err != nil || out == "" || len(names) == 0 {
		return errors.New("usage: gen -date 2026-06-17T19:00:00Z -o TABLE CSV|ARCHIVE…")
	}
	var b geo.Builder
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".csv") {
			err = b.ReadCSV(name, f)
		} else {
			err = readArchive(&b, f)
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	t, err := b.Build(made)
	if err != nil {
		return err
	}
	if err := t.Verify(); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	size, err := t.WriteTo(f)
	if e := f.Close(); err == nil {
		err = e
	}
	taken, dropped := b.Rows()
	v4, v6 := t.Ranges()
	fmt.Printf("%d rows, %d left out: %d ranges of IPv4, %d of IPv6, %d bytes\n", taken, dropped, v4, v6, size)
	return err
}

func readArchive(b *geo.Builder, r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	for files := tar.NewReader(z); ; {
		head, err := files.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(head.Name, "-ipv4.csv") || strings.HasSuffix(head.Name, "-ipv6.csv"):
			if err := b.ReadCSV(head.Name, files); err != nil {
				return err
			}
		}
	}
}
