package object

import "slices"

const (
	maxNames = 10_000  // members that are remembered at once
	maxAgain = 16      // of each, the values
	maxKept  = 1 << 20 // the bytes that all of them were read from
	maxOne   = 512     // and one of them
	// maxRecord bounds a record of who wrote what, which is long, and the same of all
	// objects of a kind that one program deploys.
	maxRecord = 64 << 10
)

// member is a member of JSON objects: its name, and the values that stood behind it,
// themselves or as items of a list, the last first. Most of what thousands of objects
// say they say in the same words.
type member struct {
	name  string
	again []spelling
}

// spelling is a text or an object or a list, and how it was spelled.
type spelling struct {
	text  string
	value any
}

// find returns the value with which a text begins, where it has stood here before. It
// need not be known where it ends: as it ends with its quote or bracket, no spelling is
// the beginning of another.
func (m *member) find(text []byte) (spelling, bool) {
	for i, known := range m.again {
		if len(text) < len(known.text) || string(text[:len(known.text)]) != known.text {
			continue
		}
		copy(m.again[1:], m.again[:i])
		m.again[0] = known
		return known, true
	}
	return spelling{}, false
}

// remember keeps a value in the place of that which was not seen for longest, and returns
// by how many bytes more is kept.
func (m *member) remember(text []byte, value any) int {
	limit := maxOne
	if m.name == "fieldsV1" {
		limit = maxRecord
	}
	if len(text) > limit {
		return 0
	}
	more := len(text)
	if last := len(m.again) - 1; last == maxAgain-1 {
		more -= len(m.again[last].text)
		m.again = m.again[:last]
	}
	m.again = slices.Insert(m.again, 0, spelling{string(text), value})
	return more
}
