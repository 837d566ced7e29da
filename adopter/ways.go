package adopter

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// ways returns the edits that may make a field say what is wanted: first where it stands,
// from the last place that decides back to the declaring document; then in a patch that
// changes the object already; and at last in a patch of its own.
func (a *adoption) ways(w *want) []way {
	o := a.before[w.Object.ID]
	w.Object = o
	var here, extended []way
	for _, p := range slices.Backward(o.Origin.ChangedBy) {
		if a.repo.editable(p.File) != nil {
			continue
		}
		if isKustomization(p.File) {
			inline, more := a.inKustomization(w, p)
			here, extended = append(here, inline...), append(extended, more...)
			continue
		}
		if d, err := documentAt(a.repo.fsys, p); err == nil {
			here = append(here, d.way(w.inPatch))
			extended = append(extended, d.way(w.extendPatch))
		}
	}
	if a.repo.editable(o.Origin.File) == nil {
		here = append(here, a.atOrigin(w, o)...)
	}
	return slices.Concat(here, extended, a.patching(w, o))
}

// way is the edit of the document by f.
func (d document) way(f func(any) (any, error)) way {
	return way{edit: func(fsys fs.FS) (map[string][]byte, error) { return d.edit(fsys, f) }}
}

// atOrigin edits the declaring document, or the generator.
func (a *adoption) atOrigin(w *want, o object.Object) []way {
	if isKustomization(o.Origin.File) {
		ways, _ := a.inKustomization(w, o.Origin.Position)
		return ways
	}
	d, err := documentAt(a.repo.fsys, o.Origin.Position)
	if err != nil {
		return nil
	}
	return []way{d.way(func(v any) (any, error) { return w.apply(v, setter{strict: true}) })}
}

// inPatch edits a patch, of either kind, where the field stands in it.
func (w *want) inPatch(v any) (any, error) {
	if list, ok := v.([]any); ok {
		return w.inOperations(list)
	}
	have, ok := valueAt(v, w.Change.Path)
	if !ok && !w.within(v) {
		return nil, errNotHere
	}
	if w.removes() && have == nil {
		return nil, errNotHere
	}
	return w.apply(v, setter{strict: true})
}

// within tells whether a patch brings in what a new field belongs to.
func (w *want) within(v any) bool {
	path := w.Change.Path
	for n := len(path) - 1; n > 0; n-- {
		if keys, ok := path[n-1].(map[string]any); ok {
			item, ok := valueAt(v, path[:n])
			m, _ := item.(map[string]any)
			return ok && len(m) > len(keys) // and not only names it
		}
	}
	return false
}

// extendPatch has a strategic merge patch say the field, too.
func (w *want) extendPatch(v any) (any, error) {
	m, ok := v.(map[string]any)
	if _, isPatch := m["kind"].(string); !ok || !isPatch {
		return nil, errNotHere
	}
	return w.inMergePatch(m)
}

// inOperations edits the last operation of a JSON patch that sets the field.
func (w *want) inOperations(list []any) (any, error) {
	pointer, ok := pointerTo(w.Object.Content, w.Change.Path)
	if !ok {
		return nil, errNotHere
	}
	for i, item := range slices.Backward(list) {
		op, _ := item.(map[string]any)
		to, _ := op["path"].(string)
		value, has := op["value"]
		depth := strings.Count(to, "/")
		if !has || depth > len(w.Change.Path) {
			continue
		}
		at := w.Change.Path[:depth]
		if parent, isAppend := strings.CutSuffix(to, "/-"); isAppend {
			declared, _ := valueAt(w.Object.Content, at)
			if !strings.HasPrefix(pointer, parent+"/") || !rewrite.Same(value, declared) {
				continue
			}
		} else if !strings.HasPrefix(pointer+"/", to+"/") {
			continue
		}
		return w.inOperation(list, i, op, depth)
	}
	return nil, errNotHere
}

