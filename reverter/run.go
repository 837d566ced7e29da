package reverter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
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

// errOvertaken says that an object is not what was decided on any more.
var errOvertaken = fmt.Errorf("%w since it was decided on", cluster.ErrChanged)

// tries is how often a write is tried while nothing but the object's status changes.
const tries = 10

// Do writes, and returns the object as it is then. After an error some of it may be
// written: what is left is found again.
func (w Write) Do(ctx context.Context, to Writer) (object.Object, error) {
	if w.Create != nil {
		return to.Create(ctx, w.Object, w.Create, w.Manager)
	}
	live, whole, err := w.patched(ctx, to)
	if err == nil && w.Applies() {
		live, err = w.apply(ctx, live, to)
	}
	if err == nil && whole {
		live, err = w.disown(ctx, live, to)
	}
	if err == nil && sameSpec(live, w.live) {
		err = ErrNothing
	}
	return live, err
}

// patched carries out the patch that there is, and tells whether everything is back by it.
func (w Write) patched(ctx context.Context, to Writer) (live object.Object, whole bool, err error) {
	if len(w.Whole) > 0 {
		live, err = to.Patch(ctx, w.Object, w.Whole, w.Manager)
		if err == nil || errors.Is(err, cluster.ErrChanged) || errors.Is(err, cluster.ErrForbidden) {
			return live, true, err
		}
	}
	if len(w.Patch) == 0 {
		return w.after, false, nil
	}
	live, err = to.Patch(ctx, w.Object, w.Patch, w.Manager)
	return live, false, err
}

// apply applies to the object as it is after the patch.
func (w Write) apply(ctx context.Context, live object.Object, to Writer) (object.Object, error) {
	decided := live
	return insist(ctx, live, to, func(live object.Object) (object.Object, error) {
		if !sameSpec(decided, live) {
			return live, fmt.Errorf("writing %s: %w", w.Object, errOvertaken)
		}
		body, err := w.Apply(live)
		if err != nil {
			return live, err
		}
		return to.Apply(ctx, w.Object, body, w.Manager)
	})
}

// disown has what was put back by a patch belong to the manager's applies alone: of what its
// updates own as well, an apply that leaves it out would not take it away. As no value is
// written, it need not be as it was.
func (w Write) disown(ctx context.Context, live object.Object, to Writer) (object.Object, error) {
	return insist(ctx, live, to, func(live object.Object) (object.Object, error) {
		records, more, err := differ.Disowned(w.live, live, w.Manager)
		if err != nil || !more {
			return live, err
		}
		return to.Patch(ctx, w.Object, []Operation{
			{"test", "/metadata/uid", w.UID},
			{"test", "/metadata/resourceVersion", live.Metadata("resourceVersion")},
			{"replace", "/metadata/managedFields", records},
		}, w.Manager)
	})
}

// insist writes to an object, and anew while nothing but others' writes is in the way.
// Whatever becomes of its status meanwhile, as it does all the time while Pods are replaced,
// the decision holds.
func insist(ctx context.Context, live object.Object, to Writer, write func(object.Object) (object.Object, error)) (object.Object, error) {
	for try := 1; ; try++ {
		after, err := write(live)
		if !errors.Is(err, cluster.ErrChanged) || errors.Is(err, errOvertaken) || try == tries {
			return after, err
		}
		now, failed := to.Get(ctx, live.ID)
		if failed != nil {
			return live, err
		}
		live = now
	}
}

// counters are annotations in which controllers count the writes to a workload.
var counters = []string{"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"}

// sameSpec tells whether two states of an object differ in nothing but its status.
func sameSpec(a, b object.Object) bool {
	spec := func(o object.Object) map[string]any {
		content, metadata := maps.Clone(o.Content), maps.Clone(object.Map(o.Content, "metadata"))
		delete(content, "status")
		for _, counted := range []string{"resourceVersion", "generation", "managedFields"} { // some kinds count writes that change nothing
			delete(metadata, counted)
		}
		annotations := maps.Clone(object.Map(metadata, "annotations"))
		for _, counter := range counters {
			delete(annotations, counter)
		}
		if metadata["annotations"] = annotations; len(annotations) == 0 {
			delete(metadata, "annotations")
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
