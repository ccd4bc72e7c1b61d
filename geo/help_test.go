package geo

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// stamp gives the text of a table another date and the sum that fits.
func stamp(text []byte, date time.Time) {
	binary.LittleEndian.PutUint64(text[12:], uint64(date.Unix()))
	sum(text)
}

func sum(text []byte) {
	binary.LittleEndian.PutUint32(text[8:], crc32.Checksum(text[12:], castagnoli))
}
