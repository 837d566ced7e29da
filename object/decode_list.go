package object

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// yamlList reads a List in the very form in which "kubectl get -o yaml" prints it.
// Each item begins with a dash in the first column, where nothing else of it can
// stand, so that it is decoded alone: the nodes of a whole file would take 50 times
// its size.
func yamlList(file File) ([]Raw, error) {
	l := yamlReader{lines: bufio.NewReaderSize(file, 1<<16), file: file, objects: []Raw{}}
	for _, want := range []string{"apiVersion: v1\n", "items:\n"} {
		if line, err := l.line(); err != nil || string(line) != want {
			return nil, errOtherForm
		}
		l.end(len(want))
	}
	for {
		begin := len(l.text)
		line, err := l.line()
		if err != nil {
			return nil, errOtherForm // it ends with its metadata
		}
		item := bytes.HasPrefix(line, []byte("- "))
		switch {
		case item || string(line) == "kind: List\n":
			if begin > 0 {
				if err := l.item(l.text[:begin]); err != nil {
					return nil, err
				}
				l.end(begin)
			}
			if !item {
				return l.objects, yamlListEnd(l.lines)
			}
		case begin > 0 && (bytes.HasPrefix(line, []byte("  ")) || len(line) == 1):
		default:
			return nil, errOtherForm
		}
	}
}

// yamlReader finds the objects of a file.
type yamlReader struct {
	lines   *bufio.Reader
	file    io.ReaderAt
	text    []byte // the lines since the last item
	offset  int64  // where they begin
	objects []Raw
}

// line adds a line to the text, and returns it.
func (l *yamlReader) line() ([]byte, error) {
	begin := len(l.text)
	for {
		part, err := l.lines.ReadSlice('\n')
		l.text = append(l.text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.text[begin:], err
		}
	}
}

// end drops n bytes from the text.
func (l *yamlReader) end(n int) {
	l.text = append(l.text[:0], l.text[n:]...)
	l.offset += int64(n)
}

// item reads an item, to know that it can be read and whose it is. What is not
// simple YAML is kept as JSON, so that the library need not read it again.
func (l *yamlReader) item(text []byte) error {
	r := Raw{file: l.file, offset: l.offset, length: int64(len(text))}
	content, ok := simpleItem(text)
	if !ok {
		var err error
		if content, err = yamlItem(text); err != nil {
			return err
		}
		text, err := json.Marshal(content)
		if err != nil {
			return err
		}
		r = Raw{file: bytes.NewReader(text), length: int64(len(text))}
	}
	o, err := FromContent(content)
	r.ID, r.Recorded = o.ID.clone(), len(Object{Content: content}.Records()) > 0
	l.objects = append(l.objects, r)
	return err
}

// clone returns an ID that does not hold the text of which its names are parts.
func (id ID) clone() ID {
	return ID{
		Group: strings.Clone(id.Group), Version: strings.Clone(id.Version), Kind: strings.Clone(id.Kind),
		Namespace: strings.Clone(id.Namespace), Name: strings.Clone(id.Name),
	}
}

// simpleItem reads an item that begins with a dash.
func simpleItem(text []byte) (map[string]any, bool) {
	if !simpleBytes(text) {
		return nil, false
	}
	m := memories.get()
	defer memories.put(m)
	s := newSimple(withoutDash(text), m)
	s.next()
	return s.document()
}

func withoutDash(text []byte) string { return " " + string(text[1:]) }

func yamlItem(text []byte) (map[string]any, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(withoutDash(text)), &document); err != nil || len(document.Content) != 1 {
		return nil, errOtherForm
	}
	value, err := new(converter).value(document.Content[0])
	if content, ok := value.(map[string]any); ok && err == nil {
		return content, nil
	}
	return nil, errOtherForm
}

// yamlListEnd wants nothing but the metadata of a List.
func yamlListEnd(r io.Reader) error {
	rest, err := io.ReadAll(io.LimitReader(r, 1<<10))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(rest)) {
		switch strings.TrimSuffix(line, "\n") {
		case "metadata:", `  resourceVersion: ""`, `  selfLink: ""`:
		default:
			return errOtherForm
		}
	}
	return nil
}
