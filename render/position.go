package render

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// Position finds where a field of a declared object stands. The patches and
// transformers that changed the object are asked first, the last of them wins;
// then the declaring document, or the generator. A field that stands nowhere has
// the line of the nearest field above it.
//
// A segment of the field's path is a string for a key, an int for an index of a
// list, or a map[string]any with the merge keys of an associative list's
// element: {"name": "app"}.
//
// It reads and parses the files each time: Positions is for many fields.
func Position(fsys fs.FS, o object.Object, field []any) object.Position {
	return NewPositions(fsys).Of(o, field)
}

// Positions is Position of many fields, and reads no file twice. It is for one goroutine.
type Positions struct {
	fsys  fs.FS
	files map[string]parsed
	bytes int // of their texts
}

// maxParsed bounds the texts of the files that Positions keeps, in bytes: parsed, they take
// many times that.
const maxParsed = 8 << 20

// parsed is a file, with its documents and the items of its Lists by the lines at which
// they begin.
type parsed struct {
	roots []*yaml.Node
	at    map[int]*yaml.Node
}

// NewPositions returns Positions in the files of fsys.
func NewPositions(fsys fs.FS) *Positions { return &Positions{fsys: fsys, files: map[string]parsed{}} }

// Of is Position.
func (p *Positions) Of(o object.Object, field []any) object.Position {
	if o.Origin.File == "" || len(field) == 0 {
		return o.Origin.Position
	}
	found := o.Origin.Position
	l := locator{files: p, object: o, path: field}
	if err := recovered(func() error { found = l.locate(); return nil }); err != nil {
		return o.Origin.Position
	}
	return found
}

// file returns a file, with nothing in it where it cannot be read.
func (p *Positions) file(name string) parsed {
	if f, ok := p.files[name]; ok {
		return f
	}
	data := p.read(name)
	f := parsed{at: map[int]*yaml.Node{}}
	f.roots, _ = documents(name, data)
	for _, root := range f.roots {
		f.begin(root)
		if _, items := field(root, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, item := range items.Content {
				f.begin(item)
			}
		}
	}
	if p.bytes += len(data); p.bytes > maxParsed {
		p.files, p.bytes = map[string]parsed{}, len(data)
	}
	p.files[name] = f
	return f
}

// read returns a file's text, which is empty where it cannot be read.
func (p *Positions) read(name string) []byte {
	// Bounded by what a source may read, and nothing in it waits.
	data, _ := newSource(context.Background(), p.fsys, Options{}.withDefaults()).readFile(name)
	return data
}

// begin notes where a node begins, unless another one does.
func (f parsed) begin(n *yaml.Node) {
	if f.at[n.Line] == nil {
		f.at[n.Line] = n
	}
}

// locator looks for one field of one object.
type locator struct {
	files  *Positions
	object object.Object
	path   []any
}

func (l locator) locate() object.Position {
	for _, p := range slices.Backward(l.object.Origin.ChangedBy) {
		if found, ok := l.in(p); ok {
			return found
		}
	}
	origin := l.object.Origin.Position
	if isKustomizationFile(origin.File) {
		if found, ok := l.in(origin); ok {
			return found
		}
		return origin
	}
	node := l.document(origin)
	if node == nil {
		return origin
	}
	line, _ := walk(node, l.path, l.object.Content, true)
	return object.Position{File: origin.File, Line: line}
}

// in looks for the field in a patch file, or in an entry of a kustomization.
func (l locator) in(p object.Position) (object.Position, bool) {
	if isKustomizationFile(p.File) {
		return l.inKustomization(p)
	}
	line, ok := l.inPatch(l.document(p))
	return object.Position{File: p.File, Line: line}, ok
}

// document returns the node that begins at a position: a document, or an item
// of a List.
func (l locator) document(p object.Position) *yaml.Node { return l.files.file(p.File).at[p.Line] }

// inPatch looks for the field in a patch, of either kind.
func (l locator) inPatch(patch *yaml.Node) (int, bool) {
	switch {
	case patch == nil:
		return 0, false
	case patch.Kind == yaml.SequenceNode:
		return l.inOperations(patch)
	default:
		return walk(patch, l.path, l.object.Content, false)
	}
}

