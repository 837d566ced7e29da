package assess_test

import (
	"fmt"
	"strings"
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
	got, err := assess.All(t.Context(), object.PackAll(declared), assess.NewDump(raw(live)), assess.Options{Namespace: "shop", Namespaces: []string{"shop"}})
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

// TestUnjudged wants an object with a value of which nothing tells where it came
// from to be unknown, and not in sync: a dump does not tell which webhooks there are.
func TestUnjudged(t *testing.T) {
	t.Parallel()
	const records = `managedFields: [{manager: ci-deploy, operation: Apply, fieldsV1: {"f:data": {"f:k": {}}}}]`
	live := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: shop, `+records+`}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: marked, namespace: shop, labels: {whose: "?"}, `+records+`}, data: {k: "1"}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: bound, namespace: shop, finalizers: [kubernetes.io/pvc-protection]}, spec: {volumeMode: Filesystem}}
`)
	declared := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: marked, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: bound, namespace: shop}}
`)
	got, err := assess.All(t.Context(), object.PackAll(declared), assess.NewDump(raw(live)), assess.Options{})
	if err == nil {
		t.Error("it was not said that the webhooks are not known")
	}
	want := map[string]finding.Verdict{"plain": finding.InSync, "marked": finding.Unknown, "bound": finding.InSync}
	for _, a := range got {
		if name := a.Declared.ID.Name; a.Verdict != want[name] || (a.Err != nil) != (a.Verdict == finding.Unknown) {
			t.Errorf("%s is %s (%v), want %s", name, a.Verdict, a.Err, want[name])
		}
	}
}

// TestManyRecords wants an object with more records of who wrote it than anything but
// malice makes to be unknown, and soon, and the others to be compared.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	var records []string
	for i := range 7500 {
		records = append(records, fmt.Sprintf(`{manager: m%d, operation: Apply, fieldsV1: {"f:data": {"f:k%d": {}}}}`, i, i))
	}
	live := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: shop, managedFields: [{manager: ci-deploy, operation: Apply, fieldsV1: {"f:data": {"f:k": {}}}}]}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: many, namespace: shop, managedFields: [`+strings.Join(records, ", ")+`]}, data: {k: "1"}}
`)
	declared := decode(t, `
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: many, namespace: shop}, data: {k: "1"}}
`)
	got, err := assess.All(t.Context(), object.PackAll(declared), assess.NewDump(raw(live)), assess.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		if want := map[string]finding.Verdict{"plain": finding.InSync, "many": finding.Unknown}[a.Declared.ID.Name]; a.Verdict != want {
			t.Errorf("%s is %s (%v), want %s", a.Declared.ID.Name, a.Verdict, a.Err, want)
		}
		if a.Err != nil && !strings.Contains(a.Err.Error(), "7500 records") {
			t.Error(a.Err)
		}
	}
}
