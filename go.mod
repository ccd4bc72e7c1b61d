module github.com/connwarden/connwarden

go 1.26.0

require (
	charm.land/bubbletea/v2 v2.0.10 // tui: keys, mouse and the drawing of only what changed
	github.com/godbus/dbus/v5 v5.2.4 // block/firewalld: how one speaks to firewalld
	github.com/google/nftables v0.3.0 // block/nft: tables, chains, sets and rules as netlink messages
	github.com/klauspost/compress v1.20.3 // tail: gzip and zstd, faster than the standard library's gzip
	github.com/mattn/go-runewidth v0.0.31 // report: how wide a character is on a terminal
	github.com/mdlayher/netlink v1.11.2 // block/nft: the socket that they go through
	github.com/nats-io/jwt/v2 v2.8.3 // hub: what a host may write, signed
	github.com/nats-io/nats-server/v2 v2.15.2 // hub: the engine; no other program links it
	github.com/nats-io/nats.go v1.55.0 // fleet: the connection to the engine
	github.com/nats-io/nkeys v0.4.17 // fleet, hub: the keys by which hosts prove who they are
	github.com/oschwald/maxminddb-golang/v2 v2.9.0 // geo: MaxMind DB files of the user's own
	github.com/pelletier/go-toml/v2 v2.4.3 // cli: the configuration file; names the line of an unknown key
	github.com/spf13/cobra v1.10.2 // cli: commands, flags, completion, man page
	github.com/vishvananda/netlink v1.3.1 // block/ipset: messages and transport for the kernel's sets
	golang.org/x/sys v0.49.0 // conns, host, tail: netlink, namespaces, terminals without cgo
	modernc.org/memory v1.12.1 // store: what SQLite's allocator keeps is given back
	modernc.org/sqlite v1.60.1 // store, history: the journal and what was seen, without cgo
)

// tests only
require (
	github.com/google/go-cmp v0.7.0 // readable differences of large values
	github.com/rogpeppe/go-internal v1.16.0 // testscript: the command line's specification runs the real program
	go.uber.org/goleak v1.3.0 // no goroutine outlives its test
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/aymanbagabas/go-udiff v0.4.1 // indirect
	github.com/charmbracelet/colorprofile v0.4.3 // indirect
	github.com/charmbracelet/ultraviolet v0.0.0-20260811164956-006e29f97886 // indirect
	github.com/charmbracelet/x/ansi v0.11.8 // indirect
	github.com/charmbracelet/x/exp/golden v0.0.0-20250806222409-83e3a29d542f // indirect
	github.com/charmbracelet/x/term v0.2.2 // indirect
	github.com/charmbracelet/x/termios v0.1.1 // indirect
	github.com/charmbracelet/x/windows v0.2.2 // indirect
	github.com/clipperhouse/displaywidth v0.11.0 // indirect
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/lucasb-eyer/go-colorful v1.4.1 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/mdlayher/socket v0.6.0 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/muesli/cancelreader v0.2.2 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/ncruces/go-strftime v1.0.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	github.com/xo/terminfo v0.0.0-20220910002029-abceb7e1c41e // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp v0.0.0-20231006140011-7918f672742d // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.16.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	modernc.org/libc v1.77.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
)
