package oracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// errNoAnswer: the server has no answer to compare with, as when git and the
// edits together are no valid object.
var errNoAnswer = errors.New("the API server has no answer")

// verdict is what a judgement found.
type verdict struct {
	// wrong says in what the differ is not right; sorted by what it is about.
	wrong []string
	// missed are the places beside git that it should have said.
	missed []omission
	// taken are defaults that somebody took away and the server has not put back.
	taken []string
	// impostures are changes by an impostor that the differ said, and that it did
	// not say: without a dry run nobody can know.
	imposturesSaid, imposturesMissed int
}

// omission is a place that was not said, and what is wrong with that.
type omission struct{ place, wrong string }

// truth is what there is to be said of an object.
type truth struct {
	live, applied, untouched *unstructured.Unstructured
	byApply                  difference // what an apply of git would do
	beside                   difference // what the live object has that an untouched one has not
	declared                 places     // what git declares
	blank                    places     // of these, where git leaves a place to be filled in
	zero                     places     // of these, where git says 0, which some fields take for nothing
	dropped                  places     // of these, what the server does not store
	null                     places     // of these, where git says null, which is as good as nothing
	present                  places     // what the live object has
	emptied                  places     // where the live object has an empty value that an untouched one has not
	ledger                   *ledger
}

// judge compares the differ's word with the truth. If the object has changed in
// the meantime, by a controller, it judges again.
func (r *run) judge(ctx context.Context) (verdict, error) {
	for {
		v, err := r.judgeOnce(ctx)
		if err != nil || len(v.wrong) == 0 {
			return v, err
		}
		resource, err := r.resource(r.git.GroupVersionKind())
		if err != nil {
			return v, err
		}
		judged := r.live
		if err := r.refresh(ctx, resource); err != nil {
			return v, err
		}
		if judged == r.live {
			return v, nil
		}
	}
}

func (r *run) judgeOnce(ctx context.Context) (verdict, error) {
	t, err := r.truth(ctx)
	if err != nil {
		return verdict{}, err
	}
	said := r.said()
	v := t.undeclared(said)
	v.taken = t.taken()
	released, unreleased := t.releases(said)
	v.missed = append(v.missed, unreleased...)
	if v.wrong, err = r.owed(ctx, v); err != nil {
		return verdict{}, err
	}
	v.wrong = slices.Concat(t.declaredPart(said), v.wrong, released, t.values(said),
		orders(r.shapes.lists(r.roots[r.git.GroupVersionKind()], r.git.Object, r.live.Object, t.applied.Object), said))
	if len(v.wrong) == 0 {
		v.wrong = t.writers(said)
	}
	return v, nil
}

// truth asks the server what an apply of git would change, and what an untouched
// object has.
func (r *run) truth(ctx context.Context) (truth, error) {
	t := truth{live: r.live, ledger: r.ledger}
	var err error
	if t.applied, err = r.apply(ctx, r.git, ci, true); err != nil {
		if errors.Is(refusal(err), errRefused) {
			return truth{}, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return truth{}, refusal(err)
	}
	untouched, err := r.created(ctx, r.git, r.name, string(r.live.GetUID()))
	if err != nil {
		return truth{}, fmt.Errorf("asking what an untouched object has: %w", refusal(err))
	}
	t.untouched = untouched
	asGit := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		return r.spelledAsGit(withoutTimes(o, r.git))
	}
	if t.byApply, err = compare(r.types, asGit(r.live), asGit(t.applied)); err != nil {
		return truth{}, err
	}
	if t.beside, err = compare(r.types, untouched, r.live); err != nil {
		return truth{}, err
	}
	git := stored(r.git)
	of := func(o *unstructured.Unstructured) (set places) {
		if err == nil {
			set, err = fieldsOf(r.types, o)
		}
		return set
	}
	t.declared, t.present = of(git), of(r.live)
	meaning, expected := of(nonEmpty(git)), of(untouched)
	t.blank = t.declared.without(meaning)
	t.null = t.declared.without(of(without(git, func(v any) bool { return v == nil })))
	t.zero = t.declared.without(of(without(git, func(v any) bool { return v == int64(0) || v == 0.0 })))
	t.dropped = t.declared.without(t.null).without(expected)
	t.emptied = of(r.live)
	maps.Copy(t.emptied, t.beside.present()) // which has empty lists too
	t.emptied = t.emptied.without(of(nonEmpty(r.live))).without(expected)
	return t, err
}

// owed adds to what is wrong the places that were missed, but for those with a
// value that the server would fill in itself: who writes down a default has
// changed nothing.
func (r *run) owed(ctx context.Context, v verdict) ([]string, error) {
	for _, m := range v.missed {
		isDefault, err := r.filledIn(ctx, m.place)
		if err != nil {
			return nil, err
		}
		if !isDefault {
			v.wrong = append(v.wrong, m.wrong)
		}
	}
	return v.wrong, nil
}

// filledIn tells whether the server, asked in a dry run to create the live object
// without what stands at a place, would put the same there.
func (r *run) filledIn(ctx context.Context, p string) (bool, error) {
	without, err := removed(r.types, r.live, p)
	if err != nil || without == nil {
		return false, err
	}
	resource, err := r.resource(r.git.GroupVersionKind())
	if err != nil {
		return false, err
	}
	without = stripped(without)
	withoutAllocated(without)
	fresh := r.world.name(r.git.GetKind())
	without.Object = renamed(without.Object, r.name, fresh)
	made, err := resource.Create(ctx, without, metav1.CreateOptions{FieldManager: ci, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		if errors.Is(refusal(err), errRefused) {
			return false, nil
		}
		return false, err
	}
	made.Object = renamed(made.Object, fresh, r.name)
	d, err := compare(r.types, r.live, made)
	if err != nil {
		return false, err
	}
	all := d.present()
	maps.Copy(all, d.removed)
	return !all.covered(p), nil
}

// withoutAllocated leaves out what no two Services can have.
func withoutAllocated(o *unstructured.Unstructured) {
	for _, allocated := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		unstructured.RemoveNestedField(o.Object, "spec", allocated)
	}
	spec, _ := o.Object["spec"].(map[string]any)
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		if fields, ok := port.(map[string]any); ok && o.GetKind() == "Service" {
			delete(fields, "nodePort")
		}
	}
}

// said is what the differ says.
func (r *run) said() []differ.Change {
	gvk := r.git.GroupVersionKind()
	id := object.ID{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: r.git.GetNamespace(), Name: r.git.GetName()}
	declared, live := object.Object{ID: id, Content: r.git.Object}, object.Object{ID: id, Content: r.live.Object}
	return r.compare(declared, live, r.schemas.Type(id.Group, id.Version, id.Kind), differ.Options{Deployers: []string{ci}}).Changes
}

// told are the places of the changes of some kinds.
func told(said []differ.Change, ops ...differ.Op) places {
	found := places{}
	for _, c := range said {
		if slices.Contains(ops, c.Op) {
			found[spelled(c.Path)] = true
		}
	}
	return found
}
