package adopter

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// name is what a patch calls an object: kustomize knows it by the name that it is
// declared with, and by each that it gets on its way.
type name struct{ name, namespace string }

// patching returns the ways of a patch of its own in the overlay: a strategic merge
// patch, and where that has no words for it, a JSON patch.
func (a *adoption) patching(w *want, o object.Object) []way {
	overlay := a.repo.overlay(o)
	if overlay == "" {
		return nil
	}
	names := a.names(o)
	var ways []way
	for _, n := range names {
		ways = append(ways, a.mergePatch(w, o, overlay, n))
	}
	if w.What != Field {
		return ways
	}
	for _, n := range names {
		ways = append(ways, a.jsonPatch(w, o, overlay, n))
	}
	return ways
}

// names returns by which names a patch may call an object, the likeliest first.
func (a *adoption) names(o object.Object) []name {
	names := []name{{o.ID.Name, o.ID.Namespace}, {o.ID.Name, ""}}
	if v, err := a.declaration(o); err == nil {
		m, _ := v.(map[string]any)
		metadata, _ := m["metadata"].(map[string]any)
		called, _ := metadata["name"].(string)
		namespace, _ := metadata["namespace"].(string)
		if called != "" {
			names = append([]name{{called, namespace}}, names...)
		}
	}
	if file, line := o.Origin.File, o.Origin.Line; isKustomization(file) {
		if list, i, err := entryAt(a.repo.fsys, object.Position{File: file, Line: line}); err == nil && i >= 0 {
			if generated := generatorName(a.repo.fsys, file, list, i); generated != "" {
				names = append([]name{{generated, ""}}, names...)
			}
		}
	}
	var once []name
	for _, n := range names {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}

// declaration returns the declaring document as it was before anything was done.
func (a *adoption) declaration(o object.Object) (any, error) {
	d, err := documentAt(a.repo.fsys, o.Origin.Position)
	if err != nil {
		return nil, err
	}
	return d.content(a.repo.fsys)
}

func generatorName(fsys fs.FS, file, list string, i int) string {
	v, err := document{file: file, item: -1}.content(fsys)
	m, _ := v.(map[string]any)
	entries, _ := m[list].([]any)
	if err != nil || i >= len(entries) {
		return ""
	}
	entry, _ := entries[i].(map[string]any)
	called, _ := entry["name"].(string)
	return called
}

// mergePatch adds the change to a strategic merge patch in a file of its own.
func (a *adoption) mergePatch(w *want, o object.Object, overlay string, called name) way {
	return way{decides: true, edit: func(fsys fs.FS) (map[string][]byte, error) {
		metadata := map[string]any{"name": called.name}
		if called.namespace != "" {
			metadata["namespace"] = called.namespace
		}
		empty := map[string]any{"apiVersion": o.ID.APIVersion(), "kind": o.ID.Kind, "metadata": metadata}
		file := path.Join(overlay, fileName("adopted", o.ID)+".yaml")
		d := document{file: file, item: -1}
		if v, err := d.content(fsys); err == nil {
			have, _ := v.(map[string]any)
			if have == nil || !rewrite.Same(named(have), named(empty)) {
				return nil, fmt.Errorf("%s is there already, and is something else", file)
			}
			return d.edit(fsys, func(any) (any, error) { return w.inMergePatch(have) })
		}
		patch, err := w.inMergePatch(empty)
		if err != nil {
			return nil, err
		}
		return a.listed(fsys, overlay, file, rewrite.Encode(patch), map[string]any{"path": path.Base(file)})
	}}
}

// named returns what a patch is for.
func named(patch map[string]any) map[string]any {
	metadata, _ := patch["metadata"].(map[string]any)
	return map[string]any{"kind": patch["kind"], "name": metadata["name"], "namespace": metadata["namespace"]}
}

// inMergePatch returns a strategic merge patch that says the change, too.
func (w *want) inMergePatch(patch map[string]any) (any, error) {
	if w.What == Withdraw {
		return merged(patch, map[string]any{"$patch": "delete"}), nil
	}
	p := w.Change.Path
	switch keys, isItem := lastStep(p).(map[string]any); {
	case w.Change.Op == differ.Reordered || slices.ContainsFunc(p, func(step any) bool { _, set := step.(differ.Item); return set }):
		return nil, errNotHere // a merge has no words for it
	case w.removes() && isItem:
		return setter{}.set(patch, p, merged(keys, map[string]any{"$patch": "delete"}), nil)
	case w.removes():
		return setter{}.set(patch, p, nil, nil)
	}
	return setter{}.set(patch, p, w.wanted(), nil)
}

// jsonPatch adds the change to a JSON patch in a file of its own.
func (a *adoption) jsonPatch(w *want, o object.Object, overlay string, called name) way {
	return way{edit: func(fsys fs.FS) (map[string][]byte, error) {
		operations, err := w.operations(a.now[o.ID].Content)
		if err != nil {
			return nil, err
		}
		file := path.Join(overlay, fileName("adopted", o.ID)+"-json.yaml")
		d := document{file: file, item: -1}
		if _, err := d.content(fsys); err == nil {
			return d.edit(fsys, func(v any) (any, error) {
				list, ok := v.([]any)
				if !ok {
					return nil, fmt.Errorf("%s is there already, and is something else", file)
				}
				return slices.Concat(list, operations), nil
			})
		}
		target := map[string]any{"kind": o.ID.Kind, "name": regexp.QuoteMeta(called.name), "version": o.ID.Version}
		if o.ID.Group != "" {
			target["group"] = o.ID.Group
		}
		if called.namespace != "" {
			target["namespace"] = called.namespace
		}
		return a.listed(fsys, overlay, file, rewrite.Encode(operations), map[string]any{"path": path.Base(file), "target": target})
	}}
}

// operations are those of a JSON patch that make of an object what is wanted. Each index
// of a list is preceded by a test of what it is the index of.
func (w *want) operations(content map[string]any) ([]any, error) {
	p := w.Change.Path
	pointer, ok := pointerTo(content, p)
	_, there := valueAt(content, p)
	var operations []any
	for i, step := range p {
		at, found := pointerTo(content, p[:i+1])
		item, exists := valueAt(content, p[:i+1])
		if _, isKey := step.(string); isKey || !found || !exists {
			continue
		}
		for _, test := range telling(at, item, step) {
			operations = append(operations, map[string]any{"op": "test", "path": test.at, "value": test.value})
		}
	}
	switch {
	case w.removes() && ok && there:
		return append(operations, map[string]any{"op": "remove", "path": pointer}), nil
	case w.Change.Op == differ.Reordered:
		have, _ := valueAt(content, p)
		ordered, err := w.ordered(have)
		return append(operations, map[string]any{"op": "replace", "path": pointer, "value": ordered}), err
	case w.removes():
		return nil, errNotHere
	case there:
		return append(operations, map[string]any{"op": "replace", "path": pointer, "value": w.wanted()}), nil
	}
	add, err := w.addition(content)
	return append(operations, add), err
}

// probe is a place and what has to stand there.
type probe struct {
	at    string
	value any
}

// telling returns what tells that the item at a pointer is the one that a step is about.
func telling(at string, item, step any) []probe {
	keys, _ := step.(map[string]any)
	m, _ := item.(map[string]any)
	if keys == nil {
		return []probe{{at, item}}
	}
	var probes []probe
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if m[name] != nil {
			probes = append(probes, probe{at + "/" + strings.ReplaceAll(name, "/", "~1"), m[name]})
		}
	}
	return probes
}

