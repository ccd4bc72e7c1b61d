package bots

import (
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
)

// The files name their sources; bots/gen makes them.
var (
	//go:embed data/agents.txt.gz
	agentsData string
	//go:embed data/ranges.txt.gz
	rangesData string
)

// unpack returns the text of one of the files above. It panics if it cannot, for the tests read them too.
func unpack(data string) string {
	z, err := gzip.NewReader(strings.NewReader(data))
	if err != nil {
		panic(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return string(text)
}
