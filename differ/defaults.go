package differ

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/json"
)

// defaultsText holds the defaults of Kubernetes' own kinds that its schemas do
// not tell, by schema and field, or by kind/schema for those that only one kind's
// objects get. "make generate" writes it from the API server's own functions.
//
//go:embed defaults.json
var defaultsText []byte

// fieldDefault is what an absent field means, in objects of any kind or of one.
type fieldDefault struct {
	kind  string
	value any
}

// builtinDefaults are the contents of defaults.json, by schema and field.
var builtinDefaults = sync.OnceValue(func() map[string]map[string][]fieldDefault {
	var table map[string]map[string]any
	if err := json.UnmarshalCaseSensitivePreserveInts(defaultsText, &table); err != nil {
		return nil // a test reads it
	}
	result := map[string]map[string][]fieldDefault{}
	for key, fields := range table {
		kind, schema, restricted := strings.Cut(key, "/")
		if !restricted {
			kind, schema = "", key
		}
		if result[schema] == nil {
			result[schema] = map[string][]fieldDefault{}
		}
		for name, value := range fields {
			result[schema][name] = append(result[schema][name], fieldDefault{kind, value})
		}
	}
	return result
})

// isDefault tells whether v, the value of a mapping's named field, is what the
// server gives to it where it is absent, completed by the defaults of its own
// fields. Parent is the field that holds the
// mapping; siblings are the fields beside this one, on which some defaults depend.
func (w *walker) isDefault(parent, name string, v any, siblings map[string]any, n *node) bool {
	if n == nil {
		return false
	}
	f, named := n.fields[name]
	if !named {
		return n.open && w.isFreeDefault(parent, name, v)
	}
	for _, d := range f.defaults {
		if (d.kind == "" || d.kind == w.live.ID.Kind) && w.within(d.value, v, f.node, whole{field: name}) {
			return true
		}
	}
	return w.builtin && (w.isFixed(parent, name, v, f.node) || dependent(w.live, parent, name, siblings, v))
}

// isFreeDefault tells whether v, the value of a free key, is one that the server
// puts there: a part of the default of the whole mapping, which stays when others
// are added to it, or a label of its name.
func (w *walker) isFreeDefault(parent, name string, v any) bool {
	if w.builtin && parent == "labels" && len(w.path) == 3 {
		return w.live.ID.Kind == "Namespace" && name == "kubernetes.io/metadata.name" && v == w.live.ID.Name
	}
	return w.path[len(w.path)-1].field == name && v != nil && equal(w.defaultHere(), v)
}

// isTaken tells whether a free key beside declared ones is somebody's. The default of a
// mapping is of the whole: the server does not put a part of it beside what git declares,
// and what was there before nobody owns.
func (w *walker) isTaken(declared map[string]any, name string, n *node, p place) bool {
	if n == nil || w.builtin || len(declared) == 0 || !w.claims(p).foreign {
		return false
	}
	_, named := n.fields[name]
	return !named
}

// defaultHere returns the default at the current place: its own, or its part of
// that of a place above.
func (w *walker) defaultHere() any { return w.defaultAt(w.path) }

func (w *walker) defaultAt(path []step) any {
	n, made := w.root, any(nil)
	for _, s := range path {
		if s.list != nil {
			n, made = n.item(), nil
			continue
		}
		above, _ := made.(map[string]any)
		made = above[s.field]
		if n != nil {
			for _, d := range n.fields[s.field].defaults {
				made = d.value
			}
		}
		n = n.field(s.field)
	}
	return made
}

// isDefaultItem tells whether the item of a list at the current place is one of the
// list's default, which stay when others are added.
func (w *walker) isDefaultItem(item any) bool {
	items, _ := w.defaultAt(w.path[:len(w.path)-1]).([]any)
	return slices.ContainsFunc(items, func(d any) bool { return equal(d, item) })
}