// addition adds a value with all that is missing on the way to it.
func (w *want) addition(content map[string]any) (map[string]any, error) {
	p := w.Change.Path
	depth := 1
	for depth < len(p) {
		if v, ok := valueAt(content, p[:depth]); !ok || v == nil {
			break
		}
		depth++
	}
	pointer, ok := pointerTo(content, p[:depth])
	if !ok {
		return nil, errNotHere
	}
	value := w.wanted()
	if item, ok := lastStep(p).(differ.Item); ok {
		value = item.Value
	}
	if depth < len(p) {
		var err error
		if value, err = (setter{}).set(nil, p[depth:], value, nil); err != nil {
			return nil, err
		}
		if keys, ok := p[depth-1].(map[string]any); ok {
			inside, _ := value.(map[string]any)
			value = merged(keys, inside)
		}
	}
	return map[string]any{"op": "add", "path": pointer, "value": value}, nil
}

// listed adds a file to an overlay, and to its patches.
func (a *adoption) listed(fsys fs.FS, overlay, file string, data []byte, entry map[string]any) (map[string][]byte, error) {
	return a.inList(fsys, overlay, "patches", entry, map[string][]byte{file: data})
}

// inList adds an entry to a list of a kustomization, beside other edits.
func (a *adoption) inList(fsys fs.FS, overlay, list string, entry any, edits map[string][]byte) (map[string][]byte, error) {
	for file := range edits {
		if _, err := fs.Stat(fsys, file); err == nil {
			return nil, fmt.Errorf("%s is there already", file)
		}
	}
	file, data, content, err := kustomization(fsys, overlay)
	if err != nil {
		return nil, err
	}
	if err := a.repo.editable(file); err != nil && !slices.Contains(a.repo.roots, overlay) {
		return nil, err
	}
	entries, _ := content[list].([]any)
	data, err = rewrite.To(data, 0, merged(content, map[string]any{list: append(slices.Clone(entries), entry)}))
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", file, err)
	}
	edits = maps.Clone(edits)
	edits[file] = data
	return edits, nil
}

var odd = regexp.MustCompile(`[^a-z0-9.-]+`)

// fileName returns the name for a file about an object, without its ending.
func fileName(prefix string, id object.ID) string {
	parts := []string{strings.ToLower(id.Kind), odd.ReplaceAllString(strings.ToLower(id.Name), "-")}
	if prefix != "" {
		parts = append([]string{prefix}, parts...)
	}
	return strings.Join(parts, "-")
}
