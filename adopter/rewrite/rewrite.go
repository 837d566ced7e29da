// Package rewrite makes a YAML or JSON text say something else with as few edits as
// possible: only the lines of what differs are touched, and comments, order, quotes,
// indentation and line ends stay as they are. It is pure.
package rewrite

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// errShape says that a text has a form which cannot be edited in place.
var errShape = errors.New("it is written in a form that cannot be edited in place")

// Documents parses all documents of a text, empty ones included.
func Documents(data []byte) ([]*yaml.Node, error) {
	var roots []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			line, cause := object.YAMLError(data, err)
			return nil, object.At("", line, cause)
		}
		roots = append(roots, document.Content[0])
	}
}

// To returns the text with what its n-th document says made what want says, which is
// JSON as object.Object has it. All other documents stay what they are. It fails where
// that cannot be done by an edit of the document, as for a value that other places take
// over by an alias.
func To(data []byte, n int, want any) ([]byte, error) {
	roots, err := Documents(data)
	if err != nil {
		return nil, err
	}
	if n >= len(roots) {
		return nil, fmt.Errorf("it has %d documents, and not %d", len(roots), n+1)
	}
	e := newEditor(data, roots[n])
	if err := e.value(roots[n], want, place{}); err != nil {
		return nil, err
	}
	edited := e.apply()
	if err = check(roots, n, want, edited); err != nil && !bytes.HasSuffix(edited, []byte("\n")) {
		edited = append(edited, e.eol...) // a block of text may need that
		err = check(roots, n, want, edited)
	}
	if err != nil {
		return nil, err
	}
	return edited, nil
}

// check holds the edited text against what was wanted.
func check(before []*yaml.Node, n int, want any, edited []byte) error {
	after, err := Documents(edited)
	if err != nil || len(after) != len(before) {
		return errShape
	}
	for i, root := range after {
		expected := want
		if i != n {
			if expected, err = object.Value("", before[i]); err != nil {
				return err
			}
		}
		if got, err := object.Value("", root); err != nil || !Same(got, expected) {
			return errors.New("other places take over the value by an alias, or it is written in a form that cannot be edited in place")
		}
	}
	return nil
}

// Same tells whether two JSON values are equal, whatever Go types their numbers have.
func Same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, ok := b[k]; !ok || !Same(v, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Same)
	}
	return reflect.DeepEqual(number(a), number(b))
}

// number returns numbers that are whole as integers.
func number(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// splice replaces a part of the text.
type splice struct {
	from, to int
	text     string
}

// editor gathers the edits of one document.
type editor struct {
	text
	splices []splice
	indent  int    // of a mapping within a mapping
	compact bool   // lists stand no deeper than their key
	json    bool   // keys and texts are quoted
	eol     string // line end
}

func newEditor(data []byte, root *yaml.Node) *editor {
	e := &editor{text: newText(data), indent: 2, eol: "\n", compact: true}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		e.eol = "\r\n"
	}
	if start := e.start(root); root.Style&yaml.FlowStyle != 0 && len(root.Content) > 0 {
		e.json = data[start] == '{' && root.Content[0].Style&yaml.DoubleQuotedStyle != 0
	}
	e.learn(root)
	return e
}

// learn looks how the document is indented: the first of each kind tells.
func (e *editor) learn(root *yaml.Node) {
	var indent, list int
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if len(value.Content) == 0 || value.Line == key.Line {
				continue
			}
			deeper := value.Content[0].Column - key.Column
			switch {
			case value.Kind == yaml.MappingNode && indent == 0 && deeper > 0:
				indent = deeper
			case value.Kind == yaml.SequenceNode && list == 0 && value.Style&yaml.FlowStyle == 0:
				list = 1 + value.Column - key.Column
			}
		}
		for _, child := range n.Content {
			look(child)
		}
	}
	look(root)
	if indent > 1 && indent < 9 {
		e.indent = indent
	}
	e.compact = list <= 1
}

// replace notes an edit.
func (e *editor) replace(from, to int, text string) {
	e.splices = append(e.splices, splice{from, to, text})
}

// apply returns the text with all edits made.
func (e *editor) apply() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var out bytes.Buffer
	at := 0
	for _, s := range e.splices {
		if s.from < at {
			continue // within one that is made already; the check tells if that was wrong
		}
		out.Write(e.data[at:s.from])
		out.WriteString(s.text)
		at = s.to
	}
	out.Write(e.data[at:])
	return out.Bytes()
}

// lines joins lines with the text's line end.
func (e *editor) lines(all []string) string { return strings.Join(all, e.eol) }
