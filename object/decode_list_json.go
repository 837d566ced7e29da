package object

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonLists reads JSON Lists, one after another.
func jsonLists(file File) ([]Raw, error) {
	l := jsonReader{json: jsontext.NewDecoder(file), file: file}
	for {
		err := l.list()
		if errors.Is(err, io.EOF) && l.lists > 0 {
			return l.objects, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// jsonReader finds the objects of a file, and reads of them no more than their
// identity.
type jsonReader struct {
	json    *jsontext.Decoder
	file    io.ReaderAt
	lists   int
	objects []Raw
}

// list reads one List. What tells that it is one stands behind its items.
func (l *jsonReader) list() error {
	if err := l.enter('{'); err != nil {
		return err
	}
	var kind string
	var items, named bool
	err := l.members(func(name string) (err error) {
		switch name {
		case "kind":
			kind, err = l.text()
		case "metadata":
			named, err = l.named()
		case "items":
			items, err = true, l.items()
		default:
			err = l.json.SkipValue()
		}
		return err
	})
	if err == nil && (!items || !strings.HasSuffix(kind, "List") || named) {
		err = errOtherForm
	}
	l.lists++
	return err
}

// enter goes into an object or a list.
func (l *jsonReader) enter(kind jsontext.Kind) error {
	token, err := l.json.ReadToken()
	if err == nil && token.Kind() != kind {
		err = errOtherForm
	}
	return err
}

// members goes through the object that was entered. The function reads each value.
func (l *jsonReader) members(value func(name string) error) error {
	for l.json.PeekKind() == '"' {
		name, err := l.json.ReadToken()
		if err != nil {
			return err
		}
		if err := value(name.String()); err != nil {
			return err
		}
	}
	_, err := l.json.ReadToken()
	return err
}

func (l *jsonReader) text() (string, error) {
	if l.json.PeekKind() != '"' {
		return "", errOtherForm
	}
	token, err := l.json.ReadToken()
	if err != nil {
		return "", err
	}
	return token.String(), nil
}

// named tells whether a List's metadata has a name.
func (l *jsonReader) named() (bool, error) {
	if err := l.enter('{'); err != nil {
		return false, err
	}
	found := false
	err := l.members(func(name string) error {
		found = found || name == "name"
		return l.json.SkipValue()
	})
	return found, err
}

func (l *jsonReader) items() error {
	if err := l.enter('['); err != nil {
		return err
	}
	for l.json.PeekKind() != ']' {
		if err := l.item(); err != nil {
			return err
		}
	}
	_, err := l.json.ReadToken()
	return err
}

func (l *jsonReader) item() error {
	if err := l.enter('{'); err != nil {
		return err
	}
	r := Raw{file: l.file, offset: l.json.InputOffset() - 1}
	metadata := map[string]any{}
	head := map[string]any{"metadata": metadata}
	err := l.members(func(name string) (err error) {
		switch name {
		case "apiVersion", "kind":
			head[name], err = l.text()
		case "metadata":
			r.Recorded, err = l.metadata(metadata)
		default:
			_, err = l.json.ReadValue()
		}
		return err
	})
	if err != nil {
		return err
	}
	o, err := FromContent(head)
	r.ID, r.length = o.ID, l.json.InputOffset()-r.offset
	l.objects = append(l.objects, r)
	return err
}

// metadata reads where an object is, and tells whether there are records of who
// wrote it.
func (l *jsonReader) metadata(into map[string]any) (recorded bool, err error) {
	if err := l.enter('{'); err != nil {
		return false, err
	}
	err = l.members(func(name string) (err error) {
		switch name {
		case "name", "namespace":
			into[name], err = l.text()
		case "managedFields":
			var list jsontext.Value
			list, err = l.json.ReadValue()
			recorded = list.Kind() == '[' && !bytes.HasPrefix(bytes.TrimLeft(list[1:], " \t\r\n"), []byte("]"))
		default:
			_, err = l.json.ReadValue()
		}
		return err
	})
	return recorded, err
}
