package cluster

import "testing"

// TestPageOwn wants the objects of a page to be filled in each for itself, even where
// the server spells them alike and they are decoded once.
func TestPageOwn(t *testing.T) {
	t.Parallel()
	maps := group{resource: Resource{Version: "v1", Kind: "ConfigMap", Plural: "configmaps", Namespaced: true}}
	p, err := readPage([]byte(`{"apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"a"}}]}`), maps)
	if err != nil || len(p.objects) != 2 {
		t.Fatalf("%d objects, error %v", len(p.objects), err)
	}
	p.objects[0].Content["kind"] = "changed"
	if kind := p.objects[1].Content["kind"]; kind != "ConfigMap" {
		t.Errorf("the second is a %s", kind)
	}
}
