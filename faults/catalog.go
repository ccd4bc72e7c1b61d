package faults

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
)

// Kind is a known fault: an entry of the catalogue. It is immutable.
//
// Meaning and Remedy may hold placeholders, which [Row.Meaning] and [Row.Remedy] fill from the sample: {pool} (the
// module of the fault), {script}, {site}, and {limit} (the first number in brackets of the message).
type Kind struct {
	Name    string // unique, in kebab case: "apache-workers-full"
	Service string // the service whose lines it is found in
	Code    string // "AH00161", or several parted by blanks; nothing where the daemon numbers nothing
	Key     string // what people read as the row's name
	Meaning string // one sentence for the owner of a site
	Remedy  string // what to do: the setting, and how to find a good value
	Format  string // the log format of Sample, by its name in package logs
	Sample  string // a real entry, which may span lines
	Press   bool   // the server's owner must act; not what clients cause by what they ask for
	Each    bool   // rows stay apart by fingerprint, and the fingerprint is the row's key

	texts [][]byte // all of these stand in the fingerprint's message
}

//go:embed catalog/*.txt
var catalogFiles embed.FS

// index holds the catalogue as [Find] needs it.
type index struct {
	kinds  []*Kind
	byCode map[string][]*Kind // by code, in the order of the files: a kind without texts must come last
	byText map[string][]*Kind // by service, of kinds without code, in the order of the files
}

// catalog is read at first use, so that a program that shows no faults does not pay for it at its start.
var catalog = sync.OnceValue(func() *index {
	x := &index{byCode: map[string][]*Kind{}, byText: map[string][]*Kind{}}
	files, err := catalogFiles.ReadDir("catalog")
	if err != nil {
		panic(err) // embedded: cannot fail once built
	}
	for _, f := range files {
		name := "catalog/" + f.Name()
		text, err := catalogFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		kinds, err := parseCatalog(name, string(text))
		if err != nil {
			panic(err) // embedded and tested
		}
		for _, k := range kinds {
			x.kinds = append(x.kinds, k)
			for _, code := range strings.Fields(k.Code) {
				x.byCode[code] = append(x.byCode[code], k)
			}
			if k.Code == "" {
				x.byText[k.Service] = append(x.byText[k.Service], k)
			}
		}
	}
	return x
})

// Kinds returns the whole catalogue in the order of its files. The slice is the caller's, the kinds are not.
func Kinds() []*Kind { return append([]*Kind(nil), catalog().kinds...) }

// Find returns the catalogue's entry for f, or nil when f is not known. It looks at the fingerprint alone, so equal
// fingerprints are of one kind. It allocates nothing but at the first call of the process, which reads the
// catalogue.
func Find(f *connwarden.Fault) *Kind {
	var room [maxFingerprint + 64]byte
	return findPrint(Fingerprint(room[:0], f), f)
}

// findPrint is Find with f's fingerprint given.
func findPrint(print []byte, f *connwarden.Fault) *Kind {
	x := catalog()
	text := keyText(print)
	// A message of PHP that reached us through another daemon's log is known by what PHP said.
	if f.Service != "php" && bytes.Contains(text, []byte("PHP ")) {
		if k := match(x.byText["php"], text); k != nil {
			return k
		}
	}
	if len(f.Code) > 0 {
		for _, k := range x.byCode[string(f.Code)] {
			if k.Service == f.Service && k.in(text) {
				return k
			}
		}
	}
	return match(x.byText[f.Service], text)
}

func match(kinds []*Kind, text []byte) *Kind {
	for _, k := range kinds {
		if k.in(text) {
			return k
		}
	}
	return nil
}

func (k *Kind) in(text []byte) bool {
	for _, t := range k.texts {
		if !bytes.Contains(text, t) {
			return false
		}
	}
	return true
}

// parseCatalog reads the catalogue's own form: entries parted by blank lines, each line a word and its value; a line
// that begins with a blank continues the value of the line before; '#' begins a comment. The words are name (first),
// service, code, text (may stand often: all must be in the message's fingerprint), key, meaning, remedy, format,
// sample (may stand often: one line of the sample each), press ("yes") and rows ("each").
func parseCatalog(file, text string) ([]*Kind, error) {
	var (
		kinds []*Kind
		k     *Kind
		value *string
	)
	for n, line := range strings.Split(text, "\n") {
		if line == "" {
			k, value = nil, nil
			continue
		}
		if line[0] == '#' {
			continue
		}
		if line[0] == ' ' {
			if value == nil {
				return nil, fmt.Errorf("%s:%d: a continued line continues nothing", file, n+1)
			}
			*value += " " + strings.TrimSpace(line)
			continue
		}
		word, val, _ := strings.Cut(line, " ")
		if k == nil {
			if word != "name" {
				return nil, fmt.Errorf("%s:%d: an entry begins with %q, want \"name\"", file, n+1, word)
			}
			k = &Kind{}
			kinds = append(kinds, k)
		}
		value = nil
		switch word {
		case "name":
			k.Name = val
		case "service":
			k.Service = val
		case "code":
			k.Code = val
		case "text":
			if val == "" {
				return nil, fmt.Errorf("%s:%d: an empty text", file, n+1)
			}
			k.texts = append(k.texts, []byte(val))
		case "key":
			k.Key, value = val, &k.Key
		case "meaning":
			k.Meaning, value = val, &k.Meaning
		case "remedy":
			k.Remedy, value = val, &k.Remedy
		case "format":
			k.Format = val
		case "rows":
			if val != "each" {
				return nil, fmt.Errorf("%s:%d: rows %q, want \"each\"", file, n+1, val)
			}
			k.Each = true
		case "press":
			if val != "yes" {
				return nil, fmt.Errorf("%s:%d: press %q, want \"yes\"", file, n+1, val)
			}
			k.Press = true
		case "sample":
			if k.Sample != "" {
				k.Sample += "\n"
			}
			k.Sample += val
		default:
			return nil, fmt.Errorf("%s:%d: unknown word %q", file, n+1, word)
		}
	}
	for _, k := range kinds {
		switch {
		case k.Service == "", k.Key == "", k.Meaning == "", k.Remedy == "", k.Format == "", k.Sample == "":
			return nil, fmt.Errorf("%s: entry %q lacks one of service, key, meaning, remedy, format, sample", file, k.Name)
		case k.Code == "" && len(k.texts) == 0:
			return nil, fmt.Errorf("%s: entry %q has neither code nor text", file, k.Name)
		}
	}
	return kinds, nil
}
