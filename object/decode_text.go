package object

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// textDecoder turns the JSON of an object into content, as Decode does. The text is
// known to be right: whoever found it has read all of it. It is read again without
// a word about what would be wrong, which takes half the time.
type textDecoder struct {
	text    []byte
	rooms   [2][]byte // for that and the one before, in turn
	texts   int       // that were read
	at      int
	depth   int
	*memory     // by names with their quotes
	size    int // members of the last text
}

var textDecoders = pool[*textDecoder]{make: func() *textDecoder { return &textDecoder{memory: memories.make()} }}

// read decodes an object of a file.
func (d *textDecoder) read(r Raw) (map[string]any, error) {
	d.text = d.room(int(r.length))
	if _, err := r.file.ReadAt(d.text, r.offset); err != nil {
		return nil, err
	}
	if d.text[0] == '-' {
		content, ok := simpleItem(d.text)
		if !ok {
			return nil, errChanged
		}
		return content, nil
	}
	return d.object()
}

// DecodeJSON decodes a JSON object as Decode does, without a place for what is wrong:
// whole numbers that fit are int64, others float64. Of a name that comes twice the last
// counts, as to the API server. What is spelled alike may be one and the same, in one
// object and in others. The error quotes nothing of the text.
func DecodeJSON(text []byte) (map[string]any, error) {
	if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, ErrNotJSON
	}
	d := textDecoders.get()
	defer textDecoders.put(d)
	d.copy(text)
	return d.object()
}

// room makes room for a text, and leaves the last one as it is.
func (d *textDecoder) room(length int) []byte {
	room := &d.rooms[d.texts%2]
	*room = slices.Grow((*room)[:0], length)[:length]
	return *room
}

// copy takes in a text that others go on to write to.
func (d *textDecoder) copy(text []byte) {
	d.text = d.room(len(text))
	copy(d.text, text)
}

// ErrNotJSON says that a text is no JSON object.
var ErrNotJSON = errors.New("not a JSON object")

// object decodes the text.
func (d *textDecoder) object() (map[string]any, error) {
	value, err := d.root()
	if err != nil {
		return nil, err
	}
	content, ok := value.(map[string]any)
	if !ok {
		return nil, ErrNotJSON
	}
	return content, nil
}

// root decodes the text, whatever it is.
func (d *textDecoder) root() (any, error) {
	d.tidy()
	d.at, d.depth = 0, 0
	d.texts++
	top := newMember("")
	top.size = d.size
	defer func() { d.size = top.size }()
	return d.value(top)
}

// next returns the next byte that is not white space, and 0 behind the last.
func (d *textDecoder) next() byte {
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// value reads what stands behind a name, or as an item of a list that does.
func (d *textDecoder) value(of *member) (any, error) {
	if c := d.next(); c != '{' && c != '[' && c != '"' {
		return d.word()
	}
	// It need not be known where the value ends: as it ends with its quote or bracket, no
	// value's text is the beginning of another's.
	if known, length := find(of, d.text[d.at:]); length > 0 {
		d.at += length
		return known, nil
	}
	if l := &of.last; l.in > 0 && l.in >= d.texts-1 && bytes.HasPrefix(d.text[d.at:], l.text) {
		d.at += len(l.text)
		return l.value, nil
	}
	begin := d.at
	value, err := d.unknown(of)
	switch text := d.text[begin:d.at]; {
	case err != nil:
	case of.wants(len(text)):
		remember(d.memory, of, text, value)
	case len(text) > of.limit:
		of.last = long{text, value, d.texts}
	}
	return value, err
}

func (d *textDecoder) unknown(of *member) (any, error) {
	switch d.text[d.at] {
	case '{':
		return d.mapping(of)
	case '[':
		return d.list(of)
	default:
		return d.string()
	}
}

func (d *textDecoder) mapping(of *member) (any, error) {
	m := make(map[string]any, min(of.size, maxRoom))
	err := d.children('}', func() error {
		if d.next() != '"' {
			return errChanged
		}
		name, err := d.name()
		if err != nil {
			return err
		}
		if d.next() != ':' {
			return errChanged
		}
		d.at++
		m[name.name], err = d.value(name)
		return err
	})
	of.size = len(m)
	return m, err
}

func (d *textDecoder) list(of *member) (any, error) {
	list := make([]any, 0, min(of.length, maxRoom))
	err := d.children(']', func() error {
		v, err := d.value(of)
		list = append(list, v)
		return err
	})
	of.length = len(list)
	return list, err
}

// children reads what stands up to the end of an object or a list.
func (d *textDecoder) children(end byte, child func() error) error {
	if d.depth++; d.depth > maxDepth {
		return errChanged
	}
	d.at++
	for d.next() != end {
		if err := child(); err != nil {
			return err
		}
		if d.next() == ',' {
			d.at++
		}
	}
	d.at++
	d.depth--
	return nil
}

// quoted returns a text with its quotes.
func (d *textDecoder) quoted() ([]byte, error) {
	begin := d.at
	for d.at++; d.at < len(d.text); {
		end := bytes.IndexByte(d.text[d.at:], '"')
		if end < 0 {
			break
		}
		escape := bytes.IndexByte(d.text[d.at:d.at+end], '\\')
		if escape < 0 {
			d.at += end + 1
			return d.text[begin:d.at], nil
		}
		d.at += escape + 2
	}
	return nil, errChanged
}

func (d *textDecoder) string() (any, error) {
	quoted, err := d.quoted()
	if err != nil {
		return "", err
	}
	return unquote(quoted)
}

func (d *textDecoder) name() (*member, error) {
	quoted, err := d.quoted()
	if err != nil {
		return nil, err
	}
	if known, ok := d.members[string(quoted)]; ok {
		return known, nil
	}
	name, err := unquote(quoted)
	m := newMember(name)
	d.members[string(quoted)] = m
	return m, err
}

func unquote(quoted []byte) (string, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	return string(text), err
}

// word reads what is neither quoted nor has children.
func (d *textDecoder) word() (any, error) {
	begin := d.at
	for d.at < len(d.text) && strings.IndexByte(",]} \n\t\r", d.text[d.at]) < 0 {
		d.at++
	}
	switch word := string(d.text[begin:d.at]); word {
	case "null":
		return nil, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return number(word)
	}
}

// number returns an integer where it is spelled as one and fits.
func number(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("a number is too large")
	}
	return f, nil
}
