package differ_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// server is what the API server knows: the kinds, their schemas, and the library
// with which it keeps records.
type server struct {
	components map[string]*spec.Schema
	structure  *schema.Schema
	kinds      []servedKind // sorted
}

type servedKind struct {
	name string // of the component
	id   object.ID
}

var served = sync.OnceValues(func() (server, error) {
	components, err := differ.Builtin()
	if err != nil {
		return server{}, err
	}
	structure, err := schemaconv.ToSchemaFromOpenAPI(components, false)
	if err != nil {
		return server{}, err
	}
	s := server{components: components, structure: structure}
	for _, name := range slices.Sorted(maps.Keys(components)) {
		gvks, _ := components[name].Extensions["x-kubernetes-group-version-kind"].([]any)
		if len(gvks) != 1 || !isObject(components[name]) {
			continue
		}
		gvk, _ := gvks[0].(map[string]any)
		text := func(key string) string { s, _ := gvk[key].(string); return s }
		if kind := text("kind"); !strings.HasSuffix(kind, "List") {
			s.kinds = append(s.kinds, servedKind{name, object.ID{Group: text("group"), Version: text("version"), Kind: kind, Name: "x"}})
		}
	}
	return s, nil
})

// isObject tells whether the values of a type are objects with a name.
func isObject(s *spec.Schema) bool {
	metadata := s.Properties["metadata"]
	return len(metadata.AllOf) == 1 && strings.HasSuffix(metadata.AllOf[0].Ref.String(), ".ObjectMeta")
}

func serverOf(t testing.TB) server {
	t.Helper()
	s, err := served()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s server) typed(kind servedKind, content map[string]any) (*typed.TypedValue, error) {
	return typed.ParseableType{TypeRef: schema.TypeRef{NamedType: &kind.name}, Schema: s.structure}.FromUnstructured(content)
}

// fieldsOf returns what the value's fields are, without what the server strips.
func fieldsOf(t testing.TB, v *typed.TypedValue) *fieldpath.Set {
	t.Helper()
	set, err := v.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	return set.Difference(unrecorded)
}

// unrecorded are the fields of which the server keeps no records.
var unrecorded = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("metadata", "name"),
)

func recordOf(t testing.TB, manager, operation string, set *fieldpath.Set) map[string]any {
	t.Helper()
	text, err := set.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"manager": manager, "operation": operation, "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": fields}
}

func withManagedFields(content map[string]any, records ...any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	metadata, _ := content["metadata"].(map[string]any)
	metadata["managedFields"] = records
	return content
}

// maker makes random objects of the kinds that the server serves, in which every
// text and number stands once, so that no value is a default or follows from
// another.
type maker struct {
	*rand.Rand
	server
	made int64
}

func newMaker(t testing.TB, seed uint64) *maker {
	t.Helper()
	return &maker{Rand: rand.New(rand.NewPCG(seed, 3)), server: serverOf(t), made: 7000} //nolint:gosec // reproducible
}

func (m *maker) object() (servedKind, map[string]any) {
	kind := m.kinds[m.IntN(len(m.kinds))]
	content := map[string]any{}
	for name, property := range inOrder(m.components[kind.name].Properties) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, name) && m.IntN(4) > 0 {
			content[name] = m.value(&property, 1)
		}
	}
	content["apiVersion"], content["kind"] = kind.id.APIVersion(), kind.id.Kind
	content["metadata"] = map[string]any{
		"name": "x", "labels": map[string]any{"a": m.text(), "example.com/b": m.text()},
		"annotations": map[string]any{"a": m.text(), "b": m.text()}, "finalizers": []any{m.text(), m.text()},
	}
	return kind, content
}

func inOrder(properties map[string]spec.Schema) func(func(string, spec.Schema) bool) {
	return func(yield func(string, spec.Schema) bool) {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if !yield(name, properties[name]) {
				return
			}
		}
	}
}

