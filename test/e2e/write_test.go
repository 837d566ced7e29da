package e2e

import (
	"errors"
	"testing"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// TestPatchOfWhatChanged wants a patch that finds something else than it tests for told
// from one that the API server refuses.
func TestPatchOfWhatChanged(t *testing.T) {
	t.Parallel()
	deployed(t, "patched", map[string]string{"a.yaml": configMap("", "a", "1")})
	config, err := env.Config("patcher", masters)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(t.Context(), config, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "patched", Name: "a"}
	type operation map[string]any
	for name, p := range map[string]struct {
		operations []operation
		changed    bool
	}{
		"another value":   {[]operation{{"op": "test", "path": "/data/key", "value": "2"}}, true},
		"not there":       {[]operation{{"op": "remove", "path": "/data/more"}}, true},
		"another version": {[]operation{{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}}, true},
		"no valid key":    {[]operation{{"op": "add", "path": "/data/a b", "value": "1"}}, false},
		"no text":         {[]operation{{"op": "add", "path": "/data/b", "value": []int{1}}}, false},
	} {
		_, err := cluster.Writer{Cluster: c}.Patch(t.Context(), id, p.operations, "ci-deploy")
		if err == nil || errors.Is(err, cluster.ErrChanged) != p.changed {
			t.Errorf("%s: %v", name, err)
		}
	}
}
