package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline.dev/plumbline/test/testenv"
)

// TestUpToDate holds the published schema against the definition that it comes from.
func TestUpToDate(t *testing.T) {
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	crd, err := os.ReadFile(filepath.Join(root, "manifests/crd/plumbline.dev_baselines.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := convert(crd)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs/baseline.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/baseline.schema.json is not what the definition says: run go generate ./api/...")
	}
	other := strings.Replace(string(crd), "has(self.paths)", "size(self.paths) > 0", 1)
	if _, err := convert([]byte(other)); err == nil || !strings.Contains(err.Error(), "spec.ignore.items") {
		t.Errorf("a rule that it does not know: %v", err)
	}
}
