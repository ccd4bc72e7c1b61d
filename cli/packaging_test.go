package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/connwarden/connwarden/report"
)

// examples are shown for settings whose default is empty or is not shown as it is written.
var examples = map[string]string{
	"clickhouse.url":           `"https://clickhouse.example.com:8443/"`,
	"clickhouse.database":      `"connwarden"`,
	"clickhouse.user":          `"connwarden"`,
	"clickhouse.password_file": `"/etc/connwarden/clickhouse-password"`,
	"clickhouse.ca_file":       `"/etc/connwarden/ca.pem"`,
	"clickhouse.host":          `"web1"`,
	"clickhouse.spool":         `"64M"`,
	"tz":                       `"Europe/Berlin"`,
	"logs.files":               `["/srv/logs"]`,
	"logs.trusted_proxies":     `["10.0.0.0/8"]`,
	"geo.files":                `["/srv/GeoLite2-ASN.mmdb"]`,
	"rules.off":                `["breadth"]`,
	"block.drivers":            `["nft"]`,
	"block.never":              `["198.51.100.0/24"]`,
	"block.escalation":         `["10m", "1h", "1d", "7d"]`,
	"block.pardon":             `"1d"`,
	"block.sites":              `{ "/var/www/shop" = "https://shop.example.com/" }`,
	"metrics.listen":           `"9477"`,
	"daemon.socket":            `"/run/connwarden/connwarden.sock"`,

	// Of the sections that there may be several of, what is shown here and nothing else.
	"site.names":       `["shop.example.com"]`,
	"site.mode":        `"suggest"`,
	"site.rules_off":   `["search-flood"]`,
	"maintenance.days": `["sun"]`,
	"maintenance.from": `"03:00"`,
	"maintenance.to":   `"04:00"`,
	"maintenance.what": `"quiet"`,
	"notify.type":      `"smtp"`,
	"notify.on":        `["block", "malicious", "alarm"]`,
	"notify.server":    `"localhost:25"`,
	"notify.tls":       `"none"`,
	"notify.from":      `"connwarden@example.com"`,
	"notify.to":        `["admin@example.com"]`,
}

// configFile is the configuration that the packages install: every setting, with what it is for, and none of them set.
func configFile(t *testing.T) []byte {
	c := &command{env: System()}
	c.flags.top = -1
	c.flags.config = filepath.Join(t.TempDir(), "empty.toml")
	if err := os.WriteFile(c.flags.config, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.env.Getenv = func(string) string { return "" }
	p, err := c.plan()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(`# Settings of connwarden. All are optional: where a line begins with #, what it says is the default, or an example where
# there is none. "connwarden config" shows what is in force and why; the service takes a change in with
# "systemctl reload connwarden".

`)
	write(t, &b, "", reflect.TypeFor[File](), p.values)
	return b.Bytes()
}

// write writes the settings of a section, then the sections in it.
func write(t *testing.T, b *bytes.Buffer, section string, typ reflect.Type, values []report.Value) {
	var sections, lists []reflect.StructField
	for i := range typ.NumField() {
		f := typ.Field(i)
		name := f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct {
			sections = append(sections, f)
			continue
		}
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			lists = append(lists, f)
			continue
		}
		key := name
		if section != "" {
			key = section + "." + name
		}
		value, ok := examples[key]
		if !ok {
			value = byDefault(t, key, values)
		}
		if about := f.Tag.Get("comment"); about != "" {
			fmt.Fprintf(b, "# %s\n", about)
		} else {
			t.Errorf("setting %s says nowhere what it is for: give its field a comment", key)
		}
		fmt.Fprintf(b, "#%s = %s\n", name, value)
	}
	for _, f := range sections {
		name := f.Tag.Get("toml")
		if section != "" {
			name = section + "." + name
		}
		fmt.Fprintf(b, "\n[%s]\n", name)
		write(t, b, name, f.Type, values)
	}
	for _, f := range lists {
		name := f.Tag.Get("toml")
		fmt.Fprintf(b, "\n# %s; docs/watch.md shows all settings. There may be several\n#[[%s]]\n", f.Tag.Get("comment"), name)
		for i := range f.Type.Elem().NumField() {
			one := f.Type.Elem().Field(i).Tag
			value, ok := examples[name+"."+one.Get("toml")]
			if !ok {
				continue
			}
			if about := one.Get("comment"); about != "" {
				fmt.Fprintf(b, "# %s\n", about)
			}
			fmt.Fprintf(b, "#%s = %s\n", one.Get("toml"), value)
		}
	}
}

// byDefault is the default of a setting, as it is written in the file.
func byDefault(t *testing.T, key string, values []report.Value) string {
	for _, v := range values {
		if v.Key != key {
			continue
		}
		text, err := toml.Marshal(map[string]any{"x": v.Value})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(string(text), "x = ")), "'", `"`)
	}
	t.Errorf("setting %s is not among those that connwarden config shows; if that is right, give an example of it in packaging_test.go", key)
	return `""`
}

// TestConfigFile tells when the configuration file of the packages is not that of the settings there are, and that each
// of its lines can be used.
func TestConfigFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the packages are for Linux, whose folders their configuration names")
	}
	want := configFile(t)
	name := filepath.Join("..", "packaging", "config.toml")
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
		t.Errorf("packaging/config.toml is stale (%v); go test ./cli -run TestConfigFile -update", err)
	}
	var set strings.Builder
	for line := range strings.Lines(string(want)) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		set.WriteString(line)
	}
	file := filepath.Join(t.TempDir(), "all.toml")
	if err := os.WriteFile(file, []byte(set.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &command{env: System()}
	c.flags.top, c.flags.config = -1, file
	if _, err := c.plan(); err != nil {
		t.Errorf("with every line in force: %v\n%s", err, set.String())
	}
}
