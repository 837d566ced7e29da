package object

import (
	"errors"
	"fmt"
	"io"
)

// Raw is an object of a large file: little more than where in it the object stands.
// Object reads it when it is wanted, so that the file is never in memory as a whole.
type Raw struct {
	ID ID
	// Recorded says that the object has records of who wrote it.
	Recorded bool
	// Alone says that the file holds this object and no List, as after "kubectl get" of
	// one name: it tells nothing of others.
	Alone bool

	content map[string]any // nil where it has to be read
	file    io.ReaderAt
	offset  int64
	length  int64
}

// NewRaw returns an object that is decoded already as a Raw.
func NewRaw(o Object) Raw {
	return Raw{ID: o.ID, Recorded: len(o.Records()) > 0, content: o.Content}
}

// Object decodes the object. The file has to be open still.
func (r Raw) Object() (Object, error) {
	if r.content != nil {
		return Object{ID: r.ID, Content: r.content}, nil
	}
	d := textDecoders.get()
	defer textDecoders.put(d)
	content, err := d.read(r)
	if err != nil {
		return Object{}, fmt.Errorf("reading %s: %w", r.ID, err)
	}
	if o, err := FromContent(content); err != nil || o.ID != r.ID {
		return Object{}, fmt.Errorf("reading %s: %w", r.ID, errChanged)
	}
	return Object{ID: r.ID, Content: content}, nil
}

var errChanged = errors.New("the file has changed since it was opened")

// File is what large files are read from: once as a whole, and then object by
// object.
type File interface {
	io.ReadSeeker
	io.ReaderAt
}

// DecodeRaw reads the objects of a file as Decode does, item by item where it is a
// List as "kubectl get" prints one. Everything else Decode reads, which knows more
// forms and where in them an error is.
func DecodeRaw(name string, file File) ([]Raw, error) {
	for _, read := range []func(File) ([]Raw, error){jsonLists, yamlList} {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if objects, err := read(file); err == nil {
			return objects, nil
		}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	decoded, err := Decode(name, data)
	objects := make([]Raw, 0, len(decoded))
	for _, o := range decoded {
		raw := NewRaw(o)
		raw.Alone = len(decoded) == 1
		objects = append(objects, raw)
	}
	return objects, err
}

// errOtherForm says that a file is not of the form that can be read item by item.
var errOtherForm = errors.New("not a plain List")
