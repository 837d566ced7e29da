package object

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxExpansion and maxExpandedText bound the values, and their bytes of text,
	// that YAML aliases bring into one document, so that a document of a kilobyte
	// cannot fill the memory.
	maxExpansion    = 1_000_000
	maxExpandedText = 64 << 20
	// maxDepth bounds the nesting, as the JSON and YAML libraries do.
	maxDepth = 10_000
)

// An Error says what is wrong with a document of the repository, and where.
type Error struct {
	Position
	Err error
}

func (e *Error) Error() string { return e.Position.String() + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// At wraps err with its position in the repository.
func At(file string, line int, err error) error {
	return &Error{Position: Position{File: file, Line: line}, Err: err}
}

// Decode reads the Kubernetes objects of one YAML or JSON file: any number of
// documents, with those of kind List taken apart. Empty documents are passed
// over. A document that is not an object does not hide the others: what could
// be read is returned together with the joined errors, each of type *Error.
func Decode(file string, data []byte) ([]Object, error) {
	if line, ok := invalidUTF8(data); ok {
		return nil, At(file, line, errors.New("not valid UTF-8"))
	}
	if documents, ok := jsonDocuments(data); ok {
		return fromDocuments(file, documents)
	}
	if objects, ok := DecodeSimple(file, data); ok {
		return objects, nil
	}
	return decodeYAML(file, data)
}

func decodeYAML(file string, data []byte) ([]Object, error) {
	var objects []Object
	var errs []error
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(errs...)
		}
		if err != nil {
			// The decoder cannot find the next document after a syntax error.
			line, cause := YAMLError(data, err)
			return objects, errors.Join(append(errs, At(file, line, cause))...)
		}
		found, err := fromDocuments(file, document.Content)
		objects = append(objects, found...)
		if err != nil {
			errs = append(errs, err)
		}
	}
}

func fromDocuments(file string, roots []*yaml.Node) ([]Object, error) {
	var objects []Object
	var errs []error
	for _, root := range roots {
		found, err := fromDocument(file, root)
		objects = append(objects, found...)
		errs = append(errs, err)
	}
	return objects, errors.Join(errs...)
}

func fromDocument(file string, root *yaml.Node) ([]Object, error) {
	c := converter{file: file}
	value, err := c.value(root)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, nil
	}
	content, ok := value.(map[string]any)
	if !ok {
		return nil, At(file, root.Line, errors.New("not a Kubernetes object: the document is not a mapping"))
	}
	if items, ok := listItems(content); ok {
		return fromItems(file, root, items)
	}
	o, err := FromContent(content)
	if err != nil {
		return nil, At(file, root.Line, err)
	}
	o.Origin.Position = Position{File: file, Line: root.Line}
	return []Object{o}, nil
}

// listItems returns the items of a List, as "kubectl get -o yaml" prints one. A
// list has no name; what has one is an object of a kind that is called so.
func listItems(content map[string]any) ([]any, bool) {
	kind, _ := content["kind"].(string)
	items, ok := content["items"].([]any)
	metadata, _ := content["metadata"].(map[string]any)
	return items, ok && strings.HasSuffix(kind, "List") && metadata["name"] == nil
}

func fromItems(file string, root *yaml.Node, items []any) ([]Object, error) {
	var objects []Object
	var errs []error
	lines := itemLines(root)
	for i, item := range items {
		line := root.Line
		if i < len(lines) {
			line = lines[i]
		}
		content, ok := item.(map[string]any)
		if !ok {
			errs = append(errs, At(file, line, fmt.Errorf("item %d of the List is not a mapping", i)))
			continue
		}
		o, err := FromContent(content)
		if err != nil {
			errs = append(errs, At(file, line, err))
			continue
		}
		o.Origin.Position = Position{File: file, Line: line}
		objects = append(objects, o)
	}
	return objects, errors.Join(errs...)
}

func itemLines(root *yaml.Node) []int {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "items" {
			continue
		}
		var lines []int
		for _, item := range root.Content[i+1].Content {
			lines = append(lines, item.Line)
		}
		return lines
	}
	return nil
}

// Value returns what a node of a file says, as JSON, seen through aliases and merge
// keys. The error is an *Error.
func Value(file string, n *yaml.Node) (any, error) {
	c := converter{file: file}
	return c.value(n)
}

