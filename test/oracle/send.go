package oracle

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

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
