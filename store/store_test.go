package store_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/store"
)

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestJournal(t *testing.T) {
	blocktest.RunJournal(t, func(t testing.TB, dir string) block.Journal { return open(t, dir) })
}

// TestProcessThatDoesNotClose is the command line's: what was recorded is there although nothing was closed.
func TestProcessThatDoesNotClose(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	record(t, first, "192.0.2.7/32")
	if all, err := open(t, dir).Wishes(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d wishes, %v", len(all), err)
	}
}

func record(t testing.TB, s *store.Store, targets ...string) {
	t.Helper()
	c := &block.Change{At: time.Now(), Verb: "block"}
	for _, target := range targets {
		w := &block.Wish{}
		w.BlockKey = connwarden.BlockKey{Target: netip.MustParsePrefix(target), Driver: "fw"}
		c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
	}
	if err := s.Record(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestPasts asks for the past of targets of which few and many have one: the answers are those of asking one by one.
func TestPasts(t *testing.T) {
	s := open(t, t.TempDir())
	targets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("198.51.100.1/32")}
	ended := time.Now()
	for round := range 40 {
		c := &block.Change{At: ended, Verb: "block"}
		for _, target := range []string{"192.0.2.7/32", "192.0.2.9/32", "203.0.113.0/28"} {
			w := &block.Wish{State: block.StateInForce}
			w.BlockKey = connwarden.BlockKey{Target: netip.MustParsePrefix(target), Driver: "fw"}
			w.Since, w.Until = ended, ended.Add(time.Minute)
			c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
		}
		if err := s.Record(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ended = ended.Add(time.Hour)
		if err := s.Settle(t.Context(), block.Settlement{Driver: "fw", Now: ended}); err != nil {
			t.Fatal(err)
		}
		if round%13 != 0 {
			continue
		}
		found, err := s.Pasts(t.Context(), targets, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range targets {
			want, err := s.Past(t.Context(), p, 10)
			if err != nil || !slices.Equal(found[p], want) {
				t.Errorf("round %d, %v: %d, want %d; %v", round, p, len(found[p]), len(want), err)
			}
		}
		if len(found[targets[1]]) != min(round+1, 10) || len(found[targets[2]]) != 0 {
			t.Errorf("round %d: %d and %d", round, len(found[targets[1]]), len(found[targets[2]]))
		}
	}
}

// TestMany does to a journal of thousands what is done to its model, and asks both for many targets: some stand there already,
// lifted or over, ranges lie around and below.
func TestMany(t *testing.T) {
	s, model := open(t, t.TempDir()), &block.MemoryJournal{}
	at := time.Now().UTC().Truncate(time.Millisecond)
	target := func(i int) netip.Prefix {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 7})
		switch i % 10 {
		case 0:
			return netip.PrefixFrom(a, 20).Masked()
		case 1:
			return netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/64", i))
		default:
			return netip.PrefixFrom(a, 32-8*(i%10/9)).Masked()
		}
	}
	both := func(act func(j block.Journal) error) {
		t.Helper()
		if err := errors.Join(act(s), act(model)); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		both(func(j block.Journal) error {
			c := &block.Change{At: at, Verb: "block"}
			for i := range 1500 {
				w := &block.Wish{State: block.StateInForce}
				w.BlockKey = connwarden.BlockKey{Target: target(i / (round + 1)), Driver: fmt.Sprint("fw", i%(round+1))}
				w.Since, w.Until, w.Why = at, at.Add(time.Duration(1+i%3)*time.Minute), fmt.Sprint(i)
				if !slices.ContainsFunc(c.Wishes, func(o block.Swap[block.Wish]) bool { return o.After.BlockKey == w.BlockKey }) {
					c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
				}
			}
			c.Wishes = append(c.Wishes, block.Swap[block.Wish]{Before: c.Wishes[7].After})
			return j.Record(t.Context(), c)
		})
		at = at.Add(90 * time.Second)
		both(func(j block.Journal) error {
			return j.Settle(t.Context(), block.Settlement{Driver: "fw1", Now: at})
		})
		var asked []netip.Prefix
		for i := range 700 {
			asked = append(asked, target(i*3), netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.7/32", i%6, i%256)))
		}
		for _, targets := range [][]netip.Prefix{nil, asked, asked[:1], {netip.MustParsePrefix("10.0.0.0/16")}, {netip.MustParsePrefix("2001:db8::1/128")}} {
			got, err := s.Wishes(t.Context(), targets...)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := model.Wishes(t.Context(), targets...)
			if len(got) != len(want) || len(targets) != 1 && len(want) < 100 {
				t.Fatalf("round %d: %d wishes near %d targets, want %d", round, len(got), len(targets), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("round %d: %+v, want %+v", round, got[i], want[i])
				}
			}
		}
		for _, p := range asked[:50] {
			got, err := s.Past(t.Context(), p, 1000)
			want, _ := model.Past(t.Context(), p, 1000)
			if err != nil || len(got) != len(want) {
				t.Fatalf("round %d: %d past of %v, want %d; %v", round, len(got), p, len(want), err)
			}
		}
	}
}

// TestSettledWhole compares a journal that settles changes as a whole with the model, which does not.
func TestSettledWhole(t *testing.T) {
	store.SettleWhole(t)
	t.Run("contract", TestJournal)
	s, model := open(t, t.TempDir()), &block.MemoryJournal{}
	at := time.Now().UTC().Truncate(time.Millisecond)
	both := func(act func(j block.Journal) error) {
		t.Helper()
		if err := errors.Join(act(s), act(model)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Wishes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := model.Wishes(t.Context()); !slices.Equal(got, want) {
			t.Fatalf("it has %+v, want %+v", got, want)
		}
		page, err := s.Page(t.Context(), "fw", block.EntryKey{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := model.Page(t.Context(), "fw", block.EntryKey{}, 1000); !slices.Equal(page, want) {
			t.Fatalf("its page is %+v, want %+v", page, want)
		}
	}
	wish := func(i int, driver string, ends time.Duration) block.Swap[block.Wish] {
		w := &block.Wish{}
		w.BlockKey = connwarden.BlockKey{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32), Driver: driver}
		if w.Since = at; ends != 0 {
			w.Until = at.Add(ends)
		}
		return block.Swap[block.Wish]{After: w}
	}
	number := int64(0)
	record := func(list func() []block.Swap[block.Wish]) {
		t.Helper()
		both(func(j block.Journal) error {
			c := &block.Change{At: at, Verb: "block", Wishes: list()}
			err := j.Record(t.Context(), c)
			number = c.Number
			return err
		})
	}
	settle := func(st block.Settlement) {
		t.Helper()
		st.Driver, st.Now = "fw", at
		both(func(j block.Journal) error { return j.Settle(t.Context(), st) })
	}
	marks := func(want int) {
		t.Helper()
		if n := s.Marks(t); n != want {
			t.Errorf("%d changes are settled as a whole, want %d", n, want)
		}
	}
	many := func(from int, ends time.Duration) func() []block.Swap[block.Wish] {
		return func() (list []block.Swap[block.Wish]) {
			for i := range 10 {
				list = append(list, wish(from+i, "fw", ends*time.Duration(1+i)))
			}
			return list
		}
	}
	record(many(0, time.Minute))
	settle(block.Settlement{Number: number})
	record(many(20, 0))
	settle(block.Settlement{Number: number})
	marks(2)
	record(many(40, time.Minute))
	marks(2) // nothing was said of the firewall
	settle(block.Settlement{Number: number, Open: []connwarden.BlockKey{wish(43, "fw", 0).After.BlockKey}})
	record(func() []block.Swap[block.Wish] { return append(many(60, 0)(), wish(70, "other", 0)) })
	settle(block.Settlement{Number: number})
	marks(2)                                                                                                      // the other driver's is not settled
	record(func() []block.Swap[block.Wish] { return []block.Swap[block.Wish]{{Before: wish(5, "fw", 0).After}} }) // lifted
	record(func() []block.Swap[block.Wish] { return []block.Swap[block.Wish]{wish(6, "fw", time.Hour)} })         // for longer
	settle(block.Settlement{Open: []connwarden.BlockKey{wish(7, "fw", 0).After.BlockKey, wish(43, "fw", 0).After.BlockKey}})
	marks(1)
	settle(block.Settlement{})
	record(many(80, time.Minute))
	last := number
	at = at.Add(90 * time.Second) // some are over
	settle(block.Settlement{Number: last})
	marks(1)
	record(func() (list []block.Swap[block.Wish]) {
		for i := range 10 {
			list = append(list, block.Swap[block.Wish]{Before: wish(20+i, "fw", 0).After})
		}
		return list
	})
	settle(block.Settlement{Number: number})
	both(func(j block.Journal) error { return j.Prune(t.Context(), at.Add(-time.Hour), at) })
	marks(0)
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state with %20 and ?")
	s := open(t, dir)
	record(t, s, "192.0.2.7/32")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if !store.Exists(dir) || store.Exists(t.TempDir()) {
		t.Error("Exists does not tell a state folder from another")
	}
}

// change writes to the database behind the store's back.
func change(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, store.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestUnusable(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, dir string)
	}{
		{"from the future", "newer version (schema 99", func(t *testing.T, dir string) { change(t, dir, "PRAGMA user_version = 99") }},
		{"no database", "it is damaged: move it away", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, store.Name), []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder", "directory", func(t *testing.T, dir string) {
			name := filepath.Join(dir, store.Name)
			if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
				t.Fatal(err)
			}
		}},
		{"pages that were overwritten", "it is damaged", func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, store.Name), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(make([]byte, 4096*8), 4096); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			record(t, s, "192.0.2.7/32")
			s.Close()
			c.spoil(t, dir)
			s, err := store.Open(t.Context(), dir)
			if err == nil {
				defer s.Close()
				_, err = s.Wishes(t.Context())
			}
			if !errors.Is(err, block.ErrJournal) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), store.Name) {
				t.Errorf("%v; want block.ErrJournal, the file's name and %q", err, c.want)
			}
		})
	}
}

