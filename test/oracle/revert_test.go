package oracle

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

var (
	reverts = flag.Int("reverts", 150, "number of objects that are edited and then put back")
	from    = flag.Int("from", 0, "number of the first program of which one is put back")
)

// undone are the changes that are put back; a controller's are not.
var undone = []differ.Op{differ.Modified, differ.Removed, differ.Added, differ.Reordered, differ.Released}

// outcome is what became of an object of TestRevert.
type outcome string

const (
	unused      outcome = "could not be made"
	clean       outcome = "had nothing to undo"
	putBack     outcome = "were put back"
	refused     outcome = "could not be changed back"
	ineffective outcome = "it left as they were" // it does not store what git says
	unanswered  outcome = "have no answer"       // its own field management can make nothing of it
	overtaken   outcome = "a controller changed meanwhile"
)

// outcomes counts them.
type outcomes struct {
	mu    sync.Mutex
	count map[outcome]int
}

func (o *outcomes) add(one outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[one]++
}

// TestRevert has the reverter undo random edits, and wants them gone, nothing else
// touched, and the deployer to own again what it owned.
func TestRevert(t *testing.T) {
	g := theWorld(t)
	delete(g.sources, "Node") // controllers change it all the time
	t.Logf("reverts: %d objects, seed %d", *reverts, *seed)
	total := outcomes{count: map[outcome]int{}}
	var wait sync.WaitGroup
	indexes := make(chan int)
	for range *workers {
		wait.Go(func() {
			for i := range indexes {
				became, err := g.edited(t.Context(), i)
				if err != nil {
					t.Errorf("program %d of seed %d: %v", i, *seed, err)
				}
				total.add(became)
			}
		})
	}
	for i := range *reverts {
		indexes <- *from + i
	}
	close(indexes)
	wait.Wait()
	t.Logf("reverts: of %d objects %v", *reverts, total.count)
	if total.count[putBack] < *reverts/3 || total.count[refused]+total.count[unanswered] > *reverts/10 {
		t.Error("too few were put back, or too many could not be")
	}
}

// edited runs a random program and puts its object back.
func (g *generator) edited(ctx context.Context, index int) (became outcome, err error) {
	r := rand.New(rand.NewPCG(*seed, uint64(index)+1)) //nolint:gosec // reproducible
	p := g.program(r)
	run, err := g.start(ctx, p)
	if errors.Is(err, errNoAnswer) || p.Definition != nil && errors.Is(err, errRefused) {
		return unused, nil
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, run.end(ctx)) }()
	var steps []string
	for range 1 + r.IntN(6) {
		s, ok, err := g.next(ctx, r, run, &tally{})
		if errors.Is(err, errNoAnswer) {
			return unused, nil
		}
		if err != nil {
			return "", err
		}
		if ok {
			steps = append(steps, s.String())
		}
	}
	became, err = run.revert(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: after %s:\n  %w", run.git.GetKind(), strings.Join(steps, "; "), err)
	}
	return became, nil
}

// revert undoes what the differ says of the object, and looks at what came of it.
func (r *run) revert(ctx context.Context) (outcome, error) {
	resource, err := r.resource(r.git.GroupVersionKind())
	if err != nil {
		return "", err
	}
	if err := r.refresh(ctx, resource); err != nil {
		return "", err
	}
	before, changes := r.live, r.undoable()
	if len(changes) == 0 {
		return clean, nil
	}
	places := places{}
	for range 3 { // an order, and what held nothing but what was undone, show afterwards
		now := r.undoable()
		maps.Copy(places, told(now, undone...))
		err := r.undo(ctx, now)
		switch {
		case errors.Is(err, reverter.ErrNothing):
			return ineffective, nil
		case errors.Is(err, cluster.ErrChanged):
			return overtaken, nil
		case err != nil && (strings.Contains(err.Error(), "the API server refuses") || strings.Contains(err.Error(), "there are two of it")):
			return refused, nil
		case err != nil:
			return "", err
		}
		if err := r.refresh(ctx, resource); err != nil {
			return "", err
		}
		if len(r.undoable()) == 0 {
			break
		}
	}
	if left := r.undoable(); len(left) > 0 {
		return "", fmt.Errorf("undoing %v leaves %v", said(changes), said(left))
	}
	err = r.onlyUndone(ctx, before, changes, places)
	if errors.Is(err, errNoAnswer) {
		return unanswered, nil
	}
	return putBack, err
}

