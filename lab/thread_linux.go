package lab

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an operating-system thread that lives in namespaces of its own. What runs on it, and every process that is
// started from it, sees those. The thread ends with [thread.end] and takes the namespaces with it, once the
// processes in them have ended.
type thread struct {
	tid int
	run chan func()
}

// newThread starts a thread, gives it new namespaces by unshare(2)'s flags, and runs setup on it.
func newThread(flags int, setup func() error) (*thread, error) {
	th := &thread{run: make(chan func())}
	started := make(chan error)
	go th.live(flags, setup, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return th, nil
}

func (th *thread) live(flags int, setup func() error, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread dies with the goroutine, no other may get it
	if th.tid = unix.Gettid(); th.tid == unix.Getpid() {
		// The first thread cannot die, and the process's own namespaces are its. Held here, it is not given out again.
		done := make(chan error)
		go th.live(flags, setup, done)
		err := <-done
		runtime.UnlockOSThread()
		started <- err
		return
	}
	err := unix.Unshare(flags)
	if err != nil {
		err = fmt.Errorf("unshare namespaces: %w", err)
	} else if setup != nil {
		err = setup()
	}
	started <- err
	if err != nil {
		return
	}
	for f := range th.run {
		f()
	}
}

// do runs f on the thread and waits for it. It must not be called from the thread.
func (th *thread) do(f func() error) error {
	done := make(chan error, 1)
	th.run <- func() {
		err := errors.New("the test ended inside")
		defer func() { done <- err }()
		err = f()
	}
	return <-done
}

// netns is the path of the thread's network namespace.
func (th *thread) netns() string {
	return fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), th.tid)
}

func (th *thread) end() { close(th.run) }
