package adopter_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/plumbline/adopter"
	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// configuration is a repository, a directory in it, and how often it is edited: some
// take long to render.
type configuration struct {
	repo, dir string
	rounds    int
}

// configurations returns the example of this repository, and the corpora if they are
// there.
func configurations() []configuration {
	all := []configuration{{"../examples/shop", "overlays/production", 1}, {"../examples/shop", "base", 2}}
	corpora := os.Getenv("PLUMBLINE_CORPORA")
	if corpora == "" {
		corpora = "../../shared/corpora"
	}
	for _, c := range []configuration{
		{"microservices-demo", "kustomize", 3}, {"microservices-demo", "kubernetes-manifests", 4}, {"microservices-demo", "kustomize/tests/memorystore-with-all-components", 2},
		{"ingress-nginx", "deploy/static/provider/aws", 4}, {"ingress-nginx", "deploy/grafana", 1}, {"knative-serving-config", "config/core", 4},
		{"flux2-kustomize-helm-example", "apps/staging", 1}, {"kube-prometheus", ".", 2},
	} {
		c.repo = filepath.Join(corpora, c.repo)
		if _, err := os.Stat(filepath.Join(c.repo, c.dir)); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// TestAdoptAtRandom edits live objects at random and takes that over: git must declare
// exactly what is live then, and the patch be no larger than what it says.
func TestAdoptAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	refused, all := 0, 0
	for _, c := range configurations() {
		t.Run(filepath.Base(c.repo)+"/"+c.dir, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			fsys := os.DirFS(c.repo)
			rendered, err := render.Render(t.Context(), fsys, c.dir, render.Options{})
			if len(rendered.Objects) == 0 {
				t.Fatal(err)
			}
			for range c.rounds {
				wants := someEdits(random, rendered.Objects, 5)
				result, err := adopter.Adopt(t.Context(), fsys, c.dir, wants)
				if err != nil {
					t.Fatal(err)
				}
				for i, reason := range result.Refused {
					all++
					if reason != nil {
						if !strings.Contains(reason.Error(), "would change as well") { // what a kustomization says of all
							refused++
						}
						t.Logf("%s %s %s: %v", wants[i].Object.ID, wants[i].Change.Op, wants[i].Change.Path, reason)
					}
				}
				compareWith(t, rendered.Objects, wants, result)
				small(t, c, wants, result)
			}
		})
	}
	t.Logf("%d edits, %d refused", all, refused)
	if refused*10 > all {
		t.Errorf("%d of %d edits were refused", refused, all)
	}
}

// someEdits returns edits of objects, each of a place of its own.
func someEdits(random *rand.Rand, objects []object.Object, n int) []adopter.Want {
	var wants []adopter.Want
	for tries := 0; len(wants) < n && tries < 100; tries++ {
		o := objects[random.IntN(len(objects))]
		if o.ID.Kind == "Secret" || o.ID.Kind == "CustomResourceDefinition" {
			continue
		}
		change, ok := someEdit(random, o.Content)
		if ok && !slices.ContainsFunc(wants, func(w adopter.Want) bool { return w.Object.ID == o.ID }) {
			wants = append(wants, adopter.Want{Object: o, Change: change, Live: o.Content})
		}
	}
	return wants
}

// someEdit walks down to a place of an object and changes what is there.
func someEdit(random *rand.Rand, content map[string]any) (differ.Change, bool) {
	var p differ.Path
	var at any = content
	for {
		switch v := at.(type) {
		case map[string]any:
			names := slices.DeleteFunc(slices.Sorted(maps.Keys(v)), func(name string) bool {
				return len(p) == 0 && (name == "apiVersion" || name == "kind") || len(p) == 1 && p[0] == "metadata" && (name == "name" || name == "namespace") || isKey(p, name)
			})
			if len(names) == 0 {
				return differ.Change{}, false
			}
			if len(p) > 1 && random.IntN(10) == 0 {
				if p[0] == "metadata" || p[len(p)-1] == "labels" || p[len(p)-1] == "annotations" {
					return differ.Change{Path: append(p, "added"), Op: differ.Added, Live: "on"}, true
				}
				return differ.Change{Path: append(p, "added"), Op: differ.Added, Live: map[string]any{"a": "b", "n": int64(1)}}, true
			}
			name := names[random.IntN(len(names))]
			p, at = append(p, name), v[name]
			if len(p) > 2 && random.IntN(10) == 0 {
				return differ.Change{Path: p, Op: differ.Removed, Declared: at}, true
			}
		case []any:
			item, ok := someItem(random, v)
			if _, isText := append(v, "")[0].(string); !ok && !isText {
				return differ.Change{}, false
			}
			if !ok {
				return differ.Change{Path: p, Op: differ.Modified, Declared: v, Live: append(slices.Clone(v), "added")}, true
			}
			key := map[string]any{"name": item["name"]}
			switch random.IntN(8) {
			case 0:
				live := map[string]any{"name": "added", "value": "x"}
				return differ.Change{Path: append(p, map[string]any{"name": "added"}), Op: differ.Added, Live: live}, true
			case 1:
				return differ.Change{Path: append(p, key), Op: differ.Removed, Declared: item}, true
			}
			p, at = append(p, key), item
		case string:
			return differ.Change{Path: p, Op: differ.Modified, Declared: v, Live: v + "-edited"}, true
		case bool:
			return differ.Change{Path: p, Op: differ.Modified, Declared: v, Live: !v}, true
		case int64:
			return differ.Change{Path: p, Op: differ.Modified, Declared: v, Live: v + 1}, true
		default:
			return differ.Change{}, false
		}
	}
}

