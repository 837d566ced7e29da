package rogue_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/rogue"
)

// FuzzFind judges whatever decodes as objects: as from a dump, in which anything can
// stand anywhere. It wants no panic, the same answer twice, and nothing of what it was
// given changed.
func FuzzFind(f *testing.F) {
	files, err := filepath.Glob("testdata/find/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(part(archive, "declared.yaml"), part(archive, "live.yaml"))
	}
	f.Add([]byte(nil), []byte("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: x, ownerReferences: {a: b}}, spec: {containers: {a: b}, volumes: [1, [], {name: {}}]}}"))
	policy, err := rogue.New(v1alpha1.Scope{
		Namespaces: []string{"shop", ""}, ClusterKinds: []string{"*"},
		Generators: []v1alpha1.Generator{{Kind: "ConfigMap", Makes: "Secret", Name: "{$.data.a}"}},
		Injected:   []v1alpha1.Injected{{Container: "*", Image: "r/*"}},
	}, differ.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, declaredText, liveText []byte) {
		declared, err := object.Decode("declared.yaml", declaredText)
		if err != nil {
			return
		}
		all, err := object.Decode("live.yaml", liveText)
		if err != nil {
			return
		}
		w := rogue.World{Declared: object.LooseAll(declared), Live: object.LooseAll(append(all, declared...)), Mutated: func(object.ID) bool { return true }}
		before := make([]object.Object, len(w.Live))
		for i, o := range w.Live {
			before[i] = copied(t, o.Object())
		}
		first := policy.Find(w)
		if d := cmp.Diff(first, policy.Find(w)); d != "" {
			t.Errorf("another answer the second time:\n%s", d)
		}
		for i, o := range w.Live {
			if d := cmp.Diff(before[i].Content, o.Object().Content); d != "" {
				t.Errorf("%s was edited:\n%s", o.ID, d)
			}
		}
	})
}
