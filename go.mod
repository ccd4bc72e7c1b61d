module github.com/connwarden/connwarden

go 1.26.0

require (
	github.com/klauspost/compress v1.20.3 // tail: gzip and zstd, faster than the standard library's gzip
	github.com/mattn/go-runewidth v0.0.31 // report: how wide a character is on a terminal
	github.com/pelletier/go-toml/v2 v2.4.3 // cli: the configuration file; names the line of an unknown key
	github.com/spf13/cobra v1.10.2 // cli: commands, flags, completion, man page
	golang.org/x/sys v0.49.0 // conns, host, tail: netlink, namespaces, terminals without cgo
)

// tests only
require (
	github.com/google/go-cmp v0.7.0 // readable differences of large values
	github.com/rogpeppe/go-internal v1.16.0 // testscript: the command line's specification runs the real program
	go.uber.org/goleak v1.3.0 // no goroutine outlives its test
)

require (
	github.com/clipperhouse/uax29/v2 v2.2.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	go.yaml.in/yaml/v3 v3.0.4 // indirect
	golang.org/x/tools v0.52.0 // indirect
)
