package warehouse

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is one of the spool: rows of one table of one batch, compressed lines of JSON.
type file struct {
	name  string // "00000000000000000042.rates.gz"
	table string
	size  int64
	turn  uint64 // rises each time it is written: one that was sent may have been written again meanwhile
}

const (
	ending = ".gz"
	aside  = ".refused" // behind the name of one that the server will never take
	fresh  = ".new"     // behind the name of one that is being written
	// mostAside bounds the files that are kept for people to look at.
	mostAside = 16
)

// scan lists what waits, oldest first. What a crash left half-written goes.
func scan(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var list []file
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), fresh) {
			os.Remove(filepath.Join(dir, e.Name())) // it tries again next time
			continue
		}
		f, ok := parse(e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		f.size = info.Size()
		list = append(list, f)
	}
	return list, nil
}

// parse takes a file's name apart.
func parse(name string) (file, bool) {
	number, rest, _ := strings.Cut(name, ".")
	table, ok := strings.CutSuffix(rest, ending)
	digits := strings.Trim(number, "0123456789") == "" && len(number) == numberWide
	return file{name: name, table: table}, ok && digits && slices.Contains(tables, table)
}

// numberWide is how many digits a batch's number has in a file's name: those of the greatest.
const numberWide = 20

// Put writes a batch into the spool. An error, which is logged and counted too, says that it is not in, or not whole; it may be
// put in again.
func (w *Warehouse) Put(b *Batch) error {
	err := w.put(b)
	if err != nil {
		w.opt.Log.Error("a batch for clickhouse could not be kept", "err", err.Error())
		w.mu.Lock()
		w.stats.Dropped++
		w.stats.Problem = err.Error()
		w.mu.Unlock()
	}
	return err
}

func (w *Warehouse) put(b *Batch) error {
	for _, t := range []struct {
		name string
		rows []any
	}{{"rates", rates(w.opt.Host, b)}, {"verdicts", verdicts(w.opt.Host, b)}, {"blocks", blocks(w.opt.Host, b)}} {
		if len(t.rows) == 0 {
			continue
		}
		text, err := lines(t.rows)
		if err != nil {
			return fmt.Errorf("clickhouse: batch %d: %w", b.Number, err)
		}
		f := file{name: fmt.Sprintf("%0*d.%s%s", numberWide, b.Number, t.name, ending), table: t.name, size: int64(len(text))}
		if err := w.write(f, text); err != nil {
			return fmt.Errorf("clickhouse: write %s: %w", filepath.Join(w.opt.Spool, f.name), err)
		}
		w.add(f)
	}
	select {
	case w.more <- struct{}{}:
	default: // it is told already
	}
	return nil
}

// lines are rows as compressed JSON, one a line.
func lines(rows []any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	e := json.NewEncoder(z)
	e.SetEscapeHTML(false)
	for _, r := range rows {
		if err := e.Encode(r); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

// write makes a file whole or not at all.
func (w *Warehouse) write(f file, text []byte) error {
	name := filepath.Join(w.opt.Spool, f.name)
	o, err := os.OpenFile(name+fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = o.Write(text)
	err = errors.Join(err, o.Sync(), o.Close())
	if err == nil {
		err = os.Rename(name+fresh, name)
	}
	if err != nil {
		os.Remove(name + fresh) // the error before says enough
	}
	return err
}

// add takes a file that was written into the queue, in place of one of the same name, and makes room.
func (w *Warehouse) add(f file) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	f.turn = w.turn
	if i := slices.IndexFunc(w.files, func(o file) bool { return o.name == f.name }); i >= 0 {
		w.stats.Bytes += f.size - w.files[i].size
		w.files[i] = f
	} else {
		w.stats.Bytes += f.size
		w.files = append(w.files, f)
	}
	for w.stats.Bytes > w.opt.Bound && len(w.files) > 1 {
		gone := w.files[0]
		w.files = w.files[1:]
		w.stats.Bytes -= gone.size
		if w.stats.Dropped++; w.stats.Dropped == 1 {
			w.opt.Log.Error("the spool for clickhouse is full; the oldest goes", "file", w.opt.Spool, "bytes", w.opt.Bound)
		}
		if err := os.Remove(filepath.Join(w.opt.Spool, gone.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.stats.Problem = err.Error()
		}
	}
}

// oldest is the file to send next.
func (w *Warehouse) oldest() (file, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.files) == 0 {
		return file{}, false
	}
	return w.files[0], true
}

// done takes a file out of the queue: it was taken, or, with why, will never be.
func (w *Warehouse) done(f file, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := filepath.Join(w.opt.Spool, f.name)
	w.stats.Problem = ""
	if why != nil {
		w.stats.Refused++
		w.stats.Problem = why.Error()
	} else {
		w.stats.Sent++
	}
	i := slices.IndexFunc(w.files, func(o file) bool { return o.name == f.name && o.turn == f.turn })
	if i < 0 {
		return // it found no room meanwhile, or was written again
	}
	w.stats.Bytes -= w.files[i].size
	w.files = slices.Delete(w.files, i, i+1)
	var err error
	if kept, _ := filepath.Glob(filepath.Join(w.opt.Spool, "*"+aside)); why != nil && len(kept) < mostAside {
		err = os.Rename(name, name+aside)
	} else {
		err = os.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.stats.Problem = err.Error()
	}
}

func (w *Warehouse) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Problem = err.Error()
}
