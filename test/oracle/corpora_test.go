package oracle

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

// corpus returns the definitions and objects of public configurations: each
// document that is a whole object. Without the folder there are none.
func corpus(t *testing.T) (definitions, objects []map[string]any) {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := cmp.Or(os.Getenv("PLUMBLINE_CORPORA"), filepath.Join(root, "..", "shared", "corpora"))
	if _, err := os.Stat(dir); err != nil {
		t.Logf("oracle: no objects of public configurations: set PLUMBLINE_CORPORA to a folder that holds them (%v)", err)
		return nil, nil
	}
	err = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".yaml" && filepath.Ext(file) != ".yml" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		decoded, err := object.Decode(file, text)
		if err != nil {
			return nil //nolint:nilerr // not everything there is an object
		}
		for _, o := range decoded {
			if o.ID.Kind == "CustomResourceDefinition" {
				definitions = append(definitions, o.Content)
				continue
			}
			objects = append(objects, harmless(o.Content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return definitions, objects
}

// harmless is an object that can live beside the others of the test: under
// a name of its own, in the test's namespace, and in the way of nobody.
func harmless(content map[string]any) map[string]any {
	u := (&unstructured.Unstructured{Object: content}).DeepCopy()
	u.SetName(nameToken)
	if u.GetKind() == "APIService" {
		_ = unstructured.SetNestedField(u.Object, nameToken+".example.com", "spec", "group")
		u.SetName("v1beta1." + nameToken + ".example.com")
		if version, _, _ := unstructured.NestedString(u.Object, "spec", "version"); version != "v1beta1" {
			u.SetName(version + "." + nameToken + ".example.com")
		}
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "namespace")
	unstructured.RemoveNestedField(u.Object, "status")
	if strings.HasSuffix(u.GetKind(), "WebhookConfiguration") {
		hooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
		for _, h := range hooks {
			if hook, ok := h.(map[string]any); ok {
				delete(hook, "rules")
			}
		}
		_ = unstructured.SetNestedSlice(u.Object, hooks, "webhooks")
	}
	if replicas, found, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); found && replicas > 0 {
		_ = unstructured.SetNestedField(u.Object, int64(0), "spec", "replicas")
	}
	return u.Object
}
