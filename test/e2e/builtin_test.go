package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
)

// TestBuiltinSchemasAreTheServers wants the schemas that are built into the
// program to be those of the API server that the tests run on.
func TestBuiltinSchemasAreTheServers(t *testing.T) {
	builtin, err := differ.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	config, err := env.Config("reader", masters)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(t.Context(), config, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	others := func(gv string) bool { // the kinds of other tests
		group, _, _ := strings.Cut(gv, "/")
		return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
	}
	documents, err := c.Schemas(t.Context(), slices.DeleteFunc(c.GroupVersions(), others))
	if err != nil {
		t.Fatal(err)
	}
	served := cluster.Components{}
	for _, d := range documents {
		for name, schema := range d {
			served[name] = schema
		}
	}
	for name, schema := range builtin {
		want, err := json.Marshal(served[name])
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s differs: run \"make generate\" (-server +built in):\n%s", name, d)
		}
	}
	if len(builtin) < 500 {
		t.Errorf("only %d schemas are built in", len(builtin))
	}
}
