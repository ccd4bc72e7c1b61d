package tell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// maxOutput is what is kept of a program's output, in bytes.
const maxOutput = 4 << 10

// Command starts a program by its whole path and a list of arguments, without a shell. The message is its standard input,
// as JSON, and in its environment are CONNWARDEN_HOST, _TITLE, _KIND, _COUNT, _TARGET and _UNDO, the last three of the first
// note. It has half a minute; then it is ended, and all that it started on the way.
type Command struct {
	Args []string // the program first
	Time time.Duration
}

// Send runs the program.
func (c *Command) Send(ctx context.Context, m *Message) error {
	b, err := m.JSON()
	if err != nil {
		return &Permanent{err}
	}
	first := &m.Notes[0]
	return run(ctx, c.Time, c.Args, append(b, '\n'), []string{
		"CONNWARDEN_HOST=" + safe(m.Host), "CONNWARDEN_TITLE=" + safe(m.Title()), "CONNWARDEN_KIND=" + string(first.Kind), "CONNWARDEN_COUNT=" + strconv.Itoa(len(m.Notes)),
		"CONNWARDEN_TARGET=" + safe(first.Target), "CONNWARDEN_UNDO=" + safe(first.Undo),
	})
}

// safe is a text as a value of the environment.
func safe(s string) string { return strings.ReplaceAll(report.Clean(s), "\x00", "") }

// Sendmail hands the mail to the machine's own mail system.
type Sendmail struct {
	Path string // /usr/sbin/sendmail
	From mail.Address
	To   []mail.Address
}

// Send runs sendmail with the recipients as arguments.
func (s *Sendmail) Send(ctx context.Context, m *Message) error {
	text, err := compose(m, s.From, s.To)
	if err != nil {
		return &Permanent{err}
	}
	args := []string{s.Path, "-i", "-f", s.From.Address, "--"} // -i: a line with a dot alone is no end
	for _, to := range s.To {
		args = append(args, to.Address)
	}
	return advised(run(ctx, 0, args, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil), walled())
}

// advised says why sendmail most likely failed: mail systems let it write into their queue by the rights of its file (setgid of
// Postfix, setuid of Exim), which the shipped unit does not let it have.
func advised(err error, walled bool) error {
	if err == nil || !walled {
		return err
	}
	return fmt.Errorf("%w; this service may not gain privileges, which most versions of sendmail need: use type = \"smtp\" with server = \"localhost:25\" and tls = \"none\"", err)
}

// walled tells whether programs that are started may gain no privileges (PR_SET_NO_NEW_PRIVS); false where nothing says so.
func walled() bool {
	text, err := os.ReadFile("/proc/self/status")
	return err == nil && bytes.Contains(text, []byte("\nNoNewPrivs:\t1\n"))
}

// run starts a program and waits for it, for at most limit or half a minute.
func run(ctx context.Context, limit time.Duration, args []string, input []byte, env []string) error {
	if limit <= 0 || limit > sendTime {
		limit = sendTime
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	out := capped{most: maxOutput}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &out
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/"}, env...)
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second // what it started may hold the pipes open
	alone(cmd)
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: did not end within %v", args[0], limit)
	case errors.As(err, &exit):
		return fmt.Errorf("%s: status %d: %s", args[0], exit.ExitCode(), strings.TrimSpace(out.text.String()))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return &Permanent{err}
	default:
		return err
	}
}

// capped keeps the beginning of what is written to it, and lets a program finish that says too much.
type capped struct {
	text bytes.Buffer
	most int
}

func (c *capped) Write(b []byte) (int, error) {
	c.text.Write(b[:min(len(b), c.most-c.text.Len())])
	return len(b), nil
}
