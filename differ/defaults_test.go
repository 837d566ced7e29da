package differ_test

import (
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// TestDefaultsOfKinds wants the generated table to be read, and a default that
// only one kind's objects get to be one for that kind alone.
func TestDefaultsOfKinds(t *testing.T) {
	records := []any{map[string]any{"manager": "ci-deploy", "operation": "Apply", "fieldsV1": map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{"f:a": map[string]any{}}}}}}
	made := func(id object.ID, metadata, content map[string]any) object.Object {
		metadata["labels"], content["metadata"] = map[string]any{"a": "b"}, metadata
		return object.Object{ID: id, Content: content}
	}
	links := map[string]any{"enableServiceLinks": true, "dnsPolicy": "ClusterFirst"}
	for name, c := range map[string]struct {
		id   object.ID
		live map[string]any
		want int
	}{
		"a Pod has it":                {object.ID{Version: "v1", Kind: "Pod", Name: "x"}, map[string]any{"spec": links}, 0},
		"a Deployment's template not": {object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Name: "x"}, map[string]any{"spec": map[string]any{"template": map[string]any{"spec": links}}}, 1},
	} {
		declared := made(c.id, map[string]any{}, map[string]any{})
		live := made(c.id, map[string]any{"managedFields": records}, c.live)
		if d := differ.Compare(declared, live, typeOf(t, c.id), differ.Options{}); len(d.Changes) != c.want {
			t.Errorf("%s: %v", name, d.Changes)
		}
	}
}
