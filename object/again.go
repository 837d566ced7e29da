package object

import "strings"

const (
	maxNames = 10_000  // members that are remembered at once
	maxAgain = 16      // of each, the values
	maxKept  = 1 << 20 // the bytes that all of them were read from
	maxOne   = 512     // and one of them
	// maxRecord bounds a record of who wrote what, and a part of one. They are long, and
	// the same of all objects of a kind that one program deploys.
	maxRecord = 64 << 10
	// patience is how many values of a member are remembered although none of them comes
	// again. After those one in as many is.
	patience = 64
)

// member is a member of JSON objects: its name, and values that stood behind it,
// themselves or as items of a list. Most of what thousands of objects say they say in
// the same words.
type member struct {
	name   string
	limit  int // of a value's text that is remembered
	again  []spelling
	next   int // of again, what is likely to come next: they come in the same order
	oldest int
	left   int // of patience
}

// spelling is a text or an object or a list, and how it was spelled.
type spelling struct {
	text  string
	value any
	came  uint8 // 0 is never again, 1 again, and 2 again since room was last wanted
}

func newMember(name string) *member {
	m := &member{name: name, limit: maxOne, left: patience}
	if name == "fieldsV1" || strings.HasPrefix(name, "f:") {
		m.limit = maxRecord
	}
	return m
}

// find returns the value with which a text begins, and its length, where it has stood
// here before. It need not be known where it ends: as it ends with its quote or bracket,
// no spelling is the beginning of another.
func (m *member) find(text []byte) (value any, length int) {
	at := m.next
	for range m.again {
		if at >= len(m.again) {
			at = 0
		}
		known := &m.again[at]
		at++
		if len(text) < len(known.text) || string(text[:len(known.text)]) != known.text {
			continue
		}
		if known.came == 0 {
			m.left = patience
		}
		known.came, m.next = 2, at
		return known.value, len(known.text)
	}
	return nil, 0
}

// remember keeps a value, in the place of an older one if there are many, and returns by
// how many bytes more is kept.
func (m *member) remember(text []byte, value any) int {
	m.left--
	if len(text) > m.limit || m.left < 0 && m.left%patience != 0 {
		return 0
	}
	known := spelling{text: string(text), value: value}
	if len(m.again) < maxAgain {
		m.again = append(m.again, known)
		return len(text)
	}
	for m.again[m.oldest].came == 2 {
		m.again[m.oldest].came = 1
		m.oldest = (m.oldest + 1) % maxAgain
	}
	more := len(text) - len(m.again[m.oldest].text)
	m.again[m.oldest] = known
	m.oldest = (m.oldest + 1) % maxAgain
	return more
}
