package oracle

import (
	"strings"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// edited is a program with an edit of each sort: of a declared field, of the
// order of a list, and beside git by two people.
var edited = Program{
	Deploy: Apply,
	Git: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": nameToken},
		"spec": map[string]any{"selector": map[string]any{"app": "web"}, "ports": []any{
			map[string]any{"name": "http", "port": int64(80)}, map[string]any{"name": "metrics", "port": int64(9090)},
		}},
	},
	Steps: []Step{
		{Role: Person, Manager: "kubectl-edit", Way: Update, Patch: []Operation{{Op: "add", Path: "/metadata/labels", Value: map[string]any{"added": "yes"}}}},
		{Role: Person, Manager: "kubectl-patch", Way: MergePatch, Patch: []Operation{{Op: "replace", Path: "/spec/selector/app", Value: "other"}}},
		{Role: Person, Manager: "k9s", Way: Update, Patch: []Operation{{Op: "move", From: "/spec/ports/0", Path: "/spec/ports/1"}}},
		{Role: Controller, Manager: "vpa-updater", Way: Apply, Config: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": nameToken, "annotations": map[string]any{"tuned": "yes"}},
		}},
	},
}

// TestJudge runs a program with differs that are wrong in one way each, and wants
// the oracle to notice.
func TestJudge(t *testing.T) {
	g := theWorld(t)
	without := func(d differ.Diff, drop func(differ.Change) bool) differ.Diff {
		var kept []differ.Change
		for _, c := range d.Changes {
			if !drop(c) {
				kept = append(kept, c)
			}
		}
		d.Changes = kept
		return d
	}
	for name, broken := range map[string]struct {
		change func(differ.Diff) differ.Diff
		want   string
	}{
		"says all": {func(d differ.Diff) differ.Diff { return d }, ""},
		"says nothing of what git declares": {func(d differ.Diff) differ.Diff {
			return without(d, func(c differ.Change) bool { return c.Op == differ.Modified })
		}, "declared: missed .spec.selector"},
		"says nothing beside git": {func(d differ.Diff) differ.Diff {
			return without(d, func(c differ.Change) bool { return c.Op == differ.Added })
		}, "undeclared: missed .metadata.labels.added"},
		"says nothing of order": {func(d differ.Diff) differ.Diff {
			return without(d, func(c differ.Change) bool { return c.Op == differ.Reordered })
		}, "order: missed .spec.ports"},
		"takes a default for drift": {func(d differ.Diff) differ.Diff {
			d.Changes = append(d.Changes, differ.Change{Path: differ.Path{"spec", "sessionAffinity"}, Op: differ.Added, Live: "None"})
			return d
		}, "undeclared: false alarm about .spec.sessionAffinity"},
		"takes a controller's for drift": {func(d differ.Diff) differ.Diff {
			d.Changes = append(d.Changes, differ.Change{Path: differ.Path{"metadata", "annotations", "tuned"}, Op: differ.Added, Live: "yes"})
			return d
		}, "undeclared: false alarm about .metadata.annotations.tuned"},
		"takes the declared for drift": {func(d differ.Diff) differ.Diff {
			d.Changes = append(d.Changes, differ.Change{Path: differ.Path{"spec", "ports", map[string]any{"port": int64(80), "protocol": "TCP"}, "name"}, Op: differ.Modified, Declared: "http", Live: "http"})
			return d
		}, "declared: false alarm about .spec.ports"},
		"names another": {func(d differ.Diff) differ.Diff {
			for i := range d.Changes {
				d.Changes[i].Writer.Manager = "rancher"
			}
			return d
		}, "writer: "},
		"shows another value": {func(d differ.Diff) differ.Diff {
			for i := range d.Changes {
				if d.Changes[i].Op == differ.Added {
					d.Changes[i].Live = "no"
				}
			}
			return d
		}, "value: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong, err := g.with(broken.change).play(t.Context(), edited, nil)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(wrong, "; "); broken.want == "" && found != "" || !strings.Contains(found, broken.want) {
				t.Errorf("the oracle found %q, want %q", found, broken.want)
			}
		})
	}
}

// with returns the world with a differ whose answers are changed.
func (w *world) with(change func(differ.Diff) differ.Diff) *world {
	broken := *w
	broken.compare = func(declared, live object.Object, t differ.Type, o differ.Options) differ.Diff {
		return change(w.compare(declared, live, t, o))
	}
	return &broken
}

// TestShrink wants of a failing program only what it takes to fail.
func TestShrink(t *testing.T) {
	w := theWorld(t).with(func(d differ.Diff) differ.Diff {
		d.Changes = nil
		return d
	})
	p := edited
	p.Steps = append([]Step{p.Steps[3]}, p.Steps[:3]...)
	wrong, err := w.play(t.Context(), p, nil)
	if err != nil || len(wrong) == 0 {
		t.Fatalf("nothing is wrong: %v", err)
	}
	small := w.shrink(t.Context(), p, wrong[0])
	if len(small.Steps) != 1 || small.Steps[0].Manager != "kubectl-edit" {
		t.Errorf("shrunk to %v, want the label's step alone", small.Steps)
	}
	if leaves(small.Git) >= leaves(p.Git) {
		t.Errorf("git is as large as before: %v", small.Git)
	}
}
