package oracle

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// shapes are the API server's schemas, by name.
type shapes map[string]*spec.Schema

// shape is the schema of one place, and the names by which values for it are
// remembered: its type's, and that of the type and field in which it stands.
type shape struct {
	*spec.Schema
	typeName string
	field    string
}

const refPrefix = "#/components/schemas/"

// resolve follows references. Where there is no schema it returns an empty one,
// which takes anything.
func (s shapes) resolve(schema *spec.Schema, field string) shape {
	at := shape{Schema: schema, field: field}
	for range 10 {
		var ref string
		switch {
		case at.Schema == nil:
			return shape{Schema: &spec.Schema{}, field: field}
		case at.Ref.String() != "":
			ref = at.Ref.String()
		case len(at.AllOf) == 1 && at.AllOf[0].Ref.String() != "":
			ref = at.AllOf[0].Ref.String()
		default:
			return at
		}
		at.typeName = strings.TrimPrefix(ref, refPrefix)
		at.Schema = s[at.typeName]
	}
	return at
}

// property returns the shape of a mapping's key.
func (s shapes) property(in shape, name string) shape {
	if p, ok := in.Properties[name]; ok {
		return s.resolve(&p, in.typeName+"."+name)
	}
	if in.AdditionalProperties != nil && in.AdditionalProperties.Schema != nil {
		return s.resolve(in.AdditionalProperties.Schema, in.field+".*")
	}
	return s.resolve(nil, in.field+".*")
}

// items returns the shape of a list's items.
func (s shapes) items(in shape) shape {
	if in.Items != nil && in.Items.Schema != nil {
		return s.resolve(in.Items.Schema, in.field+"[]")
	}
	return s.resolve(nil, in.field+"[]")
}

func (in shape) is(kind string) bool { return slices.Contains(in.Type, kind) }

// extension returns an extension's value as text.
func (in shape) extension(name string) string {
	switch v := in.Extensions[name].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// mergeKeys are the keys by which items of the list are told apart.
func (in shape) mergeKeys() []string {
	if in.extension("x-kubernetes-list-type") != "map" {
		return nil
	}
	list, _ := in.Extensions["x-kubernetes-list-map-keys"].([]any)
	var keys []string
	for _, k := range list {
		if name, ok := k.(string); ok {
			keys = append(keys, name)
		}
	}
	return keys
}

// lastName is the field's own name.
func (in shape) lastName() string {
	name := strings.TrimSuffix(strings.TrimSuffix(in.field, "[]"), ".*")
	return name[strings.LastIndex(name, ".")+1:]
}

// spot is a place of an object at which something can be changed.
type spot struct {
	path  []string // as of a JSON pointer
	value any
	in    shape // of the value
	item  bool  // the value is an item of a list
	free  bool  // the value's key is no named field
}

// isMeta tells whether the type is an object's metadata, of which only labels
// and annotations are edited freely.
func (in shape) isMeta() bool { return strings.HasSuffix(in.typeName, "meta.v1.ObjectMeta") }

// present lists the places within value that exist, in a fixed order.
func (s shapes) present(value any, in shape, path []string) []spot {
	var all []spot
	add := func(key string, v any, of shape, item, free bool) {
		at := append(slices.Clip(path), key)
		all = append(all, spot{path: at, value: v, in: of, item: item, free: free})
		all = append(all, s.present(v, of, at)...)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if s.editable(in, path, name) {
				_, named := in.Properties[name]
				add(name, v[name], s.property(in, name), false, !named)
			}
		}
	case []any:
		for i := range v {
			add(strconv.Itoa(i), v[i], s.items(in), true, false)
		}
	}
	return all
}

// absent lists the named fields that an object could have and has not.
func (s shapes) absent(value any, in shape, path []string) []spot {
	var all []spot
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
			if _, ok := v[name]; !ok && s.editable(in, path, name) {
				all = append(all, spot{path: append(slices.Clip(path), name), in: s.property(in, name)})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if s.editable(in, path, name) {
				all = append(all, s.absent(v[name], s.property(in, name), append(slices.Clip(path), name))...)
			}
		}
	case []any:
		for i := range v {
			all = append(all, s.absent(v[i], s.items(in), append(slices.Clip(path), strconv.Itoa(i)))...)
		}
	}
	return all
}

// editable tells whether edits may touch a key. The object's own metadata has
// edits of its own, and a webhook that matched what the test writes would stop
// it.
func (s shapes) editable(in shape, path []string, name string) bool {
	switch {
	case len(path) == 0:
		return name != "apiVersion" && name != "kind" && name != "metadata" && name != "status"
	case in.isMeta():
		return name == "labels" || name == "annotations"
	case len(path) == 2 && path[0] == "webhooks":
		return name != "rules"
	}
	return true
}
