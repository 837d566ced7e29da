package assess_test

import (
	"testing"

	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

func decode(t *testing.T, text string) []object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestScope wants an object of an unknown kind to be assessed unless it says that
// it lives elsewhere: leaving it out would call a namespace clean that may not be.
func TestScope(t *testing.T) {
	t.Parallel()
	live := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, managedFields: [{manager: ci-deploy, operation: Apply, fieldsV1: {"f:data": {"f:k": {}}}}]}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}, data: {k: "2"}}
`)
	declared := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}, data: {k: "1"}}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: here-or-there}}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: elsewhere, namespace: other}}
`)
	got, err := assess.All(t.Context(), declared, assess.NewDump(raw(live)), assess.Options{Namespace: "shop", Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]finding.Verdict{}
	for _, a := range got {
		verdicts[a.Declared.ID.Name] = a.Verdict
	}
	if len(verdicts) != 2 || verdicts["a"] != finding.InSync || verdicts["here-or-there"] != finding.Unknown {
		t.Errorf("the verdicts are %v", verdicts)
	}
}

// raw returns decoded objects as a dump takes them.
func raw(objects []object.Object) []object.Raw {
	var all []object.Raw
	for _, o := range objects {
		all = append(all, object.NewRaw(o))
	}
	return all
}