// TestLastSchema opens a database as the version before left it.
func TestLastSchema(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	record(t, s, "192.0.2.0/24", "192.0.2.7/32")
	s.Close()
	change(t, dir, "DROP INDEX wish_range; DROP TABLE settled; PRAGMA user_version = 1")
	s = open(t, dir)
	if list, err := s.Wishes(t.Context(), netip.MustParsePrefix("192.0.2.9/32")); err != nil || len(list) != 1 || list[0].Target.Bits() != 24 {
		t.Errorf("near an address of the range %+v, %v", list, err)
	}
	s.Close()
	change(t, dir, "DROP INDEX wish_range") // which there is again, or this fails
}

func TestLockedIsTold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, store.Name)+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	err = s.Record(t.Context(), &block.Change{Verb: "block"})
	if !errors.Is(err, block.ErrJournal) || !strings.Contains(err.Error(), "another program holds it") {
		t.Errorf("%v", err)
	}
	if _, err := s.Wishes(t.Context()); err != nil {
		t.Errorf("a reader waits for a writer: %v", err)
	}
}

// TestFullDisk bounds the database's size as a full disk does.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	record(t, s, "192.0.2.7/32")
	s.Limit(t)
	c := &block.Change{Verb: "block"}
	for i := range 2000 {
		w := &block.Wish{Evidence: strings.Repeat("x", 200)}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24+uint32(i))
		w.BlockKey = connwarden.BlockKey{Target: netip.PrefixFrom(netip.AddrFrom4(a), 32), Driver: "fw"}
		c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
	}
	err := s.Record(t.Context(), c)
	if !errors.Is(err, block.ErrJournal) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v", err)
	}
	all, err := s.Wishes(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d wishes, %v; want the one from before", len(all), err)
	}
}

