// Package cli is the command line: the table of commands, flags, configuration, the choice of faces and the wiring of
// all rooms. It prints what the rooms answer and maps errors to exit codes and hints; it decides nothing about a peer.
//
// A command is a function of an [Env] and touches nothing else, so that tests run the true program without a process.
package cli

import (
	"io"
	"os"
	"time"
)

// Env is everything a command may touch.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	// Terminal tells of the two outputs whether a person looks at them, and how wide they are; 0 columns is unknown.
	OutTerminal, ErrTerminal bool
	Columns                  int

	// firewalls stand before those of the machine, and root is where the guard reads its facts; tests have their own.
	firewalls []driver
	root      string
}

// System is the environment of the running process.
func System() *Env {
	columns, terminal := terminalSize(os.Stdout)
	_, errTerminal := terminalSize(os.Stderr)
	return &Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now,
		OutTerminal: terminal, ErrTerminal: errTerminal, Columns: columns,
	}
}