func (w *want) inOperation(list []any, i int, op map[string]any, depth int) (any, error) {
	if depth == len(w.Change.Path) && w.removes() {
		return slices.Delete(slices.Clone(list), i, i+1), nil
	}
	rest := *w
	rest.Change.Path = w.Change.Path[depth:]
	live, _ := valueAt(w.Live, w.Change.Path[:depth])
	rest.Live, _ = live.(map[string]any)
	value, err := rest.applyTo(op["value"])
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	list[i] = merged(op, map[string]any{"value": value})
	return list, nil
}

// applyTo is apply for a value that may be the whole of what changes.
func (w *want) applyTo(v any) (any, error) {
	if len(w.Change.Path) > 0 {
		return w.apply(v, setter{strict: true})
	}
	if w.Change.Op == differ.Reordered {
		return nil, errNotHere
	}
	return w.wanted(), nil
}

// inKustomization edits the entry of a kustomization that is at a position. The second
// are edits by which an inline patch would say more.
func (a *adoption) inKustomization(w *want, p object.Position) (here, extended []way) {
	list, i, err := entryAt(a.repo.fsys, p)
	if err != nil {
		return nil, nil
	}
	d := document{file: p.File, item: -1}
	entry := func(f func(any) (any, error)) way {
		return d.way(func(v any) (any, error) { return inEntry(v, list, i, f) })
	}
	switch list {
	case "patches", "patchesStrategicMerge", "patchesJson6902":
		return []way{entry(inText(w.inPatch))}, []way{entry(inText(w.extendPatch))}
	case "images", "imageTags":
		return []way{entry(w.inImage)}, nil
	case "replicas":
		return []way{entry(w.inReplicas)}, nil
	case "labels", "commonLabels", "commonAnnotations":
		return []way{entry(w.inLabels)}, nil
	case "configMapGenerator":
		return []way{entry(w.inLiterals), a.inGeneratedFile(w, d, list, i)}, nil
	}
	return nil, nil
}

// entryAt returns the list of a kustomization and the index in it of what stands at a
// line; -1 for a field that is no list.
func entryAt(fsys fs.FS, p object.Position) (list string, index int, err error) {
	data, err := fs.ReadFile(fsys, p.File)
	if err != nil {
		return "", 0, err
	}
	roots, err := rewrite.Documents(data)
	if err != nil || len(roots) == 0 || roots[0].Kind != yaml.MappingNode {
		return "", 0, errors.Join(err, errNotHere)
	}
	for i := 0; i+1 < len(roots[0].Content); i += 2 {
		key, value := roots[0].Content[i], roots[0].Content[i+1]
		if key.Line > p.Line {
			break
		}
		list, index = key.Value, -1
		for at, item := range value.Content {
			if value.Kind == yaml.SequenceNode && item.Line <= p.Line {
				index = at
			}
		}
	}
	return list, index, nil
}

// inEntry returns a kustomization with one entry as f makes it.
func inEntry(v any, list string, i int, f func(any) (any, error)) (any, error) {
	content, _ := v.(map[string]any)
	if i < 0 {
		changed, err := f(content[list])
		return merged(content, map[string]any{list: changed}), err
	}
	entries, _ := content[list].([]any)
	if i >= len(entries) {
		return nil, errNotHere
	}
	changed, err := f(entries[i])
	if err != nil {
		return nil, err
	}
	entries = slices.Clone(entries)
	entries[i] = changed
	return merged(content, map[string]any{list: entries}), nil
}

// inText edits the patch that is written inline in an entry.
func inText(f func(any) (any, error)) func(any) (any, error) {
	return func(entry any) (any, error) {
		m, _ := entry.(map[string]any)
		text, isText := entry.(string)
		if !isText {
			text, isText = m["patch"].(string)
		}
		if !isText || !strings.Contains(text, "\n") {
			return nil, errNotHere
		}
		roots, err := rewrite.Documents([]byte(text))
		if err != nil {
			return nil, err
		}
		for n := range roots {
			edited, err := document{file: "the inline patch", n: n, item: -1}.rewrite([]byte(text), f)
			if err != nil {
				continue
			}
			if m == nil {
				return string(edited), nil
			}
			return merged(m, map[string]any{"patch": string(edited)}), nil
		}
		return nil, errNotHere
	}
}