// undo has the reverter undo changes.
func (r *run) undo(ctx context.Context, changes []differ.Change) error {
	options := differ.Options{Deployers: []string{ci}}
	live := r.object(r.live)
	write, err := reverter.Plan(reverter.Case{
		Declared: object.Object{ID: live.ID, Content: r.git.Object}, Live: live,
		Type: r.schemas.Type(live.ID.Group, live.ID.Version, live.ID.Kind), Changes: changes, Options: options,
	})
	if err == nil {
		_, err = write.Do(ctx, cluster.Writer{Cluster: r.cluster})
	}
	if err != nil {
		return fmt.Errorf("undoing %v: %w", said(changes), err)
	}
	return nil
}

func (r *run) object(o *unstructured.Unstructured) object.Object {
	gvk := o.GroupVersionKind()
	return object.Object{ID: object.ID{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}, Content: o.Object}
}

// onlyUndone wants nothing touched but what was undone, and the deployer to own again
// what it owned.
func (r *run) onlyUndone(ctx context.Context, before *unstructured.Unstructured, changes []differ.Change, undone places) error {
	d, err := compare(r.types, before, r.live)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	untouched, err := r.created(ctx, r.git, r.name, string(r.live.GetUID()))
	if err != nil {
		return refusal(err)
	}
	beside, err := compare(r.types, untouched, r.live)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	beside.added = beside.present()
	maps.Copy(beside.added, beside.removed)
	for _, touched := range [][]string{d.added.sorted(), d.modified.sorted(), d.removed.sorted()} {
		for _, place := range touched {
			if !undone.covered(place) && beside.added.covered(place) && !follows(r.git.GetKind(), place) {
				return fmt.Errorf("undoing %v also touches %s", said(changes), place)
			}
		}
	}
	if r.hasApplied(before) && !r.hasApplied(r.live) && !slices.ContainsFunc(changes, func(c differ.Change) bool { return c.Op == differ.Released }) {
		return fmt.Errorf("undoing %v takes what the deployer applied away from it", said(changes))
	}
	for _, record := range r.live.GetManagedFields() {
		if record.Manager == reverter.Manager {
			return fmt.Errorf("undoing %v leaves fields that belong to nobody but the reverter", said(changes))
		}
	}
	return nil
}

// hasApplied tells whether the deployer owns something that git declares, by an apply.
func (r *run) hasApplied(live *unstructured.Unstructured) bool {
	o := r.object(live)
	by, _ := differ.Deployed(o, differ.Options{Deployers: []string{ci}})
	if by.Operation != "Apply" {
		return false
	}
	return overlaps(r.git.Object, differ.Applied(o, r.schemas.Type(o.ID.Group, o.ID.Version, o.ID.Kind), by.Manager))
}

// overlaps tells whether two contents have a value in common, beside what says which
// object it is.
func overlaps(a, b map[string]any) bool {
	for name, v := range b {
		fields, isMap := v.(map[string]any)
		within, _ := a[name].(map[string]any)
		if slices.Contains([]string{"apiVersion", "kind", "name", "namespace"}, name) || a[name] == nil {
			continue
		}
		if !isMap || overlaps(within, fields) {
			return true
		}
	}
	return false
}

// follows tells whether the server or its controllers change a place by themselves when
// something else is put back.
func follows(kind, place string) bool {
	also := map[string][]string{
		"DaemonSet":             {".metadata.annotations.deprecated․daemonset․template․generation"},
		"Deployment":            {".metadata.annotations.deployment․kubernetes․io/revision"},
		"ClusterRole":           {".rules"}, // which it aggregates
		"PersistentVolume":      {".metadata.annotations.pv․kubernetes․io", ".spec.claimRef"},
		"PersistentVolumeClaim": {".metadata.annotations.pv․kubernetes․io", ".spec.volumeName"},
	}
	return serversChoice(kind, place) || slices.ContainsFunc(also[kind], func(p string) bool { return strings.HasPrefix(place, p) })
}

// undoable are the changes that are put back.
func (r *run) undoable() []differ.Change {
	return slices.DeleteFunc(r.said(), func(c differ.Change) bool { return !slices.Contains(undone, c.Op) })
}

func said(changes []differ.Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s %s", c.Path, c.Op))
	}
	return all
}
