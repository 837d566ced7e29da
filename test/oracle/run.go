package oracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// errRefused: the step was not made, for the server does not allow it or there
// was nothing to do.
var errRefused = errors.New("refused")

// run is a program under way: one object of the cluster and its history.
type run struct {
	*world
	program Program
	name    string
	git     *unstructured.Unstructured
	live    *unstructured.Unstructured
	ledger  *ledger
	steps   int
}

// start deploys a program's object for the first time.
func (w *world) start(ctx context.Context, p Program) (*run, error) {
	kind, _ := p.Git["kind"].(string)
	r := &run{world: w, program: p, name: w.name(kind), ledger: &ledger{holds: map[string][]hold{}}}
	r.git = &unstructured.Unstructured{Object: renamed(p.Git, nameToken, r.name)}
	deploy := Step{Role: Deployer, Manager: ci, Way: p.Deploy}
	var err error
	if r.live, err = r.send(ctx, deploy, r.git, nil); err != nil {
		return nil, fmt.Errorf("deploying %s %s: %w", kind, r.name, err)
	}
	nothing := &unstructured.Unstructured{Object: map[string]any{"apiVersion": r.git.GetAPIVersion(), "kind": kind}}
	d, err := compare(r.types, nothing, r.live)
	if err != nil {
		return nil, err
	}
	declared, err := fieldsOf(r.types, stored(r.git))
	if err != nil {
		return nil, err
	}
	r.ledger.changed(deploy, 0, d, declared)
	for p, holds := range r.ledger.holds {
		if !holds[0].meant {
			r.ledger.holds[p] = []hold{{Step: Step{Role: server}, meant: true, recorded: true}}
		}
	}
	return r, nil
}

// end removes the object.
func (r *run) end(ctx context.Context) error {
	resource, err := r.resource(r.git.GroupVersionKind())
	if err != nil {
		return err
	}
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now}
	err = resource.Delete(ctx, r.git.GetName(), options)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// do makes a step. The error wraps errRefused if it was not made.
func (r *run) do(ctx context.Context, s Step) error {
	if s.Way == Commit {
		return r.commit(ctx, s)
	}
	resource, err := r.resource(r.git.GroupVersionKind())
	if err != nil {
		return err
	}
	if err := r.refresh(ctx, resource); err != nil {
		return err
	}
	before := r.live
	asked, err := r.asked(ctx, s)
	if err != nil {
		return err
	}
	after, err := r.send(ctx, s, asked, before)
	if err != nil {
		return err
	}
	if s.Version != "" || s.Way == Scale {
		if after, err = resource.Get(ctx, r.git.GetName(), metav1.GetOptions{}); err != nil {
			return err
		}
	}
	r.steps++
	r.live = after
	return r.note(s, before, asked, after)
}

// refresh reads the object anew. What happened to it since the last step is
// controllers' doing.
func (r *run) refresh(ctx context.Context, resource dynamic.ResourceInterface) error {
	live, err := resource.Get(ctx, r.git.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%w: it has deleted itself: %w", errNoAnswer, err) // a Job with a time to live
	}
	if err != nil {
		return err
	}
	if live.GetResourceVersion() == r.live.GetResourceVersion() {
		return nil
	}
	d, err := compare(r.types, r.live, live)
	if err != nil {
		return err
	}
	r.ledger.changed(Step{Role: Controller}, r.steps, d, nil)
	if len(live.GetManagedFields()) == 0 {
		r.ledger.forget() // the server keeps none from then on until somebody applies
	}
	r.live = live
	return nil
}

