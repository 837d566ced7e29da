package starter_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/starter"
)

const declared = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      containers: [{name: a, image: "registry.example.com/shop/web:1"}, {name: b, image: nginx}, {name: c, image: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: "on"}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: shop}
spec: {url: "https://ci:hunter2@charts.example.com/stable"}
`

const live = `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  managedFields:
  - {manager: ci-deploy, operation: Apply}
  - {manager: kube-controller-manager, operation: Update}
  - {manager: cert-manager-x, operation: Update}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: "on"
  managedFields:
  - {manager: ci-deploy, operation: Update}
  - {manager: "kubectl-edit\nspec: evil", operation: Update}
  - {manager: other, operation: Update, subresource: status}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
`

func decode(t *testing.T, text string) []object.Object {
	t.Helper()
	objects, err := object.Decode("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestWrite(t *testing.T) {
	facts := starter.Facts{
		Name: "shop", Git: v1alpha1.Git{URL: "https://git.example.com/config.git", Ref: "no", Path: "prod"},
		Declared: decode(t, declared), Live: decode(t, live), Dir: "prod",
		Files: fstest.MapFS{"prod/kustomization.yaml": {Data: []byte("resources: ['https://github.com/example/base//x?ref=v1', a.yaml]\n")}, "prod/a.yaml": {Data: []byte(declared)}},
	}
	text, err := starter.Write(facts)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v1alpha1.Parse("b.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := v1alpha1.BaselineSpec{
		Git:      facts.Git,
		Scope:    v1alpha1.Scope{Namespaces: []string{"shop", "on"}},
		Deployer: v1alpha1.Deployer{Managers: []string{"ci-deploy"}},
		Sources: v1alpha1.Sources{
			Registries: []string{"docker.io/library", "registry.example.com/shop"}, Tags: "Fixed", Digests: "Optional",
			Charts: []string{"charts.example.com/stable"}, Repositories: []string{"github.com/example/base"},
		},
		Controllers: []string{}, Ignore: []v1alpha1.Ignore{},
	}
	if d := cmp.Diff(want, b.Spec); d != "" {
		t.Errorf("-want +got:\n%s\n%s", d, text)
	}
	for _, part := range []string{"- shop # 3 declared objects", "objects of none are left out (Namespace)", "- ci-deploy # wrote 2 of 3 declared objects", "# these wrote some: kubectl-edit spec: evil (1)\n", "# 1 image cannot be read"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("does not say %q:\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("tells a password:\n%s", text)
	}
}

// TestWriteCommented wants each field to be followed by a word on what it does.
func TestWriteCommented(t *testing.T) {
	text, err := starter.Write(starter.Facts{Name: "x", Files: fstest.MapFS{}, Dir: "."})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.Contains(line, "#") &&
			!strings.Contains("apiVersion kind metadata spec scope deployer", name) {
			t.Errorf("no comment: %s", line)
		}
	}
}

// FuzzWrite makes a Baseline of any names: one that can be read, and says what they are.
func FuzzWrite(f *testing.F) {
	f.Add("shop", "main", "a/b", "ci-deploy")
	f.Add("shop", "Off", "#", "x\n  - y: z")
	f.Add("a", "\x00\u2028", "- a", "# y")
	f.Fuzz(func(t *testing.T, name, ref, path, manager string) {
		facts := starter.Facts{
			Name: name, Git: v1alpha1.Git{URL: "https://git.example.com/x", Ref: ref, Path: path}, Files: fstest.MapFS{}, Dir: ".",
			Live: []object.Object{{Content: map[string]any{"metadata": map[string]any{"managedFields": []any{map[string]any{"manager": manager}}}}}},
		}
		text, err := starter.Write(facts)
		if err != nil {
			return // what is no Baseline is not written
		}
		b, err := v1alpha1.Parse("b.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if b.Name != name || b.Spec.Git.Ref != ref || b.Spec.Git.Path != path || len(b.Spec.Deployer.Managers) > 1 {
			t.Errorf("got %+v of %q %q %q %q:\n%s", b, name, ref, path, manager, text)
		}
	})
}
