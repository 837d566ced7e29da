package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"plumbline.dev/plumbline/differ"
)

// places are field paths, spelled as structured-merge-diff does.
type places map[string]bool

func (p places) sorted() []string { return slices.Sorted(maps.Keys(p)) }

// without are the places of p that are not in others.
func (p places) without(others places) places {
	left := maps.Clone(p)
	maps.DeleteFunc(left, func(path string, _ bool) bool { return others[path] })
	return left
}

// covered tells whether one of p is path, above it or below it.
func (p places) covered(path string) bool {
	for other := range p {
		if related(path, other) {
			return true
		}
	}
	return false
}

// parent is the place within which a path's last step is; "" for a root's.
func parent(path string) string {
	quoted := false
	for i := len(path) - 1; i > 0; i-- {
		switch {
		case path[i] == '"' && path[i-1] != '\\':
			quoted = !quoted
		case !quoted && (path[i] == '[' || path[i] == '.' && !strings.HasSuffix(path, "]")):
			return path[:i]
		}
	}
	return ""
}

// related tells whether one path is at, beneath or above the other.
func related(a, b string) bool { return beneath(a, b) || beneath(b, a) }

// beneath tells whether path is at or beneath another.
func beneath(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// difference is what tells one object from another, field by field.
type difference struct{ added, modified, removed places }

// present are the places at which the second object has something of its own.
func (d difference) present() places {
	all := maps.Clone(d.added)
	maps.Copy(all, d.modified)
	return all
}

// structured reads an object by its kind's schema. Of some that the API server
// takes its own field management can make nothing, such as an item of a list
// without its merge key: about these there is no answer.
func structured(types managedfields.TypeConverter, o *unstructured.Unstructured) (*typed.TypedValue, error) {
	value, err := types.ObjectToTyped(o, typed.AllowDuplicates)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return value, nil
}

// compare tells two objects of one kind apart as the API server tells fields
// apart, without what only the server writes.
func compare(types managedfields.TypeConverter, a, b *unstructured.Unstructured) (difference, error) {
	left, err := structured(types, stripped(a))
	if err != nil {
		return difference{}, err
	}
	right, err := structured(types, stripped(b))
	if err != nil {
		return difference{}, err
	}
	c, err := left.Compare(right)
	if err != nil {
		return difference{}, err
	}
	d := difference{placesOf(c.Added), placesOf(c.Modified), placesOf(c.Removed)}
	// An empty list of keyed items is no difference to Compare.
	before, err := fieldsOf(types, a)
	if err != nil {
		return difference{}, err
	}
	after, err := fieldsOf(types, b)
	if err != nil {
		return difference{}, err
	}
	d.added.addNew(after, before)
	d.removed.addNew(before, after)
	return d, nil
}

// addNew adds the places of there that have no counterpart, in whole or in part,
// among others.
func (p places) addNew(there, others places) {
	for path := range there.without(others) {
		if !p[path] && !others.covered(path) {
			p[path] = true
		}
	}
}

// fieldsOf are the places that an object has.
func fieldsOf(types managedfields.TypeConverter, o *unstructured.Unstructured) (places, error) {
	whole, err := structured(types, stripped(o))
	if err != nil {
		return nil, err
	}
	set, err := whole.ToFieldSet()
	if err != nil {
		return nil, err
	}
	return placesOf(set), nil
}

// placesOf are the set's places that have no others within them: where a value
// stands.
func placesOf(set *fieldpath.Set) places {
	found := places{}
	set.Leaves().Iterate(func(p fieldpath.Path) { found[placeOf(p)] = true })
	return found
}

// placeOf spells a path, in which dots part fields and do nothing else.
func placeOf(p fieldpath.Path) string {
	var b strings.Builder
	for _, element := range p {
		if element.FieldName != nil {
			b.WriteString("." + undotted(*element.FieldName))
		} else {
			b.WriteString(element.String())
		}
	}
	return b.String()
}

// undotted spells a field's name, as of a label, with dots that part nothing.
func undotted(name string) string { return strings.ReplaceAll(name, ".", "\u2024") }

// removed returns an object without what stands at a place; nil where nothing
// does.
func removed(types managedfields.TypeConverter, o *unstructured.Unstructured, place string) (*unstructured.Unstructured, error) {
	whole, err := structured(types, o)
	if err != nil {
		return nil, err
	}
	all, err := whole.ToFieldSet()
	if err != nil {
		return nil, err
	}
	found := fieldpath.NewSet()
	all.Iterate(func(p fieldpath.Path) {
		if placeOf(p) == place {
			found.Insert(p.Copy())
		}
	})
	if found.Empty() {
		return nil, nil
	}
	content, _ := whole.RemoveItems(found).AsValue().Unstructured().(map[string]any)
	without := &unstructured.Unstructured{Object: content}
	without.SetGroupVersionKind(o.GroupVersionKind())
	return without, nil
}

// serverOwn are fields that only the server writes, and client-side apply's
// record, which repeats the object.
var serverOwn = [][]string{
	{"status"},
	{"metadata", "uid"}, {"metadata", "resourceVersion"}, {"metadata", "generation"},
	{"metadata", "creationTimestamp"}, {"metadata", "managedFields"}, {"metadata", "selfLink"},
	{"metadata", "deletionTimestamp"}, {"metadata", "deletionGracePeriodSeconds"},
	{"metadata", "annotations", lastApplied},
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func stripped(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	for _, field := range serverOwn {
		unstructured.RemoveNestedField(o.Object, field...)
	}
	if len(o.GetAnnotations()) == 0 {
		o.SetAnnotations(nil)
	}
	if len(o.GetLabels()) == 0 {
		o.SetLabels(nil)
	}
	return o
}

// spelled is a differ's path in the other spelling.
func spelled(p differ.Path) string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			b.WriteString("." + undotted(step))
		case map[string]any:
			var keys []string
			for _, name := range slices.Sorted(maps.Keys(step)) {
				keys = append(keys, fmt.Sprintf("%s=%s", name, value.ToString(value.NewValueInterface(step[name]))))
			}
			b.WriteString("[" + strings.Join(keys, ",") + "]")
		case differ.Item:
			fmt.Fprintf(&b, "[=%s]", value.ToString(value.NewValueInterface(step.Value)))
		}
	}
	return b.String()
}
