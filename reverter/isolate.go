package reverter

import (
	"context"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/quarantine"
)

// Isolation is one of the writes that put a rogue into quarantine, in their order.
type Isolation struct {
	Object object.ID
	// As is what is done to it: "created", "restored" or "quarantined".
	As string
	// What says more about it.
	What string

	create map[string]any
	patch  []Operation
}

// Lister lists what is in a cluster.
type Lister interface {
	Resource(group, version, kind string) (cluster.Resource, error)
	List(ctx context.Context, listings []cluster.Listing) []cluster.Listed
}

// besides reads all that the quarantine of a rogue in a namespace depends on.
func besides(ctx context.Context, namespace string, from Lister) ([]object.Object, error) {
	listings := make([]cluster.Listing, len(quarantine.Beside))
	for i, id := range quarantine.Beside {
		resource, err := from.Resource(id.Group, id.Version, id.Kind)
		if err != nil {
			return nil, err
		}
		listings[i] = cluster.Listing{Resource: resource, Namespace: namespace}
	}
	var all []object.Object
	for _, listed := range from.List(ctx, listings) {
		if listed.Err != nil {
			return nil, listed.Err
		}
		for _, o := range listed.Objects {
			all = append(all, o.Object())
		}
	}
	return all, nil
}

// Quarantine returns the writes that put a rogue into quarantine: none where it is in it.
func Quarantine(ctx context.Context, rogue object.Object, declared func(object.ID) bool, from Lister) ([]Isolation, error) {
	beside, err := besides(ctx, rogue.ID.Namespace, from)
	if err != nil {
		return nil, err
	}
	p, err := quarantine.New(quarantine.Rogue{Live: rogue, Beside: beside, Declared: declared})
	if err != nil {
		return nil, err
	}
	return isolate(p), nil
}

// isolate returns the writes of a plan: the NetworkPolicy, the workload, and its Pods.
func isolate(p quarantine.Plan) []Isolation {
	var all []Isolation
	if policy := p.Policy; policy != nil {
		i := Isolation{Object: policy.ID, As: "created", What: "it keeps Pods in quarantine apart", create: quarantine.Policy(policy.ID.Namespace)}
		if policy.Content != nil {
			i.As, i.create = "restored", nil
			i.patch = append(unchanged(*policy), Operation{"add", "/spec", quarantine.Policy(policy.ID.Namespace)["spec"]})
		}
		all = append(all, i)
	}
	for _, s := range p.Steps {
		i := Isolation{Object: s.Object.ID, As: "quarantined", What: p.String(), patch: unchanged(s.Object)}
		for _, l := range s.Labels {
			i.patch = append(i.patch, relabel(s.Object, l)...)
		}
		all = append(all, i)
	}
	return all
}

// unchanged tests that an object is the one that was looked at.
func unchanged(o object.Object) []Operation {
	return []Operation{
		{"test", "/metadata/uid", o.Metadata("uid")},
		{"test", "/metadata/resourceVersion", o.Metadata("resourceVersion")},
	}
}

// relabel gives labels the place of those that there are, with what leads there.
func relabel(o object.Object, l quarantine.Labels) []Operation {
	var value any = l.Now
	path := append(append(pointer{}, l.Path...), "labels")
	for len(path) > 1 && object.Map(parent(o, path), path[len(path)-2]) == nil {
		value = map[string]any{path[len(path)-1]: value}
		path = path[:len(path)-1]
	}
	return []Operation{{"add", path.String(), value}}
}

// parent is what holds the last but one step of a path.
func parent(o object.Object, path pointer) map[string]any {
	content := o.Content
	for _, step := range path[:len(path)-2] {
		content = object.Map(content, step)
	}
	return content
}

// Do writes.
func (i Isolation) Do(ctx context.Context, to Writer) error {
	var err error
	if i.create != nil {
		_, err = to.Create(ctx, i.Object, i.create, Manager)
	} else {
		_, err = to.Patch(ctx, i.Object, i.patch, Manager)
	}
	return err
}
