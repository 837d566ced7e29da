package differ_test

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/kube-openapi/pkg/schemaconv"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// BenchmarkCompareUnchanged compares objects that nobody changed with what the
// API server returns for them: most of what a comparison of a whole cluster
// does. Beside it, what the API server's own library takes to find out the same
// of the declared fields alone.
func BenchmarkCompareUnchanged(b *testing.B) {
	components, err := differ.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	schemas := differ.NewSchemas()
	if err := schemas.Add(components); err != nil {
		b.Fatal(err)
	}
	structure, err := schemaconv.ToSchemaFromOpenAPI(components, false)
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []struct{ name, component string }{
		{"Deployment", "io.k8s.api.apps.v1.Deployment"},
		{"Deployment_client-side", "io.k8s.api.apps.v1.Deployment"},
		{"ConfigMap", "io.k8s.api.core.v1.ConfigMap"},
	} {
		declared, live := readBench(b, kind.name, "declared.yaml"), readBench(b, kind.name, "live.yaml")
		t := schemas.Type(declared.ID.Group, declared.ID.Version, declared.ID.Kind)
		b.Run(kind.name+"/differ", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := differ.Compare(declared, live, t, differ.Options{}); len(d.Changes) > 0 || d.Unattributed {
					b.Fatalf("found %v in an unchanged object", d)
				}
			}
		})
		parseable := typed.ParseableType{TypeRef: schema.TypeRef{NamedType: &kind.component}, Schema: structure}
		b.Run(kind.name+"/typed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mergeAndCompare(b, parseable, declared, live)
			}
		})
	}
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
	file := filepath.Join("testdata", "bench", dir, name)
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
