package render

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// file is one resource file, decoded.
type file struct {
	name    string
	data    []byte
	objects []object.Object
	err     error
	// indirect: kustomize may make something else of it than Decode does.
	indirect bool
}

func decode(name string, data []byte) *file {
	f := &file{name: name, data: data}
	var simple bool
	if f.objects, simple = object.DecodeSimple(name, data); simple {
		f.indirect = steered(data) // there is nothing unusual in it
	} else {
		f.decode()
	}
	for i, o := range f.objects {
		content, ok := asKustomize(o.Content)
		f.objects[i].Content = content
		f.indirect = f.indirect || !ok
	}
	return f
}

// decode reads a file in any YAML.
func (f *file) decode() {
	if f.err = checkExpansion(f.name, f.data, 1); f.err != nil {
		return
	}
	f.objects, f.err = object.Decode(f.name, f.data)
	f.indirect = indirect(f.data) || slices.ContainsFunc(f.objects, func(o object.Object) bool { return odd(o.Content) }) && anyUnusual(f.data)
}

// asKustomize returns content as it comes out of a kustomize build that
// transforms nothing: whole floats are integers, and empty annotations are
// absent. It fails for annotations that are not texts, which kustomize rewrites.
func asKustomize(content map[string]any) (map[string]any, bool) {
	content = wholeNumbers(content).(map[string]any) //nolint:forcetypeassert // a map stays a map
	metadata, _ := content["metadata"].(map[string]any)
	raw, ok := metadata["annotations"]
	if !ok {
		return content, true
	}
	annotations, ok := raw.(map[string]any)
	if !ok && raw != nil {
		return content, false
	}
	for _, v := range annotations {
		if _, ok := v.(string); !ok {
			return content, false
		}
	}
	if len(annotations) > 0 {
		return content, true
	}
	metadata = maps.Clone(metadata)
	delete(metadata, "annotations")
	content = maps.Clone(content)
	content["metadata"] = metadata
	return content, true
}

// wholeNumbers returns v with floats that are whole as integers, as JSON writes
// them. What holds none is returned as it is.
func wholeNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		var changed map[string]any
		for k, item := range v {
			if w, ok := whole(item); ok {
				if changed == nil {
					changed = maps.Clone(v)
				}
				changed[k] = w
			}
		}
		if changed != nil {
			return changed
		}
	case []any:
		var changed []any
		for i, item := range v {
			if w, ok := whole(item); ok {
				if changed == nil {
					changed = slices.Clone(v)
				}
				changed[i] = w
			}
		}
		if changed != nil {
			return changed
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
	}
	return v
}

// whole says whether a value holds whole floats, and returns it without them.
func whole(v any) (any, bool) {
	switch old := v.(type) {
	case float64:
		w := wholeNumbers(old)
		_, changed := w.(int64)
		return w, changed
	case map[string]any:
		w, _ := wholeNumbers(old).(map[string]any)
		return w, reflect.ValueOf(old).Pointer() != reflect.ValueOf(w).Pointer()
	case []any:
		w, _ := wholeNumbers(old).([]any)
		return w, len(old) > 0 && &old[0] != &w[0]
	}
	return v, false
}

// indirect says whether a file has to go through kustomize for certainty.
func indirect(data []byte) bool {
	return steered(data) || suspicious(data) && anyUnusual(data)
}

func anyUnusual(data []byte) bool {
	roots, err := documents("", data)
	return err != nil || slices.ContainsFunc(roots, unusual)
}

// odd says whether a key may have been something else than a text, or a value is
// missing.
func odd(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		for k, item := range v {
			if k == "" || strings.ContainsAny(k[:1], "0123456789+-.~") || slices.Contains([]string{"null", "true", "false"}, strings.ToLower(k)) || odd(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, odd)
	}
	return false
}

// steered finds what kustomize certainly treats in its own way: annotations that
// steer it, content beside a document separator, line ends and marks of other
// systems.
func steered(data []byte) bool {
	for _, mark := range []string{"config.kubernetes.io/", "config.k8s.io/", "\r", "\ufeff", "\n...", "\n%"} {
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	if bytes.HasPrefix(data, []byte("%")) || bytes.HasPrefix(data, []byte("...")) {
		return true
	}
	for rest := data; ; {
		i := bytes.Index(rest, []byte("---"))
		if i < 0 {
			return false
		}
		atLineStart := len(rest) == len(data) && i == 0 || i > 0 && rest[i-1] == '\n'
		line, _, _ := bytes.Cut(rest[i+3:], []byte("\n"))
		if atLineStart && len(bytes.TrimSpace(line)) > 0 {
			return true
		}
		rest = rest[i+3:]
	}
}

// suspicious finds, in one quick pass, bytes of what unusual looks for: anchors,
// aliases, tags, merge keys, dates, special floats.
func suspicious(data []byte) bool {
	for i, c := range data {
		switch c {
		case '&', '*', '!':
			return true
		case '<':
			if i+1 < len(data) && data[i+1] == '<' {
				return true
			}
		case '.':
			if word := data[i+1 : min(i+4, len(data))]; bytes.EqualFold(word, []byte("inf")) || bytes.EqualFold(word, []byte("nan")) {
				return true
			}
		case '-':
			if i >= 4 && i+1 < len(data) && digits(data[i-4:i]) && digits(data[i+1:i+2]) {
				return true
			}
		}
	}
	return false
}

func digits(data []byte) bool {
	return !slices.ContainsFunc(data, func(c byte) bool { return c < '0' || c > '9' })
}

func unusual(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return true
	case n.Kind == yaml.ScalarNode && (n.Tag == "!!timestamp" || n.Tag == "!!binary" || n.Tag == "!!merge"):
		return true
	case n.Kind == yaml.ScalarNode && n.Tag == "!!float":
		return strings.ContainsAny(strings.ToLower(n.Value), "in")
	}
	if n.Style&yaml.FlowStyle != 0 && slices.ContainsFunc(n.Content, missing) {
		return true // an empty text, once it is encoded again
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Tag != "!!str" || strings.ContainsAny(key.Value, "!&*") { // kustomize cannot encode it, or not so that it reads the same
				return true
			}
		}
	}
	return slices.ContainsFunc(n.Content, unusual)
}

func missing(n *yaml.Node) bool { return n.Tag == "!!null" && n.Value == "" }

// checkText refuses what is not UTF-8.
func checkText(name string, data []byte) error {
	if utf8.Valid(data) {
		return nil
	}
	line := 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		line += bytes.Count(rest[:size], []byte("\n"))
		rest = rest[size:]
	}
	return object.At(name, line, errors.New("not valid UTF-8"))
}

// unpositioned returns the cause of a positioned error.
func unpositioned(err error) error {
	var positioned *object.Error
	if errors.As(err, &positioned) {
		return positioned.Err
	}
	return err
}

func lineIn(err error) int {
	var positioned *object.Error
	if errors.As(err, &positioned) {
		return positioned.Line
	}
	return 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// duplicate is the error about an object that is declared twice.
func duplicate(first, second object.Object) error {
	return object.At(second.Origin.File, second.Origin.Line,
		fmt.Errorf("%s is declared a second time, after %s", second.ID, first.Origin.Position))
}
