package reverter_test

import (
	"slices"
	"strings"
	"testing"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/reverter"
)

// TestOrder wants what others need to go first.
func TestOrder(t *testing.T) {
	t.Parallel()
	want := []string{"Namespace", "CustomResourceDefinition", "ServiceAccount", "ConfigMap", "Service", "Deployment", "Widget", "ValidatingWebhookConfiguration"}
	groups := map[string]string{
		"CustomResourceDefinition": "apiextensions.k8s.io", "Deployment": "apps", "Widget": "example.com", "ValidatingWebhookConfiguration": "admissionregistration.k8s.io",
	}
	var ids []object.ID
	for _, kind := range want {
		ids = append(ids, object.ID{Group: groups[kind], Version: "v1", Kind: kind, Name: "x"})
	}
	slices.Reverse(ids)
	slices.SortFunc(ids, reverter.Compare)
	var got []string
	for _, id := range ids {
		got = append(got, id.Kind)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	of := func(text string) ([]object.ID, error) {
		return reverter.Dependencies(object.Object{Content: map[string]any{"metadata": map[string]any{"annotations": map[string]any{"config.kubernetes.io/depends-on": text}}}})
	}
	got, err := of("apps/namespaces/shop/Deployment/web, /namespaces/shop/ConfigMap/a,rbac.authorization.k8s.io/ClusterRole/r")
	want := []object.ID{
		{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}, {Kind: "ConfigMap", Namespace: "shop", Name: "a"},
		{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "r"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"web", "apps/shop/Deployment/web", "apps/namespaces/shop/Deployment"} {
		if got, err := of(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// TestUndoes wants nothing undone that is no change by somebody.
func TestUndoes(t *testing.T) {
	t.Parallel()
	all, err := finding.Reference()
	if err != nil {
		t.Fatal(err)
	}
	var tampering, lag []finding.Rule
	for _, help := range all {
		if reverter.Undoes(help.Rule, false) {
			tampering = append(tampering, help.Rule)
		} else if reverter.Undoes(help.Rule, true) {
			lag = append(lag, help.Rule)
		}
	}
	if want := []finding.Rule{finding.DriftModified, finding.DriftRemoved, finding.DriftAdded, finding.DriftMissing}; !slices.Equal(tampering, want) {
		t.Errorf("undone are %v", tampering)
	}
	if want := []finding.Rule{finding.DriftReleased, finding.DriftPending}; !slices.Equal(lag, want) {
		t.Errorf("rolled out are %v", lag)
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	deployment := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 2}, spec: {replicas: 1}, status: {observedGeneration: GENERATION, replicas: 1, updatedReplicas: 1, readyReplicas: READY, availableReplicas: READY, conditions: [{type: Available, status: "True"}]}}`
	for text, healthy := range map[string]bool{"21": true, "11": false, "20": false} {
		live := one(t, replace(deployment, "GENERATION", text[:1], "READY", text[1:]))
		if err := reverter.Healthy(live); (err == nil) != healthy {
			t.Errorf("generation and ready %s: %v", text, err)
		}
	}
}

func replace(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