func (m *maker) number() int64 { m.made++; return m.made }
func (m *maker) text() string  { return fmt.Sprintf("text-%d", m.number()) }

// resolved follows references.
func (m *maker) resolved(s *spec.Schema) *spec.Schema {
	for {
		switch {
		case s.Ref.String() != "":
			s = m.components[s.Ref.String()[strings.LastIndex(s.Ref.String(), "/")+1:]]
		case len(s.AllOf) == 1:
			s = &s.AllOf[0]
		default:
			return s
		}
	}
}

func (m *maker) value(s *spec.Schema, depth int) any {
	s = m.resolved(s)
	switch {
	case len(s.Type) == 0: // anything
		return m.text()
	case s.Type[0] == "object":
		return m.mapping(s, depth)
	case s.Type[0] == "array":
		return m.list(s, depth)
	case s.Type[0] == "boolean":
		return m.IntN(2) == 0
	case s.Type[0] == "integer", s.Type[0] == "number":
		return m.number()
	case s.Format == "date-time":
		return fmt.Sprintf("2026-01-02T03:04:%02dZ", m.number()%60)
	case s.Format == "byte":
		return "dGV4dA=="
	case len(s.Enum) > 0:
		return s.Enum[m.IntN(len(s.Enum))]
	default:
		return m.text()
	}
}

func (m *maker) mapping(s *spec.Schema, depth int) map[string]any {
	result := map[string]any{}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil && depth < 12 {
		for range 1 + m.IntN(3) {
			result[m.text()] = m.value(s.AdditionalProperties.Schema, depth+1)
		}
	}
	for name, property := range inOrder(s.Properties) {
		kind := m.resolved(&property).Type
		nests := len(kind) > 0 && (kind[0] == "object" || kind[0] == "array")
		if depth < 9 && (m.IntN(3) == 0 || !nests && m.IntN(2) == 0) && (depth < 7 || !nests) {
			result[name] = m.value(&property, depth+1)
		}
	}
	if len(result) == 0 && len(s.Properties) == 0 {
		result[m.text()] = m.text()
	}
	return result
}

func (m *maker) list(s *spec.Schema, depth int) []any {
	list := []any{}
	if s.Items == nil || s.Items.Schema == nil {
		return list
	}
	keys, _ := s.Extensions.GetStringSlice("x-kubernetes-list-map-keys")
	set := s.Extensions["x-kubernetes-list-type"] == "set"
	for range 1 + m.IntN(3) {
		item := m.value(s.Items.Schema, depth+1)
		if fields, ok := item.(map[string]any); ok {
			for _, key := range keys {
				property := m.resolved(s.Items.Schema).Properties[key]
				fields[key] = m.value(&property, depth+1)
			}
		}
		if set && slices.Contains(list, item) {
			continue
		}
		list = append(list, item)
	}
	if len(keys) > 0 { // enumerated keys may be equal
		list = slices.CompactFunc(list, func(a, b any) bool { return sameKeys(keys, a, b) })
		if len(list) == 3 && sameKeys(keys, list[0], list[2]) {
			list = list[:2]
		}
	}
	return list
}

func sameKeys(keys []string, a, b any) bool {
	first, _ := a.(map[string]any)
	second, _ := b.(map[string]any)
	return !slices.ContainsFunc(keys, func(k string) bool { return first[k] != second[k] })
}

// FuzzSelf compares an object of any kind with what the deployer applied of it:
// they are the same.
func FuzzSelf(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := newMaker(t, seed)
		kind, content := m.object()
		applied, err := m.typed(kind, content)
		if err != nil {
			t.Fatalf("the generator made no %s: %v\n%v", kind.id, err, content)
		}
		all := fieldsOf(t, applied)
		live := object.Object{ID: kind.id, Content: withManagedFields(content, recordOf(t, "ci-deploy", "Apply", all))}
		declared := object.Object{ID: kind.id, Content: content}
		typ := typeOf(t, kind.id)
		for name, o := range map[string]object.Object{"what is declared": declared, "itself": live} {
			d := differ.Compare(o, live, typ, differ.Options{ShowControllers: true})
			if len(d.Changes) > 0 || len(d.Ignored) > 0 || d.Unattributed {
				t.Errorf("a %s differs from %s:\n%s\n%s", kind.id, name, describe(d), toJSON(live.Content))
			}
		}
	})
}

