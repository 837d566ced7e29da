package oracle

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// uncovered are the kinds that the oracle has no objects of, with the reason.
var uncovered = map[string]string{
	"Binding":         "is an order to the scheduler's subresource; no object is stored",
	"ComponentStatus": "is made up by the API server when it is read; nobody can create one",
	"LocalSubjectAccessReview.authorization.k8s.io": "is a question; no object is stored",
	"SelfSubjectAccessReview.authorization.k8s.io":  "is a question; no object is stored",
	"SelfSubjectReview.authentication.k8s.io":       "is a question; no object is stored",
	"SelfSubjectRulesReview.authorization.k8s.io":   "is a question; no object is stored",
	"SubjectAccessReview.authorization.k8s.io":      "is a question; no object is stored",
	"TokenReview.authentication.k8s.io":             "is a question; no object is stored",
}

// TestKinds wants each built-in kind to be covered, or to have a reason not to be.
func TestKinds(t *testing.T) {
	g := theWorld(t)
	served, covered := map[string]bool{}, map[string]bool{}
	for _, kind := range builtinKinds(t) {
		served[kind] = true
	}
	for kind := range g.sources {
		covered[kind] = true
	}
	for _, kind := range slices.Sorted(maps.Keys(served)) {
		reason, excused := uncovered[kind]
		switch {
		case covered[kind] && excused:
			t.Errorf("%s is covered: take it out of the table", kind)
		case !covered[kind] && !excused:
			t.Errorf("%s is neither covered nor is there a reason why not", kind)
		case excused:
			t.Logf("not covered: %s, for it %s", kind, reason)
		}
	}
	t.Logf("%d of the %d built-in kinds are covered", len(served)-len(uncovered), len(served))
}

// builtinKinds are the kinds that the API server serves of itself.
func builtinKinds(t *testing.T) []string {
	t.Helper()
	config, err := env.Config("oracle", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(gv.Group, ".") && !strings.HasSuffix(gv.Group, ".k8s.io") {
			continue
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") { // a subresource
				kinds = append(kinds, gv.WithKind(r.Kind).GroupKind().String())
			}
		}
	}
	return kinds
}
