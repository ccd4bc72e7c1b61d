package live

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden/rules"
)

// reloading is a pipeline whose configuration can be changed.
func reloading(t *testing.T, opt *Options) (reload chan struct{}, next chan func() (*Options, error)) {
	reload, next = make(chan struct{}), make(chan func() (*Options, error), 10)
	opt.Reload = reload
	opt.Renew = func(context.Context) (*Options, error) { return (<-next)() }
	return reload, next
}

// What was counted before a reload counts after it, and the new rules, policy and keeper are in force.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	log, other := filepath.Join(dir, "access.log"), filepath.Join(dir, "other.log")
	appendTo(t, log, "")
	appendTo(t, other, attack("198.51.100.8", 40)) // from before: it is followed from its end
	opt := options(t, log)
	reload, next := reloading(t, &opt)
	opt.Metrics = &Metrics{}
	r := start(t, opt)
	await[*Start](r)
	appendTo(t, log, attack("198.51.100.7", 11))
	settled(t, opt.Metrics, 11)

	fresh := opt
	fresh.Files = []string{log, other}
	k, wall := keeper()
	fresh.Keeper, fresh.Drivers = k, []string{"wall"}
	list := slices.Clone(opt.Rules.Rules)
	slices.Reverse(list)
	var err error
	if fresh.Rules, err = rules.Compile(list); err != nil {
		t.Fatal(err)
	}
	taken := make(chan bool, 1)
	fresh.Taken = func(used bool) { taken <- used }
	next <- func() (*Options, error) { return &fresh, nil }
	reload <- struct{}{}
	if m := await[*Reload](r); !m.Done || m.Why != "" {
		t.Errorf("%+v", m)
	}
	if !<-taken {
		t.Error("it says that the new configuration is not used")
	}
	appendTo(t, log, attack("198.51.100.7", 1))
	if b := await[*Block](r); b.Target != "198.51.100.7/32" {
		t.Errorf("%+v", b)
	}
	appendTo(t, other, attack("198.51.100.8", 12))
	if b := await[*Block](r); b.Target != "198.51.100.8/32" {
		t.Errorf("%+v", b)
	}
	end, rest := r.end()
	if end.Lines != 24 || len(rest) != 0 {
		t.Errorf("%+v after %v", end, rest)
	}
	if held, _ := wall.List(t.Context()); len(held) != 2 {
		t.Errorf("the firewall holds %v", held)
	}
	if n := opt.Metrics.reloads.Load(); n != 1 {
		t.Errorf("%d reloads", n)
	}
}

// A configuration that is wrong is told, and the one before goes on.
func TestReloadRefused(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	reload, next := reloading(t, &opt)
	k, _ := keeper()
	opt.Keeper, opt.Drivers, opt.Metrics = k, []string{"wall"}, &Metrics{}
	r := start(t, opt)
	await[*Start](r)
	next <- func() (*Options, error) { return nil, errors.New("config.toml:2: no\x1b[31m") }
	reload <- struct{}{}
	if m := await[*Reload](r); m.Done || m.Why != `config.toml:2: no\x1b[31m` {
		t.Errorf("%+v", m)
	}
	if all := page(t, opt.Metrics); all["connwarden_config_last_reload_successful"].samples["connwarden_config_last_reload_successful"] != 0 {
		t.Error("the figures do not say so")
	}
	appendTo(t, log, attack("198.51.100.7", 12))
	await[*Block](r)
	same := opt
	next <- func() (*Options, error) { return &same, nil }
	reload <- struct{}{}
	if m := await[*Reload](r); !m.Done {
		t.Errorf("%+v", m)
	}
	if all := page(t, opt.Metrics); all["connwarden_config_last_reload_successful"].samples["connwarden_config_last_reload_successful"] != 1 {
		t.Error("the figures do not say so")
	}
	r.end()
}

// settled waits until so many requests were read.
func settled(t *testing.T, m *Metrics, n uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); m.requests.Load() < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests were read, want %d", m.requests.Load(), n)
		}
		<-time.After(time.Millisecond)
	}
}