// note writes a step into the ledger.
func (r *run) note(s Step, before, asked, after *unstructured.Unstructured) error {
	d, err := compare(r.types, before, after)
	if err != nil {
		return err
	}
	var meant places
	switch {
	case s.Way == Apply:
		if meant, err = fieldsOf(r.types, stored(asked)); err != nil {
			return err
		}
	case s.Way == Scale:
		meant = places{".spec.replicas": true}
	case s.Version == "":
		// An empty value asks for nothing that the server could not fill in.
		wanted, err := compare(r.types, nonEmpty(before), nonEmpty(stored(asked)))
		if err != nil {
			return err
		}
		meant = wanted.present()
	}
	r.ledger.changed(s, r.steps, d, meant)
	if err := r.touch(s, before, asked); err != nil {
		return err
	}
	if s.Way == Apply {
		r.ledger.applied(s, r.steps, meant)
	}
	if s.forges() || len(after.GetManagedFields()) == 0 {
		r.ledger.forget()
	}
	if s.Role != Deployer && before.GetAnnotations()[lastApplied] != after.GetAnnotations()[lastApplied] {
		r.ledger.forgetClientSide()
	}
	r.ledger.masked = r.ledger.masked || s.masks()
	r.ledger.renamed = r.ledger.renamed || s.renames() && !s.masks()
	return nil
}

// touch notes all that a step asked to change.
func (r *run) touch(s Step, before, asked *unstructured.Unstructured) error {
	switch {
	case s.Version != "":
		r.ledger.touches = append(r.ledger.touches, touch{Step: s, number: r.steps}) // where, only a conversion could tell
		return nil
	case s.Way == Scale:
		r.ledger.touches = append(r.ledger.touches, touch{Step: s, number: r.steps, at: places{".spec.replicas": true}})
		return nil
	}
	wanted, err := compare(r.types, before, stored(asked))
	if err != nil {
		return err
	}
	at := wanted.present()
	maps.Copy(at, wanted.removed)
	r.ledger.touches = append(r.ledger.touches, touch{Step: s, number: r.steps, at: at, removed: wanted.removed})
	return nil
}

// commit changes git. A commit that no server would take is refused.
func (r *run) commit(ctx context.Context, s Step) error {
	git, err := r.changed(r.git, s.Patch)
	if err != nil {
		return err
	}
	if _, err := r.created(ctx, git, r.name, string(r.live.GetUID())); err != nil {
		return refusal(err)
	}
	if _, err := r.apply(ctx, git, ci, true); err != nil {
		return refusal(err)
	}
	r.git = git
	return nil
}

// asked is the object that a step wants there to be.
func (r *run) asked(ctx context.Context, s Step) (*unstructured.Unstructured, error) {
	switch {
	case s.Role == Deployer:
		return r.changed(r.git, s.Patch)
	case s.Config != nil:
		return &unstructured.Unstructured{Object: renamed(s.Config, nameToken, r.name)}, nil
	case s.Version != "":
		resource, err := r.in(s.Version)
		if err != nil {
			return nil, err
		}
		other, err := resource.Get(ctx, r.git.GetName(), metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return r.changed(other, s.Patch)
	case s.Way == Scale:
		replicas, _ := s.Patch[0].Value.(int64)
		if f, ok := s.Patch[0].Value.(float64); ok {
			replicas = int64(f)
		}
		return r.scaled(replicas), nil
	}
	return r.changed(r.live, s.Patch)
}

func (r *run) scaled(replicas int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "autoscaling/v1", "kind": "Scale",
		"metadata": map[string]any{"name": r.git.GetName(), "namespace": namespace},
		"spec":     map[string]any{"replicas": replicas},
	}}
}

func (r *run) in(version string) (dynamic.ResourceInterface, error) {
	gvk := r.git.GroupVersionKind()
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return nil, err
	}
	return r.resource(gv.WithKind(gvk.Kind))
}

func (r *run) changed(o *unstructured.Unstructured, operations []Operation) (*unstructured.Unstructured, error) {
	changed, err := patched(o, r.named(operations))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	return changed, nil
}

// named are the operations with this run's name in them.
func (r *run) named(operations []Operation) []Operation {
	named := make([]Operation, len(operations))
	for i, op := range operations {
		op.Value = rename(op.Value, nameToken, r.name)
		named[i] = op
	}
	return named
}

// refusal marks an error as the server's refusal of what was asked, unless it
// says that something is wrong with the server or the test.
func refusal(err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil || !errors.As(err, &status):
		return err
	case strings.Contains(err.Error(), "allocator not ready"): // another program has added a ServiceCIDR
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return fmt.Errorf("%w: %w", errRefused, err)
}
