package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
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
	return nil
}

// touch notes all that a step asked to change.
func (r *run) touch(s Step, before, asked *unstructured.Unstructured) error {
	if s.Version != "" || s.Way == Scale {
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

// nonEmpty is an object without the fields that say nothing.
func nonEmpty(o *unstructured.Unstructured) *unstructured.Unstructured {
	content, _ := withoutEmpty(o.Object).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

// withoutNull is an object without the fields that are null.
func withoutNull(o *unstructured.Unstructured) *unstructured.Unstructured {
	content, _ := dropNull(o.Object).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

func dropNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, field := range v {
			if field != nil {
				result[key] = dropNull(field)
			}
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = dropNull(v[i])
		}
		return result
	}
	return v
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, field := range v {
			switch field := withoutEmpty(field).(type) {
			case nil:
			case map[string]any:
				if len(field) > 0 {
					result[key] = field
				}
			case []any:
				if len(field) > 0 {
					result[key] = field
				}
			default:
				if field != "" {
					result[key] = field
				}
			}
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = withoutEmpty(v[i])
		}
		return result
	}
	return v
}

// stored is an object as the server keeps it, as far as fields move.
func stored(o *unstructured.Unstructured) *unstructured.Unstructured {
	written, ok := o.Object["stringData"].(map[string]any)
	if !ok || o.GetKind() != "Secret" {
		return o
	}
	o = o.DeepCopy()
	delete(o.Object, "stringData")
	data, _ := o.Object["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for key := range written {
		data[key] = "" // where, not what
	}
	o.Object["data"] = data
	return o
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

// send makes the request of a step. Before is nil where there is no object yet.
func (r *run) send(ctx context.Context, s Step, asked, before *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	gvk := r.git.GroupVersionKind()
	if s.Version != "" {
		gvk = schema.FromAPIVersionAndKind(s.Version, gvk.Kind)
	}
	resource, err := r.resource(gvk)
	if err != nil {
		return nil, err
	}
	var after *unstructured.Unstructured
	switch {
	case s.Way == Apply:
		after, err = r.apply(ctx, asked, s.Manager, false)
	case before == nil:
		if s.Way == ClientSide {
			asked = withLastApplied(asked)
		}
		after, err = resource.Create(ctx, asked, metav1.CreateOptions{FieldManager: s.Manager})
	case s.Way == Update && s.Role == Deployer:
		asked = asked.DeepCopy()
		asked.SetResourceVersion(before.GetResourceVersion())
		after, err = resource.Update(ctx, asked, metav1.UpdateOptions{FieldManager: s.Manager})
	case s.Way == Update:
		after, err = resource.Update(ctx, asked, metav1.UpdateOptions{FieldManager: s.Manager})
	case s.Way == Status:
		after, err = resource.UpdateStatus(ctx, asked, metav1.UpdateOptions{FieldManager: s.Manager})
	case s.Way == Scale:
		after, err = resource.Update(ctx, asked, metav1.UpdateOptions{FieldManager: s.Manager}, "scale")
	default:
		after, err = r.patch(ctx, resource, s, asked, before)
	}
	return after, refusal(err)
}

// patch sends what a step changes as a patch of the step's type.
func (r *run) patch(ctx context.Context, resource dynamic.ResourceInterface, s Step, asked, before *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	old, err := before.MarshalJSON()
	if err != nil {
		return nil, err
	}
	wanted, err := asked.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var patch []byte
	kind := types.MergePatchType
	switch s.Way {
	case JSONPatch:
		kind = types.JSONPatchType
		patch, err = json.Marshal(r.named(s.Patch))
	case StrategicPatch:
		kind = types.StrategicMergePatchType
		typed, newErr := scheme.Scheme.New(before.GroupVersionKind())
		if newErr != nil {
			return nil, fmt.Errorf("%w: %w", errRefused, newErr)
		}
		patch, err = strategicpatch.CreateTwoWayMergePatch(old, wanted, typed)
	case ClientSide:
		kind, patch, err = threeWay(asked, before)
	default:
		patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(old, wanted, old)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	return resource.Patch(ctx, r.git.GetName(), kind, patch, metav1.PatchOptions{FieldManager: s.Manager})
}

func withLastApplied(o *unstructured.Unstructured) *unstructured.Unstructured {
	text, err := o.MarshalJSON()
	if err != nil {
		return o
	}
	o = o.DeepCopy()
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[lastApplied] = string(text)
	o.SetAnnotations(annotations)
	return o
}

// threeWay is the patch that kubectl apply would send.
func threeWay(git, live *unstructured.Unstructured) (types.PatchType, []byte, error) {
	last := []byte(live.GetAnnotations()[lastApplied])
	wanted, err := withLastApplied(git).MarshalJSON()
	if err != nil {
		return "", nil, err
	}
	current, err := live.MarshalJSON()
	if err != nil {
		return "", nil, err
	}
	typed, err := scheme.Scheme.New(git.GroupVersionKind())
	if err != nil { // kubectl knows the built-in kinds only
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(last, wanted, current)
		return types.MergePatchType, patch, err
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return "", nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(last, wanted, current, meta, true)
	return types.StrategicMergePatchType, patch, err
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
