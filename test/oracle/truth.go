// Package oracle holds the differ against a real API server: objects are
// deployed, edited at random, and what the differ says of them is compared with
// what the server itself would do.
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

// covered tells whether one of p is path, above it or below it.
func (p places) covered(path string) bool {
	for other := range p {
		if within(path, other) || within(other, path) {
			return true
		}
	}
	return false
}

// keep drops the places that are neither in owned nor covered by what was said.
func (p places) keep(owned, said places) {
	maps.DeleteFunc(p, func(path string, _ bool) bool { return !owned[path] && !said.covered(path) })
}

// within tells whether path is at or beneath above.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// compare tells two objects of one kind apart as the API server tells fields
// apart, without what only the server writes.
func compare(types managedfields.TypeConverter, a, b *unstructured.Unstructured) (*typed.Comparison, error) {
	left, err := types.ObjectToTyped(stripped(a), typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	right, err := types.ObjectToTyped(stripped(b), typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	return left.Compare(right)
}

// placesOf are the places of some sets of fields.
func placesOf(sets ...*fieldpath.Set) places {
	found := places{}
	for _, set := range sets {
		set.Iterate(func(p fieldpath.Path) { found[p.String()] = true })
	}
	return found
}

// serverOwn are fields that the server fills in anew for each object.
var serverOwn = [][]string{
	{"status"},
	{"metadata", "name"}, {"metadata", "uid"}, {"metadata", "resourceVersion"}, {"metadata", "generation"},
	{"metadata", "creationTimestamp"}, {"metadata", "managedFields"},
	{"metadata", "annotations", "deployment.kubernetes.io/revision"},
	{"metadata", "annotations", "deprecated.daemonset.template.generation"},
	{"spec", "clusterIP"}, {"spec", "clusterIPs"},
	{"spec", "template", "spec", "serviceAccount"}, // repeats serviceAccountName
}

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
			b.WriteString("." + step)
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

// disagreement compares what the differ said with the truth, in both directions:
// nothing is missed, and nothing is said that is not so.
func disagreement(what string, said, truth places) []string {
	var wrong []string
	for _, path := range truth.sorted() {
		if !said.covered(path) {
			wrong = append(wrong, fmt.Sprintf("%s: missed %s", what, path))
		}
	}
	for _, path := range said.sorted() {
		if !truth.covered(path) {
			wrong = append(wrong, fmt.Sprintf("%s: false alarm about %s", what, path))
		}
	}
	return wrong
}
