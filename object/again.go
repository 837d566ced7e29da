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
	// maxRoom is for how many members or items room is made before they have come.
	maxRoom = 64
)

// memory is what is remembered of what was read. Most of what thousands of objects say
// they say in the same words: ports, probes, security contexts.
type memory struct {
	members map[string]*member
	kept    int // bytes, of room for texts
}

var memories = pool[*memory]{make: func() *memory { return &memory{members: map[string]*member{}} }}

// tidy makes room where there is too much.
func (m *memory) tidy() {
	if len(m.members) > maxNames || m.kept > maxKept {
		clear(m.members)
		m.kept = 0
	}
}

// member is a member of objects: its name, and values that stood behind it, themselves
// or as items of a list.
type member struct {
	name   string
	limit  int // of a value's text that is remembered
	again  []spelling
	next   int // of again, what is likely to come next: they come in the same order
	oldest int
	left   int // of patience
	// size and length are those of the last object and the last list that stood here. The
	// next is likely to be as large: to make room for that at once takes a third less
	// memory than to make more and more.
	size, length int
	last         long
}

// spelling is a text or an object or a list, and how it was spelled.
type spelling struct {
	text  []byte
	value any
	came  uint8 // 0 is never again, 1 again, and 2 again since room was last wanted
}

// long is a value that is too long to be remembered. It is known as long as what it was
// read from is at hand: of the replicas of one workload, which come one after another,
// most of the next is what the last was.
type long struct {
	text  []byte
	value any
	in    int // the number of the text that it stands in
}

func newMember(name string) *member {
	m := &member{name: name, limit: maxOne, left: patience}
	if name == "fieldsV1" || strings.HasPrefix(name, "f:") {
		m.limit = maxRecord
	}
	return m
}

// find returns the value with which a text begins, and the length of that, where it has
// stood here before.
func find[T string | []byte](m *member, text T) (value any, length int) {
	at := m.next
	for range m.again {
		if at >= len(m.again) {
			at = 0
		}
		known := &m.again[at]
		at++
		if len(text) < len(known.text) || string(text[:len(known.text)]) != string(known.text) {
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

// wants tells whether a value that is new is to be remembered.
func (m *member) wants(length int) bool {
	m.left--
	return length <= m.limit && (m.left >= 0 || m.left%patience == 0)
}

// remember keeps a value, in the place of an older one if there are many.
func remember[T string | []byte](m *memory, of *member, text T, value any) {
	if len(of.again) < maxAgain {
		of.again = append(of.again, spelling{text: append([]byte(nil), text...), value: value})
		m.kept += cap(of.again[len(of.again)-1].text)
		return
	}
	for of.again[of.oldest].came == 2 {
		of.again[of.oldest].came = 1
		of.oldest = (of.oldest + 1) % maxAgain
	}
	known := &of.again[of.oldest]
	m.kept -= cap(known.text)
	*known = spelling{text: append(known.text[:0], text...), value: value}
	m.kept += cap(known.text)
	of.oldest = (of.oldest + 1) % maxAgain
}
