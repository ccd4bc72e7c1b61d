package live

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// A daemon that runs for days and over the turn of the year knows the year of lines that name none.
func TestYearless(t *testing.T) {
	log := filepath.Join(t.TempDir(), "auth.log")
	line := func(at time.Time, addr string, n int) string {
		return strings.Repeat(fmt.Sprintf("%s web sshd[4711]: Failed password for invalid user admin from %s port 4242 ssh2\n", at.Format("Jan _2 15:04:05"), addr), n)
	}
	began := time.Now().UTC()
	appendTo(t, log, line(began, "198.51.100.1", 1))
	var later atomic.Int64
	opt := options(t, log)
	opt.Clock = func() time.Time { return time.Now().UTC().Add(time.Duration(later.Load())) }
	beats := make(chan struct{})
	opt.Beat = func(bool) {
		select {
		case beats <- struct{}{}:
		default:
		}
	}
	r := start(t, opt)
	await[*Start](r)
	for i, days := range []int{0, 3, 60, 300, 500} {
		later.Store(int64(days) * int64(24*time.Hour))
		<-beats // perhaps of a tick that began before the new day
		<-beats // what was being read then has ended, and what is read from here on is of it
		addr := fmt.Sprintf("198.51.100.%d", 10+i)
		appendTo(t, log, line(opt.Clock(), addr, 40))
		if v := await[*Verdict](r); v.Addr != addr || v.Verdict != connwarden.VerdictMalicious || v.LevelNow != connwarden.VerdictMalicious || v.Last.Year() != opt.Clock().Year() {
			t.Errorf("after %d days: %s %s, now %s, last seen %v", days, v.Addr, v.Verdict, v.LevelNow, v.Last)
		}
	}
}
