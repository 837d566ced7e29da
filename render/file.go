package render

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
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
	if f.err = checkExpansion(name, data, 1); f.err != nil {
		return f
	}
	f.objects, f.err = object.Decode(name, data)
	f.indirect = indirect(data)
	for i, o := range f.objects {
		content, ok := asKustomize(o.Content)
		f.objects[i].Content = content
		f.indirect = f.indirect || !ok
	}
	return f
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

// suspicious finds texts in which kustomize's reading may differ from Decode's:
// anchors, tags, dates, special floats, annotations that steer kustomize,
// content beside a document separator, line ends and marks of other systems.
var suspicious = regexp.MustCompile(`[&*!\r]|\d{4}-\d{1,2}-\d|\.(?i:inf|nan)|<<|config\.(kubernetes|k8s)\.io/|(?m:^(---[^\n]*\S|\.\.\.|%))|\x{FEFF}`)

// certain are the ones of which no closer look is needed.
var certain = regexp.MustCompile(`\r|config\.(kubernetes|k8s)\.io/|(?m:^(---[^\n]*\S|\.\.\.|%))|\x{FEFF}`)

// indirect says whether a file has to go through kustomize for certainty.
func indirect(data []byte) bool {
	if !suspicious.Match(data) {
		return false
	}
	if certain.Match(data) {
		return true
	}
	roots, err := documents("", data)
	return err != nil || slices.ContainsFunc(roots, unusual)
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
	return slices.ContainsFunc(n.Content, unusual)
}

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
