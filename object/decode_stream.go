package object

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeList decodes a JSON object whose member "items" is a list of objects, each as
// DecodeJSON does, while it comes in: its text is never in memory as a whole. The rest are
// its other members. The items are nil where there is no such member, or null. The error is
// the reader's own, or quotes nothing of the text.
func DecodeList(from io.Reader) (items []map[string]any, rest map[string]any, err error) {
	d := textDecoders.get()
	defer textDecoders.put(d)
	source := &failing{from: from}
	l := listReader{jsonReader: jsonReader{json: jsontext.NewDecoder(source, jsontext.AllowDuplicateNames(true))}, decoder: d}
	items, rest, err = l.read()
	switch {
	case source.err != nil:
		return nil, nil, source.err
	case err != nil:
		return nil, nil, ErrNotJSON
	}
	return items, rest, nil
}

// failing remembers why a reader failed.
type failing struct {
	from io.Reader
	err  error
}

func (f *failing) Read(into []byte) (int, error) {
	n, err := f.from.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// listReader decodes a list from what comes in.
type listReader struct {
	jsonReader
	decoder *textDecoder
}

func (l *listReader) read() (items []map[string]any, rest map[string]any, err error) {
	if err := l.enter('{'); err != nil {
		return nil, nil, err
	}
	rest = map[string]any{}
	err = l.members(func(name string) (err error) {
		if name == "items" {
			items, err = l.objects()
		} else {
			rest[name], err = l.next()
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := l.json.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, nil, ErrNotJSON
	}
	return items, rest, nil
}

// objects reads a list of objects, or null.
func (l *listReader) objects() ([]map[string]any, error) {
	if l.json.PeekKind() == 'n' {
		return nil, l.json.SkipValue()
	}
	if err := l.enter('['); err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for l.json.PeekKind() == '{' {
		item, err := l.next()
		if err != nil {
			return nil, err
		}
		all = append(all, item.(map[string]any))
	}
	return all, l.enter(']')
}

// next decodes the next value, which the reader has found to be right.
func (l *listReader) next() (any, error) {
	text, err := l.json.ReadValue()
	if err != nil {
		return nil, err
	}
	l.decoder.copy(text)
	return l.decoder.root()
}
