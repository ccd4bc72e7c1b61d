package judge

// marks are the lines of the first look that fit a rule by address, a bit for each marked bytes of a log. Lines may share one, those
// of other logs too and those markBits bits farther: the second look then only asks in vain what they fit.
type marks []uint64

// markBits: a MiB, for a GiB of logs.
const (
	markBits = 23
	marked   = 128
)

func mark(offset int64) (word int, bit uint64) {
	at := uint64(offset) / marked & (1<<markBits - 1)
	return int(at >> 6), 1 << (at & 63)
}

func (m *marks) add(offset int64) {
	if *m == nil {
		*m = make(marks, 1<<(markBits-6))
	}
	word, bit := mark(offset)
	(*m)[word] |= bit
}

func (m marks) has(offset int64) bool {
	if m == nil {
		return false
	}
	word, bit := mark(offset)
	return m[word]&bit != 0
}

// merge adds those of another table.
func (m *marks) merge(o marks) {
	if *m == nil {
		*m = o
		return
	}
	for i, w := range o {
		(*m)[i] |= w
	}
}
