package deployers

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"plumbline.dev/plumbline/object"
)

// terraform makes the calls of Terraform's kubernetes provider. The provider
// itself is no library. Its typed resources, such as kubernetes_deployment_v1,
// create an object from its Go type, with all that a Go type writes, and then
// change it by a JSON patch of what the configuration changed; neither names a
// field manager, so that the user agent does. kubernetes_manifest, which is for
// all other kinds, applies on the server's side.
func terraform(t *testing.T, s shop, version int) {
	config := rest.CopyConfig(s.config)
	config.UserAgent = "HashiCorp/1.0 Terraform/1.13.4"
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range charts {
		for _, o := range s.declared(t, chart, version) {
			resource := s.resource(t, client, o)
			if typed, ok := asTyped(t, o); ok {
				writeTyped(t, resource, typed, previous(t, s, chart, version, o.ID))
				continue
			}
			manifest := &unstructured.Unstructured{Object: o.Content}
			if _, err := resource.Apply(t.Context(), o.ID.Name, manifest, metav1.ApplyOptions{FieldManager: "Terraform"}); err != nil {
				t.Fatal(err)
			}
		}
		s.admin.Kubectl(t, "wait", "--for=condition=Established", "crd/widgets."+s.namespace+".example.com")
	}
}

// resource finds how the server serves an object's kind.
func (s shop) resource(t *testing.T, client dynamic.Interface, o object.Object) dynamic.ResourceInterface {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(d)
	if err != nil {
		t.Fatal(err)
	}
	gvk := (&unstructured.Unstructured{Object: o.Content}).GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return client.Resource(mapping.Resource)
	}
	return client.Resource(mapping.Resource).Namespace(s.namespace)
}

// asTyped returns the object as its Go type writes it, and as the provider fills
// it in; false for a kind for which the provider has no resource of its own.
func asTyped(t *testing.T, o object.Object) (map[string]any, bool) {
	t.Helper()
	typed, err := scheme.Scheme.New((&unstructured.Unstructured{Object: o.Content}).GroupVersionKind())
	if err != nil {
		return nil, false
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Content, typed); err != nil {
		t.Fatal(err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatal(err)
	}
	delete(content, "status")
	switch o.ID.Kind {
	case "ConfigMap", "Secret":
		content["immutable"] = false
	}
	return content, true
}

// previous is the object in the release before, nil where there is none.
func previous(t *testing.T, s shop, chart string, version int, id object.ID) map[string]any {
	t.Helper()
	for _, o := range s.declared(t, chart, version-1) {
		if o.ID == id {
			content, _ := asTyped(t, o)
			return content
		}
	}
	return nil
}

func writeTyped(t *testing.T, resource dynamic.ResourceInterface, now, before map[string]any) {
	t.Helper()
	o := &unstructured.Unstructured{Object: now}
	_, err := resource.Create(t.Context(), o, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	operations := jsonPatch(now, before)
	if len(operations) == 0 {
		return
	}
	text, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Patch(t.Context(), o.GetName(), types.JSONPatchType, text, metav1.PatchOptions{}); err != nil {
		t.Fatalf("%s %s: %v: %s", o.GetKind(), o.GetName(), err, text)
	}
}

// jsonPatch changes labels, annotations and data key by key, and all else as a
// whole.
func jsonPatch(now, before map[string]any) []map[string]any {
	at := func(content map[string]any, path ...string) map[string]any {
		m, _, _ := unstructured.NestedMap(content, path...)
		return m
	}
	operations := slices.Concat(
		keys("/metadata/labels", at(now, "metadata", "labels"), at(before, "metadata", "labels")),
		keys("/metadata/annotations", at(now, "metadata", "annotations"), at(before, "metadata", "annotations")),
		keys("/data", at(now, "data"), at(before, "data")))
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if name == "metadata" || name == "data" || reflect.DeepEqual(now[name], before[name]) {
			continue
		}
		operations = append(operations, map[string]any{"op": "replace", "path": "/" + name, "value": now[name]})
	}
	return operations
}

func keys(path string, now, before map[string]any) []map[string]any {
	var operations []map[string]any
	if len(before) == 0 && len(now) > 0 {
		return []map[string]any{{"op": "add", "path": path, "value": now}}
	}
	at := func(key string) string { return path + "/" + strings.ReplaceAll(key, "/", "~1") }
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, ok := now[key]; !ok {
			operations = append(operations, map[string]any{"op": "remove", "path": at(key)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if !reflect.DeepEqual(now[key], before[key]) {
			operations = append(operations, map[string]any{"op": "add", "path": at(key), "value": now[key]})
		}
	}
	return operations
}
