package reverter

import (
	"context"
	"errors"
	"maps"
	"reflect"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Writer writes to a cluster. Each write fails with cluster.ErrChanged where the object is
// not the one that it is meant for.
type Writer interface {
	Create(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error)
	Patch(ctx context.Context, id object.ID, operations any, manager string) (object.Object, error)
	Apply(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error)
	// Get reads an object as it is now.
	Get(ctx context.Context, id object.ID) (object.Object, error)
}

// ErrNothing says that the API server has taken a write and stored nothing of it.
var ErrNothing = errors.New("the API server accepts it and stores nothing of it: what git declares is not what it can store")

// tries is how often an apply is tried while nothing but the object's status changes.
const tries = 10

// Do writes, and returns the object as it is then. After an error some of it may be
// written: what is left is found again.
func (w Write) Do(ctx context.Context, to Writer) (object.Object, error) {
	if w.Create != nil {
		return to.Create(ctx, w.Object, w.Create, w.Manager)
	}
	live := w.after
	if len(w.Patch) > 0 {
		var err error
		if live, err = to.Patch(ctx, w.Object, w.Patch, w.Manager); err != nil {
			return live, err
		}
	}
	if w.Applies() {
		var err error
		if live, err = w.apply(ctx, live, to); err != nil {
			return live, err
		}
	}
	if sameSpec(live, w.live) {
		return live, ErrNothing
	}
	return live, nil
}

// apply applies to the object as it is after the patch. Whatever becomes of its status
// meanwhile, as it does all the time while Pods are replaced, the decision holds.
func (w Write) apply(ctx context.Context, live object.Object, to Writer) (object.Object, error) {
	for try := 1; ; try++ {
		body, err := w.Apply(live)
		if err != nil {
			return live, err
		}
		after, err := to.Apply(ctx, w.Object, body, w.Manager)
		if !errors.Is(err, cluster.ErrChanged) || try == tries {
			return after, err
		}
		now, failed := to.Get(ctx, w.Object)
		if failed != nil || !sameSpec(live, now) {
			return live, err
		}
		live = now
	}
}

// sameSpec tells whether two states of an object differ in nothing but its status.
func sameSpec(a, b object.Object) bool {
	spec := func(o object.Object) map[string]any {
		content, metadata := maps.Clone(o.Content), maps.Clone(object.Map(o.Content, "metadata"))
		delete(content, "status")
		for _, counted := range []string{"resourceVersion", "generation", "managedFields"} { // some kinds count writes that change nothing
			delete(metadata, counted)
		}
		content["metadata"] = metadata
		return content
	}
	return reflect.DeepEqual(spec(a), spec(b))
}

// Remover deletes objects, as long as they are of a uid and a resourceVersion.
type Remover interface {
	Delete(ctx context.Context, id object.ID, uid, resourceVersion string) error
	Evict(ctx context.Context, id object.ID, uid, resourceVersion string) error
}

// Remove deletes a rogue object that is as it was looked at; of a Pod it asks for the
// eviction.
func Remove(ctx context.Context, live object.Object, from Remover) error {
	uid, version := live.Metadata("uid"), live.Metadata("resourceVersion")
	if live.ID.IsKind("Pod") {
		return from.Evict(ctx, live.ID, uid, version)
	}
	return from.Delete(ctx, live.ID, uid, version)
}

// Removes tells whether a live object is the very rogue that a finding is about, and not
// on its way out already.
func Removes(f finding.Finding, live object.Object) bool {
	return f.UID != "" && live.Metadata("uid") == f.UID && live.Metadata("deletionTimestamp") == ""
}