// inOperations looks for the last operation of a JSON patch that set the field,
// or something that holds it.
func (l locator) inOperations(patch *yaml.Node) (int, bool) {
	pointer := pointer(l.path, l.object.Content)
	for _, op := range slices.Backward(patch.Content) {
		to := scalarAt(op, "path")
		if to == "" || !strings.HasPrefix(pointer+"/", strings.TrimSuffix(to, "/-")+"/") {
			continue
		}
		depth := strings.Count(to, "/")
		_, line := find(op, "path")
		_, value := field(op, "value")
		if value == nil || depth >= len(l.path) {
			return line, to == pointer || strings.HasSuffix(to, "/-")
		}
		if at, ok := walk(value, l.path[depth:], valueAt(l.object.Content, l.path[:depth]), false); ok {
			return at, true
		}
	}
	return 0, false
}

// pointer spells a path as JSON patches do, with the indices that list elements
// have in the object.
func pointer(segments []any, content any) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch s := s.(type) {
		case string:
			b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
		default:
			b.WriteString(strconv.Itoa(indexOf(content, s)))
		}
		content = step(content, s)
	}
	return b.String()
}

func valueAt(content any, segments []any) any {
	for _, s := range segments {
		content = step(content, s)
	}
	return content
}

func step(content, segment any) any {
	if m, ok := content.(map[string]any); ok {
		key, _ := segment.(string)
		return m[key]
	}
	list, _ := content.([]any)
	if i := indexOf(content, segment); i >= 0 && i < len(list) {
		return list[i]
	}
	return nil
}

// indexOf returns the index of the list element that a segment names, or -1.
func indexOf(content, segment any) int {
	if i, ok := segment.(int); ok {
		return i
	}
	keys, _ := segment.(map[string]any)
	list, _ := content.([]any)
	return slices.IndexFunc(list, func(item any) bool {
		m, ok := item.(map[string]any)
		for k, v := range keys {
			ok = ok && (m[k] == nil || fmt.Sprint(m[k]) == fmt.Sprint(v))
		}
		return ok && len(keys) > 0
	})
}

// walk follows a path from a node, and says whether it got to its end. The line
// is the last that it got to. Content is the object's value where the walk
// begins: it tells list elements by what they are, since a patch has them at
// other places. With ordered, an element may also be told by its place.
func walk(n *yaml.Node, segments []any, content any, ordered bool) (line int, found bool) {
	n = target(n)
	line = n.Line
	for _, s := range segments {
		var key, next *yaml.Node
		if name, ok := s.(string); ok {
			key, next = exactField(n, name)
		} else if n.Kind == yaml.SequenceNode {
			next = element(n, s, step(content, s), ordered)
			key = next
		}
		if next == nil {
			return line, false
		}
		content = step(content, s)
		n, line = target(next), key.Line
	}
	return line, true
}

// exactField is field for an object, in which case matters and merge keys count.
func exactField(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if merged := target(n.Content[i+1]); n.Content[i].Tag == "!!merge" && merged != n {
			if key, value := exactField(merged, name); key != nil {
				return key, value
			}
		}
	}
	return nil, nil
}

// mergeKeys are the fields by which Kubernetes tells the elements of its lists.
var mergeKeys = []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "type", "topologyKey", "ip", "uid"}

// element finds a list's element by merge keys, else by its place.
func element(n *yaml.Node, segment, value any, ordered bool) *yaml.Node {
	keys, _ := segment.(map[string]any)
	if content, ok := value.(map[string]any); ok && keys == nil {
		for _, k := range mergeKeys {
			if v, ok := content[k]; ok {
				keys = map[string]any{k: v}
				break
			}
		}
	}
	for _, item := range n.Content {
		if len(keys) > 0 && hasKeys(target(item), keys) || keys == nil && isScalar(value) && target(item).Value == fmt.Sprint(value) {
			return item
		}
	}
	if i, ok := segment.(int); ok && ordered && i < len(n.Content) && i >= 0 {
		return n.Content[i]
	}
	return nil
}

func isScalar(v any) bool {
	switch v.(type) {
	case nil, map[string]any, []any:
		return false
	}
	return true
}

// hasKeys says whether a mapping has the merge keys, of which one may be left to
// its default.
func hasKeys(n *yaml.Node, keys map[string]any) bool {
	equal := 0
	for k, v := range keys {
		_, value := exactField(n, k)
		if value = target(value); value == nil {
			continue
		}
		if value.Value != fmt.Sprint(v) {
			return false
		}
		equal++
	}
	return equal > 0
}

// fileOf returns the path in the repository of a file that a kustomization
// names.
func fileOf(kustomization, name string) string { return path.Join(path.Dir(kustomization), name) }
