package render_test

import (
	"maps"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: info}\n"

// TestUpdateRendersOnlyWhatChanged commits next to what was rendered, and then
// to what was read for it, by way of a base and of a symbolic link.
func TestUpdateRendersOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	files := map[string]string{
		"base/kustomization.yaml":    "resources: [settings.yaml]\n",
		"base/settings.yaml":         settings,
		"overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: shop-\n",
		"linked/kustomization.yaml":  "resources: [settings.yaml]\n",
	}
	commit := func(changed map[string]string) {
		maps.Copy(files, changed)
		repo.Commit(gitsourcetest.Commit{Files: files, Links: map[string]string{"linked/settings.yaml": "../base/settings.yaml"}})
	}
	commit(nil)
	server := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{})
	fetch := func() *gitsource.Snapshot {
		t.Helper()
		s, err := gitsource.Fetch(t.Context(), gitsource.Options{URL: server.Repo(), Auth: gitsource.Auth{CABundle: server.CA}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	last := map[string]*render.Rendering{}
	update := func(dir string) bool {
		t.Helper()
		r, err := render.Update(t.Context(), last[dir], fetch(), dir, render.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Objects) != 1 {
			t.Fatalf("%s has %d objects", dir, len(r.Objects))
		}
		same := r == last[dir]
		last[dir] = r
		return same
	}
	steps := []struct {
		name  string
		files map[string]string
		same  bool
	}{
		{"first", map[string]string{"README.md": "two"}, false},
		{"nothing", map[string]string{"README.md": "two"}, true},
		{"beside it", map[string]string{"README.md": "three"}, true},
		{"the base", map[string]string{"base/settings.yaml": settings + "# said\n"}, false},
		{"nothing again", map[string]string{"README.md": "three"}, true},
	}
	for _, s := range steps {
		commit(s.files)
		if got := update("overlay"); got != s.same {
			t.Errorf("%s: rendered again: %v, want %v", s.name, !got, !s.same)
		}
		// Behind a link everything counts, the README as well.
		if got := update("linked"); got && !s.same {
			t.Errorf("%s: what the link leads to was not rendered again", s.name)
		}
	}
}

// TestUpdateKeepsFiles wants a file that has not changed not to be decoded again, and each
// one that was changed, moved or removed to count as it is.
func TestUpdateKeepsFiles(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	named := func(name, level string) string {
		return strings.NewReplacer("name: settings", "name: "+name, "info", level).Replace(settings)
	}
	update := func(last *render.Rendering, files map[string]string) (*render.Rendering, map[string]object.Packed) {
		t.Helper()
		repo.Commit(gitsourcetest.Commit{Files: files})
		s, err := gitsource.Fetch(t.Context(), gitsource.Options{URL: repo.Dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := render.Update(t.Context(), last, s, ".", render.Options{Pack: true})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]object.Packed{}
		for _, o := range r.Objects {
			all[o.ID.Name] = o
		}
		return r, all
	}
	first, was := update(nil, map[string]string{"a.yaml": named("a", "info"), "b.yaml": named("b", "info"), "c.yaml": named("c", "info"), "d.yaml": named("d", "info")})
	second, is := update(first, map[string]string{"a.yaml": named("a", "info"), "b.yaml": named("b", "warn"), "deep/c.yaml": named("c", "info")})
	third, _ := update(second, map[string]string{"a.yaml": named("a", "info"), "b.yaml": named("b", "info")})
	if len(is) != 3 || len(third.Objects) != 2 {
		t.Errorf("%d objects, then %d, then %d", len(was), len(is), len(third.Objects))
	}
	if a, before := is["a"].Text(), was["a"].Text(); len(a) == 0 || &a[0] != &before[0] {
		t.Error("a file that has not changed was decoded again")
	}
	if data, _ := is["b"].Object().Content["data"].(map[string]any); data["level"] != "warn" {
		t.Errorf("a file that was changed says %v", data)
	}
	if data, _ := third.Objects[1].Object().Content["data"].(map[string]any); data["level"] != "info" {
		t.Errorf("a file that was changed back says %v", data)
	}
	if at := is["c"].Origin.File; at != "deep/c.yaml" {
		t.Errorf("a file that was moved is at %s", at)
	}
}
