package tail

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// lastMark is the last line that begins with a "#", and how many of them came before.
func lastMark(before, lines []byte) []byte {
	for line := range bytes.Lines(lines) {
		if line[0] == '#' {
			before = fmt.Appendf(nil, "%d%s", len(bytes.TrimRight(before, "# \nabcdefghijklmnopqrstuvwxyz"))+1, bytes.TrimRight(line, "\n"))
		}
	}
	return before
}

// Each block comes with what was said before it, whoever read that, wherever the text is cut, and however it comes.
func TestCarry(t *testing.T) {
	text := "a\n#one\nb\n" + strings.Repeat("x", 40) + "\nc\n#" + strings.Repeat("y", 30) + "\nd\ne\n\n#two\n#three\nf\ng\n#four\nh"
	for name, f := range ways(t, text) {
		for from := range len(text) {
			if from > 0 && (text[from-1] != '\n' || !f.Plain()) {
				continue
			}
			for chunk := int64(1); chunk < int64(len(text))+2; chunk++ {
				for _, whole := range []bool{false, true} {
					m := measure{line: 20, chunk: chunk, step: 3, block: int(chunk), reach: 1000}
					known := func(to int64) []byte {
						return m.carry(lastMark, nil, []byte(text[:to]))
					}
					var mu sync.Mutex
					blocks := 0
					Scan(t.Context(), []Job{{File: f, From: int64(from), Whole: whole, Carry: lastMark}}, ScanOptions{Workers: 3, size: &m}, func(_ int, b *Block) {
						mu.Lock()
						defer mu.Unlock()
						if blocks++; b.Last {
							return
						}
						if want := known(b.Offset); !bytes.Equal(b.Before, want) {
							t.Errorf("%s from %d in chunks of %d, whole %v: at %d %q is known, want %q", name, from, chunk, whole, b.Offset, b.Before, want)
						}
					})
					if blocks == 0 {
						t.Fatal("nothing was read")
					}
				}
			}
		}
	}
}

// No more than the reach is looked at before a place, and a line that begins before that is not seen.
func TestLookBack(t *testing.T) {
	text := "#one\n" + strings.Repeat("filling\n", 10) + "#two\nend\n"
	f := open(t, write(t, "log", text), Options{})
	h, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for reach := range int64(len(text)) + 2 {
		m := measure{line: 50, chunk: 7, step: 3, block: 7, reach: reach}
		want := ""
		if reach > int64(len("#two\nend\n")) {
			want = "1#two"
		}
		if reach >= int64(len(text)) {
			want = "2#two"
		}
		if got := m.lookBack(h, int64(len(text)), lastMark); string(got) != want {
			t.Errorf("reach %d: %q, want %q", reach, got, want)
		}
	}
}
