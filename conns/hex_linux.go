package conns

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/connwarden/connwarden"
)

// bigEndian tells which kind of machine this is.
var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// readHexTable reads a file such as /proc/net/tcp into c, row by row, until row returns false. Rows of another shape, the
// header among them, are passed over.
func readHexTable(ctx context.Context, name string, c *connwarden.Conn, row func() bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, recvSize)
	var cols [hexColumns][]byte
	c.ID = 0
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if hexConn(columns(line[:len(line)-1], cols[:0]), bigEndian, c) && !row() {
			return nil
		}
	}
}
