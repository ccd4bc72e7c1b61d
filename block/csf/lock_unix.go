//go:build unix

package csf

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// share waits until nobody writes the file. It gives up after some seconds: who holds it longer has hung.
func share(f *os.File) error {
	const tries, pause = 500, 10 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || i == tries {
			return err
		}
		<-tick.C
	}
}