// isKey tells whether a field tells the item of a list in which it is.
func isKey(p differ.Path, name string) bool {
	if len(p) == 0 {
		return false
	}
	keys, ok := p[len(p)-1].(map[string]any)
	return ok && keys[name] != nil
}

// someItem returns an item of a list whose items all have names of their own.
func someItem(random *rand.Rand, list []any) (map[string]any, bool) {
	names := map[any]bool{}
	for _, item := range list {
		m, _ := item.(map[string]any)
		if name, ok := m["name"].(string); !ok || names[name] {
			return nil, false
		}
		names[m["name"]] = true
	}
	if len(list) == 0 {
		return nil, false
	}
	return list[random.IntN(len(list))].(map[string]any), true
}

// compareWith holds what is declared against what the edits make of it, as computed here.
func compareWith(t *testing.T, before []object.Object, wants []adopter.Want, result adopter.Result) {
	t.Helper()
	expected := map[object.ID]any{}
	for _, o := range before {
		expected[o.ID] = o.Content
	}
	for i, w := range wants {
		if result.Refused[i] == nil {
			expected[w.Object.ID] = edited(expected[w.Object.ID], w.Change.Path, w.Change)
		}
	}
	if len(result.Objects) != len(before) {
		t.Errorf("%d objects are declared, want %d", len(result.Objects), len(before))
	}
	for _, o := range result.Objects {
		if want := expected[o.ID]; !rewrite.Same(bare(want), bare(o.Content)) {
			t.Errorf("%s is declared as\n%s\nwant\n%s", o.ID, rewrite.Encode(o.Content), rewrite.Encode(want))
		}
	}
}

// edited returns v with a change made.
func edited(v any, p differ.Path, c differ.Change) any {
	if len(p) == 0 {
		return c.Live
	}
	last := len(p) == 1 && c.Op == differ.Removed
	if name, ok := p[0].(string); ok {
		m, _ := v.(map[string]any)
		m = maps.Clone(m)
		if m == nil {
			m = map[string]any{}
		}
		if m[name] = edited(m[name], p[1:], c); last {
			delete(m, name)
		}
		return m
	}
	list, name := slices.Clone(v.([]any)), p[0].(map[string]any)["name"]
	i := slices.IndexFunc(list, func(item any) bool { return item.(map[string]any)["name"] == name })
	switch {
	case i < 0:
		return append(list, c.Live)
	case last:
		return slices.Delete(list, i, i+1)
	}
	list[i] = edited(list[i], p[1:], c)
	return list
}

// bare returns a value without what is empty, and with what was added to lists of named
// items in front, wherever it came.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, item := range v {
			if b := bare(item); b != nil {
				m[name] = b
			}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	case []any:
		var first, rest []any
		for _, item := range v {
			m, _ := item.(map[string]any)
			if m["name"] == "added" {
				first = append(first, bare(item))
			} else {
				rest = append(rest, bare(item))
			}
		}
		if len(v) == 0 {
			return nil
		}
		return append(first, rest...)
	}
	return v
}

// small wants the patch to be about as large as what it says.
func small(t *testing.T, c configuration, wants []adopter.Want, result adopter.Result) {
	t.Helper()
	patch, err := gitsource.Patch(os.DirFS(c.repo), result.Files)
	if err != nil {
		t.Fatal(err)
	}
	lines, most := 0, 0
	for line := range strings.SplitSeq(string(patch), "\n") {
		if strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "---") {
			lines++
		}
	}
	for i, w := range wants {
		if result.Refused[i] == nil {
			text := string(rewrite.Encode(w.Change.Declared)) + string(rewrite.Encode(w.Change.Live))
			most += 30 + strings.Count(text, "\n") + strings.Count(text, `\n`)
		}
	}
	if lines > most {
		t.Errorf("the patch changes %d lines, want at most %d:\n%s\nfor %s", lines, most, patch, describe(wants))
	}
}

func describe(wants []adopter.Want) string {
	var all []string
	for _, w := range wants {
		all = append(all, fmt.Sprintf("%s %s %s", w.Object.ID, w.Change.Op, w.Change.Path))
	}
	return strings.Join(all, "\n")
}
