package object

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// textDecoder turns JSON into content, as Decode does.
type textDecoder struct {
	text  []byte // of the object, and then of another
	json  *jsontext.Decoder
	names map[string]string // the keys so far, of this object and others: most come again
}

// maxNames bounds the keys that are remembered.
const maxNames = 10_000

var textDecoders = sync.Pool{New: func() any {
	return &textDecoder{json: jsontext.NewDecoder(bytes.NewReader(nil)), names: map[string]string{}}
}}

// read decodes an object of a file.
func (d *textDecoder) read(r Raw) (map[string]any, error) {
	d.text = slices.Grow(d.text[:0], int(r.length))[:r.length]
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
	if len(d.names) > maxNames {
		clear(d.names)
	}
	d.json.Reset(bytes.NewBuffer(d.text), jsontext.AllowDuplicateNames(true)) // there are none, or it would not have been found
	value, err := d.value()
	content, _ := value.(map[string]any)
	return content, err
}

func (d *textDecoder) value() (any, error) {
	switch d.json.PeekKind() {
	case '{':
		return d.mapping()
	case '[':
		return d.list()
	case '0':
		text, err := d.json.ReadValue()
		if err != nil {
			return nil, err
		}
		return number(string(text))
	}
	token, err := d.json.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	default:
		return nil, nil
	}
}

func (d *textDecoder) mapping() (any, error) {
	if _, err := d.json.ReadToken(); err != nil {
		return nil, err
	}
	m := map[string]any{}
	for d.json.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return nil, err
		}
		if m[name], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.json.ReadToken()
	return m, err
}

func (d *textDecoder) name() (string, error) {
	quoted, err := d.json.ReadValue()
	if err != nil {
		return "", err
	}
	if name, ok := d.names[string(quoted)]; ok {
		return name, nil
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	d.names[string(quoted)] = string(name)
	return string(name), err
}

func (d *textDecoder) list() (any, error) {
	if _, err := d.json.ReadToken(); err != nil {
		return nil, err
	}
	list := []any{}
	for d.json.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.json.ReadToken()
	return list, err
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