// FuzzAddition has somebody add one field or item that git does not declare,
// somewhere in an object of any kind, with the record that the API server would
// keep of it: that one change is told, and nothing else.
func FuzzAddition(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := newMaker(t, seed)
		kind, after := m.object()
		before, removed, ok := m.without(after)
		if !ok {
			return
		}
		was, err := m.typed(kind, before)
		is, wrong := m.typed(kind, after)
		if err != nil || wrong != nil {
			return // an item without its merge key
		}
		comparison, err := was.Compare(is)
		if err != nil {
			t.Fatal(err)
		}
		written := comparison.Added.Union(comparison.Modified).Difference(unrecorded)
		if written.Empty() || !comparison.Removed.Empty() {
			return // an empty structure, of which the server keeps no record, or an item's merge key
		}
		live := object.Object{ID: kind.id, Content: withManagedFields(after,
			recordOf(t, "ci-deploy", "Apply", fieldsOf(t, was).Difference(written)), recordOf(t, "mallory", "Update", written))}
		d := differ.Compare(object.Object{ID: kind.id, Content: before}, live, typeOf(t, kind.id), differ.Options{})
		if len(d.Changes) == 0 && mayBeDefault(removed.value) {
			return
		}
		if len(d.Changes) != 1 || d.Changes[0].Writer.Manager != "mallory" || !covers(d.Changes[0].Path, removed.path) || d.Unattributed {
			t.Fatalf("of %s, mallory added %v to a %s, and this is said:\n%s-- declared --\n%s\n-- live --\n%s",
				toJSON(removed.value), removed.path, kind.id, describe(d), toJSON(before), toJSON(live.Content))
		}
	})
}

// FuzzEdits compares objects of any kind of which both sides lack some, with the
// records of several writers: what is said is sorted and disjoint, and it hangs on
// the order neither of the records nor of a set's items nor of Go's maps.
func FuzzEdits(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := newMaker(t, seed)
		kind, content := m.object()
		one, other := content, content
		for range 3 {
			if less, _, ok := m.without(one); ok {
				one = less
			}
			if less, _, ok := m.without(other); ok {
				other = less
			}
		}
		was, err := m.typed(kind, one)
		is, wrong := m.typed(kind, other)
		if err != nil || wrong != nil {
			return // an item without its merge key
		}
		declared := object.Object{ID: kind.id, Content: one}
		live := object.Object{ID: kind.id, Content: withManagedFields(other, m.records(t, was, is)...)}
		o := differ.Options{ShowControllers: true}
		checkCompare(t, declared, live, o)
		d := differ.Compare(declared, live, typeOf(t, kind.id), o)
		component := m.components[kind.name]
		declared.Content, _ = m.shuffled(component, runtime.DeepCopyJSON(one)).(map[string]any)
		live.Content, _ = m.shuffled(component, runtime.DeepCopyJSON(live.Content)).(map[string]any)
		if again := differ.Compare(declared, live, typeOf(t, kind.id), o); outline(d) != outline(again) {
			t.Fatalf("with its sets in another order a %s is told otherwise:\n%s", kind.id, cmp.Diff(outline(d), outline(again)))
		}
	})
}

// outline is what a Diff says without the values, in which a set is as it stands.
func outline(d differ.Diff) string {
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintln(&b, c.Op, c.Path, c.Writer, c.Others)
	}
	return b.String()
}

