package assess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Dump is a Source made of objects that were written to a file, as by "kubectl
// get -o yaml --show-managed-fields". It knows no more than what was dumped: an
// object of a kind of which the dump has none, in its namespace, is not missing
// but unknown.
type Dump struct {
	objects map[dumpKey]object.Raw
	kinds   map[dumpKey]bool // namespaced or not, by group and kind alone
	places  map[dumpKey]bool // the namespaces of which it has objects of a kind, and whether all
}

// dumpKey identifies an object whatever its version.
type dumpKey struct{ group, kind, namespace, name string }

func keyOf(id object.ID) dumpKey { return dumpKey{id.Group, id.Kind, id.Namespace, id.Name} }

// NewDump returns a Source of the given objects, which it decodes when they are
// looked up and does not keep.
func NewDump(objects []object.Raw) *Dump {
	d := &Dump{objects: make(map[dumpKey]object.Raw, len(objects)), kinds: map[dumpKey]bool{}, places: map[dumpKey]bool{}}
	for _, o := range objects {
		d.objects[keyOf(o.ID)] = o
		d.places[dumpKey{group: o.ID.Group, kind: o.ID.Kind, namespace: o.ID.Namespace}] = !o.Alone
		kind := dumpKey{group: o.ID.Group, kind: o.ID.Kind}
		d.kinds[kind] = d.kinds[kind] || o.ID.Namespace != ""
	}
	return d
}

// HasOwners tells whether any object has records of who wrote it, without which
// additions cannot be seen.
func (d *Dump) HasOwners() bool {
	for _, o := range d.objects {
		if o.Recorded {
			return true
		}
	}
	return false
}

// Resource tells whether the dump holds objects of the kind.
func (d *Dump) Resource(group, version, kind string) (cluster.Resource, error) {
	namespaced, ok := d.kinds[dumpKey{group: group, kind: kind}]
	if !ok {
		return cluster.Resource{}, errNotDumped
	}
	return cluster.Resource{Group: group, Version: version, Kind: kind, Namespaced: namespaced}, nil
}

var errNotDumped = errors.New("the dump has no object of this kind")

// Read looks the objects up.
func (d *Dump) Read(_ context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	answers := make(map[object.ID]cluster.Answer, len(wanted))
	for _, id := range wanted {
		answers[id] = d.lookup(id)
	}
	return answers
}

func (d *Dump) lookup(id object.ID) cluster.Answer {
	o, ok := d.objects[keyOf(id)]
	complete, some := d.places[dumpKey{group: id.Group, kind: id.Kind, namespace: id.Namespace}]
	switch {
	case !ok && !some:
		return cluster.Answer{Err: fmt.Errorf("%w in namespace %s", errNotDumped, id.Namespace)}
	case !ok && !complete:
		return cluster.Answer{Err: errors.New("the dump is of a single object, which tells nothing of others: leave its name out of \"kubectl get\"")}
	case !ok:
		return cluster.Answer{Err: cluster.ErrNotFound}
	case o.ID.Version != id.Version:
		return cluster.Answer{Err: fmt.Errorf("git declares it in %s and the dump has it in %s: dump it in that version", id.APIVersion(), o.ID.APIVersion())}
	}
	decoded, err := o.Object()
	return cluster.Answer{Object: decoded, Err: err}
}

// Mutators fails: nothing is known of what changed the dumped objects.
func (d *Dump) Mutators(context.Context) (cluster.Mutators, error) {
	return cluster.Mutators{}, errors.New("a dump does not tell which there are")
}

// Schemas returns the built-in kinds' schemas; the types of others are deduced.
func (d *Dump) Schemas(context.Context, []string) ([]cluster.Components, error) {
	components, err := differ.Builtin()
	return []cluster.Components{components}, err
}

// Kinds returns the kinds of which the dump has objects.
func (d *Dump) Kinds() ([]cluster.Resource, error) {
	kinds := map[dumpKey]cluster.Resource{}
	for key, o := range d.objects {
		kind := dumpKey{group: key.group, kind: key.kind}
		kinds[kind] = cluster.Resource{Group: key.group, Version: o.ID.Version, Kind: key.kind, Namespaced: d.kinds[kind], Listable: true}
	}
	return slices.SortedFunc(maps.Values(kinds), func(a, b cluster.Resource) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind))
	}), nil
}

// List returns the dumped objects that the listings ask for.
func (d *Dump) List(_ context.Context, listings []cluster.Listing) []cluster.Listed {
	there := map[dumpKey][]object.Raw{}
	for key, o := range d.objects {
		kind := dumpKey{group: key.group, kind: key.kind, namespace: key.namespace}
		there[kind] = append(there[kind], o)
	}
	all := make([]cluster.Listed, len(listings))
	for i, l := range listings {
		kind := dumpKey{group: l.Resource.Group, kind: l.Resource.Kind, namespace: l.Namespace}
		all[i] = listed(l, there[kind])
	}
	return all
}

func listed(l cluster.Listing, objects []object.Raw) cluster.Listed {
	all := cluster.Listed{Listing: l}
	selector, err := labels.Parse(l.Labels)
	if err != nil {
		all.Err = err
		return all
	}
	for _, raw := range objects {
		o, err := raw.Object()
		if err != nil {
			all.Err = err
			return all
		}
		if selector.Matches(labels.Set((&unstructured.Unstructured{Object: o.Content}).GetLabels())) {
			all.Objects = append(all.Objects, object.Loose(o))
		}
	}
	slices.SortFunc(all.Objects, object.Packed.Compare)
	return all
}
