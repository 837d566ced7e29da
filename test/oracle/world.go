package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/dynamic"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

const (
	namespace = "oracle"
	// limited is for objects that would limit what all others may be.
	limited = "oracle-limits"
	// ci is the deployer's field manager.
	ci = "ci-deploy"
)

// world is the API server and what is known of its kinds.
type world struct {
	client  dynamic.Interface
	cluster *cluster.Cluster
	schemas *differ.Schemas
	types   managedfields.TypeConverter
	shapes  shapes
	roots   map[schema.GroupVersionKind]shape

	// compare is the function that is tested.
	compare func(declared, live object.Object, t differ.Type, o differ.Options) differ.Diff

	names     *atomic.Int64
	untouched *sync.Map // what the server makes of an object, by the object's text
}

// resource returns the client for a kind.
func (w *world) resource(gvk schema.GroupVersionKind) (dynamic.ResourceInterface, error) {
	r, err := w.cluster.Resource(gvk.Group, gvk.Version, gvk.Kind)
	if err != nil {
		return nil, err
	}
	resource := w.client.Resource(gvk.GroupVersion().WithResource(r.Plural))
	if !r.Namespaced {
		return resource, nil
	}
	if gvk.Kind == "LimitRange" || gvk.Kind == "ResourceQuota" {
		return resource.Namespace(limited), nil
	}
	return resource.Namespace(namespace), nil
}

// name returns a fresh name for an object of a kind. No name is a part of
// another.
func (w *world) name(kind string) string {
	n := w.names.Add(1)
	if kind == "IPAddress" {
		return fmt.Sprintf("10.%d.%d.%d", 100+n/22500, 100+n/150%150, 100+n%150)
	}
	return fmt.Sprintf("o%dx", n)
}

// created returns what the server would make of git, had nobody touched it since
// it was created.
func (w *world) created(ctx context.Context, git *unstructured.Unstructured, name, uid string) (*unstructured.Unstructured, error) {
	template := renamed(git.Object, name, nameToken)
	key, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	type made struct {
		content map[string]any
		name    string
		uid     string
	}
	known, ok := w.untouched.Load(string(key))
	if !ok {
		fresh := w.name(git.GetKind())
		o, err := w.apply(ctx, &unstructured.Unstructured{Object: renamed(template, nameToken, fresh)}, ci, true)
		if err != nil {
			return nil, err
		}
		known = made{o.Object, fresh, string(o.GetUID())}
		w.untouched.Store(string(key), known)
	}
	m, _ := known.(made)
	content := renamed(m.content, m.name, name)
	if m.uid != "" {
		content = renamed(content, m.uid, uid)
	}
	return &unstructured.Unstructured{Object: content}, nil
}

// takes tells whether the server would create an object.
func (w *world) takes(ctx context.Context, git map[string]any) bool {
	kind, _ := git["kind"].(string)
	_, err := w.apply(ctx, &unstructured.Unstructured{Object: renamed(git, nameToken, w.name(kind))}, ci, true)
	return err == nil
}

// apply applies an object on the server's side, by force.
func (w *world) apply(ctx context.Context, o *unstructured.Unstructured, manager string, dryRun bool) (*unstructured.Unstructured, error) {
	resource, err := w.resource(o.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	text, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	force := true
	options := metav1.PatchOptions{FieldManager: manager, Force: &force}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return resource.Patch(ctx, o.GetName(), types.ApplyPatchType, text, options)
}
