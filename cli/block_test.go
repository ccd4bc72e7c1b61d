package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

// testSystem is the environment of the program under test. Where a script sets WALL, a file of that name is the firewall
// "wall" and the one that is chosen, and one of the name in MOAT the firewall "moat", which has to be named; NOW is then the clock, if it is set, and DIE the step of the firewall at which the
// process kills itself.
func testSystem() *Env {
	env := System()
	if now, err := time.Parse(time.RFC3339, os.Getenv("NOW")); err == nil {
		env.Now = func() time.Time { return now }
	}
	if name := os.Getenv("WALL"); name != "" {
		env.root = "/nonexistent" // this machine may be in a network that a script blocks
		claims := block.Everything()
		claims.Counts = true
		claims.Expiry = os.Getenv("WALL_EXPIRY") != "no"
		fileDriver := func(label, name string) driver {
			return driver{
				name:   label,
				detect: func(context.Context, machine) (bool, string) { return true, "a file" },
				open: func(machine) (block.Driver, error) {
					w := &fileWall{name: name}
					w.die, _ = strconv.Atoi(os.Getenv("DIE"))
					w.Memory = block.Memory{Label: label, Claims: claims, Now: env.Now}
					return w, w.load()
				},
				first: label == "wall",
			}
		}
		env.firewalls = []driver{fileDriver("wall", name)}
		if moat := os.Getenv("MOAT"); moat != "" {
			env.firewalls = append(env.firewalls, fileDriver("moat", moat))
		}
	}
	return env
}

// fileWall is a firewall that is a file.
type fileWall struct {
	block.Memory
	name string
	die  int
}

func (w *fileWall) load() error {
	b, err := os.ReadFile(w.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var list []block.Entry
	if err := errors.Join(err, json.Unmarshal(b, &list)); err != nil {
		return err
	}
	return w.Memory.Apply(context.Background(), list, nil)
}

// step ends the process as kill -9 does if its time has come.
func (w *fileWall) step() {
	if w.die--; w.die == 0 {
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		select {}
	}
}

func (w *fileWall) List(ctx context.Context) ([]block.Entry, error) {
	w.step()
	list, err := w.Memory.List(ctx)
	for i := range list {
		list[i].Hits = block.Hits{Packets: 12, Bytes: 720}
	}
	return list, err
}

func (w *fileWall) Flush(ctx context.Context) error {
	if err := os.Remove(w.name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return w.Memory.Flush(ctx)
}

func (w *fileWall) Apply(ctx context.Context, add, remove []block.Entry) error {
	if os.Getenv("WALL_FAILS") != "" {
		return &block.Error{Driver: "wall", Op: "add", Err: errors.New("the wall is broken")}
	}
	w.step()
	if os.Getenv("WALL_LOSES") != "" { // it says that it is done, and is not
		return nil
	}
	if err := w.Memory.Apply(ctx, add, remove); err != nil {
		return err
	}
	list, err := w.Memory.List(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.name, b, 0o600); err != nil {
		return err
	}
	w.step()
	return nil
}

// TestKilledBesideTheFirewall kills real processes before and after they touch the firewall, with a real journal; the next
// sync makes the two agree.
func TestKilledBesideTheFirewall(t *testing.T) {
	for die := 1; die <= 3; die++ {
		t.Run(fmt.Sprint("step ", die), func(t *testing.T) {
			dir := t.TempDir()
			env := append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, "state"), "WALL="+filepath.Join(dir, "wall"))
			run := func(die int, args ...string) (out []byte, killed bool) {
				t.Helper()
				cmd := exec.Command("connwarden", args...)
				cmd.Env = append(env, fmt.Sprint("DIE=", die))
				var complaint bytes.Buffer
				cmd.Stderr = &complaint
				out, err := cmd.Output()
				if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 {
					return out, true
				} else if err != nil {
					t.Fatalf("connwarden %s: %v\n%s%s", strings.Join(args, " "), err, out, complaint.Bytes())
				}
				return out, false
			}
			blocks := func() (targets string) {
				t.Helper()
				out, _ := run(0, "blocks", "--json")
				var d report.Blocks
				if err := json.Unmarshal(out, &d); err != nil {
					t.Fatal(err)
				}
				for _, b := range d.Blocks {
					if b.State != "in_force" {
						t.Errorf("%s is %s", b.Target, b.State)
					}
					targets += b.Target + " "
				}
				return targets
			}
			run(0, "block", "192.0.2.99")
			_, killed := run(die, "block", "198.51.100.7")
			if die < 3 && !killed {
				t.Fatal("it lived")
			}
			run(0, "sync")
			if got := blocks(); got != "192.0.2.99/32 198.51.100.7/32 " {
				t.Errorf("in force: %s", got)
			}
			run(die, "unblock", "192.0.2.99")
			run(0, "sync")
			if got := blocks(); got != "198.51.100.7/32 " {
				t.Errorf("in force: %s", got)
			}
		})
	}
}

// TestManyAtOnce runs processes side by side: each has its turn, and nothing is lost.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	env := append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, "state"), "WALL="+filepath.Join(dir, "wall"))
	const many = 8
	failed := make(chan error, many)
	for i := range many {
		go func() {
			cmd := exec.Command("connwarden", "block", fmt.Sprintf("198.51.100.%d", i))
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			failed <- err
		}()
	}
	for range many {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	cmd := exec.Command("connwarden", "blocks", "--json")
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var d report.Blocks
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	numbers := map[int64]bool{}
	for _, b := range d.Blocks {
		numbers[b.Change] = true
		if b.State != "in_force" {
			t.Errorf("%s is %s", b.Target, b.State)
		}
	}
	if len(d.Blocks) != many || len(numbers) != many {
		t.Errorf("%d blocks by %d changes, want %d", len(d.Blocks), len(numbers), many)
	}
}
