package v1alpha1

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases expand to: far more than anybody writes, far less
// than what would be felt.
const maxNodes = 100_000

// reader turns YAML nodes into what JSON decodes, led by the Go types that they are
// for, so that each problem is told at its place and none hides another.
type reader struct {
	problems problems
	places   places
	nodes    int
	full     bool                // it has been said that there are too many
	open     map[*yaml.Node]bool // the anchors that are being expanded
}

// places are where fields stand, by their path.
type places map[string]*yaml.Node

// of returns the place of a path, or of the nearest field above it.
func (p places) of(path string) (line, column int) {
	for {
		if n, ok := p[path]; ok {
			return n.Line, n.Column
		}
		if path == "" {
			return 1, 1
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

func (r *reader) fail(n *yaml.Node, path, format string, args ...any) {
	r.problems = append(r.problems, problem{path: path, text: fmt.Sprintf(format, args...), line: n.Line, column: n.Column})
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value reads a node as a value of a type. It is absent from the result where it
// cannot be read, which is a problem.
func (r *reader) value(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if t.Kind() == reflect.Pointer {
		return r.value(n, t.Elem(), path)
	}
	if _, ok := r.places[path]; !ok {
		r.places[path] = n
	}
	if n.Kind == yaml.AliasNode {
		return r.alias(n, func(to *yaml.Node) (any, bool) { return r.value(to, t, path) })
	}
	if !r.count(n) {
		return nil, false
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return r.special(n, t, path)
	}
	if isNull(n) {
		r.fail(n, path, "%s has no value: give it one, or remove it", name(path))
		return nil, false
	}
	switch t.Kind() {
	case reflect.Struct:
		return r.object(n, t, path)
	case reflect.Map:
		return r.mapping(n, t, path)
	case reflect.Slice:
		return r.list(n, t, path)
	default:
		return r.scalar(n, t, path)
	}
}

// alias reads what an alias stands for, unless it stands for itself or for too much.
func (r *reader) alias(n *yaml.Node, read func(*yaml.Node) (any, bool)) (any, bool) {
	if r.open[n.Alias] {
		r.fail(n, "", "the anchor &%s holds itself: write out what *%s stands for", n.Value, n.Value)
		return nil, false
	}
	r.open[n.Alias] = true
	defer delete(r.open, n.Alias)
	return read(n.Alias)
}

// count tells whether there is room for another node.
func (r *reader) count(n *yaml.Node) bool {
	r.nodes++
	if r.nodes >= maxNodes && !r.full {
		r.full = true
		r.fail(n, "", "the aliases of the file expand to more than %d values: write out what they stand for", maxNodes)
	}
	return r.nodes < maxNodes
}

// object reads a mapping with the fields of a struct.
func (r *reader) object(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.MappingNode {
		return nil, r.wrong(n, path, "fields, each with its value")
	}
	known := fields(t)
	result := map[string]any{}
	for _, p := range r.pairs(n, path) {
		at := join(path, p.key.Value)
		field, ok := known[p.key.Value]
		if !ok {
			r.fail(p.key, at, "unknown field %s%s", at, didYouMean(p.key.Value, known))
			continue
		}
		if value, ok := r.value(p.value, field, at); ok {
			result[p.key.Value] = value
		}
	}
	return result, true
}

// mapping reads a mapping whose keys are anybody's.
func (r *reader) mapping(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.MappingNode {
		return nil, r.wrong(n, path, "fields, each with its value")
	}
	result := map[string]any{}
	for _, p := range r.pairs(n, path) {
		at := path + "[" + p.key.Value + "]"
		if _, ok := r.scalar(p.key, reflect.TypeFor[string](), "the key "+p.key.Value+" of "+path); !ok {
			continue
		}
		if value, ok := r.value(p.value, t.Elem(), at); ok {
			result[p.key.Value] = value
		}
	}
	return result, true
}

func (r *reader) list(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		return nil, r.wrong(n, path, "a list, each item after \"- \"")
	}
	result := []any{}
	for i, item := range n.Content {
		if value, ok := r.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); ok {
			result = append(result, value)
		}
	}
	return result, true
}

func (r *reader) scalar(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	tag := n.ShortTag()
	switch {
	case t.Kind() == reflect.String && isText(n):
		if n.Style == 0 && oldBools[strings.ToLower(n.Value)] {
			r.fail(n, path, "%s is a bare %s: write it in quotes, %q, because kubectl reads the bare word as true or false", path, n.Value, n.Value)
			return nil, false
		}
		return n.Value, true
	case t.Kind() == reflect.String && n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float" || tag == "!!bool"):
		r.fail(n, path, "%s is %s: write text, in quotes: %q", path, kindOf(n), n.Value)
		return nil, false
	case t.Kind() == reflect.String:
		return nil, r.wrong(n, path, "text")
	case t.Kind() == reflect.Bool:
		var value bool
		if tag != "!!bool" || n.Decode(&value) != nil {
			return nil, r.wrong(n, path, "true or false")
		}
		return value, true
	}
	var value int64
	if tag != "!!int" || n.Decode(&value) != nil {
		return nil, r.wrong(n, path, "a whole number")
	}
	return value, true
}

// special reads a value whose type reads itself.
func (r *reader) special(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if isNull(n) { // as in metadata.creationTimestamp of older dumps
		return nil, false
	}
	var value any
	err := n.Decode(&value)
	if isText(n) {
		value = n.Value // a time that YAML takes for its own
	}
	if err == nil {
		var text []byte
		if text, err = json.Marshal(value); err == nil {
			err = json.Unmarshal(text, reflect.New(t).Interface())
		}
	}
	if err != nil {
		return nil, r.wrong(n, path, formOf(t))
	}
	return value, true
}

// formOf says how a value of a type that reads itself is written.
func formOf(t reflect.Type) string {
	switch t.Name() {
	case "Duration":
		return "a duration in hours, minutes and seconds, such as 168h or 90m"
	case "Time", "MicroTime":
		return "a time, such as 2027-01-31T12:00:00Z"
	default:
		return "what kubectl prints"
	}
}

func (r *reader) wrong(n *yaml.Node, path, want string) bool {
	r.fail(n, path, "%s is %s: write %s", name(path), kindOf(n), want)
	return false
}

// fields are the types of a struct's fields, by their names in JSON.
func fields(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case key == "-":
		case options == "inline":
			for key, field := range fields(f.Type) {
				known[key] = field
			}
		default:
			known[key] = f.Type
		}
	}
	return known
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// name is how a path is called where it may be that of the whole file.
func name(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
