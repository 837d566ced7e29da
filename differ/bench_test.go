package differ_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// BenchmarkCompareUnchanged compares objects that nobody changed with what the
// API server returns for them: most of what a comparison of a whole cluster
// does; decoded, and from the bytes that the server sends. Beside it, what the API
// server's own library takes to find out the same of the declared fields alone.
func BenchmarkCompareUnchanged(b *testing.B) {
	components, err := differ.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	subjects := []subject{
		{name: "Deployment", component: "io.k8s.api.apps.v1.Deployment"},
		{name: "Deployment_client-side", component: "io.k8s.api.apps.v1.Deployment"},
		{name: "ConfigMap", component: "io.k8s.api.core.v1.ConfigMap"},
		{name: "Service", component: "io.k8s.api.core.v1.Service"},
	}
	for i, s := range subjects {
		subjects[i].declared, subjects[i].live = readBench(b, s.name, "declared.yaml"), readBench(b, s.name, "live.yaml")
	}
	custom := customSubjects(b, components)
	schemas := differ.NewSchemas()
	if err := schemas.Add(components); err != nil {
		b.Fatal(err)
	}
	structure, err := schemaconv.ToSchemaFromOpenAPI(components, false)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range slices.Concat(subjects, custom) {
		parseable := typed.ParseableType{TypeRef: schema.TypeRef{NamedType: &s.component}, Schema: structure}
		if s.live.Content == nil {
			s.live = untouched(b, parseable, s.declared)
		}
		t := schemas.Type(s.declared.ID.Group, s.declared.ID.Version, s.declared.ID.Kind)
		compare := func(b *testing.B, live object.Object) {
			if d := differ.Compare(s.declared, live, t, differ.Options{}); len(d.Changes) > 0 || d.Unattributed {
				b.Fatalf("found %v in an unchanged object", d)
			}
		}
		if d := differ.Compare(s.declared, relabelled(s.live), t, differ.Options{}); len(d.Changes) == 0 {
			b.Fatalf("%s: found nothing in a changed object", s.name)
		}
		b.Run(s.name+"/differ", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compare(b, s.live)
			}
		})
		b.Run(s.name+"/bytes", func(b *testing.B) {
			text, err := json.Marshal(s.live.Content)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				compare(b, fromServer(b, text))
			}
		})
		b.Run(s.name+"/typed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mergeAndCompare(b, parseable, s.declared, s.live)
			}
		})
	}
}

// subject is an object that nobody changed, and the schema of its kind.
type subject struct {
	name, component string
	declared, live  object.Object
}

// relabelled returns the object with other labels.
func relabelled(o object.Object) object.Object {
	o.Content = runtime.DeepCopyJSON(o.Content)
	metadata, _ := o.Content["metadata"].(map[string]any)
	metadata["labels"] = map[string]any{"changed": "yes"}
	return o
}

// fromServer decodes an object as package cluster does.
func fromServer(b *testing.B, text []byte) object.Object {
	content, err := object.DecodeJSON(text)
	if err != nil {
		b.Fatal(err)
	}
	o, err := object.FromContent(content)
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// customSubjects returns a custom resource and its large definition from a public
// repository, if there is a copy of it, and adds their schema to the components.
func customSubjects(b *testing.B, components map[string]*spec.Schema) []subject {
	dir := cmp.Or(os.Getenv("PLUMBLINE_CORPORA"), filepath.Join("..", "..", "shared", "corpora"))
	manifests := filepath.Join(dir, "kube-prometheus", "manifests")
	if _, err := os.Stat(manifests); err != nil {
		b.Logf("no custom resource is measured: set PLUMBLINE_CORPORA to a folder that holds kube-prometheus (%v)", err)
		return nil
	}
	definition := readObject(b, filepath.Join(manifests, "setup", "0prometheusCustomResourceDefinition.yaml"))
	text, err := json.Marshal(definition.Content)
	if err != nil {
		b.Fatal(err)
	}
	var parsed struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema *spec.Schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		b.Fatal(err)
	}
	served := parsed.Spec.Versions[0].Schema.OpenAPIV3Schema
	served.Properties["metadata"] = *spec.RefSchema("#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
	served.Extensions = spec.Extensions{"x-kubernetes-group-version-kind": []any{
		map[string]any{"group": "monitoring.coreos.com", "version": "v1", "kind": "Prometheus"},
	}}
	components["com.coreos.monitoring.v1.Prometheus"] = served
	return []subject{
		{name: "Prometheus", component: "com.coreos.monitoring.v1.Prometheus", declared: readObject(b, filepath.Join(manifests, "prometheus-prometheus.yaml"))},
		{name: "CustomResourceDefinition", component: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition", declared: definition},
	}
}

// untouched returns a live form of a declared object: all of it, and the records
// of the deployer that applied it. Defaults, of which it has few, are left out.
func untouched(b *testing.B, t typed.ParseableType, declared object.Object) object.Object {
	value, err := t.FromUnstructured(declared.Content)
	if err != nil {
		b.Fatal(err)
	}
	set, err := value.ToFieldSet()
	if err != nil {
		b.Fatal(err)
	}
	text, err := set.ToJSON()
	if err != nil {
		b.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		b.Fatal(err)
	}
	live := object.Object{ID: declared.ID, Content: runtime.DeepCopyJSON(declared.Content)}
	metadata, _ := live.Content["metadata"].(map[string]any)
	metadata["managedFields"] = []any{map[string]any{
		"manager": "argocd-controller", "operation": "Apply", "apiVersion": declared.ID.APIVersion(),
		"time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
	}}
	return live
}

// mergeAndCompare merges the declared object into the live one, to see what that
// changes: nothing is added and nothing removed. It does find one field modified
// that is not: a fieldRef, which is atomic, and in which the server filled in
// apiVersion.
func mergeAndCompare(b *testing.B, t typed.ParseableType, declared, live object.Object) {
	before, err := t.FromUnstructured(live.Content)
	if err != nil {
		b.Fatal(err)
	}
	config, err := t.FromUnstructured(declared.Content)
	if err != nil {
		b.Fatal(err)
	}
	after, err := before.Merge(config)
	if err != nil {
		b.Fatal(err)
	}
	comparison, err := before.Compare(after)
	if err != nil || !comparison.Added.Empty() || !comparison.Removed.Empty() {
		b.Fatalf("found %v in an unchanged object: %v", comparison, err)
	}
}

func readBench(b *testing.B, dir, name string) object.Object {
	b.Helper()
	return readObject(b, filepath.Join("testdata", "bench", dir, name))
}

func readObject(b *testing.B, file string) object.Object {
	b.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	objects, err := object.Decode(file, data)
	if err != nil || len(objects) != 1 {
		b.Fatalf("%s: %d objects, error %v, want one object", file, len(objects), err)
	}
	return objects[0]
}
