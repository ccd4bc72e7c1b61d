package cli

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/store"
)

// stateful runs the program with a state folder and a wall beside it.
type stateful struct {
	*testing.T
	state, wall string
}

func (s stateful) run(args ...string) (d report.Blocks) {
	s.Helper()
	cmd := exec.Command("connwarden", append(args, "--json")...)
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+s.state, "WALL="+s.wall)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("connwarden %s: %v\n%s%s", strings.Join(args, " "), err, out, complaint.String())
	}
	if err := json.Unmarshal(out, &d); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return d
}

func (s stateful) wants(d report.Blocks, target, problem string) {
	s.Helper()
	text, err := os.ReadFile(s.wall)
	if err != nil || !strings.Contains(string(text), target) {
		s.Errorf("%s is not in the wall: %s, %v", target, text, err)
	}
	if got := fmt.Sprint(d.Problems); !strings.Contains(got, problem) {
		s.Errorf("problems %s, want %q", got, problem)
	}
}

// TestLockedJournal blocks while another program holds the database.
func TestLockedJournal(t *testing.T) {
	s := stateful{t, filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "wall")}
	s.run("block", "192.0.2.1")
	db, err := sql.Open("sqlite", filepath.Join(s.state, store.Name)+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	s.wants(s.run("block", "198.51.100.7", "--for", "1h"), "198.51.100.7/32", "another program holds it")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.wants(s.run("sync"), "198.51.100.7/32", "1 acts from while it could not be used are in it now")
	if d := s.run("blocks"); len(d.Blocks) != 2 || d.Blocks[1].State != "in_force" || d.Blocks[1].Until == nil {
		t.Errorf("blocks %+v", d.Blocks)
	}
}

// TestFullDisk blocks while the state folder's disk is full.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t)
	s := stateful{t, filepath.Join(disk, "state"), filepath.Join(t.TempDir(), "wall")}
	s.run("block", "192.0.2.1")
	empty := fill(t, disk)
	s.wants(s.run("block", "198.51.100.7", "--for", "1h"), "198.51.100.7/32", "no space left")
	s.wants(s.run("blocks"), "198.51.100.7/32", "")
	empty()
	s.run("sync")
	d := s.run("blocks")
	if len(d.Blocks) != 2 || d.Blocks[0].State != "in_force" || d.Blocks[1].State != "in_force" || d.Blocks[1].Until == nil {
		t.Errorf("blocks %+v", d.Blocks)
	}
}