// records gives what both have to the deployer, and the rest to three others, of
// whom two wrote at the same time.
func (m *maker) records(t testing.TB, declared, live *typed.TypedValue) []any {
	t.Helper()
	all := fieldsOf(t, live)
	deployed := all.Intersection(fieldsOf(t, declared))
	managers := []string{"mallory", "kubectl-edit", "kubelet"}
	sets := []*fieldpath.Set{{}, {}, {}}
	all.Difference(deployed).Iterate(func(p fieldpath.Path) {
		sets[m.IntN(len(sets))].Insert(p.Copy())
		sets[m.IntN(len(sets))].Insert(p.Copy())
	})
	records := []any{recordOf(t, "ci-deploy", "Apply", deployed)}
	for i, set := range sets {
		record := recordOf(t, managers[i], "Update", set)
		if i == 2 {
			record["time"] = "2026-01-02T03:05:00Z"
		}
		records = append(records, record)
	}
	return records
}

// shuffled returns v with the items of its sets in another order.
func (m *maker) shuffled(s *spec.Schema, v any) any {
	s = m.resolved(s)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if property, ok := s.Properties[name]; ok {
				v[name] = m.shuffled(&property, v[name])
			}
		}
	case []any:
		switch kind := s.Extensions["x-kubernetes-list-type"]; {
		case kind == "set" || s.Extensions["x-kubernetes-patch-strategy"] == "merge" && kind == nil:
			m.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		case kind == "map":
			for i := range v {
				v[i] = m.shuffled(s.Items.Schema, v[i])
			}
		}
	}
	return v
}

// mayBeDefault tells whether a value could be a default of the server's: the maker
// makes texts and numbers that none is.
func mayBeDefault(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, field := range v {
			if !mayBeDefault(field) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !mayBeDefault(item) })
	case string:
		return !strings.HasPrefix(v, "text-")
	case int64:
		return false
	default:
		return true
	}
}

// covers tells whether a change's path is that of the value or of what holds it;
// of a list's items only that they are items.
func covers(p differ.Path, path []any) bool {
	if len(p) > len(path) {
		return false
	}
	for i, step := range p {
		name, ok := step.(string)
		other, also := path[i].(string)
		if ok != also || name != other {
			return false
		}
	}
	return true
}

// place is one value of an object and the steps to it: names and indices.
type place struct {
	path  []any
	value any
}

// without returns a copy of content without one of its values, and which.
func (m *maker) without(content map[string]any) (map[string]any, place, bool) {
	content = runtime.DeepCopyJSON(content)
	var places []place
	for _, p := range placesOf(nil, content) {
		if top := p.path[0]; top == "apiVersion" || top == "kind" || reflect.DeepEqual(p.path, []any{"metadata", "name"}) {
			continue
		}
		switch p.path[len(p.path)-1] {
		case "metadata", "labels", "annotations":
			continue // what is in these is told one by one
		}
		places = append(places, p)
	}
	chosen := places[m.IntN(len(places))]
	kind, _ := content["kind"].(string)
	if kind == "Secret" && chosen.path[0] == "stringData" {
		return nil, place{}, false // it is not stored
	}
	return remove(content, chosen.path).(map[string]any), chosen, true
}

func placesOf(path []any, v any) []place {
	var places []place
	add := func(step, v any) {
		at := append(slices.Clone(path), step)
		places = append(append(places, place{at, v}), placesOf(at, v)...)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			add(name, v[name])
		}
	case []any:
		for i, item := range v {
			add(i, item)
		}
	}
	return places
}

func remove(v any, path []any) any {
	switch v := v.(type) {
	case map[string]any:
		name, _ := path[0].(string)
		if len(path) == 1 {
			delete(v, name)
		} else {
			v[name] = remove(v[name], path[1:])
		}
		return v
	case []any:
		i, _ := path[0].(int)
		if len(path) == 1 {
			return slices.Delete(v, i, i+1)
		}
		v[i] = remove(v[i], path[1:])
		return v
	default:
		return v
	}
}
