package ignore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/object"
)

func TestSuggest(t *testing.T) {
	apps, core, rbac := "apps", "", "rbac.authorization.k8s.io"
	web := object.ID{Group: apps, Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	role := object.ID{Group: rbac, Version: "v1", Kind: "ClusterRole", Name: "a*"}
	config := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "c"}
	edit := differ.Writer{Manager: "kubectl-edit", Operation: "Update"}
	set := differ.Writer{Manager: "kubectl*set", Operation: "Apply"}
	findings := []finding.Finding{
		{Rule: finding.DriftModified, Object: web, Changes: []differ.Change{
			{Path: differ.Path{"spec", "replicas"}, Op: differ.Modified, Writer: edit},
			{Path: differ.Path{"spec", "paused"}, Op: differ.Modified, Writer: set},
			{Path: differ.Path{"spec", "x", map[string]any{"name": "a]"}, "*"}, Op: differ.Modified, Writer: edit},
			{Path: differ.Path{"spec", "list"}, Op: differ.Reordered},
			{Path: differ.Path{"spec", "template"}, Op: differ.Modified},
			{Path: differ.Path{"spec", "y"}, Op: differ.Modified, Writer: edit, Others: []differ.Writer{set, edit}},
		}},
		{Rule: finding.DriftUnattributed, Object: role},
		{Rule: finding.DriftMissing, Object: config},
		{Rule: "drift/new", Object: config},
	}
	const reason, until = "TODO: say why", "2027-01-31"
	want := []v1alpha1.Ignore{
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.replicas", `spec.x[name="a]"]["*"]`}, Managers: []string{"kubectl-edit/Update"}, Reason: reason, Until: until},
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.paused"}, Managers: []string{`kubectl\*set/Apply`}, Reason: reason, Until: until},
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.list"}, When: `change.op == "reordered"`, Reason: reason, Until: until},
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.template"}, Reason: reason, Until: until},
		{Group: &apps, Kind: "Deployment", Namespace: "shop", Name: "web", Paths: []string{"spec.y"}, Managers: []string{"kubectl-edit/Update", `kubectl\*set/Apply`}, Reason: reason, Until: until},
		{Group: &rbac, Kind: "ClusterRole", Name: `a\*`, Paths: []string{"metadata.managedFields"}, Reason: reason, Until: until},
		{Group: &core, Kind: "ConfigMap", Namespace: "shop", Name: "c", When: `change.op == "missing"`, Reason: reason, Until: until},
	}
	got := ignore.Suggest(findings, until)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if err := (v1alpha1.Baseline{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind}, Spec: v1alpha1.BaselineSpec{Ignore: got}}).Validate(); err == nil {
		t.Error("rules without a person's reason are accepted")
	}
	for i := range got {
		got[i].Reason = "because"
	}
	if _, err := ignore.Rules(got, now); err != nil {
		t.Error(err)
	}
}
