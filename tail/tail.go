// Package tail owns the bytes of logs: it opens files, pipes and archives and hands out blocks of whole lines, from
// several places of a file at once where that is possible. It also finds the place where a time begins, the lines that
// stand at given offsets, the rotated neighbours of a log, and makes lines of the systemd journal's entries.
//
// It never looks into a line, except for its end: what lines mean is said by functions that the caller passes in. It
// writes nothing but the spool of a stream, which has no name. Of other programs it starts xz, bzip2 and journalctl
// only, without a shell.
//
// Bytes of a [Block] are borrowed: they are valid until the visit returns. A [File] may be used by several goroutines;
// it holds no descriptor while nobody reads it, except those of streams, so thousands may be open at once.
//
// It works on every system. Where one has no links or holes in files, nothing is asked about them.
package tail

// measure holds the sizes that a scan works with. Tests take small ones, so that every border is crossed.
type measure struct {
	// line is the longest line that is handed out whole, in bytes without its end. Web servers cut a request line at 8
	// KiB and all headers together rarely pass 64 KiB; PHP traces and JSON logs stay below 1 MiB. It bounds the memory that
	// one hostile line can take.
	line int
	// chunk is how much of a file a worker takes at a time. What is read is still in the processor's second cache when it is
	// parsed: counting pages is a sixth faster with 256 KiB than with 4 MiB, and from 128 to 512 KiB it is equal.
	chunk int64
	// stretch is how many chunks one worker takes in a row at most, and a quarter of it at least: what belongs together mostly stands near, and
	// is then counted by one.
	stretch int64
	// step is how much is read at a time beyond a chunk, to find the end of its last line: that of nearly any line.
	step int
	// block is how much a pump hands over at a time: half a MiB stays in a processor's cache between the two.
	block int
	// reach is how far before a place is looked for what one must know there: some milliseconds.
	reach int64
}

var usual = measure{line: 1 << 20, chunk: 256 << 10, stretch: 64, step: 4 << 10, block: 512 << 10, reach: 16 << 20}
