package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/test/testenv"
)

// TestBaselineAsResource puts Baselines into the API server: one that says everything
// comes back as Parse reads its file, and what Parse refuses the server refuses too, but
// for what no schema can say.
func TestBaselineAsResource(t *testing.T) {
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	const ns = "baseline-resource"
	for _, verb := range []string{"status", "findings", "controller"} {
		refused(t, run(t, admin(t).Kubeconfig, verb), "the cluster knows no Baselines", "kubectl apply -k manifests")
	}
	admin(t).Kubectl(t, "create", "namespace", ns)
	admin(t).Kubectl(t, "apply", "-f", filepath.Join(root, "manifests/crd"))
	admin(t).Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/baselines.plumbline.dev")
	t.Cleanup(func() { admin(t).Kubectl(t, "delete", "-f", filepath.Join(root, "manifests/crd")) })
	client, err := dynamic.NewForConfig(configOf(t, admin(t)))
	if err != nil {
		t.Fatal(err)
	}
	baselines := client.Resource(schema.GroupVersionResource{Group: "plumbline.dev", Version: "v1alpha1", Resource: "baselines"}).Namespace(ns)
	create := func(text []byte) (*unstructured.Unstructured, error) {
		var o unstructured.Unstructured
		if err := yaml.UnmarshalStrict(text, &o.Object); err != nil {
			return nil, err
		}
		o.SetNamespace(ns)
		return baselines.Create(t.Context(), &o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	}

	testdata := filepath.Join(root, "api/v1alpha1/testdata")
	text, err := os.ReadFile(filepath.Join(testdata, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := v1alpha1.Parse("full.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := create(text)
	if err != nil {
		t.Fatalf("the server refuses what Parse accepts: %v", err)
	}
	plain, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	var got v1alpha1.Baseline
	if err := json.Unmarshal(plain, &got); err != nil {
		t.Fatal(err)
	}
	lines := cmp.Options{cmpopts.IgnoreFields(v1alpha1.Ignore{}, "Line"), cmpopts.IgnoreFields(v1alpha1.Exemption{}, "Line")}
	if d := cmp.Diff(want.Spec, got.Spec, lines); d != "" {
		t.Errorf("-file +server:\n%s", d)
	}
	if _, err := v1alpha1.Parse("dump.yaml", plain); err != nil {
		t.Errorf("what the server prints is no Baseline's file: %v", err)
	}

	archive, err := txtar.ParseFile(filepath.Join(testdata, "invalid.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if strings.Contains(string(f.Data), "#~ ") {
			continue
		}
		text := "apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {generateName: x-}\nspec:\n  " + strings.ReplaceAll(string(f.Data), "#> ", "  #> ")
		_, err := create([]byte(text))
		if err == nil || !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
			t.Errorf("%s: the server says %v to\n%s", f.Name, err, text)
		}
	}
}
