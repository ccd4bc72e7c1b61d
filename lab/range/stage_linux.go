package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// stage is what room lab wants of a test, for a program: who fails or skips ends the goroutine, and what was made is unmade.
type stage struct {
	testing.TB // nil; what lab does not call is not there
	ctx        context.Context
	mu         sync.Mutex // guards the rest; leaf
	undo       []func()
	failed     bool
}

func (s *stage) Helper()                  {}
func (s *stage) Context() context.Context { return s.ctx }

func (s *stage) say(args ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"range:"}, args...)...)
}

func (s *stage) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
}

func (s *stage) Error(args ...any)                 { s.say(args...); s.fail() }
func (s *stage) Errorf(format string, args ...any) { s.Error(fmt.Sprintf(format, args...)) }
func (s *stage) Fatal(args ...any)                 { s.Error(args...); runtime.Goexit() }
func (s *stage) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }
func (s *stage) Skip(args ...any)                  { s.Fatal(args...) }
func (s *stage) Skipf(format string, args ...any)  { s.Fatal(fmt.Sprintf(format, args...)) }
func (s *stage) Log(args ...any)                   { s.say(args...) }
func (s *stage) Logf(format string, args ...any)   { s.say(fmt.Sprintf(format, args...)) }

func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = append(s.undo, f)
}

func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "connwarden-range-")
	if err != nil {
		s.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // servers that are not root live in it
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			s.Error(err)
		}
	})
	return dir
}

// perform calls f on a goroutine of its own, then undoes what was made, the last first. It tells whether all went well.
func perform(ctx context.Context, f func(t testing.TB)) bool {
	s := &stage{ctx: ctx}
	run := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	run(func() { f(s) })
	for {
		s.mu.Lock()
		n := len(s.undo)
		if n == 0 {
			failed := s.failed
			s.mu.Unlock()
			return !failed
		}
		last := s.undo[n-1]
		s.undo = s.undo[:n-1]
		s.mu.Unlock()
		run(last)
	}
}