// converter turns YAML nodes into JSON values and counts what aliases add.
type converter struct {
	file           string
	depth          int
	aliases        map[*yaml.Node]bool // those within which it is
	expanded, text int                 // values, and their bytes, made within aliases
}

func (c *converter) value(n *yaml.Node) (any, error) {
	if c.depth++; c.depth > maxDepth {
		return nil, At(c.file, n.Line, fmt.Errorf("the document is nested deeper than %d levels", maxDepth))
	}
	defer func() { c.depth-- }()
	if len(c.aliases) > 0 {
		c.expanded++
		c.text += len(n.Value)
		if c.expanded > maxExpansion || c.text > maxExpandedText {
			return nil, At(c.file, n.Line, fmt.Errorf("the document's aliases expand to more than %d values or %d MiB", maxExpansion, maxExpandedText>>20))
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.alias(n)
	case yaml.MappingNode:
		return c.mapping(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := c.value(item)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.ScalarNode:
		return c.scalar(n)
	default:
		return nil, nil
	}
}

func (c *converter) alias(n *yaml.Node) (any, error) {
	if c.aliases[n.Alias] {
		return nil, At(c.file, n.Line, errors.New("an alias refers to itself"))
	}
	if c.aliases == nil {
		c.aliases = map[*yaml.Node]bool{}
	}
	c.aliases[n.Alias] = true
	defer delete(c.aliases, n.Alias)
	return c.value(n.Alias)
}

func (c *converter) mapping(n *yaml.Node) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return nil, At(c.file, key.Line, errors.New("a mapping's key is not a scalar"))
		}
		if _, ok := m[key.Value]; ok {
			return nil, At(c.file, key.Line, fmt.Errorf("the key %q stands twice in one mapping", key.Value))
		}
		v, err := c.value(item)
		if err != nil {
			return nil, err
		}
		m[key.Value] = v
	}
	return m, c.merge(m, n)
}

// merge adds what "<<" keys bring in; a mapping's own keys win.
func (c *converter) merge(m map[string]any, n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		v, err := c.value(n.Content[i+1])
		if err != nil {
			return err
		}
		sources, ok := v.([]any)
		if !ok {
			sources = []any{v}
		}
		for _, source := range sources {
			values, ok := source.(map[string]any)
			if !ok {
				return At(c.file, n.Content[i].Line, errors.New("a merge key's value is not a mapping"))
			}
			for k, v := range values {
				if _, ok := m[k]; !ok {
					m[k] = v
				}
			}
		}
	}
	return nil
}

func (c *converter) scalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, At(c.file, n.Line, fmt.Errorf("the value is not a %s, which its tag says", n.Tag)) // it may be a Secret's
		}
		switch v := v.(type) {
		case int:
			return int64(v), nil
		case uint64:
			return float64(v), nil
		case float64:
			if math.IsInf(v, 0) || math.IsNaN(v) {
				return nil, At(c.file, n.Line, errors.New("the number is infinite or none at all, which JSON cannot say: quote it if it is a text"))
			}
			return v, nil
		case bool, int64:
			return v, nil
		}
		return n.Value, nil
	default: // JSON has no other scalars; times and binaries stay as they are spelled
		return n.Value, nil
	}
}

func invalidUTF8(data []byte) (line int, invalid bool) {
	if utf8.Valid(data) {
		return 0, false
	}
	line = 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line, true
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return 0, false
}

var (
	yamlErrorLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s+)?line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^(?:yaml: )?unknown anchor '(.*)' referenced$`)
)

// YAMLError takes the line out of the YAML library's error text, which is the
// only place where it stands; 0 where there is none. The cause quotes nothing of
// data: an unquoted password that begins with * is an alias to YAML.
func YAMLError(data []byte, err error) (line int, cause error) {
	text := err.Error()
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		if i := bytes.Index(data, []byte("*"+m[1])); i >= 0 {
			line = 1 + bytes.Count(data[:i], []byte("\n"))
		}
		return line, errors.New("an alias names an anchor that is not there: quote a text that begins with *")
	}
	if m := yamlErrorLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		return line, errors.New(text[len(m[0]):])
	}
	return 0, errors.New(strings.TrimPrefix(text, "yaml: "))
}