// A change that only adds is written as any other is: what is read of both is the same.
func FuzzEncodeNew(f *testing.F) {
	f.Add("guesses passwords", "", "nft", "host1", int64(1795394575642), int64(0), false)
	f.Add("\x1b \"'<script>\\ \xff é", `[{"rule":"x"}]`, "", "", int64(0), int64(7), true)
	f.Fuzz(func(t *testing.T, why, evidence, driver, by string, until, restores int64, forced bool) {
		list := make([]block.Wish, 3)
		c := &block.Change{}
		for i := range list {
			w := &list[i]
			w.Target, w.Driver, w.Since, w.Why, w.Evidence, w.Forced, w.Revision, w.Restores = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32), driver, time.UnixMilli(until/2).UTC(), why, evidence, forced, 9, restores
			w.By = connwarden.Origin{Kind: connwarden.OriginKind(i), Name: by}
			if i > 0 {
				w.Scope, w.Until, w.Confirm, w.Then = connwarden.Ports(22, 80), time.UnixMilli(until).UTC(), time.UnixMilli(restores).UTC(), time.UnixMilli(until+1).UTC()
			}
			c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
		}
		want, err := store.EncodeAny(c)
		got, ok := store.EncodeNew(c)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		var a, b block.Change
		if err := errors.Join(store.Decode(want, &a), store.Decode(got, &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s is %+v, and %s is %+v, %v", want, a, got, b, err)
		}
		c.Wishes[1].Before = &list[0]
		if _, ok := store.EncodeNew(c); ok {
			t.Error("what was replaced is left out")
		}
	})
}

// BenchmarkWishes reads 50,000 wishes, and those about one target among them.
func BenchmarkWishes(b *testing.B) {
	s := open(b, b.TempDir())
	c := &block.Change{At: time.Now(), Verb: "block"}
	for i := range 50_000 {
		w := &block.Wish{}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24+uint32(i)*7)
		w.BlockKey = connwarden.BlockKey{Target: netip.PrefixFrom(netip.AddrFrom4(a), 32), Driver: "fw"}
		c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
	}
	start := time.Now()
	if err := s.Record(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	b.Logf("recorded 50,000 in %v", time.Since(start))
	var many []netip.Prefix
	for i := range 4096 {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	for name, targets := range map[string][]netip.Prefix{
		"all": nil, "many": many, "one": {netip.MustParsePrefix("10.0.0.7/32")}, "one of IPv6": {netip.MustParsePrefix("2001:db8::7/128")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Wishes(context.Background(), targets...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
