package render

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// inKustomization looks for the field in the entry of a kustomization at a
// position: an inline patch, a generator, or a field that transforms.
func (l locator) inKustomization(p object.Position) (object.Position, bool) {
	roots := l.files.file(p.File).roots
	if len(roots) == 0 {
		return p, false
	}
	name, node := entryAt(roots[0], p.Line)
	if node == nil {
		return p, false
	}
	at := func(line int) object.Position { return object.Position{File: p.File, Line: line} }
	switch name {
	case "patches", "patchesJson6902", "patchesStrategicMerge":
		line, ok := l.inInline(node, p.Line)
		return at(line), ok
	case "configMapGenerator", "secretGenerator":
		return l.inGenerator(p.File, node)
	default:
		line, ok := l.inTransformer(name, node, p.Line)
		return at(line), ok
	}
}

// entryAt returns the name of the field of a kustomization that a line belongs
// to, and its value or, in a list, the element.
func entryAt(root *yaml.Node, line int) (string, *yaml.Node) {
	var name string
	var node *yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Line <= line {
			name, node = root.Content[i].Value, target(root.Content[i+1])
		}
	}
	if node == nil || node.Kind != yaml.SequenceNode {
		return name, node
	}
	var found *yaml.Node
	for _, item := range node.Content {
		if item.Line <= line {
			found = target(item)
		}
	}
	return name, found
}

// inInline looks for the field in the document of an inline patch that begins
// at a line of the kustomization.
func (l locator) inInline(entry *yaml.Node, line int) (int, bool) {
	text := entry
	if _, value := field(entry, "patch"); value != nil {
		text = value
	}
	shift := textLine(text) - 1
	roots, _ := documents("", []byte(text.Value))
	for _, root := range roots {
		if root.Line+shift == line {
			found, ok := l.inPatch(root)
			return found + shift, ok
		}
	}
	return 0, false
}

// inGenerator looks for a key of a generated object: its literal, or the file
// that its value comes from.
func (l locator) inGenerator(kustomization string, entry *yaml.Node) (object.Position, bool) {
	here := func(n *yaml.Node) object.Position { return object.Position{File: kustomization, Line: n.Line} }
	if len(l.path) < 2 {
		return here(entry), false
	}
	key, _ := l.path[1].(string)
	for _, item := range sequence(entry, "literals") {
		if name, _, _ := strings.Cut(item.Value, "="); name == key {
			return here(item), true
		}
	}
	for _, item := range sequence(entry, "files") {
		name, file, ok := strings.Cut(item.Value, "=")
		if !ok {
			name, file = path.Base(item.Value), item.Value
		}
		if name == key {
			return object.Position{File: fileOf(kustomization, file), Line: 1}, true
		}
	}
	for _, item := range append(sequence(entry, "envs"), sequence(entry, "env")...) {
		file := fileOf(kustomization, item.Value)
		for i, line := range strings.Split(string(l.files.read(file)), "\n") {
			if name, _, _ := strings.Cut(strings.TrimSpace(line), "="); name == key {
				return object.Position{File: file, Line: i + 1}, true
			}
		}
	}
	return here(entry), false
}

// sequence returns the elements of a field, or the one value that it has.
func sequence(n *yaml.Node, name string) []*yaml.Node {
	_, value := field(n, name)
	switch {
	case value == nil:
		return nil
	case value.Kind == yaml.SequenceNode:
		return value.Content
	}
	return []*yaml.Node{value}
}

// inTransformer says whether a field of a kustomization that transforms is what
// set the object's field.
func (l locator) inTransformer(name string, node *yaml.Node, line int) (int, bool) {
	last, _ := l.path[len(l.path)-1].(string)
	spelled := spell(l.path)
	switch name {
	case "namespace":
		return line, last == "namespace"
	case "namePrefix", "nameSuffix":
		return line, last == "name" || last == "secretName" || last == "serviceName"
	case "labels", "commonLabels":
		pairs := node
		if _, value := field(node, "pairs"); value != nil {
			pairs = value
		}
		key, _ := exactField(pairs, last)
		return lineOr(key, line), key != nil && (strings.Contains(strings.ToLower(spelled), "labels.") || strings.Contains(spelled, "selector."))
	case "commonAnnotations":
		key, _ := exactField(node, last)
		return lineOr(key, line), key != nil && strings.Contains(spelled, "annotations.")
	case "replicas":
		key, _ := field(node, "count")
		return lineOr(key, line), spelled == "spec.replicas"
	case "images", "imageTags":
		image, _ := valueAt(l.object.Content, l.path).(string)
		name := scalarAt(node, "newName")
		if name == "" {
			name = scalarAt(node, "name")
		}
		return line, last == "image" && strings.HasPrefix(image, name)
	case "replacements":
		return l.inReplacement(node, spelled)
	}
	return line, false
}

func (l locator) inReplacement(node *yaml.Node, spelled string) (int, bool) {
	for _, to := range sequence(node, "targets") {
		for _, path := range sequence(to, "fieldPaths") {
			if path.Value == spelled || strings.HasPrefix(path.Value, spelled+".") {
				return path.Line, true
			}
		}
	}
	return node.Line, false
}

// spell writes a path as kustomize's replacements do: a.b.[name=c].d.
func spell(segments []any) string {
	var parts []string
	for _, s := range segments {
		switch s := s.(type) {
		case string:
			parts = append(parts, s)
		case map[string]any:
			var keys []string
			for _, k := range sortedKeys(s) {
				if text, ok := s[k].(string); ok {
					keys = append(keys, k+"="+text)
				}
			}
			parts = append(parts, "["+strings.Join(keys, ",")+"]")
		default:
			parts = append(parts, "*")
		}
	}
	return strings.Join(slices.Clip(parts), ".")
}

func lineOr(key *yaml.Node, line int) int {
	if key == nil {
		return line
	}
	return key.Line
}
