package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// maxExpansion is the number of values that a document may expand to through
// YAML aliases.
const maxExpansion = 1_000_000

// checkExpansion refuses YAML whose aliases expand beyond bounds, or into
// themselves. What is not YAML passes: whoever parses it will say so. The line of
// an error counts from the given one, which is 1 for a file.
func checkExpansion(file string, data []byte, from int) error {
	if !bytes.ContainsRune(data, '*') || !bytes.ContainsRune(data, '&') {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); err != nil {
			return nil //nolint:nilerr // not YAML, or the end
		}
		if _, err := expansion(&document, map[*yaml.Node]int{}); err != nil {
			return object.At(file, lineIn(err)+from-1, unpositioned(err))
		}
	}
}

// expansion counts the values that a node expands to. known holds the counts of
// what aliases point to; -1 stands for one that is being counted.
func expansion(n *yaml.Node, known map[*yaml.Node]int) (int, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if count, ok := known[n]; ok {
		if count < 0 {
			return 0, object.At("", n.Line, errors.New("an alias refers to itself"))
		}
		return count, nil
	}
	if n.Anchor != "" {
		known[n] = -1
	}
	total := 1
	for _, child := range n.Content {
		count, err := expansion(child, known)
		if err != nil {
			return 0, err
		}
		if total += count; total > maxExpansion {
			return 0, object.At("", child.Line, fmt.Errorf("expands to more than %d values through its aliases", maxExpansion))
		}
	}
	if n.Anchor != "" {
		known[n] = total
	}
	return total, nil
}

// documents parses all YAML documents of a file into the nodes at their roots,
// empty ones left out. After a syntax error what stood before it is returned.
func documents(file string, data []byte) ([]*yaml.Node, error) {
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
			return roots, object.At(file, line, errors.New(oneLine(cause.Error())))
		}
		if root := document.Content[0]; root.Tag != "!!null" {
			roots = append(roots, root)
		}
	}
}

// field returns the key and the value of a mapping's field. Kustomize reads its
// fields regardless of case, and so does field.
func field(n *yaml.Node, name string) (key, value *yaml.Node) {
	n = target(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, name) {
			return n.Content[i], target(n.Content[i+1])
		}
	}
	return nil, nil
}

// target returns what a node is, seen through an alias.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// find walks a path of field names and indices. It returns the last node that
// there is, and its line: that of the key for a field.
func find(n *yaml.Node, path ...any) (node *yaml.Node, line int) {
	node = target(n)
	if node == nil {
		return nil, 0
	}
	line = node.Line
	for _, segment := range path {
		var key, next *yaml.Node
		switch segment := segment.(type) {
		case string:
			key, next = field(node, segment)
		case int:
			if node.Kind == yaml.SequenceNode && segment < len(node.Content) {
				key, next = node.Content[segment], target(node.Content[segment])
			}
		}
		if next == nil {
			return node, line
		}
		node, line = next, key.Line
	}
	return node, line
}

// lineOf returns the line of a field, or of the nearest node above it.
func lineOf(n *yaml.Node, path ...any) int {
	_, line := find(n, path...)
	return line
}

// checkFields reports the fields of a mapping that its Go type does not have,
// and those that stand in it twice.
func checkFields(file string, n *yaml.Node, t reflect.Type) []error {
	n = target(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		var errs []error
		for _, item := range n.Content {
			errs = append(errs, checkFields(file, item, t.Elem())...)
		}
		return errs
	case n.Kind == yaml.MappingNode:
		return checkMapping(file, n, t)
	}
	return nil
}

func checkMapping(file string, n *yaml.Node, t reflect.Type) []error {
	var errs []error
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Tag == "!!merge" {
			continue
		}
		if seen[key.Value] {
			errs = append(errs, object.At(file, key.Line, fmt.Errorf("the key %q stands twice in one mapping", key.Value)))
			continue
		}
		seen[key.Value] = true
		if t.Kind() != reflect.Struct {
			continue
		}
		fieldType, ok := jsonFields(t)[strings.ToLower(key.Value)]
		if !ok {
			errs = append(errs, object.At(file, key.Line, fmt.Errorf("unknown field %q", key.Value)))
			continue
		}
		errs = append(errs, checkFields(file, n.Content[i+1], fieldType)...)
	}
	return errs
}

// jsonFields returns a struct's fields by the lower case of their names in
// JSON, embedded ones included.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for k, v := range jsonFields(f.Type) {
				fields[k] = v
			}
		case name == "":
			fields[strings.ToLower(f.Name)] = f.Type
		default:
			fields[strings.ToLower(name)] = f.Type
		}
	}
	return fields
}

// oneLine folds white space, so that a foreign text takes one line of ours.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
