//go:build !linux

package ipset

import (
	"context"

	"github.com/connwarden/connwarden"
)

type command int

const (
	cmdAdd command = iota
	cmdDel
)

func askProtocol() error { return connwarden.ErrUnsupported }

func createSet(string, bool) error { return connwarden.ErrUnsupported }

func destroySet(context.Context, string) error { return connwarden.ErrUnsupported }

func changeSet(context.Context, string, command, []member) error { return connwarden.ErrUnsupported }

func testSet(string, member) (bool, error) { return false, connwarden.ErrUnsupported }

func readSet(string) ([]member, error) { return nil, connwarden.ErrUnsupported }

func setNames() ([]string, error) { return nil, connwarden.ErrUnsupported }
