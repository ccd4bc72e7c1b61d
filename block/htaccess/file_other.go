//go:build !linux && !darwin && !freebsd

package htaccess

import (
	"fmt"

	"github.com/connwarden/connwarden"
)

// folder and state stand for those of systems where files can be opened relative to a folder.
type (
	folder struct{}
	state  struct {
		exists bool
		text   []byte
	}
)

func openFolder(dir string) (*folder, error) {
	return nil, fmt.Errorf("%s: no way to open it without following links: %w", dir, connwarden.ErrUnsupported)
}

func (f *folder) close()                      {}
func (f *folder) read() (state, error)        { return state{}, connwarden.ErrUnsupported }
func (f *folder) replace(state, []byte) error { return connwarden.ErrUnsupported }
func (f *folder) remove(state) error          { return connwarden.ErrUnsupported }
func (f *folder) access() error               { return connwarden.ErrUnsupported }
