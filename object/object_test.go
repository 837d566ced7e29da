package object_test

import (
	"slices"
	"testing"

	"plumbline.dev/plumbline/object"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		id                 object.ID
		apiVersion, string string
	}{
		{object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}, "apps/v1", "Deployment.apps shop/web"},
		{object.ID{Version: "v1", Kind: "Node", Name: "n"}, "v1", "Node n"},
	} {
		if c.id.APIVersion() != c.apiVersion || c.id.String() != c.string {
			t.Errorf("got %q and %q, want %q and %q", c.id.APIVersion(), c.id.String(), c.apiVersion, c.string)
		}
	}
}

func TestSort(t *testing.T) {
	sorted := []object.ID{
		{Kind: "Namespace", Name: "z"},
		{Namespace: "a", Kind: "ConfigMap", Name: "z"},
		{Namespace: "a", Kind: "Event", Name: "b"},
		{Namespace: "a", Kind: "Event", Group: "events.k8s.io", Name: "a", Version: "v1"},
		{Namespace: "a", Kind: "Event", Group: "events.k8s.io", Name: "a", Version: "v1beta1"},
		{Namespace: "b", Kind: "ConfigMap", Name: "a"},
	}
	var objects []object.Object
	for _, id := range slices.Backward(sorted) {
		objects = append(objects, object.Object{ID: id})
	}
	object.Sort(objects)
	for i, o := range objects {
		if o.ID != sorted[i] {
			t.Errorf("at %d stands %v, want %v", i, o.ID, sorted[i])
		}
	}
}

func TestFromContent(t *testing.T) {
	for name, metadata := range map[string]any{"none": nil, "a text": "x", "a list": []any{}, "a name that is none": map[string]any{"name": int64(1)}} {
		if o, err := object.FromContent(map[string]any{"apiVersion": "v1", "kind": "X", "metadata": metadata}); err == nil {
			t.Errorf("metadata that is %s makes %v", name, o.ID)
		}
	}
	o, err := object.FromContent(map[string]any{"apiVersion": "a/b/c", "kind": "X", "metadata": map[string]any{"name": "n", "namespace": "s"}})
	if want := (object.ID{Group: "a", Version: "b/c", Kind: "X", Namespace: "s", Name: "n"}); err != nil || o.ID != want {
		t.Errorf("got %v and error %v, want %v", o.ID, err, want)
	}
}

func TestPosition(t *testing.T) {
	for want, p := range map[string]object.Position{"": {}, "f": {File: "f"}, "f:3": {File: "f", Line: 3}} {
		if p.String() != want {
			t.Errorf("got %q, want %q", p.String(), want)
		}
	}
}
