package tail

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTextBeside quotes lines in one goroutine while another reads on, of a log that is rotated again and again.
func TestTextBeside(t *testing.T) {
	both(t, func(t *testing.T, opt FollowOptions) {
		r := follow(t, opt)
		name := filepath.Join(t.TempDir(), "access.log")
		log := r.f.Add(name, Options{}, &Place{})
		type question struct {
			offset int64
			line   string
		}
		asked, answered := make(chan question), make(chan string)
		go func() {
			for q := range asked {
				answered <- string(r.f.Text(log, q.offset, 100, func(line []byte) bool { return string(line) == q.line }))
			}
		}()
		defer close(asked)
		quoted := 0
		visit := func(p *Piece) {
			offset := p.Offset
			for line := range bytes.Lines(p.Data) {
				q := question{offset, strings.TrimSuffix(string(line), "\n")}
				asked <- q
				if got := <-answered; got != q.line {
					t.Errorf("quoted %q, want %q", got, q.line)
				}
				offset += int64(len(line))
				quoted++
			}
		}
		const files, lines = 4, 50
		for i := range files {
			for j := range lines {
				r.write(name, fmt.Sprintf("line %d of file %d\n", j, i))
				if j == 0 || i == files-1 { // also the rest of the file that was renamed
					r.f.Wake()
					for r.f.Read(r.now, visit) {
					}
				}
			}
			if i < files-1 {
				r.do(os.Rename(name, fmt.Sprint(name, ".", files-i)))
			}
		}
		if quoted != files*lines {
			t.Errorf("%d lines were read, want %d", quoted, files*lines)
		}
	})
}
