package rogue_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/rogue"
)

var update = flag.Bool("update", false, "write what the tests found into their want.txt")

// setup is a case's scope.yaml.
type setup struct {
	Scope v1alpha1.Scope
	// Mutated are kinds that webhooks change, Unlisted those that were not listed.
	Mutated, Unlisted []string
}

// TestFind holds the rules about objects and containers to the cases under
// testdata/find: what git declares, what is live, and all that is to be said. Live is
// also all that is declared; see live for what the cases leave out.
func TestFind(t *testing.T) {
	files, err := filepath.Glob("testdata/find/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := setup{Scope: v1alpha1.Scope{Namespaces: []string{"shop", "kube-system"}, ClusterKinds: []string{"*"}}}
			if err := yaml.UnmarshalStrict(part(archive, "scope.yaml"), &s); err != nil {
				t.Fatal(err)
			}
			policy, err := rogue.New(s.Scope, differ.Options{Deployers: []string{"ci-deploy"}})
			if err != nil {
				t.Fatal(err)
			}
			declared := decode(t, part(archive, "declared.yaml"))
			world := rogue.World{Declared: object.PackAll(declared), Live: object.PackAll(live(t, declared, decode(t, part(archive, "live.yaml"))))}
			world.Mutated = func(id object.ID) bool { return slices.Contains(s.Mutated, id.Kind) }
			world.Listed = func(id object.ID) bool { return !slices.Contains(s.Unlisted, id.Kind) }
			got := describe(policy.Find(world))
			if *update {
				setPart(archive, "want.txt", got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(string(part(archive, "want.txt")), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func describe(r rogue.Result) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s", f.Severity, f.Rule, f.Object)
		if f.Subject != "" {
			fmt.Fprintf(&b, " [%s]", f.Subject)
		}
		fmt.Fprintf(&b, " (%s)\n", f.Evidence)
		if f.Origin.File != "" {
			fmt.Fprintf(&b, "  from %s\n", f.Origin.Position)
		}
		fmt.Fprintf(&b, "  %s\n", f.Message)
		for _, c := range f.Children {
			fmt.Fprintf(&b, "  + %s\n", c)
		}
	}
	for _, u := range r.Unjudged {
		fmt.Fprintf(&b, "unjudged %s\n  %s\n", u.Object, u.Reason)
	}
	return b.String()
}

func part(a *txtar.Archive, name string) []byte {
	if i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name }); i >= 0 {
		return a.Files[i].Data
	}
	return nil
}

func setPart(a *txtar.Archive, name, text string) {
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		a.Files = append(a.Files, txtar.File{Name: name})
		i = len(a.Files) - 1
	}
	a.Files[i].Data = []byte(text)
}

// decode reads objects, which are in the namespace shop unless they say another, or
// "-" for none.
func decode(t testing.TB, data []byte) []object.Object {
	t.Helper()
	objects, err := object.Decode("shop.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for n, o := range objects {
		o.Content = runtime.DeepCopyJSON(o.Content) // for what is spelled alike is held once
		objects[n] = o
		metadata := o.Content["metadata"].(map[string]any)
		switch metadata["namespace"] {
		case nil:
			metadata["namespace"] = "shop"
		case "-":
			delete(metadata, "namespace")
		}
		objects[n].ID.Namespace = o.Metadata("namespace")
	}
	return objects
}

// live returns what is live: what the case says, and of what is declared the rest.
// Each has a UID, "Pod/web", and creation time; of "metadata.of", "ReplicaSet/web-1",
// an owner reference is made, and of "metadata.by", "kubectl-run", a record of having
// written all of it.
func live(t testing.TB, declared, said []object.Object) []object.Object {
	t.Helper()
	result := slices.Clone(said)
	for _, d := range declared {
		if !slices.ContainsFunc(said, func(o object.Object) bool { return o.ID == d.ID }) {
			result = append(result, copied(t, d))
		}
	}
	for n, o := range result {
		result[n].Origin = object.Origin{}
		metadata := o.Content["metadata"].(map[string]any)
		fill(metadata, "uid", o.ID.Kind+"/"+o.ID.Name)
		fill(metadata, "creationTimestamp", "2026-11-21T10:00:00Z")
		if of, ok := metadata["of"].(string); ok {
			kind, name, _ := strings.Cut(of, "/")
			apiVersion := map[string]string{"Pod": "v1", "Node": "v1", "Service": "v1", "Job": "batch/v1", "CronJob": "batch/v1",
				"ReplicationController": "v1", "Certificate": "cert-manager.io/v1", "ConfigMap": "v1"}[kind]
			if apiVersion == "" {
				apiVersion = "apps/v1"
			}
			metadata["ownerReferences"] = []any{map[string]any{
				"apiVersion": apiVersion, "kind": kind, "name": name, "uid": of, "controller": true,
			}}
		}
		if by, ok := metadata["by"].(string); ok {
			metadata["managedFields"] = []any{record(by, o.Content)}
		}
		delete(metadata, "of")
		delete(metadata, "by")
	}
	return result
}

func copied(t testing.TB, o object.Object) object.Object {
	t.Helper()
	c, err := object.FromContent(runtime.DeepCopyJSON(o.Content))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fill(fields map[string]any, name string, value any) {
	if fields[name] == nil {
		fields[name] = value
	}
}

// record is that of a manager, "kubectl-set" or "me/Apply", who wrote all of an
// object's spec.
func record(by string, content map[string]any) map[string]any {
	manager, operation, ok := strings.Cut(by, "/")
	if !ok {
		operation = "Update"
	}
	spec, _ := content["spec"].(map[string]any)
	fields := map[string]any{}
	for name := range spec {
		fields["f:"+name] = map[string]any{}
	}
	return map[string]any{
		"manager": manager, "operation": operation, "time": "2026-11-21T10:00:00Z", "fieldsType": "FieldsV1",
		"fieldsV1": map[string]any{"f:metadata": map[string]any{}, "f:spec": fields},
	}
}

// TestFindIsStable wants the same answer whatever the order in which objects come.
func TestFindIsStable(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/find/forged-owners.txtar")
	if err != nil {
		t.Fatal(err)
	}
	declared := decode(t, part(archive, "declared.yaml"))
	all := live(t, declared, decode(t, part(archive, "live.yaml")))
	policy, err := rogue.New(v1alpha1.Scope{Namespaces: []string{"shop"}}, differ.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Find(rogue.World{Declared: object.LooseAll(declared), Live: object.LooseAll(all)})
	if !slices.IsSortedFunc(want.Findings, finding.Finding.Compare) || len(want.Findings) == 0 {
		t.Error("not in order")
	}
	slices.Reverse(all)
	if d := cmp.Diff(want, policy.Find(rogue.World{Declared: object.LooseAll(declared), Live: object.LooseAll(all)})); d != "" {
		t.Errorf("another order gives another answer:\n%s", d)
	}
}
