package adopter

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"plumbline.dev/plumbline/differ"
)

// inImage edits an entry of images: the name, tag or digest that it gives.
func (w *want) inImage(entry any) (any, error) {
	m, _ := entry.(map[string]any)
	live, isText := w.Change.Live.(string)
	if m == nil || !isText || lastStep(w.Change.Path) != "image" || w.Change.Op != differ.Modified {
		return nil, errNotHere
	}
	declared, _ := valueAt(w.Object.Content, w.Change.Path)
	text, _ := declared.(string)
	was, is := parseImage(text), parseImage(live)
	m = merged(m, nil)
	name, _ := m["newName"].(string)
	if name == "" {
		name, _ = m["name"].(string)
	}
	if was.name != name {
		return nil, errNotHere // it is about another image of the object
	}
	if is.name != was.name {
		m["newName"] = is.name
		if is.name == m["name"] {
			delete(m, "newName")
		}
	}
	for field, values := range map[string][2]string{"newTag": {was.tag, is.tag}, "digest": {was.digest, is.digest}} {
		switch {
		case values[0] == values[1]:
		case values[1] == "":
			delete(m, field)
		default:
			m[field] = values[1]
		}
	}
	return m, nil
}

// image is a reference to one, taken apart as kustomize does.
type image struct{ name, tag, digest string }

func parseImage(text string) image {
	var i image
	i.name, i.digest, _ = strings.Cut(text, "@")
	if at := strings.LastIndex(i.name, ":"); at > strings.LastIndex(i.name, "/") {
		i.name, i.tag = i.name[:at], i.name[at+1:]
	}
	return i
}

// inReplicas edits an entry of replicas.
func (w *want) inReplicas(entry any) (any, error) {
	m, _ := entry.(map[string]any)
	if m == nil || w.Change.Path.String() != "spec.replicas" || w.removes() {
		return nil, errNotHere
	}
	return merged(m, map[string]any{"count": w.wanted()}), nil
}

// inLabels edits labels that a kustomization gives to all of its objects: that comes out
// right where all of them have changed alike.
func (w *want) inLabels(entry any) (any, error) {
	n := len(w.Change.Path)
	m, _ := entry.(map[string]any)
	if m == nil || n < 3 || w.Change.Path[n-3] != "metadata" {
		return nil, errNotHere
	}
	at := w.Change.Path[n-1:]
	if m["pairs"] != nil {
		at = differ.Path{"pairs", at[0]}
	}
	if _, ok := valueAt(m, at); !ok {
		return nil, errNotHere
	}
	if w.removes() {
		return unset(m, at)
	}
	return setter{}.set(m, at, w.wanted(), nil)
}

// dataKey returns the key of a ConfigMap's data that the change is about.
func (w *want) dataKey() (string, bool) {
	if len(w.Change.Path) != 2 || w.Change.Path[0] != "data" {
		return "", false
	}
	key, ok := w.Change.Path[1].(string)
	return key, ok
}

// inLiterals edits the literals of an entry of configMapGenerator.
func (w *want) inLiterals(entry any) (any, error) {
	key, ok := w.dataKey()
	m, _ := entry.(map[string]any)
	literals, _ := m["literals"].([]any)
	if !ok || m == nil {
		return nil, errNotHere
	}
	at := slices.IndexFunc(literals, func(v any) bool {
		text, _ := v.(string)
		name, _, _ := strings.Cut(text, "=")
		return name == key
	})
	value, _ := w.wanted().(string)
	literals = slices.Clone(literals)
	switch {
	case strings.Contains(value, "\n"):
		return nil, errNotHere
	case at >= 0 && w.removes():
		literals = slices.Delete(literals, at, at+1)
	case at >= 0:
		literals[at] = key + "=" + value
	case w.Change.Op == differ.Added || w.Change.Op == differ.Released:
		literals = append(literals, key+"="+value)
	default:
		return nil, errNotHere
	}
	return merged(m, map[string]any{"literals": literals}), nil
}

// inGeneratedFile edits the file of which a generator makes a key of a ConfigMap.
func (a *adoption) inGeneratedFile(w *want, d document, list string, i int) way {
	return way{edit: func(fsys fs.FS) (map[string][]byte, error) {
		key, ok := w.dataKey()
		value, isText := w.wanted().(string)
		v, err := d.content(fsys)
		if !ok || !isText || err != nil || i < 0 {
			return nil, errNotHere
		}
		files, _ := valueAt(v, differ.Path{list})
		entries, _ := files.([]any)
		if i >= len(entries) {
			return nil, errNotHere
		}
		m, _ := entries[i].(map[string]any)
		named, _ := m["files"].([]any)
		for _, item := range named {
			text, _ := item.(string)
			name, from, given := strings.Cut(text, "=")
			if !given {
				name, from = path.Base(text), text
			}
			from = path.Join(path.Dir(d.file), from)
			if name != key {
				continue
			}
			if err := a.repo.editable(from); err != nil {
				return nil, err
			}
			return map[string][]byte{from: []byte(value)}, nil
		}
		return nil, errNotHere
	}}
}

// pointerTo spells a path as a JSON pointer into an object, in which list items have
// indices. It fails where the last step but one leads nowhere.
func pointerTo(content any, p differ.Path) (string, bool) {
	var b strings.Builder
	for i, step := range p {
		b.WriteByte('/')
		next, ok := child(content, step)
		if name, isName := step.(string); isName {
			b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
		} else {
			list, _ := content.([]any)
			at := indexOf(list, step)
			if at < 0 {
				b.WriteByte('-')
				return b.String(), i == len(p)-1
			}
			b.WriteString(strconv.Itoa(at))
		}
		if !ok && i < len(p)-1 {
			return b.String(), false
		}
		content = next
	}
	return b.String(), true
}
