package update

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// replace writes a file beside the one that it is to become, makes sure that it is on the disk, and only then gives it the
// name. name has slashes and is in dir.
func replace(dir, name string, write func(io.Writer) error) (err error) {
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
