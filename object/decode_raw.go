package object

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Raw is an object of a large file: little more than its text, which Decode turns
// into content when it is wanted. Ten thousand of them take a tenth of the memory
// that as many decoded objects do.
type Raw struct {
	ID ID
	// Recorded says that the object has records of who wrote it.
	Recorded bool

	text    jsontext.Value // without white space; nil where the content is there
	content map[string]any
}

// NewRaw returns an object that is decoded already as a Raw.
func NewRaw(o Object) Raw {
	metadata, _ := o.Content["metadata"].(map[string]any)
	records, _ := metadata["managedFields"].([]any)
	return Raw{ID: o.ID, Recorded: len(records) > 0, content: o.Content}
}

// Object decodes the object.
func (r Raw) Object() (Object, error) {
	if r.text == nil {
		return Object{ID: r.ID, Content: r.content}, nil
	}
	d := textDecoders.Get().(*textDecoder) //nolint:forcetypeassert // the pool makes no others
	defer textDecoders.Put(d)
	d.json.Reset(bytes.NewBuffer(r.text))
	if len(d.names) > maxNames {
		clear(d.names)
	}
	value, err := d.value()
	if err != nil {
		return Object{}, fmt.Errorf("reading %s: %w", r.ID, err)
	}
	content, _ := value.(map[string]any)
	return Object{ID: r.ID, Content: content}, nil
}

// DecodeRaw reads the objects of a file as Decode does, item by item where it is a
// List as "kubectl get" prints one. Everything else Decode reads, which knows more
// forms and where in them an error is.
func DecodeRaw(file string, r io.ReadSeeker) ([]Raw, error) {
	for _, read := range []func(io.Reader) ([]Raw, error){jsonLists, yamlList} {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if objects, err := read(r); err == nil {
			return objects, nil
		}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	decoded, err := Decode(file, data)
	objects := make([]Raw, 0, len(decoded))
	for _, o := range decoded {
		objects = append(objects, NewRaw(o))
	}
	return objects, err
}

// errOtherForm says that a file is not of the form that can be read item by item.
var errOtherForm = errors.New("not a plain List")

// jsonLists reads JSON Lists, one after another.
func jsonLists(r io.Reader) ([]Raw, error) {
	d := jsontext.NewDecoder(r)
	var objects []Raw
	for {
		list, err := jsonList(d)
		if errors.Is(err, io.EOF) && len(objects) > 0 {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, list...)
	}
}

// jsonList reads one List. What tells that it is one stands behind its items.
func jsonList(d *jsontext.Decoder) ([]Raw, error) {
	if d.PeekKind() != '{' {
		return nil, endOr(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var list struct {
		kind     string
		metadata struct {
			Name jsontext.Value `json:"name"`
		}
		items []Raw
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		switch name.String() {
		case "kind":
			err = json.UnmarshalDecode(d, &list.kind)
		case "metadata":
			err = json.UnmarshalDecode(d, &list.metadata)
		case "items":
			list.items, err = jsonItems(d)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if list.items == nil || !strings.HasSuffix(list.kind, "List") || list.metadata.Name != nil {
		return nil, errOtherForm
	}
	return list.items, nil
}

// endOr returns the decoder's error, which is io.EOF at the end, or that something
// else stands there.
func endOr(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	return errOtherForm
}

func jsonItems(d *jsontext.Decoder) ([]Raw, error) {
	if d.PeekKind() != '[' {
		return nil, errOtherForm
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	items := []Raw{}
	var compact jsontext.Value // one for all, since most of the text is white space
	for d.PeekKind() == '{' {
		text, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		compact = append(compact[:0], text...)
		if err := compact.Compact(); err != nil {
			return nil, err
		}
		item, err := newText(compact.Clone())
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if d.PeekKind() != ']' {
		return nil, errOtherForm
	}
	_, err := d.ReadToken()
	return items, err
}

// newText returns the object of a text, of which it reads no more than the
// identity.
func newText(text jsontext.Value) (Raw, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name          string           `json:"name"`
			Namespace     string           `json:"namespace"`
			ManagedFields []jsontext.Value `json:"managedFields"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Raw{}, err
	}
	o, err := FromContent(map[string]any{
		"apiVersion": head.APIVersion, "kind": head.Kind,
		"metadata": map[string]any{"name": head.Metadata.Name, "namespace": head.Metadata.Namespace},
	})
	return Raw{ID: o.ID, Recorded: len(head.Metadata.ManagedFields) > 0, text: text}, err
}

// textDecoder turns JSON into content, as Decode does.
type textDecoder struct {
	json  *jsontext.Decoder
	names map[string]string // the keys so far, of this object and others: most come again
}

// maxNames bounds the keys that are remembered.
const maxNames = 10_000

var textDecoders = sync.Pool{New: func() any {
	return &textDecoder{json: jsontext.NewDecoder(bytes.NewReader(nil)), names: map[string]string{}}
}}

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
