package htaccess

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

const (
	fileName = ".htaccess"
	// tempName is where a new text is written before it takes the file's name. Servers that keep .htaccess to themselves
	// do so by the first letters. It is always the same, so that what a crash leaves is cleared by the next change.
	tempName = ".htaccess.connwarden"
	// maxFile bounds a file. 10,000 of the longest targets are 440 KB.
	maxFile = 4 << 20
	// tries is how often a file is read again that others write at the same time, and pause the time between.
	tries = 100
	pause = 20 * time.Millisecond
)

// errBusy: the file changed under us, or another program holds its lock.
var errBusy = errors.New("another program is writing it")

// read returns our section of a folder's file. A folder that is not there is an error; a missing file has no section.
func read(dir string) (sec section, err error) {
	err = patient(dir, func(f *folder) error {
		was, err := f.read()
		if err != nil {
			return err
		}
		_, sec, err = split(was.text)
		return err
	})
	return sec, err
}

// update replaces our section of a folder's file by what next makes of it, which is called again when others write at the
// same time. The bytes of others stay; a file without them that we made goes.
func update(dir string, form Form, next func(section) section) error {
	return patient(dir, func(f *folder) error {
		was, err := f.read()
		if err != nil {
			return err
		}
		own, sec, err := split(was.text)
		if err != nil {
			return err
		}
		to := next(sec)
		to.made = sec.made || !was.exists
		text := join(own, to, form)
		switch {
		case len(text) > maxFile:
			return fmt.Errorf("it would have %d bytes, more than %d: %w", len(text), maxFile, connwarden.ErrUnsupported)
		case bytes.Equal(text, was.text):
			return nil
		case len(text) == 0 && to.made:
			return f.remove(was)
		default:
			return f.replace(was, text)
		}
	})
}

// patient opens the folder and does something in it, again and again while others write the file.
func patient(dir string, do func(*folder) error) error {
	var err error
	for range tries {
		var f *folder
		if f, err = openFolder(dir); err != nil {
			return err
		}
		err = do(f)
		f.close()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %w", filepath.Join(dir, fileName), err)
		if !errors.Is(err, errBusy) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}

// writable tells why the file could not be written.
func writable(dir string) error {
	f, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer f.close()
	was, err := f.read()
	if err == nil {
		_, _, err = split(was.text)
	}
	if err == nil {
		err = f.access()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, fileName), err)
	}
	return nil
}

// components are the names of a clean, absolute path.
func components(dir string) []string {
	var names []string
	for {
		up, name := filepath.Dir(dir), filepath.Base(dir)
		if up == dir {
			slices.Reverse(names)
			return names
		}
		names = append(names, name)
		dir = up
	}
}
