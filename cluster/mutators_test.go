package cluster

import (
	"testing"

	"plumbline.dev/plumbline/object"
)

// TestAggregated wants the server of an aggregated API to be one that fills in what it
// likes, of its own group and no other.
func TestAggregated(t *testing.T) {
	for name, test := range map[string]struct {
		spec map[string]any
		want bool
	}{
		"another server's":   {map[string]any{"group": "route.example.com", "version": "v1", "service": map[string]any{"name": "api", "namespace": "routes"}}, true},
		"another group":      {map[string]any{"group": "example.com", "version": "v1", "service": map[string]any{"name": "api", "namespace": "routes"}}, false},
		"the server's own":   {map[string]any{"group": "route.example.com", "version": "v1"}, false},
		"the server's, null": {map[string]any{"group": "route.example.com", "version": "v1", "service": nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := rulesOf(object.Object{Content: map[string]any{"kind": "APIService", "spec": test.spec}})
			if err != nil {
				t.Fatal(err)
			}
			m := Mutators{rules: rules}
			route := Resource{Group: "route.example.com", Version: "v1", Kind: "Route", Plural: "routes", Namespaced: true}
			if got := m.Concern(route, "shop"); got != test.want {
				t.Errorf("concerns a Route: %v", got)
			}
			if m.Concern(Resource{Version: "v1", Kind: "Pod", Plural: "pods", Namespaced: true}, "shop") {
				t.Error("concerns Pods")
			}
		})
	}
}
